/* Name servers of the machine, on 127.0.0.1 and a port of their own. They end with the test. */
#ifndef TESTS_SYSTEM_DNS_H
#define TESTS_SYSTEM_DNS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Knot DNS, which answers for the zone "test": by UDP with at most 1,232 bytes, by TCP with any. */
struct dns {
    pid_t pid;
    uint16_t port;
    unsigned serial;
    char directory[PATH_MAX], zone[PATH_MAX], log[PATH_MAX];
};

/* True if knotd is installed. */
bool dns_exists(void);

/* Chooses the port, and starts nothing. */
void dns_init(struct dns *dns);

/* Writes the zone: a SOA record and `records`, which are lines of a zone file with relative names.
 * A server that runs has read them when this returns. */
void dns_set(struct dns *dns, const char *records);

/* The name server knows the zone, and cannot read it: SERVFAIL. */
void dns_break(struct dns *dns);

/* Starts it, and returns when it answers. */
void dns_start(struct dns *dns);

/* Ends it: its port refuses. */
void dns_end(struct dns *dns);

/* It does not answer until dns_wake(). */
void dns_silence(struct dns *dns);
void dns_wake(struct dns *dns);

#endif
