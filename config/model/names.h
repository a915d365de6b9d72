/* What the file says about names: how they are asked for, and of servers that have one. */
#ifndef RPPROXY_CONFIG_MODEL_NAMES_H
#define RPPROXY_CONFIG_MODEL_NAMES_H

#include "config/base/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESOLVERS_MOST 8

struct resolver_conf {
    struct address servers[RESOLVERS_MOST]; /* name servers, in their order */
    unsigned server_count;                  /* 0: /etc/hosts and /etc/resolv.conf */
    uint64_t min, max; /* bounds of the time until a name is asked for again: milliseconds */
    uint64_t hold;     /* how long the last addresses are kept without an answer: milliseconds */
    uint64_t timeout;  /* of one question, however many name servers are asked: milliseconds */
};

/* What becomes of the addresses of a server's name. */
enum resolve_what {
    RESOLVE_ONE, /* the server has one of them */
    RESOLVE_ALL, /* each is a server: NAME-1, NAME-2 and so on */
};

/* Which addresses are asked for. */
enum resolve_family { RESOLVE_ANY, RESOLVE_IPV4, RESOLVE_IPV6 };

/* How often the names of a backend's servers are asked for. */
enum resolve { RESOLVE_START, RESOLVE_LIVE };

/* What happens at start to a server with a name that has no answer. */
enum unresolved { UNRESOLVED_FAIL, UNRESOLVED_DOWN };

#endif
