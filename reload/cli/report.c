#include "reload/cli/report.h"

#include "reload/base/exit_status.h"
#include "reload/base/text.h"
#include "reload/cli/plain.h"
#include "reload/cli/table.h"
#include "reload/cli/units.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The rows of a table, while they are collected. */
struct rows {
    FILE *out;
    char *text;
    size_t size;
};

/* False: out of memory. */
static bool rows_begin(struct rows *rows, const char *head)
{
    rows->text = NULL;
    rows->out = open_memstream(&rows->text, &rows->size);
    if (rows->out)
        fprintf(rows->out, "%s\n", head);
    return rows->out != NULL;
}

/* Prints the table, with an empty line before it; nothing if it has no rows. */
static void rows_end(struct rows *rows, const char *aligns, FILE *out)
{
    if (fclose(rows->out) == 0 && strchr(rows->text, '\n') != strrchr(rows->text, '\n')) {
        fputc('\n', out);
        table_print(rows->text, aligns, table_width(), out);
    }
    free(rows->text);
}

/* Writes the time since then; since is in seconds. */
static const char *age(json_int_t since, char text[static 24])
{
    json_int_t seconds = (json_int_t)time(NULL) - since;
    return units_time(seconds > 0 ? seconds * 1000 : 0, text);
}

/* What is unusual about a server; "" where nothing is. Another version may not say it. */
static const char *remark(json_t *server, char text[static 64])
{
    int backup = 0, usable = 1, percent = 100;
    json_int_t ejected = 0;
    char length[24];
    (void)json_unpack(server, "{s?b, s?b, s?i, s?I}", "backup", &backup, "usable", &usable,
                      "share_percent", &percent, "ejected_ms", &ejected);
    text[0] = '\0';
    if (ejected > 0)
        snprintf(text, 64, "ejected for %s", units_time(ejected, length));
    else if (usable && percent < 100)
        snprintf(text, 64, "slow start, %d%%", percent);
    else if (backup)
        snprintf(text, 64, "backup%s", usable ? ", serves" : "");
    return text;
}

/* "7", or "7/10" where there is a limit. */
static const char *of_limit(json_int_t live, json_int_t limit, char text[static 48])
{
    if (limit)
        snprintf(text, 48, "%lld/%lld", (long long)live, (long long)limit);
    else
        snprintf(text, 48, "%lld", (long long)live);
    return text;
}

/* With maxconn it is the sessions of all generations. */
static const char *sessions_of(json_t *server, json_int_t live, char text[static 48])
{
    json_int_t places, maxconn;
    if (json_unpack(server, "{s:I, s:I}", "places", &places, "maxconn", &maxconn) == 0 && maxconn)
        return of_limit(places, maxconn, text);
    return of_limit(live, 0, text);
}

/* Of a server with a name: what it is, and how old the answer is. */
static void print_host(json_t *server, FILE *out)
{
    const char *host = json_string_value(json_object_get(server, "host"));
    const json_t *answer = json_object_get(server, "answer_age_ms");
    if (host && json_is_integer(answer))
        fprintf(out, "  %s, answered %llds ago", host,
                (long long)json_integer_value(answer) / 1000);
    else if (host)
        fprintf(out, "  %s, not answered", host);
}

/* What the columns do not say of the state: why the server is down, which server it follows, what
 * its agent says.
 */
static void print_state(json_t *server, FILE *out)
{
    const char *check = json_string_value(json_object_get(server, "check"));
    const char *last = json_string_value(json_object_get(server, "last_check"));
    const char *follows = json_string_value(json_object_get(server, "follows"));
    const char *agent = json_string_value(json_object_get(server, "agent"));
    const json_t *percent = json_object_get(server, "agent_percent");
    if (follows)
        fprintf(out, "  follows %s", follows);
    if (check && last && strcmp(check, "down") == 0)
        fprintf(out, "  %s", last);
    if (agent && strcmp(agent, "-") != 0)
        fprintf(out, "  agent: %s", agent);
    if (json_is_integer(percent))
        fprintf(out, "  agent: %lld%%", (long long)json_integer_value(percent));
}

