#include "reload/cli/preview.h"

#include "config/base/memory.h"
#include "config/diff.h"
#include "config/options/options.h"
#include "config/syntax/value.h"
#include "reload/base/text.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

int preview_environment(pid_t process)
{
    char path[32];
    char *entry = NULL;
    size_t size = 0;
    if (process == 0) /* most system calls take 0 as the calling process */
        return ESRCH;
    snprintf(path, sizeof path, "/proc/%d/environ", (int)process);
    FILE *file = fopen(path, "re");
    if (!file)
        return errno;
    cpu_set_t cpus; /* cpu-affinity may name only CPUs that the process may use */
    if (sched_getaffinity(process, sizeof cpus, &cpus) == 0)
        (void)sched_setaffinity(0, sizeof cpus, &cpus);
    clearenv();
    while (getdelim(&entry, &size, '\0', file) > 0) {
        char *value = strchr(entry, '=');
        if (!value)
            continue;
        *value = '\0';
        (void)setenv(entry, value + 1, 1);
    }
    free(entry);
    fclose(file);
    return 0;
}

/* Returns the object with this name in an array of the status, or NULL. */
static const json_t *find_named(const json_t *list, const char *name)
{
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item)
    {
        const char *other = json_string_value(json_object_get(item, "name"));
        if (other && strcmp(other, name) == 0)
            return item;
    }
    return NULL;
}

/* Returns the number of sessions of a frontend or a server in the status; -1: not known. */
static json_int_t sessions_of(const json_t *list, const char *name)
{
    const json_t *sessions = json_object_get(find_named(list, name), "sessions");
    return json_is_integer(sessions) ? json_integer_value(sessions) : -1;
}

static json_int_t sessions_of_server(const json_t *status, const struct change *change)
{
    const json_t *backend = find_named(json_object_get(status, "backends"), change->section);
    return sessions_of(json_object_get(backend, "servers"), change->name);
}

/* Counts the sessions of all frontends that use this backend. */
static json_int_t sessions_of_backend(const json_t *status, const char *name)
{
    size_t i;
    const json_t *frontend;
    json_int_t sum = 0;
    json_array_foreach(json_object_get(status, "frontends"), i, frontend)
    {
        const char *backend = json_string_value(json_object_get(frontend, "backend"));
        if (backend && strcmp(backend, name) == 0)
            sum += json_integer_value(json_object_get(frontend, "sessions"));
    }
    return sum;
}

/* Whether on-removed closes sessions that move to a process without their server. */
static bool are_closed(const struct change *change, const struct config *running,
                       const struct config *next)
{
    return change->kind == CHANGE_REMOVED && running->drain == DRAIN_HANDOFF &&
           next->on_removed == REMOVED_CLOSE;
}

static void print_server_sessions(const struct change *change, const struct config *running,
                                  const struct config *next, const json_t *status, FILE *out)
{
    const char *fate = are_closed(change, running, next) ? "are closed" : "stay connected";
    const char *what = change->kind == CHANGE_REMOVED ? "removed" : "changed";
    json_int_t sessions = sessions_of_server(status, change);
    if (sessions > 0)
        fprintf(out, "  sessions of server %s/%s: %lld %s, the server is %s\n", change->section,
                change->name, (long long)sessions, fate, what);
    if (sessions >= 0)
        return;
    sessions = sessions_of_backend(status, change->section);
    if (sessions > 0)
        fprintf(out,
                "  sessions of backend %s: %lld, and those of them to server %s %s: it is %s\n",
                change->section, (long long)sessions, change->name, fate, what);
}

static bool has_frontend(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->frontend_count; i++)
        if (strcmp(config->frontends[i].name, name) == 0)
            return true;
    return false;
}

static void print_frontend_sessions(const struct change *change, const struct config *next,
                                    const json_t *status, FILE *out)
{
    json_int_t sessions = sessions_of(json_object_get(status, "frontends"), change->section);
    if (sessions <= 0)
        return;
    if (change->kind == CHANGE_REMOVED && change->subject == CHANGED_FRONTEND)
        fprintf(out, "  sessions of frontend %s: %lld stay connected, the frontend is removed\n",
                change->section, (long long)sessions);
    else if (change->kind == CHANGE_REMOVED && has_frontend(next, change->section))
        fprintf(out,
                "  sessions of frontend %s: %lld stay connected, those of bind %s among them, "
                "which is removed\n",
                change->section, (long long)sessions, change->name);
    else if (change->kind == CHANGE_VALUE && change->option &&
             strcmp(change->option, "backend") == 0)
        fprintf(out, "  sessions of frontend %s: %lld stay with backend %s\n", change->section,
                (long long)sessions, change->from);
}

/* Prints the sessions that continue although their frontend or server was removed or changed. */
static void print_touched(const struct change *change, const struct config *running,
                          const struct config *next, const json_t *status, FILE *out)
{
    switch (change->subject) {
    case CHANGED_FRONTEND:
    case CHANGED_BIND:
        print_frontend_sessions(change, next, status, out);
        break;
    case CHANGED_SERVER:
        if (change->kind != CHANGE_ADDED)
            print_server_sessions(change, running, next, status, out);
        break;
    case CHANGED_GLOBAL:
    case CHANGED_BACKEND:
    case CHANGED_CERTIFICATE:
    case CHANGED_LIST:
        break;
    }
}

static void print_fate(const struct config *running, json_int_t sessions, FILE *out)
{
    const struct option *drain = option_find(SECTION_GLOBAL, "drain");
    char timeout[DURATION_TEXT_MAX], all[SESSIONS_TEXT_MAX];
    fprintf(out, "%s: drain = %s, drain-timeout = %s\n", sessions_text((uint64_t)sessions, all),
            drain->names[running->drain], duration_text(running->drain_timeout, timeout));
}

void preview_print(const struct config *running, const struct config *next, const json_t *status,
                   FILE *out)
{
    struct config_diff diff;
    config_compare(running, next, &diff);
    fprintf(out, "%s: valid\n", next->file);
    if (diff.count == 0)
        fputs("a reload would change nothing\n", out);
    else
        fputs("a reload would change:\n", out);
    for (size_t i = 0; i < diff.count; i++) {
        const struct change *change = &diff.items[i];
        fputs("  ", out);
        change_print(change, out);
        fputs("\n", out);
        if (change->subject == CHANGED_GLOBAL && strcmp(change->option, "user") == 0)
            fputs("    but the user cannot be changed by a reload\n", out);
    }
    print_fate(running, json_integer_value(json_object_get(status, "sessions")), out);
    for (size_t i = 0; i < diff.count; i++)
        print_touched(&diff.items[i], running, next, status, out);
    config_diff_free(&diff);
}
