#include "reload/base/notify.h"

#include "config/base/clock.h"
#include "config/base/condition.h"
#include "config/base/log.h"
#include "config/base/systemd.h"
#include "reload/base/supervisor.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void notify(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The manager does not hear. Told once, not at each of the messages of a reload. */
static struct condition deaf = {.quiet_ms = 600000};

static void warn(int error)
{
    if (condition_met(&deaf, error, clock_ms()))
        log_warning("the service manager could not be told: %s",
                    error == ENOSYS   ? "this rpproxy was built without libsystemd"
                    : error == ENOENT ? "there is no socket, or libsystemd.so.0 is not installed"
                                      : strerror(error));
}

/* What the manager had no room for. A reload says three things. */
#define WAITING_MAX 8
#define STATE_MAX   128
static const struct timeval retry_interval = {.tv_usec = 100000};
static struct {
    struct event *retry; /* NULL: nothing waits, but is lost */
    char states[WAITING_MAX][STATE_MAX];
    unsigned count;
} waiting;

/* The supervisor says nothing: this is its end. */
static struct event *supervisor_end;

static void supervisor_lost(void)
{
    if (supervisor_end)
        event_free(supervisor_end);
    supervisor_end = NULL;
    supervisor_leave();
    log_warning("the supervisor is gone: this process continues to serve without one");
}

static void on_supervisor(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    supervisor_lost();
}

static int send_state(const char *state)
{
    if (supervisor_descriptor() < 0)
        return systemd_notify(state);
    int error = supervisor_tell(state);
    return error == EPIPE || error == ECONNRESET ? 0 : error; /* on_supervisor() says so */
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    while (waiting.count > 0) {
        int error = send_state(waiting.states[0]);
        if (error == EAGAIN) {
            event_add(waiting.retry, &retry_interval);
            return;
        }
        if (error)
            warn(error);
        memmove(waiting.states[0], waiting.states[1], sizeof waiting.states - STATE_MAX);
        waiting.count--;
    }
}

int notify_begin(struct event_base *base)
{
    waiting.retry = event_new(base, -1, 0, on_retry, NULL);
    if (supervisor_descriptor() >= 0) {
        supervisor_end = event_new(base, supervisor_descriptor(), EV_READ, on_supervisor, NULL);
        if (!supervisor_end || event_add(supervisor_end, NULL))
            return ENOMEM;
    }
    return waiting.retry ? 0 : ENOMEM;
}

void notify_end(void)
{
    if (waiting.retry)
        event_free(waiting.retry);
    waiting.retry = NULL;
    waiting.count = 0;
    if (supervisor_end)
        event_free(supervisor_end);
    supervisor_end = NULL;
}

static void notify(const char *format, ...)
{
    char state[STATE_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(state, sizeof state, format, arguments);
    va_end(arguments);
    int error = waiting.count > 0 ? EAGAIN : send_state(state);
    if (error == EAGAIN && waiting.retry && waiting.count < WAITING_MAX) {
        memcpy(waiting.states[waiting.count++], state, sizeof state);
        event_add(waiting.retry, &retry_interval);
    } else if (error) {
        warn(error);
    }
}

void notify_ready(pid_t pid)
{
    notify("READY=1\nMAINPID=%d\nSTATUS=Serving.%s", pid,
           supervisor_descriptor() >= 0 ? "\n" NOTIFY_RESUMES "=1" : "");
}

void notify_reloading(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    notify("RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=Reloading...",
           (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

void notify_main_pid(pid_t pid)
{
    notify("MAINPID=%d", pid);
}

void notify_stopping(void)
{
    notify("STOPPING=1\nSTATUS=Draining...");
}

void notify_launched(pid_t pid)
{
    if (supervisor_descriptor() >= 0)
        notify(NOTIFY_LAUNCHED "=%d", pid);
}

void notify_failed(int outcome)
{
    if (supervisor_descriptor() >= 0)
        notify("WATCHDOG=trigger\n" NOTIFY_OUTCOME "=%d", outcome);
    else
        notify("WATCHDOG=trigger");
}

void notify_alive(void)
{
    if (waiting.count == 0) /* the next one says the same */
        notify("WATCHDOG=1");
}
