#include "proxy/backend/check/exec.h"

#include "config/syntax/words.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define VARIABLES 13

/* An address as arguments have it: of a Unix socket its path. "": NOT_USED, or nothing in the
 * environment. */
struct place {
    char host[ADDRESS_TEXT_MAX], port[16];
};

/* Arguments and environment of one program; the texts are in one memory. */
struct call {
    char **words; /* of the command */
    char **arguments;
    char *environment[VARIABLES + 1];
    struct place proxy, server;
};

static void describe_address(const struct address *address, struct place *place)
{
    switch (address->any.sa_family) {
    case AF_INET:
        inet_ntop(AF_INET, &address->in.sin_addr, place->host, sizeof place->host);
        break;
    case AF_INET6:
        inet_ntop(AF_INET6, &address->in6.sin6_addr, place->host, sizeof place->host);
        break;
    default:
        address_format(address, place->host);
        memmove(place->host, place->host + strlen("unix:"),
                strlen(place->host + strlen("unix:")) + 1);
        return;
    }
    snprintf(place->port, sizeof place->port, "%u", address_port(address));
}

static char *argument(char *text)
{
    static char not_used[] = "NOT_USED";
    return *text ? text : not_used;
}

static bool set_arguments(struct call *call, size_t count)
{
    char *added[] = {argument(call->proxy.host), argument(call->proxy.port),
                     argument(call->server.host), argument(call->server.port), NULL};
    call->arguments = calloc(count + sizeof added / sizeof added[0], sizeof *call->arguments);
    if (!call->arguments)
        return false;
    memcpy(call->arguments, call->words, count * sizeof *call->arguments);
    memcpy(call->arguments + count, added, sizeof added);
    return true;
}

static bool set_environment(struct call *call, const struct exec_task *task)
{
    const char *path = getenv("PATH");
    char **next = call->environment;
    return asprintf(next++, "PATH=%s", path ? path : "/usr/bin:/bin") >= 0 &&
           asprintf(next++, "HAPROXY_PROXY_NAME=%s", task->backend) >= 0 &&
           asprintf(next++, "HAPROXY_PROXY_ID=%zu", task->backend_id) >= 0 &&
           asprintf(next++, "HAPROXY_PROXY_ADDR=%s", call->proxy.host) >= 0 &&
           asprintf(next++, "HAPROXY_PROXY_PORT=%s", call->proxy.port) >= 0 &&
           asprintf(next++, "HAPROXY_SERVER_NAME=%s", task->server) >= 0 &&
           asprintf(next++, "HAPROXY_SERVER_ID=%zu", task->server_id) >= 0 &&
           asprintf(next++, "HAPROXY_SERVER_ADDR=%s", call->server.host) >= 0 &&
           asprintf(next++, "HAPROXY_SERVER_PORT=%s", call->server.port) >= 0 &&
           asprintf(next++, "HAPROXY_SERVER_CURCONN=%ju", (uintmax_t)task->sessions) >= 0 &&
           asprintf(next++, "HAPROXY_SERVER_MAXCONN=%u", task->maxconn) >= 0 &&
           asprintf(next++, "HAPROXY_SERVER_SSL=%d", task->tls) >= 0 &&
           asprintf(next++, "HAPROXY_SERVER_PROTO=tcp") >= 0;
}

static void free_call(struct call *call)
{
    for (size_t i = 0; i < VARIABLES; i++)
        free(call->environment[i]);
    free(call->arguments);
    words_free(call->words);
}