/* "  connects failed: refused 8, timeout 1"; nothing where none has. */
static void print_failures(json_t *server, FILE *out)
{
    const char *reason, *before = "  connects failed: ";
    json_t *count;
    json_object_foreach(json_object_get(server, "connect_failures"), reason, count)
    {
        if (json_integer_value(count) == 0)
            continue;
        fprintf(out, "%s%s %lld", before, reason, (long long)json_integer_value(count));
        before = ", ";
    }
}

static void print_server(const char *backend, json_t *server, FILE *out)
{
    const char *name, *address, *check, *admin;
    int weight;
    json_int_t live, all, changed_at;
    char since[24], sessions[48], note[64];
    if (json_unpack(server, "{s:s, s:s, s:s, s:s, s:i, s:I, s:I, s:I}", "name", &name, "address",
                    &address, "check", &check, "admin", &admin, "weight", &weight, "sessions",
                    &live, "sessions_total", &all, "changed_at", &changed_at))
        return;
    fprintf(out, "%s/%s\t%s\t%s\t%s\t%d\t%s\t%lld\t%s\t%s", backend, name, address, check, admin,
            weight, sessions_of(server, live, sessions), (long long)all, age(changed_at, since),
            remark(server, note));
    print_host(server, out);
    print_state(server, out);
    print_failures(server, out);
    fputs("\n", out);
}

static void print_servers(json_t *backends, FILE *out)
{
    size_t i, j;
    json_t *backend, *server;
    const char *name;
    struct rows rows;
    if (!rows_begin(&rows, "SERVER\tADDRESS\tCHECK\tADMIN\tWEIGHT\tSESSIONS\tIN ALL\tSINCE"))
        return;
    json_array_foreach(backends, i, backend)
    {
        if (json_unpack(backend, "{s:s}", "name", &name))
            continue;
        json_array_foreach(json_object_get(backend, "servers"), j, server)
            print_server(name, server, rows.out);
    }
    rows_end(&rows, "llllrrrr", out);
}

static void print_queues(json_t *backends, FILE *out)
{
    size_t i;
    json_t *backend;
    const char *name;
    json_int_t waiting, all, timeouts, full;
    struct rows rows;
    if (!rows_begin(&rows, "QUEUE\tWAITING\tIN ALL\tTIMED OUT\tREFUSED"))
        return;
    json_array_foreach(backends, i, backend)
    {
        if (json_unpack(backend, "{s:s, s:I, s:I, s:I, s:I}", "name", &name, "waiting", &waiting,
                        "queued", &all, "queue_timeouts", &timeouts, "queue_full", &full) == 0)
            fprintf(rows.out, "%s\t%lld\t%lld\t%lld\t%lld\n", name, (long long)waiting,
                    (long long)all, (long long)timeouts, (long long)full);
    }
    rows_end(&rows, "lrrrr", out);
}

/* Writes a number in short form: "17", "2.4M". */
static const char *short_size(json_int_t bytes, char text[static 16])
{
    static const char units[] = "kMGTPE";
    double size = (double)bytes;
    const char *unit = NULL;
    for (; size >= 1000 && (!unit || unit[1]); size /= 1000)
        unit = unit ? unit + 1 : units;
    if (unit)
        snprintf(text, 16, "%.1f%c", size, *unit);
    else
        snprintf(text, 16, "%lld", (long long)bytes);
    return text;
}

/* Prints the frontends that have sessions, their number, and the age of the oldest one if it is
 * known. */
static void print_frontends(json_t *frontends, FILE *out)
{
    size_t i;
    json_t *item;
    const char *name, *before = "";
    json_int_t sessions, lasted;
    char text[24];
    json_array_foreach(frontends, i, item)
    {
        if (json_unpack(item, "{s:s, s:I}", "name", &name, "sessions", &sessions))
            continue;
        fprintf(out, "%s%s %lld", before, name, (long long)sessions);
        if (json_unpack(item, "{s:I}", "oldest_ms", &lasted) == 0)
            fprintf(out, " (%s)", units_time(lasted, text));
        before = ", ";
    }
}

