/* What the file says about routes: which sessions of a frontend go to which backend.
 *
 * The routes of a frontend are tried in their order. The first one whose conditions all hold
 * decides; where it has a map, only if the map has the name. */
#ifndef RPPROXY_CONFIG_MODEL_ROUTE_H
#define RPPROXY_CONFIG_MODEL_ROUTE_H

#include "config/lists/address_rules.h"
#include "config/lists/name_map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum condition_kind {
    CONDITION_SNI,         /* the server name of a TLS ClientHello */
    CONDITION_ALPN,        /* it offers one of these protocols */
    CONDITION_TLS,         /* there is a ClientHello */
    CONDITION_HOST,        /* the host of an HTTP/1 request */
    CONDITION_HTTP,        /* there is an HTTP/1 request */
    CONDITION_BEGINS,      /* the first bytes are these */
    CONDITION_SILENT,      /* the client says nothing within inspect-timeout */
    CONDITION_SOURCE,      /* the client's address */
    CONDITION_PORT,        /* the port that the client came to */
    CONDITION_USABLE,      /* the backend has a server that may be used */
    CONDITION_CLIENT_CERT, /* the client of a TLS that ends here has shown a certificate */
};

struct text_bytes {
    unsigned char *bytes;
    size_t length;
};

struct port_range {
    uint16_t first, last;
};

struct route_condition {
    enum condition_kind kind;
    bool negated;
    char *text; /* as in a file, with absolute paths */
    /* What belongs to the kind; all others are 0. */
    struct name_map *names;          /* SNI, HOST, CLIENT_CERT: the value of each entry is 0; of
                                        the last, NULL: any certificate */
    struct address_rules sources;    /* SOURCE: the same */
    struct address_matcher *matcher; /* of `sources` */
    struct text_bytes *words;        /* ALPN, BEGINS: one of these */
    size_t word_count;
    struct port_range *ports; /* PORT */
    size_t port_count;
    char *backend_name; /* USABLE */
    uint32_t backend;   /* ... as a number in struct config */
};

/* Names that clients may ask for. */
struct name_list {
    char *text; /* as in a file, with absolute paths; NULL: not given */
    struct name_map *names;
};

/* In place of the number of a backend: the session is refused. */
#define ROUTE_REJECTS (UINT32_MAX - 1)

/* ... and how the file says so. */
#define REJECT_WORD "reject"

/* A file of lines NAME BACKEND. */
struct route_map {
    char *file;             /* an absolute path; NULL: the route has no map */
    bool of_hosts;          /* names are HTTP hosts, else server names */
    struct name_map *names; /* values as `backend` of a route */
};

/* Routes that follow each other and ask for nothing but server names, or hosts, without patterns.
 */
struct route_run {
    size_t count;           /* of the routes */
    struct name_map *names; /* of all of them; the value is the first route that has the name,
                               counted from the first of the run */
};

struct route {
    struct route_run *run;              /* of the first route of a run; else NULL */
    struct route_condition *conditions; /* may be none */
    size_t condition_count;
    struct route_map map;
    bool terminates;    /* TLS ends here: tls:terminate */
    char *backend_name; /* NULL: the map names the backends */
    uint32_t backend;   /* number in struct config, or ROUTE_REJECTS */
    struct place place; /* only while the configuration is read */
};

struct route_list {
    struct route *items;
    size_t count;
    size_t capacity;
};

/* Frees all routes; the list is empty afterwards. */
void route_list_release(struct route_list *list);

/* Frees what the route has. */
void route_release(struct route *route);

/* Whether a route ends TLS. */
bool route_list_terminates(const struct route_list *list);

/* Whether the condition is about what the client says. */
static inline bool route_condition_is_of_bytes(const struct route_condition *condition)
{
    return condition->kind <= CONDITION_SILENT;
}

#endif
