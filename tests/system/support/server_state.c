#include "tests/system/support/server_state.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const json_t *find_named(const json_t *list, const char *name)
{
    size_t index;
    const json_t *one;
    json_array_foreach(list, index, one)
    {
        if (strcmp(json_string_value(json_object_get(one, "name")), name) == 0)
            return one;
    }
    ck_abort_msg("status --json has no %s", name);
}

void server_text(const struct proxy *proxy, const char *backend, const char *server,
                 const char *key, char text[static 256])
{
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(proxy, &outcome, "status", "--json", NULL), 0);
    json_t *all = json_loads(outcome.out, 0, NULL);
    const json_t *found = find_named(json_object_get(all, "backends"), backend);
    found = find_named(json_object_get(found, "servers"), server);
    const char *value = json_string_value(json_object_get(found, key));
    snprintf(text, 256, "%s", value ? value : "");
    json_decref(all);
}

struct wanted {
    const struct proxy *proxy;
    const char *backend, *server, *check, *said;
    char now[256], last[256];
};

static bool is_as_wanted(void *argument)
{
    struct wanted *wanted = argument;
    server_text(wanted->proxy, wanted->backend, wanted->server, "check", wanted->now);
    server_text(wanted->proxy, wanted->backend, wanted->server, "last_check", wanted->last);
    return strcmp(wanted->now, wanted->check) == 0 &&
           (!wanted->said || strstr(wanted->last, wanted->said));
}

void server_await(const struct proxy *proxy, const char *backend, const char *server,
                  const char *check, const char *said)
{
    char what[256];
    struct wanted wanted = {
        .proxy = proxy, .backend = backend, .server = server, .check = check, .said = said};
    snprintf(what, sizeof what, "%s/%s is %s (%s)", backend, server, check, said ? said : "");
    wait_until(is_as_wanted, &wanted, what);
}

long long backend_figure(const struct proxy *proxy, const char *name)
{
    struct outcome outcome;
    if (proxy_command(proxy, &outcome, "status", "--json", NULL) != 0)
        return -1;
    json_t *status = json_loads(outcome.out, 0, NULL);
    json_t *backend = json_array_get(json_object_get(status, "backends"), 0);
    json_t *member = json_object_get(backend, name);
    long long value = json_is_integer(member) ? json_integer_value(member) : -1;
    json_decref(status);
    return value;
}

struct queue {
    const struct proxy *proxy;
    unsigned count;
};

static bool has_so_many(void *argument)
{
    const struct queue *queue = argument;
    return backend_figure(queue->proxy, "waiting") == queue->count;
}

void wait_waiting(const struct proxy *proxy, unsigned count)
{
    wait_until(has_so_many, &(struct queue){proxy, count}, "so many sessions wait in the queue");
}