static void print_generation(json_t *generation, FILE *out)
{
    int number, pid;
    json_int_t sessions, lasted, lived, in, sent;
    const char *state;
    char age_text[24] = "-", in_text[16] = "-", out_text[16] = "-", closes_text[24],
         oldest_text[24] = "-";
    if (json_unpack(generation, "{s:i, s:i, s:s, s:I}", "generation", &number, "pid", &pid, "state",
                    &state, "sessions", &sessions))
        return;
    if (json_unpack(generation, "{s:I, s:I, s:I}", "age_ms", &lived, "client_bytes", &in,
                    "server_bytes", &sent) == 0) {
        units_time(lived, age_text);
        short_size(in, in_text);
        short_size(sent, out_text);
    }
    if (json_unpack(generation, "{s:I}", "oldest_ms", &lasted) == 0)
        units_time(lasted, oldest_text);
    const json_t *closes = json_object_get(generation, "closes_in_ms");
    const char *hash = json_string_value(json_object_get(generation, "config_hash"));
    fprintf(out, "%d\t%d\t%s\t%lld\t%s\t%s\t%s\t%s\t%s\t%s\t", number, pid, state,
            (long long)sessions, oldest_text, age_text, in_text, out_text,
            !closes                ? "-"
            : json_is_null(closes) ? "never"
                                   : units_time(json_integer_value(closes), closes_text),
            hash ? hash : "-");
    print_frontends(json_object_get(generation, "frontends"), out);
    fputc('\n', out);
}

static void print_generations(json_t *generations, FILE *out)
{
    size_t i;
    json_t *item;
    struct rows rows;
    if (!rows_begin(&rows,
                    "GENERATION\tPID\tSTATE\tSESSIONS\tOLDEST\tAGE\tIN\tOUT\tCLOSES\tCONFIG\t"
                    "FRONTENDS"))
        return;
    json_array_foreach(generations, i, item)
    {
        print_generation(item, rows.out);
    }
    rows_end(&rows, "rrlrrrrrrl", out);
}

#define TIME_TEXT_MAX 32

static const char *time_text(json_int_t at, char text[static TIME_TEXT_MAX])
{
    struct tm local;
    time_t seconds = (time_t)at;
    if (!localtime_r(&seconds, &local) || !strftime(text, TIME_TEXT_MAX, "%F %T", &local))
        return "(never)";
    return text;
}

static void print_last_reload(json_t *reload, FILE *out)
{
    json_int_t at, took;
    int status;
    const char *result;
    char text[TIME_TEXT_MAX];
    if (json_unpack(reload, "{s:i, s:I, s:I, s:s}", "exit", &status, "at", &at, "took_ms", &took,
                    "result", &result))
        return;
    const char *when = time_text(at, text);
    if (status == EXIT_DONE)
        fprintf(out, "last reload %s: %s\n", when, result);
    else
        fprintf(out, "last reload %s: failed after %lld ms (exit %d): %s\n", when, (long long)took,
                status, result);
}

static void print_last_crash(json_t *crash, FILE *out)
{
    json_int_t at;
    const char *result;
    char when[TIME_TEXT_MAX];
    if (json_unpack(crash, "{s:I, s:s}", "at", &at, "result", &result) == 0)
        fprintf(out, "last-crash %s: %s\n", time_text(at, when), result);
}

static void print_side(const char *name, json_t *side, FILE *out)
{
    json_int_t sessions, errors, failed, cut;
    char text[SESSIONS_TEXT_MAX];
    if (json_unpack(side, "{s:I, s:I, s:I, s:I}", "sessions_total", &sessions, "connect_errors",
                    &errors, "sessions_failed", &failed, "sessions_cut", &cut) == 0)
        fprintf(out, "%s %s, %lld failed connect%s, %lld failed, %lld cut\n", name,
                sessions_text((uint64_t)sessions, text), (long long)errors, errors == 1 ? "" : "s",
                (long long)failed, (long long)cut);
}

