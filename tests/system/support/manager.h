/* A service manager's ear: what processes tell it by sd_notify(3). */
#ifndef TESTS_SYSTEM_MANAGER_H
#define TESTS_SYSTEM_MANAGER_H

#include "tests/system/support/harness.h"

struct manager {
    int socket;
    char path[PATH_MAX], variable[PATH_MAX + 32];
    const char *env[2];
    char said[16384]; /* all messages, one after the other, "PID:TEXT;" */
};

/* Binds its socket, in the test's directory, in the place of one before. env is then to be added to
 * a program's environment. */
void manager_open(struct manager *manager);

/* Takes in what has been said since the last time. */
void manager_listen(struct manager *manager);

#endif
