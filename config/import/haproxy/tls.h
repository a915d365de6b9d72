/* TLS that ends at the proxy (bind ... ssl), and TLS to servers (server ... ssl). */
#ifndef RPPROXY_CONFIG_IMPORT_HAPROXY_TLS_H
#define RPPROXY_CONFIG_IMPORT_HAPROXY_TLS_H

#include "config/import/haproxy/convert.h"

/* True: the word of a bind line is about TLS; *follows words belong to it. */
bool hap_tls_word(const char *word, unsigned *follows);

/* Whether TLS of clients ends at this bind. */
bool hap_ends_tls(const struct hap_line *bind);

/* How many of the section's binds end TLS. */
enum hap_tls_binds { HAP_NO_TLS, HAP_SOME_TLS, HAP_ONLY_TLS };
enum hap_tls_binds hap_tls_binds(const struct hap_section *section);

/* True: the expression begins with the server name that a client asks for, in the bytes that pass
 * or in the handshake with this proxy. */
bool hap_is_server_name(const char *expression);

/* Adds what the bind line, and after it ssl-default-bind-* of global, say of TLS to the frontend.
 * Another bind of it may have said something else, which is found. */
void hap_tls_bind_write(struct hap_conversion *conversion, const struct hap_line *line,
                        struct ini_section *out);

/* The path of a file; a relative one begins at crt-base or ca-base, or else where HAProxy runs. */
const char *hap_tls_path(struct hap_conversion *conversion, enum hap_slot base, const char *path);

/* The attributes of a server line with ssl, each with a space before it; "": it has no ssl. */
const char *hap_tls_server(struct hap_conversion *conversion, const struct hap_server *server);

#endif