static void print_canary(json_t *canary, FILE *out)
{
    int number, pid, by_source;
    json_int_t left;
    double percent;
    char left_text[24];
    if (json_unpack(canary, "{s:i, s:i, s:F, s:b, s:I}", "generation", &number, "pid", &pid,
                    "percent", &percent, "by_source", &by_source, "left_ms", &left))
        return;
    fprintf(out, "canary generation %d  pid %d  %g%%%s  %s left\n", number, pid, percent,
            by_source ? " by source" : "", units_time(left, left_text));
    print_side("  canary     ", json_object_get(canary, "canary"), out);
    print_side("  predecessor", json_object_get(canary, "predecessor"), out);
}

static void print_binds(json_t *binds, FILE *out)
{
    const char *address, *frontend, *handover;
    int listeners;
    size_t i;
    json_t *item;
    struct rows rows;
    if (!rows_begin(&rows, "BIND\tFRONTEND\tLISTENERS\tHANDOVER"))
        return;
    json_array_foreach(binds, i, item)
    {
        if (json_unpack(item, "{s:s, s:s, s:i, s:s}", "address", &address, "frontend", &frontend,
                        "listeners", &listeners, "handover", &handover) == 0)
            fprintf(rows.out, "%s\t%s\t%d\t%s\n", address, frontend, listeners, handover);
    }
    rows_end(&rows, "llrl", out);
}

/* An older process does not say all of this. */
static void print_loads(json_t *frontends, FILE *out)
{
    size_t i;
    json_t *item;
    const char *name;
    json_int_t live, limit, most, all, waited;
    char sessions[48];
    struct rows rows;
    if (!rows_begin(&rows, "FRONTEND\tSESSIONS\tMOST\tIN ALL\tWAITED"))
        return;
    json_array_foreach(frontends, i, item)
    {
        if (json_unpack(item, "{s:s, s:I, s:I, s:I, s:I, s:I}", "name", &name, "sessions", &live,
                        "max_sessions", &limit, "most_sessions", &most, "sessions_total", &all,
                        "waited", &waited) == 0)
            fprintf(rows.out, "%s\t%s\t%lld\t%lld\t%lld\n", name, of_limit(live, limit, sessions),
                    (long long)most, (long long)all, (long long)waited);
    }
    rows_end(&rows, "lrrrr", out);
}

/* Frontends that have refused clients. An older process does not know of the last two reasons. */
static void print_denied(json_t *frontends, FILE *out)
{
    size_t i;
    json_t *item;
    const char *name;
    json_int_t denied, list, limit, rate, over, route, header;
    struct rows rows;
    if (!rows_begin(&rows, "DENIED AT\tCLIENTS\tLIST\tSOURCE-LIMIT\tSOURCE-RATE\tOVER-LIMIT\t"
                           "ROUTE\tHEADER"))
        return;
    json_array_foreach(frontends, i, item)
    {
        route = header = 0;
        if (json_unpack(item, "{s:s, s:I, s:{s:I, s:I, s:I, s:I, s?I, s?I}}", "name", &name,
                        "denied", &denied, "denied_by", "list", &list, "source_limit", &limit,
                        "source_rate", &rate, "over_limit", &over, "route", &route, "proxy_header",
                        &header) ||
            denied == 0)
            continue;
        fprintf(rows.out, "%s\t%lld\t%lld\t%lld\t%lld\t%lld\t%lld\t%lld\n", name, (long long)denied,
                (long long)list, (long long)limit, (long long)rate, (long long)over,
                (long long)route, (long long)header);
    }
    rows_end(&rows, "lrrrrrrr", out);
}

