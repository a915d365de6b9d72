/* Real servers for real clients. Each is started in the test's directory and ends with the test. */
#ifndef TESTS_SYSTEM_DAEMONS_H
#define TESTS_SYSTEM_DAEMONS_H

#include "tests/system/support/proxy.h"

/* A port from port_reserve(), in digits. */
void free_port(char port[static 8]);

/* Starts a proxy in front of "unix:" and a path, or "127.0.0.1:" and a port. `port` gets the digits
 * of the proxy's port. */
void proxy_before(struct proxy *proxy, const char *family, const char *server, char port[static 8]);

/* For wait_until(): whether a server accepts at the Unix socket. */
bool socket_accepts(void *path);

/* Sends the signal, and waits until the server is gone. */
void daemon_end(pid_t server, int signal);

/* Waits until the client ends, and checks that it exits with 0 and that the file `out` with its
 * output has none of the words in `bad`, which is NULL-ended. */
void client_ends_well(pid_t client, const char *name, const char *out, const char *const *bad);

struct postgres {
    char initdb[PATH_MAX], server[PATH_MAX], pgbench[PATH_MAX], psql[PATH_MAX]; /* programs */
    char data[PATH_MAX], socket[PATH_MAX], log[PATH_MAX];
    const char *user;
    unsigned connections;           /* that it allows: 100 */
    const char *settings, *clients; /* added to postgresql.conf and pg_hba.conf; NULL: nothing */
    pid_t pid;
};

/* Finds the programs. Returns what is missing, or NULL. */
const char *postgres_find(struct postgres *postgres);

/* Starts the server. It ends by SIGINT. */
void postgres_serve(struct postgres *postgres);

/* Starts the server, and a proxy in front of it through which pgbench has made its tables. The
 * server ends by SIGINT. */
void postgres_start(struct postgres *postgres, struct proxy *proxy, char port[static 8]);

/* What pgbench prints when something went wrong. */
extern const char *const pgbench_complaints[];

/* Starts redis-server, which must exist, and returns when it listens on the socket. */
pid_t redis_start(char socket[static PATH_MAX]);

/* Makes a key without a passphrase; the public one is in PATH.pub. */
void ssh_key_make(const char *path);

/* Starts sshd, as its service would, on 127.0.0.1 and with keys of its own; this user of the key
 * may log in. Returns when it listens. */
pid_t sshd_start(const char *port, const char *user_key);

/* An agent for python3 -c, with a port and the path of the file `words` as arguments: it says what
 * the file has to each client. agent_says() replaces the file at once, so that the agent never
 * reads half of it. */
extern const char agent_program[];
void agent_says(const char *words);

#endif
