/* What TLS demands of a frontend or a server as a whole, and what is made of it then. */
#ifndef RPPROXY_CONFIG_TLS_RULES_H
#define RPPROXY_CONFIG_TLS_RULES_H

#include "config/document.h"
#include "config/model/config.h"

/* Reports what is wrong with the options of TLS, and makes frontend->tls_server if a bind has tls.
 * closed: of struct address_files; nothing is made then. */
void tls_rules_frontend(const struct section *section, struct frontend_conf *frontend, bool closed,
                        struct problems *problems);

/* The same for the server of a line; makes server->tls if it has tls=yes. Returns NULL, or what is
 * wrong, as a text that is valid until the next call. */
const char *tls_rules_server(struct server_conf *server, bool closed)
    __attribute__((warn_unused_result));

#endif
