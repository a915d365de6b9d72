/* Real servers for real clients: each is started in the test's directory and does not outlive the
 * test. */
#ifndef TESTS_SYSTEM_DAEMONS_H
#define TESTS_SYSTEM_DAEMONS_H

#include "tests/system/support/proxy.h"

/* A port as port_reserve() gives it, in digits. */
void free_port(char port[static 8]);

/* A proxy in front of "unix:" and a path, or "127.0.0.1:" and a port. `port` gets the digits of its
 * own. */
void proxy_before(struct proxy *proxy, const char *family, const char *server, char port[static 8]);

/* For wait_until(): whether a server accepts at its Unix socket. */
bool socket_accepts(void *path);

/* Ends it by the signal, and waits until it is gone. */
void daemon_end(pid_t server, int signal);

/* Waits for the client's end: by 0, and none of the words in `bad`, NULL-ended, stands in the file
 * with what it has said. */
void client_ends_well(pid_t client, const char *name, const char *out, const char *const *bad);

struct postgres {
    char initdb[PATH_MAX], server[PATH_MAX], pgbench[PATH_MAX], psql[PATH_MAX]; /* programs */
    char data[PATH_MAX], socket[PATH_MAX], log[PATH_MAX];
    const char *user;
    pid_t pid;
};

/* Finds the programs. Returns what is missing, or NULL. */
const char *postgres_find(struct postgres *postgres);

/* Starts it, and a proxy in front of it through which pgbench has made its tables. It has room for
 * 100 clients, and ends by SIGINT. */
void postgres_start(struct postgres *postgres, struct proxy *proxy, char port[static 8]);

/* What pgbench says if something went wrong. */
extern const char *const pgbench_complaints[];

/* Starts redis-server, which has to be there, and returns when it listens on the socket. */
pid_t redis_start(char socket[static PATH_MAX]);

#endif
