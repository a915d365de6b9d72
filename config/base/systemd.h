/* libsystemd, loaded where there is a service manager or a journal to speak to. Linked in, it and
 * the six libraries it brings along were a third of the start-up of every process, reload's own two
 * among them. */
#ifndef RPPROXY_CONFIG_BASE_SYSTEMD_H
#define RPPROXY_CONFIG_BASE_SYSTEMD_H

/* Returns 0, or an errno value: ENOSYS, this rpproxy was built without libsystemd; ENOENT, it is
 * not installed here. Harmless to call again; one thread at a time. */
int systemd_load(void) __attribute__((warn_unused_result));

/* sd_notify(3), where NOTIFY_SOCKET is set. Returns 0 or an errno value: what systemd_load() does,
 * or why the manager cannot be reached. */
int systemd_notify(const char *state) __attribute__((warn_unused_result));

/* sd_journal_send(3); after systemd_load(), by any thread. priority: as syslog(3). Returns 0 or an
 * errno value. */
int systemd_journal(const char *message, int length, int priority)
    __attribute__((warn_unused_result));

#endif
