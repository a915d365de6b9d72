/* Programs that check servers: real ones. */
#include "config/base/address.h"
#include "proxy/backend/check/exec.h"
#include "tests/unit/suites.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RUNS = 12 };

static struct event_base *base;
static struct exec exec;
static struct exec_run runs[RUNS];
static struct {
    bool told, ended;
    int error;
    char reason[EXEC_REASON_MAX];
} results[RUNS];
static char directory[64];

static void on_verdict(struct exec_run *run, int error, const char *reason)
{
    size_t i = (size_t)(run - runs);
    ck_assert(!results[i].told);
    results[i].told = true;
    results[i].error = error;
    snprintf(results[i].reason, sizeof results[i].reason, "%s", reason);
}

static void on_end(struct exec_run *run)
{
    size_t i = (size_t)(run - runs);
    ck_assert(results[i].told && !results[i].ended);
    results[i].ended = true;
}

static void setup_with(unsigned most)
{
    base = event_base_new();
    exec_init(&exec, base, most);
    memset(results, 0, sizeof results);
    for (size_t i = 0; i < RUNS; i++)
        exec_run_init(&runs[i], &exec, on_verdict, on_end, NULL);
    snprintf(directory, sizeof directory, "/tmp/rpproxy-unit-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
}

static void setup(void)
{
    setup_with(RUNS);
}

static void teardown(void)
{
    char command[96];
    event_base_free(base);
    snprintf(command, sizeof command, "rm -rf %s", directory);
    ck_assert_int_eq(system(command), 0);
}

static struct exec_task task_for(const char *command, const char *address, millis timeout)
{
    struct exec_task task = {.command = command,
                             .backend = "app",
                             .server = "a1",
                             .backend_id = 2,
                             .server_id = 3,
                             .sessions = 17,
                             .maxconn = 50,
                             .timeout = timeout};
    ck_assert_ptr_null(address_parse(address, &task.address));
    return task;
}

static void begin_with_timeout(size_t i, const char *command, const char *address, millis timeout)
{
    const struct exec_task task = task_for(command, address, timeout);
    exec_begin(&runs[i], &task);
}

static void begin(size_t i, const char *command)
{
    begin_with_timeout(i, command, "192.0.2.1:3306", 60000);
}

static void await_end(size_t i)
{
    while (!results[i].ended)
        event_base_loop(base, EVLOOP_ONCE);
}

START_TEST(exit_status_is_the_result)
{
    begin(0, "/bin/true");
    begin(1, "/bin/sh -c \"exit 3\"");
    begin(2, "/bin/sh -c \"kill -TERM $$\"");
    for (size_t i = 0; i < 3; i++)
        await_end(i);
    ck_assert_int_eq(results[0].error, 0);
    ck_assert_int_eq(results[1].error, EPROTO);
    ck_assert_str_eq(results[1].reason, "the program ended with exit status 3");
    ck_assert_int_eq(results[2].error, EPROTO);
    ck_assert_str_eq(results[2].reason, "the program was killed by signal 15");
    ck_assert_uint_eq(exec.running, 0);
}
END_TEST

/* Writes a script that leaves what it was given in a file. */
static void write_script(char path[static 96])
{
    snprintf(path, 96, "%s/script", directory);
    FILE *file = fopen(path, "w");
    fprintf(file,
            "#!/bin/sh\n"
            "exec >%s/out\n"
            "for word; do printf '[%%s]' \"$word\"; done\n"
            "env | grep -v '^_=\\|^PWD=\\|^OLDPWD=\\|^SHLVL=' | sort\n"
            "readlink /proc/$$/fd/0 /proc/$$/fd/2\n",
            directory);
    fclose(file);
    ck_assert_int_eq(chmod(path, 0755), 0);
}

static void read_out(char *text, size_t size)
{
    char path[96];
    snprintf(path, sizeof path, "%s/out", directory);
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    text[fread(text, 1, size - 1, file)] = '\0';
    fclose(file);
}

#define ENVIRONMENT(proxy, proxy_port, server, port, tls)                                          \
    "HAPROXY_PROXY_ADDR=" proxy "\nHAPROXY_PROXY_ID=2\nHAPROXY_PROXY_NAME=app\n"                   \
    "HAPROXY_PROXY_PORT=" proxy_port "\nHAPROXY_SERVER_ADDR=" server                               \
    "\nHAPROXY_SERVER_CURCONN=17\nHAPROXY_SERVER_ID=3\nHAPROXY_SERVER_MAXCONN=50\n"                \
    "HAPROXY_SERVER_NAME=a1\nHAPROXY_SERVER_PORT=" port "\nHAPROXY_SERVER_PROTO=tcp\n"             \
    "HAPROXY_SERVER_SSL=" tls "\nPATH=/usr/sbin:/usr/bin:/bin\n"

START_TEST(arguments_and_environment_are_those_of_haproxy)
{
    static const struct {
        const char *proxy, *address;
        bool tls;
        const char *out;
    } cases[] = {
        {NULL, "192.0.2.1:3306", false,
         "[-v][a b][NOT_USED][NOT_USED][192.0.2.1][3306]" ENVIRONMENT("", "", "192.0.2.1", "3306",
                                                                      "0")},
        {"0.0.0.0:5000", "[2001:db8::1]:80", true,
         "[-v][a b][0.0.0.0][5000][2001:db8::1][80]" ENVIRONMENT("0.0.0.0", "5000", "2001:db8::1",
                                                                 "80", "1")},
        {"[::1]:443", "192.0.2.1:1", false,
         "[-v][a b][::1][443][192.0.2.1][1]" ENVIRONMENT("::1", "443", "192.0.2.1", "1", "0")},
        {"unix:/run/y.sock", "unix:/run/x.sock", false,
         "[-v][a b][/run/y.sock][NOT_USED][/run/x.sock][NOT_USED]" ENVIRONMENT(
             "/run/y.sock", "", "/run/x.sock", "", "0")},
    };
    char path[96], command[160], out[1024];
    write_script(path);
    snprintf(command, sizeof command, "%s -v \"a b\"", path);
    setenv("PATH", "/usr/sbin:/usr/bin:/bin", 1);
    setenv("SECRET", "x", 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct exec_task task = task_for(command, cases[i].address, 60000);
        struct address proxy;
        if (cases[i].proxy) {
            ck_assert_ptr_null(address_parse(cases[i].proxy, &proxy));
            task.proxy = &proxy;
        }
        task.tls = cases[i].tls;
        exec_begin(&runs[i], &task);
        await_end(i);
        ck_assert_msg(results[i].error == 0, "%s", results[i].reason);
        read_out(out, sizeof out);
        size_t length = strlen(cases[i].out);
        ck_assert_uint_gt(strlen(out), length);
        char *rest = out + length;
        ck_assert_ptr_nonnull(strstr(rest, "/dev/null\n/dev/null\n"));
        *rest = '\0';
        ck_assert_str_eq(out, cases[i].out);
    }
}
END_TEST

START_TEST(programs_that_cannot_run_fail)
{
    begin(0, "/nonexistent/program");
    begin(1, "/etc/passwd");
    ck_assert(!results[0].told); /* only from the loop */
    await_end(0);
    await_end(1);
    ck_assert_int_eq(results[0].error, ENOENT);
    ck_assert_int_eq(results[1].error, EACCES);
    begin(2, "/bin/true");
    await_end(2);
    ck_assert_int_eq(results[2].error, 0);
}
END_TEST

static bool is_gone(pid_t pid)
{
    /* A zombie that waits for process 1 counts as gone. */
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return true;
    char *read = fgets(line, sizeof line, file);
    fclose(file);
    char *state = read ? strrchr(line, ')') : NULL;
    return !state || state[2] == 'Z' || state[2] == 'X';
}

/* The pid that a program has written to a file. */
static pid_t written_pid(const char *name)
{
    char path[96];
    int pid = 0;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "r");
    if (file) {
        if (fscanf(file, "%d.", &pid) != 1)
            pid = 0;
        fclose(file);
    }
    return pid;
}

