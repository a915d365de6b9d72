/* What the modules of nginx/ know of one import. */
#ifndef RPPROXY_CONFIG_IMPORT_NGINX_CONVERT_H
#define RPPROXY_CONFIG_IMPORT_NGINX_CONVERT_H

#include "config/import/nginx/variables.h"
#include "config/import/text.h"

/* A backend that was written: what it leads to, and how. */
struct ngx_backend {
    const char *key;
    const char *name; /* in proxy.ini */
};

struct ngx_conversion {
    struct import *import;
    const struct ngx_list *stream;
    struct text_names fronts, backs;
    struct ngx_backend *backends;
    size_t backend_count, backend_capacity;
    const char **binds;
    size_t bind_count, bind_capacity;
    const struct ngx_directive *resolver; /* that was written */
    bool names_noted;
};

/* The directive of the server, or of the stream around it; NULL: there is none. */
const struct ngx_directive *ngx_setting(const struct ngx_conversion *conversion,
                                        const struct ngx_list *server, const char *name);

#endif
