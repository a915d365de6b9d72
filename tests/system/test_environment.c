/* What whoever starts the program, or the machine, may leave it without. */
#include "scenarios.h"
#include "scene.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The program is started by a shell, which `before` and `after` tell how. */
static void prepare(struct scene *scene, const char *before, const char *after)
{
    scene_init(scene);
    test_path(scene->proxy.program, "prepared");
    write_file(scene->proxy.program, 0755, "#!/bin/sh\n%s exec '%s' \"$@\" %s\n", before,
               proxy_binary(), after);
    scene_configure(scene, "", "");
}

static void expect_streams_to_nowhere(pid_t pid)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        char path[64], target[64] = "";
        snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
        ck_assert_int_gt(readlink(path, target, sizeof target - 1), 0);
        ck_assert_str_eq(target, "/dev/null");
    }
}

START_TEST(closed_standard_streams_are_nobodys_socket)
{
    struct scene scene;
    prepare(&scene, "", "<&- >&- 2>&-");
    proxy_start(&scene.proxy);
    for (unsigned i = 0; i < 2; i++) {
        expect_streams_to_nowhere(scene.proxy.pid);
        struct session session = session_open(&scene);
        session_works(&session);
        session_close(&session);
        proxy_reload(&scene.proxy);
    }
    proxy_stop(&scene.proxy);
}
END_TEST

/* A signal, SIGXFSZ, is what the kernel says first. */
START_TEST(a_limit_of_file_size_is_an_error_like_others)
{
    if (sanitized())
        skip_test("ThreadSanitizer has files of its own");
    struct scene scene;
    struct outcome outcome;
    prepare(&scene, "(ulimit -f 0;", "2>&1) | cat >&2");
    run(&outcome, scene.proxy.program, "-f", scene.proxy.file, NULL);
    ck_assert_msg(strstr(outcome.err, "cannot start the workers: File too large") != NULL, "%s",
                  outcome.err);
}
END_TEST

Suite *environment_suite(void)
{
    Suite *suite = suite_create("environment");
    scenario_add(suite, closed_standard_streams_are_nobodys_socket, 120);
    scenario_add(suite, a_limit_of_file_size_is_an_error_like_others, 60);
    return suite;
}
