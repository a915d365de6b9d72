/* Blocks map and geo: their keys as conditions of routes. */
#ifndef RPPROXY_CONFIG_IMPORT_NGINX_MAPS_H
#define RPPROXY_CONFIG_IMPORT_NGINX_MAPS_H

#include "config/import/nginx/tree.h"

/* In a value, for what only a client knows. */
#define NGX_NAME     '\1' /* the server name that it asks for */
#define NGX_ALPN     '\2'
#define NGX_PROTOCOL '\3'
#define NGX_SOURCE   '\4'
/* ... and what the handshake with it has shown, where TLS ends here. */
#define NGX_CHOSEN   '\5' /* by ALPN */
#define NGX_SUBJECT  '\6' /* of its certificate */
#define NGX_VERIFIED '\7' /* what became of that */
#define NGX_MARKERS  "\1\2\3\4\5\6\7"

/* An entry of a block, in the order in which nginx tries them. */
struct ngx_entry {
    const char *condition; /* of a route, with a space behind it; "": always */
    const char *value;     /* may have variables */
    struct origin origin;
};

struct ngx_entries {
    struct ngx_entry *items;
    size_t count, capacity;
};

/* The entries of a block map whose source is a marker between two texts. */
struct ngx_entries ngx_map_entries(struct import *import, const struct ngx_directive *map,
                                   char marker, const char *before, const char *after);

/* The value of a block map for a source that is known. Never NULL. *origin: of its line. */
const char *ngx_map_value(struct import *import, const struct ngx_directive *map,
                          const char *source, struct origin *origin);

/* The entries of a block geo. */
struct ngx_entries ngx_geo_entries(struct import *import, const struct ngx_directive *geo);

#endif
