#include "config/base/systemd.h"

#include <errno.h>
#include <stdlib.h>

#ifdef HAVE_LIBSYSTEMD

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <dlfcn.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>

/* The number is that of the interface whose headers these are. */
#define LIBRARY "libsystemd.so.0"

static __typeof__(&sd_notify) notify;
static __typeof__(&sd_journal_send) journal_send;

int systemd_load(void)
{
    if (notify && journal_send)
        return 0;
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return ENOENT;
    /* POSIX, dlsym(): the one way to make a function's address of it that ISO C lets pass. */
    *(void **)&notify = dlsym(library, "sd_notify");
    *(void **)&journal_send = dlsym(library, "sd_journal_send");
    return notify && journal_send ? 0 : ENOENT;
}

int systemd_notify(const char *state)
{
    if (!getenv("NOTIFY_SOCKET"))
        return 0;
    int error = systemd_load();
    if (error)
        return error;
    int result = notify(0, state);
    return result < 0 ? -result : 0;
}

int systemd_journal(const char *message, int length, int priority)
{
    return -journal_send("MESSAGE=%.*s", length, message, "PRIORITY=%i", priority,
                         "SYSLOG_IDENTIFIER=rpproxy", NULL);
}

#else

int systemd_load(void)
{
    return ENOSYS;
}

int systemd_notify(const char *state)
{
    (void)state;
    return getenv("NOTIFY_SOCKET") ? ENOSYS : 0;
}

int systemd_journal(const char *message, int length, int priority)
{
    (void)message;
    (void)length;
    (void)priority;
    return ENOSYS;
}

#endif
