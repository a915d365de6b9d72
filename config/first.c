#include "config/first.h"

#include "config/base/memory.h"
#include "config/loops.h"
#include "config/names/prefer.h"
#include "config/names/wait.h"

#include <stdio.h>
#include <stdlib.h>

static size_t count_hosts(const struct config *config)
{
    size_t count = 0;
    for (size_t i = 0; i < config->backend_count; i++)
        for (size_t j = 0; j < config->backends[i].server_count; j++)
            count += config->backends[i].servers[j].host != NULL;
    return count;
}

void first_ask(const struct config *config, millis most, first_is_known *is_known, void *arg,
               struct first_answers *answers)
{
    struct resolver_conf resolver = config->resolver;
    if (most && resolver.timeout > most / NAMES_WAIT_TIMEOUTS)
        resolver.timeout = most / NAMES_WAIT_TIMEOUTS;
    size_t count = count_hosts(config), asked = 0;
    struct wanted_name *names = memory_new(count, sizeof *names);
    *answers = (struct first_answers){.list = memory_new(count, sizeof *answers->list)};
    for (size_t i = 0; i < config->backend_count; i++) {
        const struct backend_conf *backend = &config->backends[i];
        for (size_t j = 0; j < backend->server_count; j++) {
            const struct server_conf *server = &backend->servers[j];
            if (!server->host)
                continue;
            struct first_answer *first = &answers->list[answers->count++];
            *first = (struct first_answer){.backend = backend, .server = server};
            first->asked = !is_known || !is_known(backend, server, arg);
            if (first->asked)
                names[asked++] = (struct wanted_name){.name = server->host,
                                                      .family = backend->resolve_family,
                                                      .kind = server->service ? QUESTION_SERVICE
                                                                              : QUESTION_ADDRESSES,
                                                      .port = server->port};
        }
    }
    names_wait(&resolver, names, asked);
    asked = 0;
    for (size_t i = 0; i < answers->count; i++)
        if (answers->list[i].asked) {
            struct answer *answer = &answers->list[i].answer;
            *answer = names[asked++].answer;
            prefer_sort(answer->items, answer->count);
        }
    free(names);
}

/* --- what makes a start fail --------------------------------------------------------------- */

struct known {
    const struct config *config;
    const struct first_answers *answers;
};

static const struct first_answer *find(const struct first_answers *answers,
                                       const struct server_conf *server)
{
    for (size_t i = 0; i < answers->count; i++)
        if (answers->list[i].server == server)
            return &answers->list[i];
    return NULL;
}

/* Of a server with several addresses, the first: others only lead to where it leads. */
static const struct address *address_of(size_t backend, size_t n, void *arg)
{
    static const struct address none;
    const struct known *known = arg;
    const struct backend_conf *conf = &known->config->backends[backend];
    if (n >= conf->server_count)
        return NULL;
    const struct server_conf *server = &conf->servers[n];
    const struct first_answer *first = server->host ? find(known->answers, server) : NULL;
    if (!first)
        return &server->address;
    return first->answer.count > 0 ? &first->answer.items[0].address : &none;
}

/* True: all addresses of a name with addresses are binds of this proxy, in a loop. text says so. */
static bool is_loop(struct loops *loops, struct known *known, const struct first_answer *first,
                    char *text, size_t size)
{
    char address[ADDRESS_TEXT_MAX];
    size_t from = (size_t)(first->backend - known->config->backends);
    for (size_t i = 0; i < first->answer.count; i++) {
        const struct frontend_conf *frontend;
        const struct bind_conf *bind =
            loops_find(loops, from, &first->answer.items[i].address, address_of, known, &frontend);
        if (!bind)
            return false;
        snprintf(text, size,
                 "%s is bind %s of frontend %s of this proxy; each session would return to "
                 "backend %s, without end",
                 address_format(&first->answer.items[i].address, address), bind->text,
                 frontend->name, first->backend->name);
    }
    return first->answer.count > 0;
}

size_t first_report(const struct config *config, const struct first_answers *answers,
                    void (*report)(const char *line, void *arg), void *arg)
{
    struct loops *loops = loops_new(config);
    struct known known = {config, answers};
    size_t count = 0;
    for (size_t i = 0; i < answers->count; i++) {
        const struct first_answer *first = &answers->list[i];
        char text[512];
        if (first->backend->unresolved == UNRESOLVED_DOWN || !first->asked)
            continue;
        if (first->answer.status != ANSWER_OK)
            snprintf(text, sizeof text, "%s", answer_text(first->answer.status));
        else if (!is_loop(loops, &known, first, text, sizeof text))
            continue;
        char *line = memory_print("%s: server '%s': '%s': %s", first->server->where,
                                  first->server->name, first->server->text, text);
        report(line, arg);
        free(line);
        count++;
    }
    loops_free(loops);
    return count;
}

void first_free(struct first_answers *answers)
{
    for (size_t i = 0; i < answers->count; i++)
        free(answers->list[i].answer.items);
    free(answers->list);
    *answers = (struct first_answers){0};
}