static int launch(struct exec_run *run)
{
    struct call call = {0};
    size_t count;
    int error = ENOMEM;
    if (run->task.proxy)
        describe_address(run->task.proxy, &call.proxy);
    describe_address(&run->task.address, &call.server);
    /* The configuration has been read, so only memory can be missing. */
    if (!words_split(run->task.command, &call.words, &count) && set_arguments(&call, count) &&
        set_environment(&call, &run->task)) {
        /* Of this thread alone; without the capability there is nothing to clear. */
        (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
        error = job_start(&run->job, call.words[0], call.arguments, call.environment);
    }
    free_call(&call);
    return error;
}

static void on_ended(evutil_socket_t fd, short what, void *arg);

static void start(struct exec_run *run)
{
    const struct timeval timeout = clock_interval(run->task.timeout);
    run->exec->running++;
    run->error = launch(run);
    if (run->error) {
        run->state = EXEC_FAILING;
        event_active(&run->deadline, EV_TIMEOUT, 0);
        return;
    }
    run->state = EXEC_RUNNING;
    event_add(&run->deadline, &timeout);
    event_assign(&run->exit, run->exec->base, run->job.pidfd, EV_READ | EV_PERSIST, on_ended, run);
    event_add(&run->exit, NULL);
}

static void start_waiting(struct exec *exec)
{
    struct exec_run *run;
    while (exec->running < exec->most && (run = TAILQ_FIRST(&exec->waiting))) {
        TAILQ_REMOVE(&exec->waiting, run, link);
        start(run);
    }
}

static void end(struct exec_run *run)
{
    struct exec *exec = run->exec;
    event_del(&run->deadline);
    run->state = EXEC_IDLE;
    exec->running--;
    run->on_end(run);
    start_waiting(exec);
}

static void tell(struct exec_run *run, int outcome)
{
    char reason[EXEC_REASON_MAX] = "";
    if (WIFEXITED(outcome) && WEXITSTATUS(outcome) == 0) {
        run->on_verdict(run, 0, reason);
        return;
    }
    if (WIFEXITED(outcome))
        snprintf(reason, sizeof reason, "the program ended with exit status %d",
                 WEXITSTATUS(outcome));
    else
        snprintf(reason, sizeof reason, "the program was killed by signal %d", WTERMSIG(outcome));
    run->on_verdict(run, EPROTO, reason);
}

static void on_ended(evutil_socket_t fd, short what, void *arg)
{
    struct exec_run *run = arg;
    int outcome;
    (void)fd;
    (void)what;
    event_del(&run->exit);
    if (!job_take(&run->job, &outcome)) {
        event_add(&run->exit, NULL);
        return;
    }
    if (run->state == EXEC_RUNNING)
        tell(run, outcome);
    end(run);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    struct exec_run *run = arg;
    char reason[EXEC_REASON_MAX] = "";
    (void)fd;
    (void)what;
    if (run->state == EXEC_FAILING) {
        snprintf(reason, sizeof reason, "the program cannot run: %s", strerror(run->error));
        run->on_verdict(run, run->error, reason);
        end(run);
        return;
    }
    /* Its end is awaited, so that there are never more programs than there may be. */
    run->state = EXEC_KILLED;
    job_kill(&run->job);
    snprintf(reason, sizeof reason, "the program did not end in time");
    run->on_verdict(run, ETIMEDOUT, reason);
}

void exec_init(struct exec *exec, struct event_base *base, unsigned most)
{
    *exec = (struct exec){.base = base, .most = most};
    TAILQ_INIT(&exec->waiting);
}

void exec_run_init(struct exec_run *run, struct exec *exec,
                   void (*on_verdict)(struct exec_run *run, int error, const char *reason),
                   void (*on_end)(struct exec_run *run), void *arg)
{
    *run = (struct exec_run){.exec = exec, .on_verdict = on_verdict, .on_end = on_end, .arg = arg};
    evtimer_assign(&run->deadline, exec->base, on_deadline, run);
}

void exec_begin(struct exec_run *run, const struct exec_task *task)
{
    run->task = *task;
    run->state = EXEC_WAITING;
    TAILQ_INSERT_TAIL(&run->exec->waiting, run, link);
    start_waiting(run->exec);
}

void exec_cancel(struct exec_run *run)
{
    switch (run->state) {
    case EXEC_IDLE:
        return;
    case EXEC_WAITING:
        TAILQ_REMOVE(&run->exec->waiting, run, link);
        run->state = EXEC_IDLE;
        return;
    case EXEC_RUNNING:
    case EXEC_KILLED:
        event_del(&run->exit);
        job_forget(&run->job);
        break;
    case EXEC_FAILING:
        break;
    }
    event_del(&run->deadline);
    run->state = EXEC_IDLE;
    run->exec->running--;
    start_waiting(run->exec);
}

void exec_stop(struct exec *exec)
{
    exec->most = 0;
}
