#include "proxy/stages/route_choice.h"

#include <string.h>

enum truth { FALSE, TRUE, UNKNOWN };

static enum truth truth_of(bool value)
{
    return value ? TRUE : FALSE;
}

static enum truth is_tls(const struct evidence *evidence)
{
    const struct client_hello *hello = evidence->hello;
    return hello->begun ? TRUE : hello->verdict == HELLO_MORE ? UNKNOWN : FALSE;
}

static enum truth is_http(const struct evidence *evidence)
{
    const struct http_head *head = evidence->head;
    return head->begun ? TRUE : head->verdict == HEAD_MORE ? UNKNOWN : FALSE;
}

static bool has_name(const struct name_map *names, const char *name)
{
    return name_map_find(names, name) != NAME_NO_VALUE;
}

static enum truth has_server_name(const struct route_condition *condition,
                                  const struct evidence *evidence)
{
    const struct client_hello *hello = evidence->hello;
    if (hello->verdict == HELLO_MORE)
        return UNKNOWN;
    return truth_of(has_name(condition->names, hello->name));
}

static enum truth has_host(const struct route_condition *condition, const struct evidence *evidence)
{
    const struct http_head *head = evidence->head;
    if (head->verdict == HEAD_MORE)
        return UNKNOWN;
    return truth_of(has_name(condition->names, head->host));
}

static enum truth offers(const struct route_condition *condition, const struct evidence *evidence)
{
    if (evidence->hello->verdict == HELLO_MORE)
        return UNKNOWN;
    for (size_t i = 0; i < condition->word_count; i++)
        if (client_hello_offers(evidence->hello, condition->words[i].bytes,
                                condition->words[i].length))
            return TRUE;
    return FALSE;
}

static enum truth begins(const struct route_condition *condition, const struct evidence *evidence)
{
    enum truth truth = FALSE;
    for (size_t i = 0; i < condition->word_count; i++) {
        const struct text_bytes *word = &condition->words[i];
        size_t length = word->length < evidence->length ? word->length : evidence->length;
        if (length > 0 && memcmp(word->bytes, evidence->bytes, length) != 0)
            continue;
        if (length == word->length)
            return TRUE;
        truth = UNKNOWN;
    }
    return truth;
}

static enum truth has_port(const struct route_condition *condition, const struct evidence *evidence)
{
    for (size_t i = 0; i < condition->port_count; i++)
        if (evidence->port >= condition->ports[i].first &&
            evidence->port <= condition->ports[i].last)
            return TRUE;
    return FALSE;
}

static enum truth has_certificate(const struct route_condition *condition,
                                  const struct evidence *evidence)
{
    if (!evidence->certified || !condition->names)
        return truth_of(evidence->certified);
    return truth_of(evidence->client_name && has_name(condition->names, evidence->client_name));
}

static enum truth ask(const struct route_condition *condition, const struct evidence *evidence)
{
    switch (condition->kind) {
    case CONDITION_SNI:
        return has_server_name(condition, evidence);
    case CONDITION_ALPN:
        return offers(condition, evidence);
    case CONDITION_TLS:
        return is_tls(evidence);
    case CONDITION_HOST:
        return has_host(condition, evidence);
    case CONDITION_HTTP:
        return is_http(evidence);
    case CONDITION_BEGINS:
        return begins(condition, evidence);
    case CONDITION_SILENT:
        return evidence->length > 0 ? FALSE : evidence->is_all ? TRUE : UNKNOWN;
    case CONDITION_SOURCE:
        return truth_of(address_matcher_find(condition->matcher, evidence->source) !=
                        PREFIX_NO_VALUE);
    case CONDITION_PORT:
        return has_port(condition, evidence);
    case CONDITION_CLIENT_CERT:
        return has_certificate(condition, evidence);
    case CONDITION_USABLE:
        return truth_of(evidence->is_usable(condition->backend, evidence->arg));
    }
    return FALSE;
}

static enum truth judge(const struct route_condition *condition, const struct evidence *evidence)
{
    enum truth truth = ask(condition, evidence);
    if (truth == UNKNOWN)
        return evidence->is_all ? truth_of(condition->negated) : UNKNOWN;
    return condition->negated ? truth_of(truth == FALSE) : truth;
}

/* The map as the last condition; TRUE: *backend is set. */
static enum truth look_up(const struct route_map *map, const struct evidence *evidence,
                          uint32_t *backend)
{
    bool open = map->of_hosts ? evidence->head->verdict == HEAD_MORE
                              : evidence->hello->verdict == HELLO_MORE;
    if (open)
        return evidence->is_all ? FALSE : UNKNOWN;
    *backend =
        name_map_find(map->names, map->of_hosts ? evidence->head->host : evidence->hello->name);
    return truth_of(*backend != NAME_NO_VALUE);
}

static enum truth judge_route(const struct route *route, const struct evidence *evidence,
                              uint32_t *backend)
{
    enum truth all = TRUE;
    for (size_t i = 0; i < route->condition_count && all != FALSE; i++) {
        enum truth truth = judge(&route->conditions[i], evidence);
        if (truth != TRUE)
            all = truth;
    }
    *backend = route->backend;
    if (all == FALSE || !route->map.file)
        return all;
    enum truth found = look_up(&route->map, evidence, backend);
    return found == TRUE ? all : found;
}

/* What is judged as one: a route, or a run of routes. TRUE: choice->route and choice->backend are
 * set. */
static enum truth judge_step(const struct route *route, const struct evidence *evidence,
                             struct route_choice *choice)
{
    if (!route->run)
        return judge_route(route, evidence, &choice->backend);
    const bool of_hosts = route->conditions->kind == CONDITION_HOST;
    if (of_hosts ? evidence->head->verdict == HEAD_MORE : evidence->hello->verdict == HELLO_MORE)
        return evidence->is_all ? FALSE : UNKNOWN;
    uint32_t number =
        name_map_find(route->run->names, of_hosts ? evidence->head->host : evidence->hello->name);
    if (number == NAME_NO_VALUE)
        return FALSE;
    choice->route += number;
    choice->backend = route[number].backend;
    return TRUE;
}

enum choice_verdict route_choose(const struct route_list *routes, const struct evidence *evidence,
                                 struct route_choice *choice)
{
    while (choice->route < routes->count) {
        const struct route *route = &routes->items[choice->route];
        enum truth truth = judge_step(route, evidence, choice);
        if (truth != FALSE)
            return truth == TRUE ? CHOICE_MADE : CHOICE_OPEN;
        choice->route += route->run ? route->run->count : 1;
    }
    return CHOICE_NONE;
}
