/* What is known of a session beyond its two connections, where the configuration asks for it: what
 * a PROXY header told, what the first bytes said, what counts for the client's source, ...
 *
 * A plain session has no facts. A module that has something to note calls session_facts()
 * (session.h). What a member points to belongs to the facts. The worker's thread. */
#ifndef RPPROXY_PROXY_SESSION_FACTS_H
#define RPPROXY_PROXY_SESSION_FACTS_H

#include "config/base/address.h"
#include "proxy/core/pool.h"

#include <stdbool.h>
#include <stddef.h>

/* TLVs as proxy_tlv_next() reads them. */
struct tlvs {
    size_t length;
    unsigned char bytes[];
};

/* The longest text of a unique id: 128 bytes in hexadecimal. */
#define FACTS_UNIQUE_ID_MAX 260

/* The longest server name, or host. */
#define FACTS_NAME_MAX 255

struct client_hello;
struct look;
struct forward;
struct server;
struct session;
struct tls;

/* What a session has of the queue from its first wait on: its turn. */
struct queue_turn {
    struct pool_waiter waiter;
    struct session *session;
    uint64_t give_up_at; /* milliseconds: it has waited queue-timeout then; WHEEL_NEVER: never */
    uint64_t began_at;   /* microseconds: its first wait; 0: that is over */
    /* The session has waited enough: a place on `given` is its own; NULL: it is to choose again. */
    void (*go_on)(struct session *session, struct server *given);
};

/* The longest list of servers that failed, with its NUL. */
#define FACTS_FAILED_MAX 256

/* What is noted of a session for its line of the access log (access_log.h). Times are microseconds
 * of CLOCK_MONOTONIC; 0: it was not yet. */
struct log_notes {
    uint64_t first_byte_at;  /* of the server */
    uint64_t queued_at;      /* the wait for a place of a server that lasts */
    uint64_t queued_for;     /* microseconds of waits that are over */
    uint32_t queue_position; /* at the first wait: 1: it was the only one; 0: it has never waited */
    in_port_t local_port;    /* of the connection to the server; 0: not known */
    bool sampled;            /* it is one of those that get a line */
    bool failed_full;        /* no more fits into `failed` */
    char *failed; /* names of servers that could not be connected, each behind a comma but the
                     first; NULL: none */
};

struct facts {
    /* Microseconds: when a server was first to be chosen, after stages and queue. 0: at once. */
    uint64_t connects_at;
    /* Told by a PROXY header; length 0: nothing was told. */
    struct address source, destination;
    /* The TLVs of that header, but for its checksum and padding; NULL: there are none. They stay in
     * the process that received the header. */
    struct tlvs *tlvs;
    /* What names the session in the logs of all proxies that it passes, in printable ASCII: that of
     * the header, or else that which was sent to the server in one. NULL: there is none. */
    char *unique_id;
    /* Of the first bytes; NULL: not known. In lower case, without a dot at the end, of printable
     * ASCII without spaces. */
    char *server_name, *host;
    char *alpn; /* the protocol that the client offers, if it is only one; NULL: not known */
    struct client_hello *hello; /* of a TLS that ends here, until the route is chosen, from
                                   malloc(3); NULL: none */
    struct look *look;          /* of stages/routing.c, from malloc(3) */
    struct forward *forward;    /* of a server sni:PORT, from malloc(3); forward.h */
    struct log_notes *log;      /* NULL: its frontend has no access log */
    struct queue_turn *turn; /* from malloc(3); NULL: it has never waited for a place of a server */
    bool ends_tls;           /* a route has said that the client's TLS is to end here */
    struct tls *client_tls, *server_tls; /* NULL: that side speaks no TLS; sealed.h */
};

/* What another process has to know of a session that moves there: writes it, if there is so much
 * room. Returns its length, 0: nothing. facts may be NULL. */
size_t facts_pack(const struct facts *facts, unsigned char *bytes, size_t room);

/* Reads what another process, of any version, has written; what is not known is passed over.
 * False: it makes no sense, or there is no memory. */
bool facts_unpack(struct facts *facts, const unsigned char *bytes, size_t length);

/* The notes for the access log, which are made at the first call. NULL: out of memory. */
struct log_notes *facts_log(struct facts *facts);

/* NULL is fine. */
void facts_free(struct facts *facts);

#endif
