/* TLS that ends at the proxy (bind ... ssl), and TLS to servers (server ... ssl). */
#ifndef RPPROXY_CONFIG_IMPORT_HAPROXY_TLS_H
#define RPPROXY_CONFIG_IMPORT_HAPROXY_TLS_H

#include "config/import/haproxy/convert.h"

/* True: the word of a bind line is about TLS; *follows words belong to it. */
bool hap_tls_word(const char *word, unsigned *follows);

/* Adds what the bind line, and after it ssl-default-bind-* of global, say of TLS to the frontend.
 * Another bind of it may have said something else, which is found. */
void hap_tls_bind_write(struct hap_conversion *conversion, const struct hap_line *line,
                        struct ini_section *out);

/* The attributes of a server line with ssl, each with a space before it; "": it has no ssl. */
const char *hap_tls_server(struct hap_conversion *conversion, const struct hap_server *server);

#endif
