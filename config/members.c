#include "config/members.h"

#include "config/base/error_text.h"
#include "config/base/memory.h"
#include "config/names/prefer.h"
#include "config/names/wait.h"
#include "config/options/bind_values.h"
#include "config/options/remedy.h"
#include "config/syntax/value.h"
#include "config/tls/tls_target.h"
#include "config/tls_rules.h"

#include <stdlib.h>
#include <string.h>

static const char blanks[] = " \t";

/* Cuts the first word off. Returns it, or NULL: there is none. *rest is what follows. */
static char *first_word(char *words, char **rest)
{
    char *word = words + strspn(words, blanks);
    char *end = word + strcspn(word, blanks);
    *rest = *end ? end + 1 : end;
    *end = '\0';
    return *word ? word : NULL;
}

/* Checks a name as FileDescriptorName= in systemd.socket(5) has it: ASCII without ':'. Spaces are
 * not allowed either. Returns what is wrong, or NULL. */
static const char *read_fd_name(const char *name)
{
    if (!*name)
        return "name is missing: fd:NAME";
    if (strlen(name) > BIND_FD_NAME_MAX)
        return "name of a passed socket must not be longer than 124 bytes";
    for (const char *c = name; *c; c++)
        if (*c <= ' ' || *c > '~' || *c == ':')
            return "name of a passed socket may contain only ASCII characters, without ':'";
    return NULL;
}

/* Finds the address of a bind's name; address has its port. Returns what is wrong, or NULL. */
static const char *resolve_bind(const char *host, struct address *address, struct bind_means *means)
{
    struct wanted_name name = {.name = host, .port = address->in.sin_port};
    name.answer.status = ANSWER_TIMEOUT;
    if (!means->no_answer)
        names_wait(means->resolver, &name, 1);
    means->no_answer |= name.answer.status == ANSWER_TIMEOUT;
    if (name.answer.status != ANSWER_OK)
        return error_text("cannot be resolved: %s", answer_text(name.answer.status));
    prefer_sort(name.answer.items, name.answer.count);
    *address = name.answer.items[0].address;
    free(name.answer.items);
    return NULL;
}

/* Returns what is wrong, or NULL. */
static const char *read_bind_address(const char *text, struct bind_conf *bind,
                                     struct bind_means *means)
{
    char host[ADDRESS_HOST_MAX];
    const char *wrong;
    if (bind_text_is_activated(text)) {
        wrong = read_fd_name(text + strlen(BIND_FD_PREFIX));
        if (!wrong)
            strcpy(bind->text, text);
        return wrong;
    }
    wrong = address_parse_or_name(text, &bind->at.address, host);
    if (!wrong && host[0])
        wrong = resolve_bind(host, &bind->at.address, means);
    return wrong;
}

/* What contradicts itself about v6only and interface; NULL: nothing. */
static const char *check_listen_address(const struct bind_conf *bind, attribute_set given)
{
    const struct address *address = &bind->at.address;
    const bool is_ipv6 = address->any.sa_family == AF_INET6;
    if (attribute_is_given(OWNER_BIND, given, "v6only") && !is_ipv6)
        return "v6only is possible only for an IPv6 address";
    if (bind->at.dual_stack && !address_is_wildcard(address))
        return "v6only=no is possible only for [::]:PORT: IPv4 clients come to no other IPv6 "
               "address";
    if (bind->at.interface[0] && (address->length == 0 || address_is_unix(address)))
        return "interface is possible only for an IPv4 or IPv6 address";
    if (bind->at.interface[0] && is_ipv6 && address->in6.sin6_scope_id)
        return "interface is not possible: the address names its interface already";
    return NULL;
}

/* What contradicts itself; NULL: nothing. */
static const char *check_bind(const struct bind_conf *bind, attribute_set given, const char *user)
{
    const bool is_unix = address_is_unix(&bind->at.address), is_passed = bind_is_activated(bind);
    const bool sharded =
        attribute_is_given(OWNER_BIND, given, "accept") && bind->accept == ACCEPT_SHARDED;
    const bool steer = attribute_is_given(OWNER_BIND, given, "steer");
    if (is_unix && sharded)
        return "accept=sharded is not possible: a Unix bind has only one socket";
    if (steer && is_unix)
        return "steer is not possible: a Unix bind has only one socket";
    if (is_passed && sharded)
        return "accept=sharded is not possible: all workers share passed sockets";
    if (steer && is_passed)
        return "steer is not possible: all workers share passed sockets";
    if ((!is_unix || address_is_abstract(&bind->at.address)) && bind_file_is_given(bind))
        return "mode, owner and group are possible only for unix:/PATH";
    if (bind_file_is_given(bind) && user)
        return bind_file_check_user(bind, user);
    if (steer && bind->accept == ACCEPT_SHARED)
        return "steer is not possible: with accept=shared there is only one socket";
    return check_listen_address(bind, given);
}

