/* libsystemd, loaded only if there is a service manager or a journal. When it was linked, it and
 * the six libraries that it needs took a third of the start time of every process, including
 * commands. */
#ifndef RPPROXY_CONFIG_BASE_SYSTEMD_H
#define RPPROXY_CONFIG_BASE_SYSTEMD_H

/* Returns 0, or an errno value: ENOSYS, this rpproxy was built without libsystemd; ENOENT, it is
 * not installed here. May be called again; by one thread at a time. */
int systemd_load(void) __attribute__((warn_unused_result));

/* Sends state to the service manager if NOTIFY_SOCKET is set, as sd_notify(3) does. Never blocks if
 * NOTIFY_SOCKET is a Unix socket, which is the case for a manager on this machine. Returns 0 or an
 * errno value: EAGAIN, the manager has not read the earlier messages; an error of systemd_load();
 * or the reason why the manager cannot be reached. */
int systemd_notify(const char *state) __attribute__((warn_unused_result));

/* sd_journal_send(3); after systemd_load(), by any thread. priority: as syslog(3). Returns 0 or an
 * errno value. */
int systemd_journal(const char *message, int length, int priority)
    __attribute__((warn_unused_result));

#endif
