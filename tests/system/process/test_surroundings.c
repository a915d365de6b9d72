/* Reloads after something has broken since the start: each ends with its reason and exit status,
 * the proxy serves on, and the next reload after the repair works. */
#include "tests/system/scenarios.h"
#include "tests/system/support/scene.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* A session that lives through the whole test. */
static struct session begin(struct scene *scene)
{
    proxy_own_binary(&scene->proxy);
    scene_configure(scene, "", "");
    proxy_start(&scene->proxy);
    return session_open(scene);
}

static void serves_on(struct scene *scene, const struct session *session)
{
    ck_assert(process_alive(scene->proxy.pid));
    session_works(session);
    struct session next = session_open(scene);
    session_works(&next);
    session_close(&next);
}

static void expect_outcome(const struct outcome *outcome, int code, const char *says)
{
    ck_assert_msg(outcome->code == code && strstr(outcome->err, says) != NULL,
                  "exit %d, and not %d and \"%s\": %s%s", outcome->code, code, says, outcome->out,
                  outcome->err);
}

static void expect_failure(struct scene *scene, const struct session *session, int code,
                           const char *says)
{
    struct outcome outcome;
    run(&outcome, proxy_binary(), "reload", "-s", scene->proxy.control, NULL);
    expect_outcome(&outcome, code, says);
    serves_on(scene, session);
}

static void end(struct scene *scene, const struct session *session)
{
    struct outcome outcome;
    int code = proxy_command(&scene->proxy, &outcome, "reload", NULL);
    ck_assert_msg(code == 0, "the next reload: exit %d: %s", code, outcome.err);
    proxy_follow(&scene->proxy);
    serves_on(scene, session);
    session_close(session);
    proxy_wait_drained(&scene->proxy);
    ck_assert_int_eq(proxy_command(&scene->proxy, &outcome, "stop", NULL), 0);
}

/* --- the configuration --------------------------------------------------------------------- */

static void put_directory(const char *path)
{
    ck_assert_int_eq(mkdir(path, 0755), 0);
}

static void put_fifo(const char *path)
{
    ck_assert_int_eq(mkfifo(path, 0644), 0);
}

static void put_zero(const char *path)
{
    ck_assert_int_eq(symlink("/dev/zero", path), 0);
}

static void put_loop(const char *path)
{
    ck_assert_int_eq(symlink(path, path), 0);
}

/* A file of a gigabyte of zeros that takes no disk space. */
static void put_giant(const char *path)
{
    write_file(path, 0644, "%s", "");
    ck_assert_int_eq(truncate(path, 1 << 30), 0);
}

/* A line without an end. */
static void put_line(const char *path)
{
    char line[65536];
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    memset(line, 'x', sizeof line);
    for (unsigned i = 0; i < 512; i++) {
        ck_assert_uint_eq(fwrite(line, sizeof line, 1, file), 1);
    }
    fclose(file);
}

static const struct {
    void (*put)(const char *path);
    const char *complaint;
} files[] = {
    {put_directory, "Is a directory"}, {put_fifo, "not a regular file"},
    {put_zero, "not a regular file"},  {put_loop, "Too many levels of symbolic links"},
    {put_giant, "larger than 64 MiB"}, {put_line, ":1: "},
};

START_TEST(no_such_file)
{
    struct scene scene;
    struct outcome outcome;
    scene_init(&scene);
    struct session session = begin(&scene);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        ck_assert_int_eq(unlink(scene.proxy.file), 0);
        files[i].put(scene.proxy.file);
        expect_failure(&scene, &session, 2, files[i].complaint);
        run(&outcome, proxy_binary(), "check", "-f", scene.proxy.file, NULL);
        expect_outcome(&outcome, 2, files[i].complaint);
        run(&outcome, proxy_binary(), "reload", "--dry-run", "-s", scene.proxy.control, NULL);
        expect_outcome(&outcome, 2, files[i].complaint);
        /* The file names no control socket, and no process has the default one. */
        ck_assert_int_ne(proxy_command(&scene.proxy, &outcome, "reload", NULL), 0);
        ck_assert_int_eq(remove(scene.proxy.file), 0);
        scene_configure(&scene, "", "");
    }
    end(&scene, &session);
}
END_TEST

