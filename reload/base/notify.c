#include "reload/base/notify.h"

#include "config/base/clock.h"
#include "config/base/condition.h"
#include "config/base/log.h"
#include "config/base/systemd.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void notify(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The manager does not hear. Told once, not at each of the messages of a reload. */
static struct condition deaf = {.quiet_ms = 600000};

static void notify(const char *format, ...)
{
    char state[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(state, sizeof state, format, arguments);
    va_end(arguments);
    int error = systemd_notify(state);
    if (error && condition_met(&deaf, error, clock_ms()))
        log_warning("the service manager could not be told: %s",
                    error == ENOSYS   ? "this rpproxy was built without libsystemd"
                    : error == ENOENT ? "libsystemd.so.0 is not installed"
                                      : strerror(error));
}

void notify_ready(pid_t pid)
{
    notify("READY=1\nMAINPID=%d\nSTATUS=Serving.", pid);
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

void notify_failed(void)
{
    notify("WATCHDOG=trigger");
}
