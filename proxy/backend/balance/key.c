#include "proxy/backend/balance/key.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <xxhash.h>

/* An address of either kind, as it is hashed: IPv4 in the mapped form. */
struct hashed {
    unsigned char host[16];
    unsigned char port[2];
};

static uint64_t key(const void *bytes, size_t length)
{
    uint64_t hash = XXH3_64bits(bytes, length);
    return hash ? hash : 1;
}

/* False: another family. */
static bool take(const struct sockaddr *address, struct hashed *hashed)
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        memcpy(hashed->host, mapped, sizeof mapped);
        memcpy(hashed->host + sizeof mapped, &in.sin_addr, 4);
        memcpy(hashed->port, &in.sin_port, 2);
        return true;
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof in6);
        memcpy(hashed->host, &in6.sin6_addr, 16);
        memcpy(hashed->port, &in6.sin6_port, 2);
        return true;
    }
    return false;
}

static bool is_mapped(const struct hashed *hashed)
{
    struct in6_addr host;
    memcpy(&host, hashed->host, sizeof host);
    return IN6_IS_ADDR_V4MAPPED(&host);
}

uint64_t key_of_source(const struct sockaddr *address, unsigned prefix)
{
    struct hashed hashed;
    if (!take(address, &hashed))
        return 0;
    if (!is_mapped(&hashed))
        for (unsigned bit = prefix; bit < 128; bit++)
            hashed.host[bit / 8] &= (unsigned char)~(0x80u >> bit % 8);
    return key(hashed.host, sizeof hashed.host);
}

uint64_t key_of_destination(const struct sockaddr *address)
{
    struct hashed hashed;
    return take(address, &hashed) ? key(&hashed, sizeof hashed) : 0;
}

uint64_t key_of_name(const char *name)
{
    return key(name, strlen(name));
}
