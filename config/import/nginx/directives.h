/* What each directive of nginx is for an import: one table. */
#ifndef RPPROXY_CONFIG_IMPORT_NGINX_DIRECTIVES_H
#define RPPROXY_CONFIG_IMPORT_NGINX_DIRECTIVES_H

#include "config/import/nginx/tree.h"

enum ngx_context { NGX_MAIN = 1, NGX_STREAM = 2, NGX_SERVER = 4, NGX_UPSTREAM = 8 };

/* Says what needs no counterpart, as comments in out, and finds what has none, of the list. What
 * the modules of nginx/ carry over is passed over. out may be NULL. */
void ngx_remark(struct import *import, const struct ngx_list *list, enum ngx_context context,
                struct ini_section *out);

#endif
