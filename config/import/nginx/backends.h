/* What a proxy_pass leads to, as backends. */
#ifndef RPPROXY_CONFIG_IMPORT_NGINX_BACKENDS_H
#define RPPROXY_CONFIG_IMPORT_NGINX_BACKENDS_H

#include "config/import/nginx/convert.h"

/* The name of the backend that the value of a proxy_pass leads to, which is written if there is
 * none yet; "reject" where it cannot be carried over, which has been found. dynamic: the value came
 * of a variable, and its name is asked for at each session. */
const char *ngx_backend_name(struct ngx_conversion *conversion, const struct ngx_list *server,
                             const char *value, bool dynamic, struct origin origin);

#endif
