/* libsystemd, loaded only if there is a service manager or a journal. When it was linked, it and
 * the six libraries that it needs took a third of the start time of every process, including
 * commands. */
#ifndef RPPROXY_CONFIG_BASE_SYSTEMD_H
#define RPPROXY_CONFIG_BASE_SYSTEMD_H

/* Returns 0, or an errno value: ENOSYS, this rpproxy was built without libsystemd; ENOENT, it is
 * not installed here. Harmless to call again; one thread at a time. */
int systemd_load(void) __attribute__((warn_unused_result));

/* Tells the service manager, where NOTIFY_SOCKET is set, as sd_notify(3) does; but by a Unix
 * socket, which is what a manager on this machine has, it never blocks: EAGAIN, the manager has not
 * read what it was sent before. Returns 0 or an errno value: that, what systemd_load() does, or why
 * the manager cannot be reached. */
int systemd_notify(const char *state) __attribute__((warn_unused_result));

/* sd_journal_send(3); after systemd_load(), by any thread. priority: as syslog(3). Returns 0 or an
 * errno value. */
int systemd_journal(const char *message, int length, int priority)
    __attribute__((warn_unused_result));

#endif
