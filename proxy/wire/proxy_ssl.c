#include "proxy/wire/proxy_ssl.h"

#include <string.h>

static size_t put(unsigned char *bytes, enum proxy_ssl_type type, const char *text)
{
    size_t length = text ? strlen(text) : 0;
    if (length == 0 || length > 255)
        return 0;
    bytes[0] = (unsigned char)type;
    bytes[1] = 0;
    bytes[2] = (unsigned char)length;
    memcpy(bytes + 3, text, length);
    return 3 + length;
}

size_t proxy_ssl_write(const struct proxy_ssl *ssl, unsigned char bytes[static PROXY_SSL_MAX])
{
    size_t length = 5;
    bytes[0] = (unsigned char)ssl->client;
    memset(bytes + 1, 0, 3);
    bytes[4] = !ssl->verified; /* 0 is right, all else is not */
    length += put(bytes + length, PROXY_SSL_VERSION, ssl->version);
    length += put(bytes + length, PROXY_SSL_CN, ssl->name);
    length += put(bytes + length, PROXY_SSL_CIPHER, ssl->cipher);
    length += put(bytes + length, PROXY_SSL_SIG_ALG, ssl->signature);
    length += put(bytes + length, PROXY_SSL_KEY_ALG, ssl->key);
    return length;
}
