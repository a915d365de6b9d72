/* Blocks server as frontends. */
#ifndef RPPROXY_CONFIG_IMPORT_NGINX_SERVERS_H
#define RPPROXY_CONFIG_IMPORT_NGINX_SERVERS_H

#include "config/import/nginx/convert.h"

/* The frontend of a block server, and the backends that it needs. */
void ngx_server_write(struct ngx_conversion *conversion, const struct ngx_directive *server);

#endif
