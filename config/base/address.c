#include "config/base/address.h"

#include "config/base/path.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

/* True: the text is meant as an IPv4 address: "1.2.3.4", "10.0.0.256", "0x7f.1". Such a text with a
 * mistake must not be looked up as a name, and must not be read as a short form of inet_aton(). */
static bool ends_in_number(const char *host)
{
    const char *label = host;
    for (const char *c = host; *c; c++)
        if (*c == '.' && c[1])
            label = c + 1;
    size_t digits = strspn(label, "0123456789");
    if (label[0] == '0' && (label[1] == 'x' || label[1] == 'X'))
        digits = 2 + strspn(label + 2, "0123456789abcdefABCDEF");
    return digits > 0 && (label[digits] == '\0' || strcmp(label + digits, ".") == 0);
}

bool address_is_host_name(const char *host)
{
    size_t length = strlen(host);
    if (length == 0 || length >= ADDRESS_HOST_MAX || ends_in_number(host))
        return false;
    for (const char *c = host; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("._-", *c))
            return false;
    return host[0] != '-' && host[0] != '.';
}

static const char *parse_port(const char *text, in_port_t *port)
{
    unsigned value = 0;
    if (!*text)
        return "port is missing: HOST:PORT";
    for (const char *c = text; *c; c++) {
        if (!isdigit((unsigned char)*c))
            return "port must be a number from 1 to 65535";
        value = value * 10 + (unsigned)(*c - '0');
        if (value > 65535)
            return "port must be 1 to 65535";
    }
    if (value == 0)
        return "port must be 1 to 65535";
    *port = htons((in_port_t)value);
    return NULL;
}

static const char *parse_abstract(const char *name, struct address *address)
{
    size_t length = strlen(name);
    if (length == 0)
        return "name of the abstract Unix socket is missing: unix:@NAME";
    if (length >= sizeof address->un.sun_path)
        return "name of an abstract Unix socket must not be longer than 107 bytes";
    address->un.sun_family = AF_UNIX;
    memcpy(address->un.sun_path + 1, name, length);
    address->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
    return NULL;
}

static const char *parse_unix(const char *path, struct address *address)
{
    if (path[0] == '@')
        return parse_abstract(path + 1, address);
    if (path[0] != '/')
        return "path of a Unix socket must be absolute: unix:/PATH";
    if (path_check(path))
        return "path of a Unix socket must not be that of a directory";
    size_t length = strlen(path);
    if (length >= sizeof address->un.sun_path)
        return "path of a Unix socket must not be longer than 107 bytes";
    address->un.sun_family = AF_UNIX;
    memcpy(address->un.sun_path, path, length + 1);
    address->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
    return NULL;
}

static const char *parse_ipv6(const char *text, struct address *address)
{
    const char *end = strchr(text, ']');
    char host[INET6_ADDRSTRLEN + IF_NAMESIZE];
    if (!end)
        return "']' is missing: [IPV6]:PORT";
    size_t length = (size_t)(end - text) - 1;
    if (length >= sizeof host)
        return "not an IPv6 address between the brackets";
    memcpy(host, text + 1, length);
    host[length] = '\0';

    unsigned scope = 0;
    char *percent = strchr(host, '%');
    if (percent) {
        *percent = '\0';
        scope = if_nametoindex(percent + 1);
        if (scope == 0)
            return "no network interface has the name after '%'";
    }
    if (inet_pton(AF_INET6, host, &address->in6.sin6_addr) != 1)
        return "not an IPv6 address between the brackets";
    if (end[1] != ':')
        return "port is missing: [IPV6]:PORT";
    address->in6.sin6_family = AF_INET6;
    address->in6.sin6_scope_id = scope;
    address->length = sizeof address->in6;
    return parse_port(end + 2, &address->in6.sin6_port);
}

static const char *parse_host(const char *text, struct address *address,
                              char host[static ADDRESS_HOST_MAX])
{
    const char *colon = strrchr(text, ':');
    in_port_t port;
    if (text[0] == '/')
        return "the path of a Unix socket needs 'unix:' before it: unix:/PATH";
    if (text[0] == '@')
        return "the name of an abstract Unix socket needs 'unix:' before it: unix:@NAME";
    if (strstr(text, "://"))
        return "is a URL; an address has no scheme and no path: HOST:PORT";
    if (strncmp(text, "abns@", 5) == 0 || strncmp(text, "abnsz@", 6) == 0)
        return "an abstract Unix socket is unix:@NAME here";
    if (strchr(text, ','))
        return "is a list; write each address in a line of its own";
    if (!colon && *text && strspn(text, "0123456789") == strlen(text))
        return "host is missing; for all addresses write 0.0.0.0:PORT or [::]:PORT";
    if (!colon)
        return "port is missing: HOST:PORT";
    if (strchr(text, ':') != colon)
        return "an IPv6 address needs brackets: [IPV6]:PORT";
    size_t length = (size_t)(colon - text);
    if (length == 0 || (length == 1 && text[0] == '*'))
        return "host is missing; for all addresses write 0.0.0.0:PORT or [::]:PORT";
    if (length >= ADDRESS_HOST_MAX)
        return "host name is longer than 253 bytes";
    memcpy(host, text, length);
    host[length] = '\0';

    const char *wrong = parse_port(colon + 1, &port);
    if (wrong)
        return wrong;
    if (inet_pton(AF_INET, host, &address->in.sin_addr) == 1) {
        address->in.sin_family = AF_INET;
        address->in.sin_port = port;
        address->length = sizeof address->in;
        host[0] = '\0';
        return NULL;
    }
    if (ends_in_number(host))
        return "not an IPv4 address";
    if (!address_is_host_name(host))
        return "not a host name: letters, digits, '-', '_' and '.'";
    address->in.sin_port = port;
    return NULL;
}

