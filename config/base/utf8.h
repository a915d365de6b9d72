/* UTF-8 (RFC 3629). */
#ifndef RPPROXY_CONFIG_BASE_UTF8_H
#define RPPROXY_CONFIG_BASE_UTF8_H

#include <stddef.h>

/* The bytes of the character that begins at `at`, a text that ends with a NUL; 0: no character
 * begins there. */
size_t utf8_length(const unsigned char *at);

#endif
