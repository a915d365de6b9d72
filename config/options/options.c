#include "config/options/options.h"

#include "config/base/memory.h"
#include "config/base/path.h"
#include "config/model/config.h"
#include "config/syntax/value.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define SECOND 1000ULL
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)

#define SESSIONS_MAX 100000000
#define SUN_PATH_MAX 107

#define FRONTENDS (IN(SECTION_FRONTEND) | IN(SECTION_LISTEN))
#define BACKENDS  (IN(SECTION_BACKEND) | IN(SECTION_LISTEN))

#define OF_CONFIG(member) .owner = OWNER_CONFIG, .offset = offsetof(struct config, member)
#define OF_FRONTEND(member)                                                                        \
    .owner = OWNER_FRONTEND, .offset = offsetof(struct frontend_conf, member)
#define OF_BACKEND(member) .owner = OWNER_BACKEND, .offset = offsetof(struct backend_conf, member)

/* [listen] and [defaults] set congestion for the frontend and for the backend. */
#define OF_SIDE(member) .owner = OWNER_SIDE, .offset = offsetof(struct frontend_conf, member)
_Static_assert(offsetof(struct frontend_conf, congestion) ==
                   offsetof(struct backend_conf, congestion),
               "OWNER_SIDE needs one offset for both structs");

static const char *const log_levels[] = {"error", "warning", "notice", "info", "debug", NULL};
static const char *const drains[] = {"handoff", "wait", NULL};
static const char *const removals[] = {"keep", "drain", "close", NULL};
static const char *const balances[] = {"roundrobin", NULL};
static const char *const checks[] = {"off", "tcp", NULL};

