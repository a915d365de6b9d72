/* What the proxy tells by HTTP of itself: where, and to which questions. */
#ifndef RPPROXY_CONFIG_MODEL_METRICS_H
#define RPPROXY_CONFIG_MODEL_METRICS_H

#include "config/base/address.h"

#include <stdbool.h>
#include <stddef.h>

struct metrics_address {
    struct address address;
    char text[ADDRESS_TEXT_MAX]; /* canonical: names the address across generations */
};

#define METRICS_ADDRESSES_MAX 8

struct metrics_addresses {
    struct metrics_address *list;
    size_t count; /* 0: there is no HTTP server */
};

struct metrics_user {
    char *name;
    char *hash; /* crypt(5) */
    bool admin; /* may change servers */
};

struct metrics_users {
    char *path; /* of their file; NULL: no password is asked for, and nobody changes anything */
    struct metrics_user *list;
    size_t count;
};

/* Names, as a list in the file has them. */
struct words {
    char **list;
    size_t count;
};

#endif