/* Frontends that accept no clients by command. An older process pauses none. */
static void print_paused(json_t *frontends, FILE *out)
{
    size_t i;
    json_t *item;
    const char *name;
    json_int_t at;
    char since[24];
    json_array_foreach(frontends, i, item)
    {
        if (json_unpack(item, "{s:s, s:I}", "name", &name, "paused_at", &at))
            continue;
        fprintf(out, "paused frontend %s for %s", name, age(at, since));
        const json_t *waiting = json_object_get(item, "waiting");
        if (json_is_integer(waiting))
            fprintf(out, ", clients that wait in its backlog: %lld",
                    (long long)json_integer_value(waiting));
        fputc('\n', out);
    }
}

/* Seconds before its end in which a certificate is marked. */
#define SOON (30 * 86400)

/* "", "expires in 12d", "EXPIRED" */
static const char *expiry(json_int_t until, char text[static 48])
{
    json_int_t left = until - (json_int_t)time(NULL);
    char length[24];
    if (left <= 0)
        snprintf(text, 48, "EXPIRED");
    else if (left < SOON)
        snprintf(text, 48, "expires in %s", units_time(left * 1000, length));
    else
        text[0] = '\0';
    return text;
}

/* Of a certificate; its subject if it has no name. */
static void print_names(json_t *certificate, FILE *out)
{
    enum { SHOWN = 4 };
    json_t *names = json_object_get(certificate, "names"), *name;
    const char *subject = json_string_value(json_object_get(certificate, "subject"));
    size_t i;
    json_array_foreach(names, i, name)
    {
        if (i == SHOWN)
            break;
        fprintf(out, "%s%s", i > 0 ? " " : "", json_string_value(name));
    }
    if (i == 0)
        fputs(subject ? subject : "-", out);
    if (json_array_size(names) > SHOWN)
        fprintf(out, " and %zu more", json_array_size(names) - SHOWN);
}

static void print_certificate(json_t *certificate, FILE *out)
{
    const char *file, *frontend;
    json_int_t until;
    char when[TIME_TEXT_MAX], note[48];
    if (json_unpack(certificate, "{s:s, s:s, s:I}", "file", &file, "frontend", &frontend,
                    "expires_at", &until))
        return;
    fprintf(out, "%s\t%s\t%s\t%s\t", file, frontend, time_text(until, when), expiry(until, note));
    print_names(certificate, out);
    fputc('\n', out);
}

/* Of more certificates than this, those that expire first are shown. */
#define CERTIFICATES_SHOWN 10

static json_int_t end_of(const json_t *certificate)
{
    return json_integer_value(json_object_get(certificate, "expires_at"));
}

static int by_end(const void *left, const void *right)
{
    const json_t *const *a = left, *const *b = right;
    const json_int_t difference = end_of(*a) - end_of(*b);
    return difference < 0 ? -1 : difference > 0;
}

static void print_more_certificates(const json_t *certificates, FILE *out)
{
    const json_int_t now = (json_int_t)time(NULL);
    const size_t count = json_array_size(certificates);
    size_t expired = 0, soon = 0;
    for (size_t i = 0; i < count; i++) {
        const json_int_t left = end_of(json_array_get(certificates, i)) - now;
        expired += left <= 0;
        soon += left > 0 && left < SOON;
    }
    fprintf(
        out,
        "and %zu more that expire later, see status --json; of all %zu, EXPIRED: %zu, within 30 "
        "days: %zu\n",
        count - CERTIFICATES_SHOWN, count, expired, soon);
}

static void print_certificates(json_t *certificates, FILE *out)
{
    const size_t count = json_array_size(certificates);
    struct rows rows;
    json_t **sorted = calloc(count + 1, sizeof *sorted);
    if (!sorted)
        return;
    for (size_t i = 0; i < count; i++)
        sorted[i] = json_array_get(certificates, i);
    if (count > CERTIFICATES_SHOWN)
        qsort(sorted, count, sizeof *sorted, by_end);
    if (rows_begin(&rows, "CERTIFICATE\tFRONTEND\tUNTIL\t\tNAMES")) {
        for (size_t i = 0; i < count && i < CERTIFICATES_SHOWN; i++)
            print_certificate(sorted[i], rows.out);
        rows_end(&rows, "lllll", out);
    }
    free(sorted);
    if (count > CERTIFICATES_SHOWN)
        print_more_certificates(certificates, out);
}