static const struct option table[] = {
    {.name = "include",
     .sections = IN(SECTION_GLOBAL),
     .type = OPTION_INCLUDE,
     .repeated = true,
     .help = "read further files, in sorted order; relative to the directory of this file"},
    {.name = "workers",
     .sections = IN(SECTION_GLOBAL),
     OF_CONFIG(workers),
     .type = OPTION_UNSIGNED,
     .min = 1,
     .max = 256,
     .zero = "auto",
     .initial = "auto",
     .help = "number of worker threads; auto: one for each CPU that the process may use"},
    {.name = "cpu-affinity",
     .sections = IN(SECTION_GLOBAL),
     OF_CONFIG(affinity),
     .type = OPTION_CPUS,
     .initial = "no",
     .help = "run each worker on one CPU; yes: all CPUs of the process; LIST: these CPUs"},
    {.name = "user",
     .sections = IN(SECTION_GLOBAL),
     OF_CONFIG(user),
     .type = OPTION_NAME,
     .help = "when started as root: become this user before any address is bound"},
    {.name = "control",
     .sections = IN(SECTION_GLOBAL),
     OF_CONFIG(control),
     .type = OPTION_PATH,
     .max = SUN_PATH_MAX,
     .help = "path of the control socket; without it /run/rpproxy/control.sock for root, else "
             "$XDG_RUNTIME_DIR/rpproxy/control.sock or /tmp/rpproxy-UID/control.sock"},
    {.name = "pidfile",
     .sections = IN(SECTION_GLOBAL),
     OF_CONFIG(pidfile),
     .type = OPTION_PATH,
     .max = PATH_MAX - 1,
     .help = "file that contains the pid of the process that serves"},
    {.name = "log",
     .sections = IN(SECTION_GLOBAL),
     OF_CONFIG(log_target),
     .type = OPTION_LOG,
     .max = PATH_MAX - 1,
     .initial = "stderr",
     .help = "destination of log lines"},
    {.name = "log-level",
     .sections = IN(SECTION_GLOBAL),
     OF_CONFIG(log_level),
     .type = OPTION_ENUM,
     .names = log_levels,
     .initial = "info",
     .help = "the least important level that is logged"},
    {.name = "max-sessions",
     .sections = IN(SECTION_GLOBAL),
     OF_CONFIG(max_sessions),
     .type = OPTION_UNSIGNED,
     .min = 1,
     .max = SESSIONS_MAX,
     .zero = "auto",
     .initial = "auto",
     .help = "sessions at the same time, in total; further clients wait in the backlog; auto: as "
             "many as the limit of descriptors allows"},
    {.name = "congestion",
     .sections = IN(SECTION_GLOBAL),
     OF_CONFIG(congestion),
     .type = OPTION_CONGESTION,
     .initial = "system",
     .help = "TCP congestion control for frontends and backends that set none"},
    {.name = "drain",
     .sections = IN(SECTION_GLOBAL),
     OF_CONFIG(drain),
     .type = OPTION_ENUM,
     .names = drains,
     .initial = "handoff",
     .help = "sessions of the old process after a reload; handoff: move to the new process; wait: "
             "end in the old one"},
    {.name = "on-removed",
     .sections = IN(SECTION_GLOBAL),
     OF_CONFIG(on_removed),
     .type = OPTION_ENUM,
     .names = removals,
     .initial = "keep",
     .help = "a session that moves, and whose server was removed; keep: continues; drain: is "
             "closed after drain-timeout; close: is closed at once"},
    {.name = "drain-timeout",
     .sections = IN(SECTION_GLOBAL),
     OF_CONFIG(drain_timeout),
     .type = OPTION_DURATION,
     .max = 8760 * HOUR,
     .initial = "1h",
     .help = "sessions that are left after this time of draining are closed; 0s: never"},
    {.name = "drain-spread",
     .sections = IN(SECTION_GLOBAL),
     OF_CONFIG(drain_spread),
     .type = OPTION_DURATION,
     .max = 24 * HOUR,
     .initial = "0s",
     .help =
         "last part of drain-timeout, in which sessions are closed one by one, longest idle first"},
    {.name = "stop-timeout",
     .sections = IN(SECTION_GLOBAL),
     OF_CONFIG(stop_timeout),
     .type = OPTION_DURATION,
     .max = 8760 * HOUR,
     .initial = "30s",
     .help = "how long a graceful stop waits for sessions to end"},
    {.name = "linger-timeout",
     .sections = IN(SECTION_GLOBAL),
     OF_CONFIG(linger_timeout),
     .type = OPTION_DURATION,
     .max = 10 * MINUTE,
     .initial = "5s",
     .help = "after a handover: how long the old process waits for handshakes that had begun"},
    {.name = "probation",
     .sections = IN(SECTION_GLOBAL),
     OF_CONFIG(probation),
     .type = OPTION_DURATION,
     .max = 10 * MINUTE,
     .initial = "2s",
     .help = "how long the old process stands by, to serve again if the new one crashes; 0s: not "
             "at all"},
    {.name = "ready-timeout",
     .sections = IN(SECTION_GLOBAL),
     OF_CONFIG(ready_timeout),
     .type = OPTION_DURATION,
     .min = 1 * SECOND,
     .max = 1 * HOUR,
     .initial = "60s",
     .help = "a new process that is not ready after this time is killed"},
    {.name = "max-generations",
     .sections = IN(SECTION_GLOBAL),
     OF_CONFIG(max_generations),
     .type = OPTION_UNSIGNED,
     .min = 1,
     .max = 64,
     .initial = "8",
     .help = "draining processes beside the active one; above this number the oldest is closed"},

    {.name = "bind",
     .sections = FRONTENDS,
     OF_FRONTEND(binds),
     .type = OPTION_BIND,
     .repeated = true,
     .help = "an address on which clients are accepted: HOST:PORT, [IPV6]:PORT or unix:/PATH"},
    {.name = "backend",
     .sections = IN(SECTION_FRONTEND),
     OF_FRONTEND(backend),
     .type = OPTION_BACKEND,
     .help = "the backend that serves the clients of this frontend"},
    {.name = "max-sessions",
     .sections = FRONTENDS | IN(SECTION_DEFAULTS),
     OF_FRONTEND(max_sessions),
     .type = OPTION_UNSIGNED,
     .min = 1,
     .max = SESSIONS_MAX,
     .zero = "unlimited",
     .initial = "unlimited",
     .help = "sessions at the same time in this frontend; further clients wait in the backlog"},
    {.name = "idle-timeout",
     .sections = FRONTENDS | IN(SECTION_DEFAULTS),
     OF_FRONTEND(idle_timeout),
     .type = OPTION_DURATION,
     .max = 8760 * HOUR,
     .initial = "1h",
     .help = "a session in which no byte moves for this time is closed; 0s: never"},
    {.name = "drain-timeout",
     .sections = FRONTENDS | IN(SECTION_DEFAULTS),
     OF_FRONTEND(drain_timeout),
     .type = OPTION_DURATION,
     .max = 8760 * HOUR,
     .help = "as in [global], for sessions of this frontend"},
    {.name = "stop-timeout",
     .sections = FRONTENDS | IN(SECTION_DEFAULTS),
     OF_FRONTEND(stop_timeout),
     .type = OPTION_DURATION,
     .max = 8760 * HOUR,
     .help = "as in [global], for sessions of this frontend"},
    {.name = "access-log",
     .sections = FRONTENDS | IN(SECTION_DEFAULTS),
     OF_FRONTEND(access_log),
     .type = OPTION_BOOL,
     .initial = "no",
     .help = "log a line for each session when it ends"},
    {.name = "congestion",
     .sections = FRONTENDS | BACKENDS | IN(SECTION_DEFAULTS),
     OF_SIDE(congestion),
     .type = OPTION_CONGESTION,
     .help = "TCP congestion control of the connections of clients, or to servers"},

    {.name = "balance",
     .sections = BACKENDS | IN(SECTION_DEFAULTS),
     OF_BACKEND(balance),
     .type = OPTION_ENUM,
     .names = balances,
     .initial = "roundrobin",
     .help = "how a server is chosen for a session"},
    {.name = "server",
     .sections = BACKENDS,
     OF_BACKEND(servers),
     .type = OPTION_SERVER,
     .repeated = true,
     .help = "a server and its share of the sessions (weight: 0 to 256, default 1; 0: none)"},
    {.name = "connect-timeout",
     .sections = BACKENDS | IN(SECTION_DEFAULTS),
     OF_BACKEND(connect_timeout),
     .type = OPTION_DURATION,
     .min = 1,
     .max = 1 * HOUR,
     .initial = "5s",
     .help = "how long one attempt to connect to a server may take"},
    {.name = "retries",
     .sections = BACKENDS | IN(SECTION_DEFAULTS),
     OF_BACKEND(retries),
     .type = OPTION_UNSIGNED,
     .max = 100,
     .initial = "3",
     .help = "further attempts after a failed one, to another server if there is one"},
    {.name = "check",
     .sections = BACKENDS | IN(SECTION_DEFAULTS),
     OF_BACKEND(check.kind),
     .type = OPTION_ENUM,
     .names = checks,
     .initial = "off",
     .help = "how servers are checked; tcp: by opening a connection"},
    {.name = "check-interval",
     .sections = BACKENDS | IN(SECTION_DEFAULTS),
     OF_BACKEND(check.interval),
     .type = OPTION_DURATION,
     .min = 10,
     .max = 24 * HOUR,
     .initial = "2s",
     .help = "time from one check of a server to the next"},
    {.name = "check-timeout",
     .sections = BACKENDS | IN(SECTION_DEFAULTS),
     OF_BACKEND(check.timeout),
     .type = OPTION_DURATION,
     .min = 1,
     .max = 1 * HOUR,
     .initial = "2s",
     .help = "a check without an answer after this time has failed"},
    {.name = "rise",
     .sections = BACKENDS | IN(SECTION_DEFAULTS),
     OF_BACKEND(check.rise),
     .type = OPTION_UNSIGNED,
     .min = 1,
     .max = 1000,
     .initial = "2",
     .help = "how many checks in a row must pass before a server that is down becomes up"},
    {.name = "fall",
     .sections = BACKENDS | IN(SECTION_DEFAULTS),
     OF_BACKEND(check.fall),
     .type = OPTION_UNSIGNED,
     .min = 1,
     .max = 1000,
     .initial = "3",
     .help = "how many checks in a row must fail before a server that is up becomes down"},
};

