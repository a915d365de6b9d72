#include "reload/notify.h"

#ifdef HAVE_LIBSYSTEMD

#include <systemd/sd-daemon.h>
#include <time.h>

void notify_ready(pid_t pid)
{
    (void)sd_notifyf(0, "READY=1\nMAINPID=%d\nSTATUS=Serving.", pid);
}

void notify_reloading(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=Reloading...",
                     (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

void notify_main_pid(pid_t pid)
{
    (void)sd_notifyf(0, "MAINPID=%d", pid);
}

void notify_stopping(void)
{
    (void)sd_notify(0, "STOPPING=1\nSTATUS=Draining...");
}

void notify_failed(void)
{
    (void)sd_notify(0, "WATCHDOG=trigger");
}

#else

void notify_ready(pid_t pid)
{
    (void)pid;
}

void notify_reloading(void)
{
}

void notify_main_pid(pid_t pid)
{
    (void)pid;
}

void notify_stopping(void)
{
}

void notify_failed(void)
{
}

#endif
