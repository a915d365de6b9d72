/* Which process gave an order: the peer of the control socket, or the sender of a signal. */
#ifndef RPPROXY_RELOAD_BASE_REQUESTER_H
#define RPPROXY_RELOAD_BASE_REQUESTER_H

#include <sys/types.h>

struct requester {
    const char *user; /* of the status page; NULL: a process, as below */
    int signal;       /* 0: a command */
    pid_t pid;        /* 0: not visible here, or the kernel: a terminal */
    uid_t uid;        /* of pid; or of the peer of the socket */
};

/* Writes "a command of uid 0, pid 77 (rpproxy)", "SIGHUP from uid 0, pid 1 (systemd)", or
 * "user ann of the status page". The name of the program is left out if the process is gone
 * already. Returns text. */
#define REQUESTER_TEXT_MAX 96
const char *requester_text(const struct requester *requester, char text[static REQUESTER_TEXT_MAX]);

/* The process at the other end of a Unix socket. */
struct requester requester_of_socket(int fd);

#endif