static const char *const kind_names[] = {"global", "defaults", "frontend", "backend", "listen"};

const struct option *option_table(size_t *count)
{
    *count = sizeof table / sizeof table[0];
    return table;
}

const char *section_kind_name(enum section_kind kind)
{
    return kind_names[kind];
}

const struct option *option_find(enum section_kind kind, const char *name)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if ((table[i].sections & IN(kind)) && strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}

static void list_names(const char *const *names, char text[static OPTION_TEXT_MAX])
{
    size_t length = 0;
    text[0] = '\0';
    for (size_t i = 0; names[i] && length < OPTION_TEXT_MAX; i++)
        length += (size_t)snprintf(text + length, OPTION_TEXT_MAX - length, "%s%s",
                                   i == 0         ? ""
                                   : names[i + 1] ? ", "
                                                  : " or ",
                                   names[i]);
}

const char *option_values(const struct option *option, char text[static OPTION_TEXT_MAX])
{
    char from[DURATION_TEXT_MAX];
    char to[DURATION_TEXT_MAX];
    const char *form = "";
    switch (option->type) {
    case OPTION_UNSIGNED:
        snprintf(text, OPTION_TEXT_MAX, "%s%s%" PRIu64 " to %" PRIu64,
                 option->zero ? option->zero : "", option->zero ? " or " : "", option->min,
                 option->max);
        return text;
    case OPTION_DURATION:
        snprintf(text, OPTION_TEXT_MAX, "%s to %s", duration_text(option->min, from),
                 duration_text(option->max, to));
        return text;
    case OPTION_ENUM:
        list_names(option->names, text);
        return text;
    case OPTION_BOOL:
        form = "yes or no";
        break;
    case OPTION_NAME:
    case OPTION_BACKEND:
        form = "NAME";
        break;
    case OPTION_PATH:
        form = "/PATH";
        break;
    case OPTION_LOG:
        form = "stderr, syslog, journal or file:/PATH";
        break;
    case OPTION_CPUS:
        form = "no, yes or LIST";
        break;
    case OPTION_CONGESTION:
        form = "system or NAME";
        break;
    case OPTION_BIND:
        form = "ADDRESS [accept=sharded|shared] [steer=hash|cpu] [mode=MODE] [owner=USER] "
               "[group=GROUP]";
        break;
    case OPTION_SERVER:
        form = "NAME ADDRESS [weight=N]";
        break;
    case OPTION_INCLUDE:
        form = "PATTERN";
        break;
    }
    snprintf(text, OPTION_TEXT_MAX, "%s", form);
    return text;
}