/* --- the program --------------------------------------------------------------------------- */

START_TEST(no_such_program)
{
    struct scene scene;
    scene_init(&scene);
    struct session session = begin(&scene);
    const char *program = scene.proxy.program;
    ck_assert_int_eq(unlink(program), 0);
    put_directory(program);
    expect_failure(&scene, &session, 5, "Permission denied");
    ck_assert_int_eq(remove(program), 0);
    put_loop(program);
    expect_failure(&scene, &session, 5, "Too many levels of symbolic links");
    ck_assert_int_eq(remove(program), 0);
    write_file(program, 0755, "#!/nonexistent/interpreter\n");
    expect_failure(&scene, &session, 5, "No such file or directory");
    write_file(program, 0755, "\177ELF and no more");
    expect_failure(&scene, &session, 5, "");
    copy_file(proxy_binary(), program, 0755);
    end(&scene, &session);
}
END_TEST

/* --- the environment, the working directory ------------------------------------------------ */

enum { VARIABLES = 12, VARIABLE_SIZE = 120000 };

/* The new process gets the whole environment. Where the kernel has no room for it, that is the
 * reported reason. */
START_TEST(huge_environment)
{
    static char values[VARIABLES][VARIABLE_SIZE];
    const char *env[VARIABLES + 1] = {NULL};
    struct scene scene;
    struct outcome outcome;
    struct rlimit stack;
    for (unsigned i = 0; i < VARIABLES; i++) {
        memset(values[i], 'x', VARIABLE_SIZE - 1);
        values[i][snprintf(values[i], 32, "HUGE_%u=", i)] = 'x';
        env[i] = values[i];
    }
    scene_init(&scene);
    scene.proxy.env = env;
    struct session session = begin(&scene);
    proxy_reload(&scene.proxy);
    proxy_wait_drained(&scene.proxy);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--dry-run", NULL), 0);
    ck_assert_int_eq(prlimit(scene.proxy.pid, RLIMIT_STACK, NULL, &stack), 0);
    const struct rlimit small = {.rlim_cur = 1 << 20, .rlim_max = stack.rlim_max};
    ck_assert_int_eq(prlimit(scene.proxy.pid, RLIMIT_STACK, &small, NULL), 0);
    expect_failure(&scene, &session, 5, "Argument list too long");
    ck_assert_int_eq(prlimit(scene.proxy.pid, RLIMIT_STACK, &stack, NULL), 0);
    end(&scene, &session);
}
END_TEST

START_TEST(no_working_directory)
{
    struct scene scene;
    char directory[PATH_MAX];
    scene_init(&scene);
    scene_configure(&scene, "", "");
    proxy_own_binary(&scene.proxy);
    put_directory(test_path(directory, "somewhere"));
    const char *argv[] = {scene.proxy.program, "-f", scene.proxy.file, NULL};
    scene.proxy.pid = program_start(&(struct program){
        .argv = argv, .directory = directory, .out = scene.proxy.log, .err = scene.proxy.log});
    proxy_wait_serving(&scene.proxy);
    struct session session = session_open(&scene);
    ck_assert_int_eq(rmdir(directory), 0);
    proxy_reload(&scene.proxy);
    serves_on(&scene, &session);
    end(&scene, &session);
}
END_TEST

/* --- the control socket and the pid file --------------------------------------------------- */

static const char *own_directory(void)
{
    static char path[PATH_MAX];
    return test_path(path, "proxy.run");
}

