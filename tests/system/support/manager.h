/* The notification socket of a service manager: receives what processes send by sd_notify(3). */
#ifndef TESTS_SYSTEM_MANAGER_H
#define TESTS_SYSTEM_MANAGER_H

#include "tests/system/support/harness.h"

struct manager {
    int socket;
    char path[PATH_MAX], variable[PATH_MAX + 32];
    const char *env[2];
    char said[16384]; /* all messages, one after the other, "PID:TEXT;" */
};

/* Binds the socket, in the test's directory, and replaces an earlier one. The caller adds env to a
 * program's environment. */
void manager_open(struct manager *manager);

/* Receives what was sent since the last call. */
void manager_listen(struct manager *manager);

#endif