bool bind_read(const char *value, struct bind_means *means, struct bind_conf *bind,
               const struct option_context *context)
{
    attribute_set given;
    char text[REMEDY_TEXT_MAX];
    char *rest;
    char *words = memory_copy(value);
    const char *address = first_word(words, &rest);
    *bind = (struct bind_conf){.line = context->place.line};
    options_set_initial(OWNER_BIND, bind);
    const char *wrong = read_bind_address(address, bind, means);
    if (wrong)
        problem_add(context->problems, context->place, "bind: '%s': %s%s", address, wrong,
                    remedy_of_text(address, text));
    bool good = attributes_read(OWNER_BIND, rest, bind, context, &given) && !wrong;
    wrong = good ? check_bind(bind, given, means->user) : NULL;
    if (wrong)
        problem_add(context->problems, context->place, "bind: %s", wrong);
    if (!bind_is_activated(bind))
        listen_address_format(&bind->at, bind->text);
    if (address_is_unix(&bind->at.address) || bind_is_activated(bind))
        bind->accept = ACCEPT_SHARED;
    free(words);
    if (good && !wrong)
        return true;
    options_release(OWNER_BIND, bind);
    return false;
}

/* Returns what is wrong, or NULL. */
static const char *read_sni_port(const char *number, struct server_conf *server)
{
    uint64_t port;
    if (value_unsigned(number, &port) || port == 0 || port > UINT16_MAX)
        return "must be sni:PORT, with a port from 1 to 65535";
    server->sni_port = (uint16_t)port;
    snprintf(server->text, sizeof server->text, SERVER_SNI_PREFIX "%u", server->sni_port);
    return NULL;
}

/* Where the host ends that a port may follow. A bare IPv6 address is no such host. */
static size_t host_length(const char *text)
{
    const char *bracket = text[0] == '[' ? strchr(text, ']') : NULL;
    return bracket ? (size_t)(bracket - text) + 1 : strcspn(text, ":");
}

/* Reads "HOST" and "HOST:+SHIFT". Returns what is wrong, or NULL, and *length is then that of the
 * host; 0: the text has a port, or is no address with a port. */
static const char *read_kept_port(const char *text, struct server_conf *server, size_t *length)
{
    uint64_t shift;
    size_t host = host_length(text);
    const char *after = text + host;
    *length = 0;
    if (strncmp(text, "unix:", 5) == 0 || text[0] == '/' || text[0] == '@')
        return NULL;
    if (*after && !(after[0] == ':' && (after[1] == '+' || after[1] == '-')))
        return NULL;
    if (host >= ADDRESS_HOST_MAX)
        return "host name is longer than 253 bytes";
    if (*after && (value_unsigned(after + 2, &shift) || shift == 0 || shift > UINT16_MAX - 1))
        return "the shift of the port must be 1 to 65534: HOST:+SHIFT or HOST:-SHIFT";
    server->keeps_port = true;
    if (*after)
        server->port_shift = after[1] == '-' ? -(int)shift : (int)shift;
    *length = host;
    return NULL;
}

/* Reads an address or a name without a port, of this length. */
static const char *read_portless(const char *text, size_t length, struct server_conf *server,
                                 char host[static ADDRESS_HOST_MAX])
{
    char whole[ADDRESS_HOST_MAX + sizeof ":1"];
    snprintf(whole, sizeof whole, "%.*s:1", (int)length, text);
    const char *wrong = address_parse_or_name(whole, &server->address, host);
    if (wrong)
        return wrong;
    if (host[0])
        server->address.in.sin_port = 0;
    else
        address_set_port(&server->address, 0);
    return NULL;
}

/* As address_format(), but the shift of a port stands in the place of the port. */
static void format_server(struct server_conf *server)
{
    char address[ADDRESS_TEXT_MAX];
    address_format_portless(&server->address, address);
    if (server->port_shift)
        snprintf(server->text, sizeof server->text, "%s:%+d", address, server->port_shift);
    else
        snprintf(server->text, sizeof server->text, "%s", address);
}