/* Why processes that are being replaced keep sessions. */
static void print_tied(json_t *generations, FILE *out)
{
    size_t i;
    json_t *item;
    int number;
    json_int_t tied;
    const char *state;
    json_array_foreach(generations, i, item)
    {
        if (json_unpack(item, "{s:i, s:s, s:I}", "generation", &number, "state", &state,
                        "sessions_tls", &tied) == 0 &&
            tied > 0 && strcmp(state, "draining") == 0)
            fprintf(out,
                    "generation %d has %lld session%s whose TLS ends there: %s cannot move, and "
                    "%s there until %s\n",
                    number, (long long)tied, tied == 1 ? "" : "s", tied == 1 ? "it" : "they",
                    tied == 1 ? "stays" : "stay", tied == 1 ? "it ends" : "they end");
    }
}

static void print_sources(json_t *sources, FILE *out)
{
    json_int_t max, live, uncounted;
    if (json_unpack(sources, "{s:I, s:I, s:I}", "max", &max, "live", &live, "uncounted",
                    &uncounted))
        return;
    fprintf(out, "sources %lld with sessions, at most %lld", (long long)live, (long long)max);
    if (uncounted > 0)
        fprintf(out, "; %lld sessions came in uncounted", (long long)uncounted);
    fputc('\n', out);
}

static void print_parts(json_t *status, FILE *out)
{
    print_binds(json_object_get(status, "binds"), out);
    print_certificates(json_object_get(status, "certificates"), out);
    print_loads(json_object_get(status, "frontends"), out);
    print_denied(json_object_get(status, "frontends"), out);
    if (json_object_get(status, "backends")) /* an older version has none */
        print_servers(json_object_get(status, "backends"), out);
    print_queues(json_object_get(status, "backends"), out);
}

bool report_print(json_t *status, bool whole, FILE *out)
{
    int pid, number, workers;
    json_int_t uptime, sessions, total;
    const char *state, *version, *file;
    plain_strings(status);
    if (json_unpack(status, "{s:i, s:i, s:i, s:I, s:I, s:I, s:s, s:s, s:s}", "pid", &pid,
                    "generation", &number, "workers", &workers, "uptime_ms", &uptime, "sessions",
                    &sessions, "sessions_total", &total, "state", &state, "version", &version,
                    "file", &file))
        return false;
    fprintf(out, "rpproxy %s  pid %d  generation %d  %s  %d worker%s  up %llds\n", version, pid,
            number, state, workers, workers == 1 ? "" : "s", (long long)uptime / 1000);
    if (!whole) {
        print_paused(json_object_get(status, "frontends"), out);
        print_parts(status, out);
        return true;
    }
    fprintf(out, "file %s\nsessions %lld now, %lld in all", file, (long long)sessions,
            (long long)total);
    const json_t *limit = json_object_get(status, "max_sessions");
    if (json_integer_value(limit) > 0)
        fprintf(out, ", limit %lld", (long long)json_integer_value(limit));
    fputc('\n', out);

    if (json_object_get(status, "sources"))
        print_sources(json_object_get(status, "sources"), out);
    print_paused(json_object_get(status, "frontends"), out);
    print_last_reload(json_object_get(status, "last_reload"), out);
    print_last_crash(json_object_get(status, "last_crash"), out);
    if (json_object_get(status, "canary"))
        print_canary(json_object_get(status, "canary"), out);
    print_generations(json_object_get(status, "generations"), out);
    print_tied(json_object_get(status, "generations"), out);
    print_parts(status, out);
    return true;
}
