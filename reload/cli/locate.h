/* Finds a running proxy that the control socket in a configuration file no longer leads to. */
#ifndef RPPROXY_RELOAD_CLI_LOCATE_H
#define RPPROXY_RELOAD_CLI_LOCATE_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/un.h>

struct located {
    int pid;
    char control[sizeof((struct sockaddr_un *)NULL)->sun_path]; /* path of its control socket */
};

/* Asks each proxy of this network namespace which file it reads, as far as it answers this user.
 * Returns true, with *found set, for the first proxy that reads file. A proxy that hangs costs
 * two seconds; at most 16 are asked. */
bool locate_proxy(const char *file, struct located *found) __attribute__((warn_unused_result));

#endif