static void await_gone(const char *name)
{
    pid_t pid;
    while ((pid = written_pid(name)) == 0)
        usleep(1000);
    while (!is_gone(pid))
        usleep(1000);
}

START_TEST(time_limit_kills_the_group)
{
    char command[256];
    snprintf(command, sizeof command,
             "/bin/sh -c \"sleep 1000 & echo $!. >%s/child; echo $$. >%s/leader; wait\"", directory,
             directory);
    begin_with_timeout(0, command, "192.0.2.1:80", 300);
    await_end(0);
    ck_assert_int_eq(results[0].error, ETIMEDOUT);
    ck_assert_str_eq(results[0].reason, "the program did not end in time");
    if (written_pid("child")) /* a busy machine may not have come that far */
        await_gone("child");
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1); /* it was reaped */
}
END_TEST

START_TEST(what_a_program_leaves_behind_is_killed)
{
    char command[256];
    snprintf(command, sizeof command, "/bin/sh -c \"sleep 1000 & echo $!. >%s/child\"", directory);
    begin(0, command);
    await_end(0);
    ck_assert_int_eq(results[0].error, 0);
    await_gone("child");
}
END_TEST

START_TEST(the_main_thread_may_reap_first)
{
    int outcome;
    begin(0, "/bin/sh -c \"exit 5\"");
    begin(1, "/bin/true");
    pid_t stranger = fork();
    if (stranger == 0)
        _exit(7);
    siginfo_t info;
    const pid_t all[] = {runs[0].job.pid, runs[1].job.pid, stranger};
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(waitid(P_PID, (id_t)all[i], &info, WEXITED | WNOWAIT), 0);
    ck_assert_int_eq(jobs_reap(&outcome), stranger);
    ck_assert_int_eq(WEXITSTATUS(outcome), 7);
    ck_assert_int_eq(jobs_reap(&outcome), 0);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    await_end(0);
    await_end(1);
    ck_assert_str_eq(results[0].reason, "the program ended with exit status 5");
    ck_assert_int_eq(results[1].error, 0);
}
END_TEST

