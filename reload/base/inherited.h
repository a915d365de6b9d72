/* Sockets that a process inherits from the process that started it. */
#ifndef RPPROXY_RELOAD_BASE_INHERITED_H
#define RPPROXY_RELOAD_BASE_INHERITED_H

/* The SOCK_SEQPACKET socket with the number in the environment variable, now close-on-exec; or a
 * negative errno value: -ENOENT, the variable is not set; else it names no such socket. Removes the
 * variable: to be called before there are other threads. */
int inherited_socket(const char *variable) __attribute__((warn_unused_result));

#endif
