#include "config/base/listen_address.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define DUAL_STACK_SUFFIX ",v6only=no"
#define INTERFACE_SUFFIX  ",interface="

_Static_assert(sizeof "[%]:65535" + INET6_ADDRSTRLEN + IF_NAMESIZE + sizeof DUAL_STACK_SUFFIX +
                       sizeof INTERFACE_SUFFIX + IF_NAMESIZE <=
                   ADDRESS_TEXT_MAX,
               "each listen_address has a text");

const char *listen_address_format(const struct listen_address *at,
                                  char text[static ADDRESS_TEXT_MAX])
{
    address_format(&at->address, text);
    if (address_is_unix(&at->address))
        return text;
    size_t length = strlen(text);
    snprintf(text + length, ADDRESS_TEXT_MAX - length, "%s%s%s",
             at->dual_stack ? DUAL_STACK_SUFFIX : "", at->interface[0] ? INTERFACE_SUFFIX : "",
             at->interface);
    return text;
}

/* Of an address with a port. */
static const char *parse_suffixes(char *text, struct listen_address *at)
{
    const size_t prefix = strlen(INTERFACE_SUFFIX);
    char *interface = strstr(text, INTERFACE_SUFFIX);
    if (interface) {
        if (!interface[prefix] || strlen(interface + prefix) >= sizeof at->interface)
            return "not the name of an interface";
        strcpy(at->interface, interface + prefix);
        *interface = '\0';
    }
    char *dual_stack = strstr(text, DUAL_STACK_SUFFIX);
    at->dual_stack = dual_stack && strcmp(dual_stack, DUAL_STACK_SUFFIX) == 0;
    if (at->dual_stack)
        *dual_stack = '\0';
    return NULL;
}

const char *listen_address_parse(const char *text, struct listen_address *at)
{
    char copy[ADDRESS_TEXT_MAX];
    struct listen_address parsed = {.dual_stack = false};
    const char *wrong = NULL;
    if (strlen(text) >= sizeof copy)
        return "too long";
    strcpy(copy, text);
    if (strncmp(copy, "unix:", strlen("unix:")) != 0)
        wrong = parse_suffixes(copy, &parsed);
    if (!wrong)
        wrong = address_parse(copy, &parsed.address);
    if (!wrong && parsed.dual_stack &&
        !(parsed.address.any.sa_family == AF_INET6 && address_is_wildcard(&parsed.address)))
        wrong = "only [::] can have IPv4 clients as well";
    if (!wrong && parsed.interface[0] && parsed.address.any.sa_family == AF_INET6 &&
        parsed.address.in6.sin6_scope_id != 0)
        wrong = "the address names its interface already";
    if (!wrong)
        *at = parsed;
    return wrong;
}

unsigned listen_address_device(const struct listen_address *at)
{
    if (at->interface[0]) {
        unsigned device = if_nametoindex(at->interface);
        return device ? device : UINT_MAX;
    }
    return at->address.any.sa_family == AF_INET6 &&
                   IN6_IS_ADDR_LINKLOCAL(&at->address.in6.sin6_addr)
               ? at->address.in6.sin6_scope_id
               : 0;
}

static bool is_inet(const struct address *address)
{
    return address->length > 0 && !address_is_unix(address);
}

/* Two names of one interface are not known as such: the kernel has one name for each. */
static bool same_interface(const struct listen_address *one, const struct listen_address *other)
{
    if (one->interface[0] && other->interface[0])
        return strcmp(one->interface, other->interface) == 0;
    return listen_address_device(one) == listen_address_device(other);
}

static bool has_interface(const struct listen_address *at)
{
    return at->interface[0] || listen_address_device(at) != 0;
}

static bool same_ip(const struct address *one, const struct address *other)
{
    struct address there = *other;
    if (one->any.sa_family != other->any.sa_family)
        return false;
    if (one->any.sa_family == AF_INET6)
        there.in6.sin6_scope_id = one->in6.sin6_scope_id;
    return address_equal(one, &there);
}

static bool is_same(const struct listen_address *one, const struct listen_address *other)
{
    return same_ip(&one->address, &other->address) && one->dual_stack == other->dual_stack &&
           strcmp(one->interface, other->interface) == 0 &&
           listen_address_device(one) == listen_address_device(other);
}

static bool is_comparable(const struct listen_address *one, const struct listen_address *other)
{
    return is_inet(&one->address) && is_inet(&other->address) &&
           address_port(&one->address) == address_port(&other->address) && !is_same(one, other);
}

/* The addresses of `other` are among those of `wide`. */
static bool includes(const struct listen_address *wide, const struct listen_address *other)
{
    if (other->dual_stack)
        return wide->dual_stack;
    if (other->address.any.sa_family != wide->address.any.sa_family)
        return wide->dual_stack;
    return address_is_wildcard(&wide->address) || same_ip(&wide->address, &other->address);
}

bool listen_address_covers(const struct listen_address *wide, const struct listen_address *other)
{
    return is_comparable(wide, other) && includes(wide, other) &&
           (!has_interface(wide) || same_interface(wide, other));
}

bool listen_address_overlaps(const struct listen_address *one, const struct listen_address *other)
{
    return is_comparable(one, other) && (includes(one, other) || includes(other, one)) &&
           (!has_interface(one) || !has_interface(other) || same_interface(one, other));
}

bool listen_address_takes(const struct listen_address *newer, const struct listen_address *older)
{
    const bool wildcard = address_is_wildcard(&newer->address);
    if (wildcard != address_is_wildcard(&older->address))
        return !wildcard;
    return newer->address.any.sa_family == AF_INET;
}

static int order_by_interface(const struct listen_address *at)
{
    if (!has_interface(at))
        return 0;
    return at->address.any.sa_family == AF_INET ? 1 : -1;
}

int listen_address_order(const struct listen_address *one, const struct listen_address *other)
{
    const unsigned a = address_port(&one->address), b = address_port(&other->address);
    return a != b ? (a > b) - (a < b) : order_by_interface(one) - order_by_interface(other);
}
