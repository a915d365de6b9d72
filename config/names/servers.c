#include "config/names/servers.h"

#include <arpa/inet.h>
#include <string.h>

#define DNS_PORT 53
#define WORD_MAX ADDRESS_TEXT_MAX
#define BLANKS   " \t"

/* Reads one word, of length bytes. */
static const char *read_server(const char *word, size_t length, struct address *server)
{
    static const char wrong[] =
        "must be system, or addresses of name servers: ADDRESS or ADDRESS:PORT";
    char text[WORD_MAX];
    if (length >= sizeof text - sizeof ":53")
        return wrong;
    memcpy(text, word, length);
    text[length] = '\0';
    *server = (struct address){.length = sizeof server->in6, .in6.sin6_family = AF_INET6};
    if (inet_pton(AF_INET6, text, &server->in6.sin6_addr) == 1) {
        server->in6.sin6_port = htons(DNS_PORT);
        address_unmap(server);
        return NULL;
    }
    if (text[0] == '[' ? text[length - 1] == ']' : strchr(text, ':') == NULL)
        strcpy(text + length, ":53");
    if (address_parse(text, server) || address_is_unix(server) || address_is_wildcard(server))
        return wrong;
    return NULL;
}

const char *resolver_read(const char *value, struct resolver_conf *conf)
{
    struct address servers[RESOLVERS_MOST];
    unsigned count = 0;
    const char *at = value + strspn(value, BLANKS);
    if (strcmp(at, "system") == 0) {
        conf->server_count = 0;
        return NULL;
    }
    while (*at) {
        size_t length = strcspn(at, BLANKS);
        if (count == RESOLVERS_MOST)
            return "must not be more than 8 name servers";
        const char *wrong = read_server(at, length, &servers[count]);
        if (wrong)
            return wrong;
        for (unsigned i = 0; i < count; i++)
            if (address_equal(&servers[i], &servers[count]))
                return "must not have a name server twice";
        count++;
        at += length + strspn(at + length, BLANKS);
    }
    memcpy(conf->servers, servers, count * sizeof *servers);
    conf->server_count = count;
    return NULL;
}

void resolver_write(const struct resolver_conf *conf, FILE *out)
{
    char text[ADDRESS_TEXT_MAX];
    if (conf->server_count == 0)
        fputs("system", out);
    for (unsigned i = 0; i < conf->server_count; i++)
        fprintf(out, "%s%s", i ? " " : "", address_format(&conf->servers[i], text));
}