/* --- setting ------------------------------------------------------------------------------- */

static _Thread_local char complaint[OPTION_TEXT_MAX + 32];

static const char *must_be(const struct option *option)
{
    char values[OPTION_TEXT_MAX];
    snprintf(complaint, sizeof complaint, "must be %s", option_values(option, values));
    return complaint;
}

static void replace(char **member, const char *text)
{
    free(*member);
    *member = memory_copy(text);
}

static const char *check_path(const struct option *option, const char *path)
{
    const char *wrong = path_check(path);
    if (wrong)
        return wrong;
    if (strlen(path) > option->max) {
        snprintf(complaint, sizeof complaint, "must not be longer than %" PRIu64 " bytes",
                 option->max);
        return complaint;
    }
    return NULL;
}

static const char *set_log(const struct option *option, const char *value, struct config *config)
{
    static const char *const words[] = {"stderr", "syslog", "journal"};
    static const enum log_target targets[] = {LOG_TO_STDERR, LOG_TO_SYSLOG, LOG_TO_JOURNAL};
    if (strncmp(value, "file:", 5) == 0) {
        const char *wrong = check_path(option, value + 5);
        if (wrong)
            return wrong;
        config->log_target = LOG_TO_FILE;
        replace(&config->log_path, value + 5);
        return NULL;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(value, words[i]) != 0)
            continue;
#ifndef HAVE_LIBSYSTEMD
        if (targets[i] == LOG_TO_JOURNAL)
            return "is not possible: this rpproxy was built without libsystemd";
#endif
        config->log_target = targets[i];
        return NULL;
    }
    return must_be(option);
}

