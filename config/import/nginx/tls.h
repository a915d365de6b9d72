/* TLS that ends at the proxy (listen ... ssl), and TLS to servers (proxy_ssl). */
#ifndef RPPROXY_CONFIG_IMPORT_NGINX_TLS_H
#define RPPROXY_CONFIG_IMPORT_NGINX_TLS_H

#include "config/import/nginx/convert.h"

/* True: clients of this listen line of the server speak TLS. */
bool ngx_tls_listens(const struct ngx_conversion *conversion, const struct ngx_list *server,
                     const struct ngx_directive *listen);

/* Adds what the server and the stream around it say of TLS with clients. */
void ngx_tls_front_write(struct ngx_conversion *conversion, const struct ngx_list *server,
                         struct ini_section *out);

/* The attributes of the lines of servers that proxy_ssl leads to, each with a space before it; "":
 * it is off. target: what proxy_pass names. */
const char *ngx_tls_target(struct ngx_conversion *conversion, const struct ngx_list *server,
                           const char *target, struct origin origin);

#endif
