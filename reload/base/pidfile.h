/* The pidfile: names the process that serves, and is never half written. */
#ifndef RPPROXY_RELOAD_BASE_PIDFILE_H
#define RPPROXY_RELOAD_BASE_PIDFILE_H

/* Puts our pid there by rename. Returns 0 or an errno value. */
int pidfile_write(const char *path) __attribute__((warn_unused_result));

/* Removes it, if it still names us. */
void pidfile_remove(const char *path);

#endif