/* A reload by signal makes a removed control socket again. */
START_TEST(control_socket_removed)
{
    struct scene scene;
    struct outcome outcome;
    scene_init(&scene);
    struct session session = begin(&scene);
    for (unsigned i = 0; i < 2; i++) {
        pid_t old = scene.proxy.pid;
        run(&outcome, "rm", "-r", i == 0 ? scene.proxy.control : own_directory(), NULL);
        ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "status", NULL), 8);
        serves_on(&scene, &session);
        ck_assert_int_eq(kill(old, SIGHUP), 0);
        wait_file(scene.proxy.control);
        proxy_follow(&scene.proxy);
        ck_assert_int_ne(scene.proxy.pid, old);
        ck_assert_int_eq(proxy_pidfile(&scene.proxy), scene.proxy.pid);
        proxy_wait_drained(&scene.proxy);
    }
    end(&scene, &session);
}
END_TEST

/* A directory is in the place of the control socket: the new process fails, and the old one serves
 * on and reloads again after the repair. */
START_TEST(no_place_for_the_control_socket)
{
    struct scene scene;
    struct outcome outcome;
    char moved[PATH_MAX];
    scene_init(&scene);
    struct session session = begin(&scene);
    ck_assert_int_eq(rename(own_directory(), test_path(moved, "moved")), 0);
    write_file(own_directory(), 0644, "%s", "");
    ck_assert_int_eq(kill(scene.proxy.pid, SIGHUP), 0);
    wait_mentioned(scene.proxy.log, "proxy.run: Not a directory");
    wait_mentioned(scene.proxy.log, "reload to generation 2 failed: ");
    serves_on(&scene, &session);
    ck_assert_int_eq(unlink(own_directory()), 0);
    ck_assert_int_eq(rename(moved, own_directory()), 0);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "status", NULL), 0);

    ck_assert_int_eq(unlink(scene.proxy.control), 0);
    put_directory(scene.proxy.control);
    ck_assert_int_eq(kill(scene.proxy.pid, SIGHUP), 0);
    wait_mentioned(scene.proxy.log, "control.sock': a directory is there");
    serves_on(&scene, &session);
    ck_assert_int_eq(rmdir(scene.proxy.control), 0);
    ck_assert_int_eq(kill(scene.proxy.pid, SIGHUP), 0);
    wait_file(scene.proxy.control);
    proxy_follow(&scene.proxy);
    end(&scene, &session);
}
END_TEST

START_TEST(no_place_for_the_pid_file)
{
    struct scene scene;
    char place[PATH_MAX];
    scene_init(&scene);
    struct session session = begin(&scene);
    snprintf(scene.proxy.pidfile, sizeof scene.proxy.pidfile, "%s/pid",
             test_path(place, "elsewhere"));
    write_file(place, 0644, "%s", "");
    scene_configure(&scene, "", "");
    expect_failure(&scene, &session, 2, "elsewhere: Not a directory");
    ck_assert_int_eq(unlink(place), 0);
    end(&scene, &session);
}
END_TEST

/* For a user that is not root: root may write in spite of the mode. */
START_TEST(read_only_directory)
{
    if (getuid() != 0) {
        skip_test("only root can give the directory to another user");
    }
    struct scene scene;
    struct outcome outcome;
    scene_init(&scene);
    run(&outcome, "chown", "nobody", own_directory(), NULL);
    ck_assert_int_eq(outcome.code, 0);
    proxy_own_binary(&scene.proxy);
    scene_configure(&scene, "user = nobody\n", "");
    proxy_start(&scene.proxy);
    struct session session = session_open(&scene);
    ck_assert_int_eq(chmod(own_directory(), 0555), 0);
    expect_failure(&scene, &session, 2, "proxy.run is not writable for user nobody");
    ck_assert_int_eq(chmod(own_directory(), 0755), 0);
    end(&scene, &session);
}
END_TEST

Suite *surroundings_suite(void)
{
    Suite *suite = suite_create("surroundings");
    scenario_add(suite, no_such_file, 300);
    scenario_add(suite, no_such_program, 300);
    scenario_add(suite, huge_environment, 300);
    scenario_add(suite, no_working_directory, 300);
    scenario_add(suite, control_socket_removed, 300);
    scenario_add(suite, no_place_for_the_control_socket, 300);
    scenario_add(suite, no_place_for_the_pid_file, 300);
    scenario_add(suite, read_only_directory, 300);
    return suite;
}