/* Reads an address, "NAME:PORT", both also without a port or with its shift, "srv:NAME" or
 * "sni:PORT". Returns what is wrong, or NULL. */
static const char *read_server_address(const char *text, struct server_conf *server)
{
    char host[ADDRESS_HOST_MAX] = "";
    const size_t prefix = strlen(SERVER_SERVICE_PREFIX);
    server->service = strncmp(text, SERVER_SERVICE_PREFIX, prefix) == 0;
    if (strncmp(text, SERVER_SNI_PREFIX, strlen(SERVER_SNI_PREFIX)) == 0)
        return read_sni_port(text + strlen(SERVER_SNI_PREFIX), server);
    if (server->service) {
        if (!address_is_host_name(text + prefix))
            return "must be srv:_SERVICE._tcp.NAME";
        strcpy(host, text + prefix);
    } else {
        size_t length;
        const char *wrong = read_kept_port(text, server, &length);
        if (!wrong)
            wrong = length ? read_portless(text, length, server, host)
                           : address_parse_or_name(text, &server->address, host);
        if (wrong)
            return wrong;
    }
    if (!host[0]) {
        format_server(server);
        return NULL;
    }
    server->host = memory_copy(host);
    server->port = server->service ? 0 : server->address.in.sin_port;
    server->address = (struct address){0};
    snprintf(server->text, sizeof server->text, "%s", text);
    return NULL;
}

/* What contradicts itself; NULL: nothing. */
static const char *check_server(const struct server_conf *server, attribute_set given)
{
    if (server->what == RESOLVE_ALL && !server->host)
        return "resolve=all is possible only for a name";
    if (server->what == RESOLVE_ONE && attribute_is_given(OWNER_SERVER, given, "max"))
        return "max is possible only with resolve=all";
    if (server->service && server->weight != 1)
        return "weight is not possible: SRV records tell the weights";
    if (server->proxy_tlvs && server->send_proxy != SEND_PROXY_V2)
        return "proxy-tlv is possible only with send-proxy=v2";
    if (server->sni_port && !server->allow.text)
        return "sni:PORT needs allow=NAMES, or any client could reach any machine";
    if (!server->sni_port && server->allow.text)
        return "allow is possible only for a server sni:PORT";
    if (server->service && server->backup)
        return "backup is not possible: the priorities of SRV records tell it";
    return NULL;
}

static char *place_of(struct place place)
{
    return place.line ? memory_print("%s:%u", place.source->path, place.line)
                      : memory_copy(place.source->path);
}

bool server_read(const char *value, struct server_conf *server,
                 const struct option_context *context)
{
    attribute_set given;
    char text[REMEDY_TEXT_MAX];
    char *rest;
    char *words = memory_copy(value);
    const char *name = first_word(words, &rest);
    const char *address = first_word(rest, &rest);
    *server = (struct server_conf){.line = context->place.line};
    options_set_initial(OWNER_SERVER, server);
    bool good = address != NULL;
    if (!address)
        problem_add(context->problems, context->place,
                    "server: '%s' must be NAME ADDRESS [ATTRIBUTE ...]%s", value,
                    strchr(value, ':') ? "; write a name before the address" : "");
    if (address && !is_name(name)) {
        problem_add(context->problems, context->place, "server: name '%s' may contain " NAME_RULE,
                    name);
        good = false;
    }
    if (address && is_name(name) && strlen(name) > NAME_BYTES_MAX) {
        problem_add(context->problems, context->place,
                    "server: name '%.40s...' is too long: %zu bytes, at most %d are possible", name,
                    strlen(name), NAME_BYTES_MAX);
        good = false;
    }
    const char *wrong = address ? read_server_address(address, server) : NULL;
    if (wrong) {
        problem_add(context->problems, context->place, "server: '%s': %s%s", address, wrong,
                    remedy_of_text(address, text));
        good = false;
    }
    if (address)
        good &= attributes_read(OWNER_SERVER, rest, server, context, &given);
    wrong = good ? check_server(server, given) : NULL;
    if (good && !wrong)
        wrong = tls_rules_server(server, context->files->closed);
    if (wrong) {
        problem_add(context->problems, context->place, "server: %s", wrong);
        good = false;
    }
    if (good) {
        server->name = memory_copy(name);
        if (server->host)
            server->where = place_of(context->place);
    } else {
        free(server->host);
        tls_target_free(server->tls);
        options_release(OWNER_SERVER, server);
    }
    free(words);
    return good;
}