static void start_two_at_once(void)
{
    setup_with(2);
}

START_TEST(never_more_than_allowed)
{
    for (size_t i = 0; i < RUNS; i++) {
        begin(i, i % 3 ? "/bin/true" : "/nonexistent");
        ck_assert_uint_le(exec.running, 2);
    }
    for (size_t i = 0; i < RUNS; i++) {
        await_end(i);
        ck_assert_uint_le(exec.running, 2);
    }
    for (size_t i = 0; i < RUNS; i++)
        ck_assert_int_eq(results[i].error, i % 3 ? 0 : ENOENT);
}
END_TEST

START_TEST(cancelled_runs_say_nothing)
{
    int outcome;
    for (size_t i = 0; i < 4; i++)
        begin(i, "/bin/sleep 1000");
    ck_assert_int_eq(runs[2].state, EXEC_WAITING);
    pid_t first = runs[0].job.pid;
    exec_cancel(&runs[0]); /* the third has its turn */
    ck_assert_int_eq(runs[2].state, EXEC_RUNNING);
    siginfo_t info;
    ck_assert_int_eq(waitid(P_PID, (id_t)first, &info, WEXITED | WNOWAIT), 0);
    ck_assert_int_eq(jobs_reap(&outcome), first);
    exec_stop(&exec);
    for (size_t i = 1; i < 4; i++)
        exec_cancel(&runs[i]);
    exec_cancel(&runs[0]);
    ck_assert_uint_eq(exec.running, 0);
    for (unsigned reaped = 0; reaped < 2;)
        reaped += jobs_reap(&outcome) > 0;
    event_base_loop(base, EVLOOP_NONBLOCK);
    for (size_t i = 0; i < 4; i++)
        ck_assert(!results[i].told);
}
END_TEST

/* Kills what it is told to; many at once leave no zombie and no descriptor. */
START_TEST(nothing_is_left_behind)
{
    int before = dup(0);
    close(before);
    for (unsigned round = 0; round < 20; round++) {
        memset(results, 0, sizeof results);
        for (size_t i = 0; i < RUNS; i++)
            begin_with_timeout(i, i % 2 ? "/bin/true" : "/bin/sleep 1000", "192.0.2.1:80", 1);
        for (size_t i = 0; i < RUNS; i++)
            await_end(i);
    }
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    int after = dup(0);
    ck_assert_int_eq(after, before);
    close(after);
}
END_TEST

Suite *exec_suite(void)
{
    Suite *suite = suite_create("exec");
    TCase *tcase = tcase_create("exec");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, exit_status_is_the_result);
    tcase_add_test(tcase, arguments_and_environment_are_those_of_haproxy);
    tcase_add_test(tcase, programs_that_cannot_run_fail);
    tcase_add_test(tcase, time_limit_kills_the_group);
    tcase_add_test(tcase, what_a_program_leaves_behind_is_killed);
    tcase_add_test(tcase, the_main_thread_may_reap_first);
    tcase_add_test(tcase, nothing_is_left_behind);
    suite_add_tcase(suite, tcase);
    TCase *limited = tcase_create("limited");
    tcase_add_checked_fixture(limited, start_two_at_once, teardown);
    tcase_add_test(limited, never_more_than_allowed);
    tcase_add_test(limited, cancelled_runs_say_nothing);
    suite_add_tcase(suite, limited);
    return suite;
}