static const char *set_cpus(const char *value, struct cpus *cpus)
{
    if (strcmp(value, "no") == 0)
        cpus->count = 0;
    else if (strcmp(value, "yes") == 0)
        cpus_usable(cpus);
    else
        return cpus_parse(value, cpus);
    return NULL;
}

static const char *set_congestion(const char *value, char member[static CONGESTION_MAX])
{
    if (!is_name(value))
        return "may contain " NAME_RULE;
    if (strlen(value) >= CONGESTION_MAX)
        return "is too long for the name of a congestion control";
    snprintf(member, CONGESTION_MAX, "%s", strcmp(value, "system") == 0 ? "" : value);
    return NULL;
}

static const char *set_unsigned(const struct option *option, const char *value, unsigned *member)
{
    uint64_t number;
    if (option->zero && strcmp(value, option->zero) == 0) {
        *member = 0;
        return NULL;
    }
    if (value_unsigned(value, &number) || number < option->min || number > option->max)
        return must_be(option);
    *member = (unsigned)number;
    return NULL;
}

static const char *set_duration(const struct option *option, const char *value, millis *member)
{
    millis length;
    const char *wrong = value_duration(value, &length);
    if (wrong)
        return wrong;
    if (length < option->min || length > option->max)
        return must_be(option);
    *member = length;
    return NULL;
}

static const char *set_enum(const struct option *option, const char *value, void *member)
{
    for (unsigned i = 0; option->names[i]; i++) {
        if (strcmp(value, option->names[i]) != 0)
            continue;
        memcpy(member, &i, sizeof i);
        return NULL;
    }
    return must_be(option);
}

const char *option_set(const struct option *option, const char *value, void *owner)
{
    void *member = (char *)owner + option->offset;
    const char *wrong;
    switch (option->type) {
    case OPTION_BOOL:
        return value_bool(value, member);
    case OPTION_UNSIGNED:
        return set_unsigned(option, value, member);
    case OPTION_DURATION:
        return set_duration(option, value, member);
    case OPTION_ENUM:
        return set_enum(option, value, member);
    case OPTION_LOG:
        return set_log(option, value, owner);
    case OPTION_CPUS:
        return set_cpus(value, member);
    case OPTION_CONGESTION:
        return set_congestion(value, member);
    case OPTION_NAME:
        if (!is_name(value))
            return "may contain " NAME_RULE;
        replace(member, value);
        return NULL;
    case OPTION_PATH:
        wrong = check_path(option, value);
        if (!wrong)
            replace(member, value);
        return wrong;
    case OPTION_BACKEND:
    case OPTION_BIND:
    case OPTION_SERVER:
    case OPTION_INCLUDE:
        break;
    }
    abort(); /* the caller passed an option without a single value */
}

void options_set_initial(enum option_owner which, void *owner)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].owner == which && table[i].initial &&
            option_set(&table[i], table[i].initial, owner))
            abort(); /* the table has a default that is not valid */
}

/* --- help ---------------------------------------------------------------------------------- */

void options_print(FILE *stream)
{
    char values[OPTION_TEXT_MAX];
    for (unsigned kind = 0; kind < SECTION_KINDS; kind++) {
        fprintf(stream, "%s[%s%s]\n", kind ? "\n" : "", kind_names[kind],
                kind == SECTION_GLOBAL || kind == SECTION_DEFAULTS ? "" : " NAME");
        if (kind == SECTION_DEFAULTS)
            fputs("  For every frontend and backend, also for those above this section.\n", stream);
        if (kind == SECTION_LISTEN)
            fputs("  A frontend and a backend with the same name.\n", stream);
        for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
            const struct option *option = &table[i];
            if (!(option->sections & IN(kind)))
                continue;
            fprintf(stream, "  %s = %s", option->name, option_values(option, values));
            if (option->initial)
                fprintf(stream, " (default: %s)", option->initial);
            if (option->repeated)
                fputs(" (may be repeated)", stream);
            fprintf(stream, "\n      %s\n", option->help);
        }
    }
}