const char *address_parse_or_name(const char *text, struct address *address,
                                  char host[static ADDRESS_HOST_MAX])
{
    struct address parsed;
    host[0] = '\0';
    memset(&parsed, 0, sizeof parsed);
    const char *wrong;
    if (strncmp(text, "unix:", 5) == 0)
        wrong = parse_unix(text + 5, &parsed);
    else if (text[0] == '[')
        wrong = parse_ipv6(text, &parsed);
    else
        wrong = parse_host(text, &parsed, host);
    if (wrong)
        return wrong;
    address_unmap(&parsed);
    *address = parsed;
    return NULL;
}

const char *address_parse(const char *text, struct address *address)
{
    struct address parsed;
    char host[ADDRESS_HOST_MAX];
    const char *wrong = address_parse_or_name(text, &parsed, host);
    if (wrong)
        return wrong;
    if (host[0])
        return "must be an address, and not a name";
    *address = parsed;
    return NULL;
}

/* Returns how many bytes of sun_path belong to the name. The NUL at the end of a path does not; an
 * abstract name has no such NUL. */
static size_t unix_name_length(const struct address *address)
{
    size_t offset = offsetof(struct sockaddr_un, sun_path);
    if (address->length <= offset)
        return 0;
    size_t length = address->length - offset;
    return address->un.sun_path[0] ? strnlen(address->un.sun_path, length) : length;
}

static void format_unix(const struct address *address, char *text)
{
    size_t length = unix_name_length(address);
    const char *name = address->un.sun_path;
    if (length > 0 && name[0] == '\0')
        snprintf(text, ADDRESS_TEXT_MAX, "unix:@%.*s", (int)length - 1, name + 1);
    else
        snprintf(text, ADDRESS_TEXT_MAX, "unix:%.*s", (int)length, name);
}

static void format_ipv6(const struct address *address, char *text)
{
    char host[INET6_ADDRSTRLEN];
    char interface[IF_NAMESIZE];
    char scope[IF_NAMESIZE + 1] = "";
    inet_ntop(AF_INET6, &address->in6.sin6_addr, host, sizeof host);
    if (address->in6.sin6_scope_id != 0) {
        if (if_indextoname(address->in6.sin6_scope_id, interface))
            snprintf(scope, sizeof scope, "%%%s", interface);
        else
            snprintf(scope, sizeof scope, "%%%u", address->in6.sin6_scope_id);
    }
    snprintf(text, ADDRESS_TEXT_MAX, "[%s%s]:%u", host, scope, ntohs(address->in6.sin6_port));
}

const char *address_format(const struct address *address, char text[static ADDRESS_TEXT_MAX])
{
    char host[INET_ADDRSTRLEN];
    if (address->length == 0) {
        snprintf(text, ADDRESS_TEXT_MAX, "none");
    } else if (address_is_unix(address)) {
        format_unix(address, text);
    } else if (address->any.sa_family == AF_INET6) {
        format_ipv6(address, text);
    } else {
        inet_ntop(AF_INET, &address->in.sin_addr, host, sizeof host);
        snprintf(text, ADDRESS_TEXT_MAX, "%s:%u", host, ntohs(address->in.sin_port));
    }
    return text;
}

const char *address_format_portless(const struct address *address,
                                    char text[static ADDRESS_TEXT_MAX])
{
    address_format(address, text);
    if (address->length > 0 && !address_is_unix(address) && address_port(address) == 0)
        text[strlen(text) - strlen(":0")] = '\0';
    return text;
}

void address_unmap(struct address *address)
{
    if (address->any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&address->in6.sin6_addr))
        return;
    struct sockaddr_in plain = {.sin_family = AF_INET, .sin_port = address->in6.sin6_port};
    memcpy(&plain.sin_addr, &address->in6.sin6_addr.s6_addr[12], sizeof plain.sin_addr);
    *address = (struct address){.length = sizeof plain, .in = plain};
}

bool address_is_wildcard(const struct address *address)
{
    if (address->any.sa_family == AF_INET6)
        return IN6_IS_ADDR_UNSPECIFIED(&address->in6.sin6_addr);
    return address->any.sa_family == AF_INET && address->in.sin_addr.s_addr == INADDR_ANY;
}

bool address_equal(const struct address *a, const struct address *b)
{
    if (a->length == 0 || b->length == 0)
        return a->length == b->length;
    if (a->any.sa_family != b->any.sa_family)
        return false;
    if (address_is_unix(a)) {
        size_t length = unix_name_length(a);
        return length == unix_name_length(b) && memcmp(a->un.sun_path, b->un.sun_path, length) == 0;
    }
    if (a->any.sa_family == AF_INET6)
        return a->in6.sin6_port == b->in6.sin6_port &&
               a->in6.sin6_scope_id == b->in6.sin6_scope_id &&
               memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, sizeof a->in6.sin6_addr) == 0;
    return a->in.sin_port == b->in.sin_port && a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
}
