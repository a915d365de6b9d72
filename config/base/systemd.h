/* libsystemd, loaded only if there is a service manager that needs it. When it was linked, it and
 * the six libraries that it needs took a third of the start time of every process, including
 * commands. */
#ifndef RPPROXY_CONFIG_BASE_SYSTEMD_H
#define RPPROXY_CONFIG_BASE_SYSTEMD_H

/* Sends state to the service manager if NOTIFY_SOCKET is set, as sd_notify(3) does. Never blocks if
 * NOTIFY_SOCKET is a Unix socket, which is the case for a manager on this machine. Returns 0 or an
 * errno value: EAGAIN, the manager has not read the earlier messages; ENOSYS, libsystemd is needed,
 * and this rpproxy was built without it; ENOENT, it is not installed here; or the reason why the
 * manager cannot be reached. One thread at a time. */
int systemd_notify(const char *state) __attribute__((warn_unused_result));

#endif
