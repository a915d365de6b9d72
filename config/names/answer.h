/* What is known of a name after it has been asked for. */
#ifndef RPPROXY_CONFIG_NAMES_ANSWER_H
#define RPPROXY_CONFIG_NAMES_ANSWER_H

#include "config/base/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum answer_status {
    ANSWER_OK,      /* at least one address */
    ANSWER_NO_NAME, /* NXDOMAIN: the name does not exist */
    ANSWER_NO_DATA, /* the name exists, and has no address (or no SRV record) */
    ANSWER_FAILED,  /* SERVFAIL or REFUSED from all name servers that answer, or none takes the
                       question: c-ares does not tell these apart */
    ANSWER_TIMEOUT, /* nothing from any name server until the deadline */
    ANSWER_NO_MEMORY,
    ANSWER_BUSY, /* too many names are asked for at a time; nobody was asked */
};

/* A longer answer is cut off here. */
#define ANSWER_ITEMS_MOST 1024

struct answer_item {
    struct address address; /* with the port */
    uint16_t priority;      /* of an SRV record; lower ones are used first. Else 0 */
    uint16_t weight;        /* of an SRV record. Else 0 */
};

struct answer {
    enum answer_status status;
    /* Addresses of this IP version may be missing: no answer has come for them, of the name or of
     * one of the targets. */
    bool ipv4_unknown, ipv6_unknown;
    uint32_t ttl; /* seconds; of a name that does not exist: how long that may be kept */
    size_t count; /* 0 unless ANSWER_OK */
    struct answer_item *items;
};

/* "the name does not exist (NXDOMAIN)", ... */
const char *answer_text(enum answer_status status);

/* True: the name servers say so, and asking again at once gives nothing else. */
static inline bool answer_is_negative(enum answer_status status)
{
    return status == ANSWER_NO_NAME || status == ANSWER_NO_DATA;
}

#endif
