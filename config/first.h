/* The first answers: what the names of servers are before a process serves. */
#ifndef RPPROXY_CONFIG_FIRST_H
#define RPPROXY_CONFIG_FIRST_H

#include "config/model/config.h"
#include "config/names/answer.h"

#include <stdbool.h>

struct first_answer {
    const struct backend_conf *backend;
    const struct server_conf *server;
    bool asked;           /* false: it is known already */
    struct answer answer; /* only if asked; its items in the order of prefer_sort() */
};

/* In the order of the configuration: all servers with a host. */
struct first_answers {
    struct first_answer *list;
    size_t count;
};

/* Whether there is no need to ask for the name of a server. */
typedef bool first_is_known(const struct backend_conf *backend, const struct server_conf *server,
                            void *arg);

/* Asks for all names of servers but those that are known (is_known may be NULL: none). Blocks, as
 * names_wait(), and for no longer than `most` milliseconds (0: no limit of its own); exits without
 * memory. The caller frees the answers by first_free(). */
void first_ask(const struct config *config, millis most, first_is_known *is_known, void *arg,
               struct first_answers *answers);

/* Reports what makes a start fail, a line for each server: "FILE:LINE: server 'a': ...": a name
 * without an address, or with one that is this proxy itself (loops.h); only in backends with
 * start-unresolved = fail. Returns how many lines. */
size_t first_report(const struct config *config, const struct first_answers *answers,
                    void (*report)(const char *line, void *arg), void *arg);

void first_free(struct first_answers *answers);

#endif
