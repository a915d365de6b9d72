#include "tests/system/support/supervisor.h"

#include <signal.h>
#include <sys/wait.h>

pid_t supervisor_start(struct proxy *proxy, const char *option)
{
    const char *argv[] = {proxy->program, "-f", proxy->file, option, NULL};
    proxy->generation = 1;
    proxy->pid = program_start(&(struct program){.argv = argv,
                                                 .env = proxy->env,
                                                 .passed = proxy->passed,
                                                 .out = proxy->log,
                                                 .err = proxy->log});
    pid_t supervisor = proxy->pid;
    proxy_wait_serving(proxy);
    proxy_follow(proxy);
    ck_assert_int_ne(proxy->pid, supervisor);
    return supervisor;
}

bool has_reloaded(void *argument)
{
    struct proxy *proxy = argument;
    struct status status;
    if (!proxy_status(proxy, &status) || status.generation <= proxy->generation)
        return false;
    proxy->pid = status.pid;
    proxy->generation = status.generation;
    return true;
}

void reload_through(struct proxy *proxy, pid_t supervisor, int signal)
{
    ck_assert_int_eq(kill(supervisor, signal), 0);
    wait_until(has_reloaded, proxy, "a signal to the supervisor starts a reload");
}

void expect_end(pid_t supervisor, int status)
{
    int outcome = wait_gone(supervisor);
    ck_assert_msg(WIFEXITED(outcome) && WEXITSTATUS(outcome) == status,
                  "the supervisor ended with wait status %d, and not with %d", outcome, status);
}

void stop_through(const struct proxy *proxy, pid_t supervisor)
{
    ck_assert_int_eq(kill(supervisor, SIGTERM), 0);
    expect_end(supervisor, 0);
    ck_assert(!process_alive(proxy->pid));
    ck_assert_uint_eq(orphans_failed(), 0);
    expect_clean_log(proxy->log);
}
