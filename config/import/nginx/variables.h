/* Values of nginx's variables: what a text with variables may become, and when. */
#ifndef RPPROXY_CONFIG_IMPORT_NGINX_VARIABLES_H
#define RPPROXY_CONFIG_IMPORT_NGINX_VARIABLES_H

#include "config/import/nginx/maps.h"

/* What the text is if the conditions hold. The first branch whose conditions hold counts. */
struct ngx_branch {
    const char *conditions; /* of a route, each with a space behind it; "": always */
    const char *value;
    struct origin origin;
};

struct ngx_branches {
    struct ngx_branch *items;
    size_t count, capacity;
    bool lost; /* it could not be said */
};

/* Where variables stand. */
struct ngx_scope {
    struct import *import;
    const struct ngx_list *stream;
    const struct ngx_list *server;
    bool reads;               /* ssl_preread is on */
    bool ends_tls;            /* "listen ... ssl" */
    const char *const *ports; /* those that the server listens on, NULL at the end */
};

/* Finds what cannot be said as lost, at origin or where it stands. */
struct ngx_branches ngx_evaluate(const struct ngx_scope *scope, const char *text,
                                 struct origin origin);

/* "${NAME}" in capitals at the beginning of an address stands for a variable of the environment,
 * which envsubst puts there before nginx sees it. It stays a variable of proxy.ini, with its
 * present value as the default. Other texts are returned as they are. */
const char *ngx_from_environment(struct import *import, const char *text, struct origin origin);

#endif
