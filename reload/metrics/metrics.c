#include "reload/metrics/metrics.h"

#include "proxy/session/states.h"
#include "proxy/tls/tls_failure.h"
#include "reload/metrics/text_out.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum kind { COUNTER, GAUGE, HISTOGRAM };

/* What a family has a series for each of. */
enum scope { OF_PROXY, OF_FRONTENDS, OF_BACKENDS, OF_SERVERS, OF_PROCESS, WITH_LABELS };

struct family;

struct writer {
    struct text_out out;
    const struct metrics_snapshot *snapshot;
    bool openmetrics;
    const struct family *family;
    unsigned labels; /* of the series that is being written */
};

/* name: as the series of a counter has it, with "_total". */
struct family {
    const char *name;
    enum kind kind;
    const char *unit; /* NULL: none */
    const char *help;
    enum scope scope;
    /* Of a uint64_t in the struct of the scope. There is no series where the condition, a bool at
     * that offset, is false (0: no condition), or where the value is 0 and that means none. */
    size_t offset, condition;
    bool zero_is_none;
    unsigned digits; /* the value is that number / 10^digits */
    /* HISTOGRAM: the first and the last bound that is shown: 2^n microseconds. */
    unsigned first, last;
    /* WITH_LABELS: writes all series. */
    void (*write)(struct writer *writer);
};

/* --- series -------------------------------------------------------------------------------- */

/* A series: begin(), label() for each label, value() or decimal(). */
static void begin_with(struct writer *writer, const char *suffix)
{
    text_out(&writer->out, writer->family->name);
    text_out(&writer->out, suffix);
    writer->labels = 0;
}

static void begin(struct writer *writer)
{
    begin_with(writer, "");
}

static void label(struct writer *writer, const char *name, const char *value)
{
    text_out(&writer->out, writer->labels++ == 0 ? "{" : ",");
    text_out(&writer->out, name);
    text_out(&writer->out, "=\"");
    text_out_label_value(&writer->out, value);
    text_out(&writer->out, "\"");
}

static void decimal(struct writer *writer, uint64_t number, unsigned digits)
{
    text_out(&writer->out, writer->labels ? "} " : " ");
    text_out_decimal(&writer->out, number, digits);
    text_out(&writer->out, "\n");
}

static void value(struct writer *writer, uint64_t number)
{
    decimal(writer, number, writer->family->digits);
}

static void series(struct writer *writer, const char *name, const char *text, uint64_t number)
{
    begin(writer);
    label(writer, name, text);
    value(writer, number);
}

/* Of one frontend or backend: `name` is the label. */
static void histogram(struct writer *writer, const char *name, const char *text,
                      const struct histogram_figures *figures)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        count += figures->buckets[i];
        if (i < writer->family->first || i > writer->family->last)
            continue;
        begin_with(writer, "_bucket");
        label(writer, name, text);
        text_out(&writer->out, ",le=\"");
        text_out_decimal(&writer->out, UINT64_C(1) << i, 6);
        text_out(&writer->out, "\"");
        decimal(writer, count, 0);
    }
    begin_with(writer, "_bucket");
    label(writer, name, text);
    label(writer, "le", "+Inf");
    decimal(writer, count, 0);
    begin_with(writer, "_sum");
    label(writer, name, text);
    decimal(writer, figures->sum, 6);
    begin_with(writer, "_count");
    label(writer, name, text);
    decimal(writer, count, 0);
}

/* --- families with labels of their own ----------------------------------------------------- */

static void build_info(struct writer *writer)
{
    series(writer, "version", writer->snapshot->version, 1);
}

static void state(struct writer *writer)
{
    series(writer, "state", writer->snapshot->state, 1);
}

static void bytes(struct writer *writer)
{
    series(writer, "direction", "in", writer->snapshot->figures.client_bytes);
    series(writer, "direction", "out", writer->snapshot->figures.server_bytes);
}

static void reloads(struct writer *writer)
{
    const struct reload_figures *figures = &writer->snapshot->reloads;
    for (unsigned i = 0; i < RELOAD_RESULTS_MOST; i++) {
        const char *name = metrics_result_name(i);
        if (name)
            series(writer, "result", name, figures->results[i]);
    }
}

static void last_reload(struct writer *writer)
{
    if (writer->snapshot->reloaded)
        series(writer, "result", writer->snapshot->reload_result, 1);
}

static void both_sides(struct writer *writer, uint64_t canary, uint64_t predecessor)
{
    if (!writer->snapshot->canary.any)
        return;
    series(writer, "side", "canary", canary);
    series(writer, "side", "predecessor", predecessor);
}

static void canary_sessions(struct writer *writer)
{
    const struct metrics_canary *canary = &writer->snapshot->canary;
    both_sides(writer, canary->canary.sessions, canary->predecessor.sessions);
}

static void canary_connect_errors(struct writer *writer)
{
    const struct metrics_canary *canary = &writer->snapshot->canary;
    both_sides(writer, canary->canary.connect_errors, canary->predecessor.connect_errors);
}

static void canary_failed(struct writer *writer)
{
    const struct metrics_canary *canary = &writer->snapshot->canary;
    both_sides(writer, canary->canary.failed, canary->predecessor.failed);
}

static void canary_cut(struct writer *writer)
{
    const struct metrics_canary *canary = &writer->snapshot->canary;
    both_sides(writer, canary->canary.cut, canary->predecessor.cut);
}

static void frontend_denied(struct writer *writer)
{
    static const char *const names[REFUSALS] = {
        [REFUSED_BY_LIST] = "list",     [REFUSED_SESSIONS] = "source-limit",
        [REFUSED_RATE] = "source-rate", [REFUSED_OVERLIMIT] = "over-limit",
        [REFUSED_BY_ROUTE] = "route",   [REFUSED_HEADER] = "proxy-header"};
    for (size_t i = 0; i < writer->snapshot->frontend_count; i++)
        for (unsigned j = 0; j < REFUSALS; j++) {
            begin(writer);
            label(writer, "frontend", writer->snapshot->frontends[i].name);
            label(writer, "reason", names[j]);
            value(writer, writer->snapshot->frontends[i].refusals.by[j]);
        }
}

/* A frontend or backend, and a second label. */
static void part(struct writer *writer, const char *name, const char *text, const char *second,
                 const char *what, uint64_t number)
{
    begin(writer);
    label(writer, name, text);
    label(writer, second, what);
    value(writer, number);
}

static void frontend_bytes(struct writer *writer)
{
    for (size_t i = 0; i < writer->snapshot->frontend_count; i++) {
        const struct metrics_frontend *frontend = &writer->snapshot->frontends[i];
        part(writer, "frontend", frontend->name, "direction", "in", frontend->figures.bytes_in);
        part(writer, "frontend", frontend->name, "direction", "out", frontend->figures.bytes_out);
    }
}

static void frontend_ends(struct writer *writer)
{
    for (size_t i = 0; i < writer->snapshot->frontend_count; i++)
        for (unsigned j = 0; j < SESSION_ENDS; j++)
            part(writer, "frontend", writer->snapshot->frontends[i].name, "reason",
                 session_end_name(j), writer->snapshot->frontends[i].figures.ends[j]);
}

static void tls_failures(struct writer *writer, const char *name, const char *text,
                         const uint64_t failures[static TLS_FAILURES_MOST])
{
    for (unsigned i = 0; i < TLS_FAILURES; i++)
        part(writer, name, text, "reason", tls_failure_name(i), failures[i]);
}

static void frontend_tls_failures(struct writer *writer)
{
    for (size_t i = 0; i < writer->snapshot->frontend_count; i++) {
        const struct metrics_frontend *frontend = &writer->snapshot->frontends[i];
        if (frontend->has_tls)
            tls_failures(writer, "frontend", frontend->name, frontend->figures.tls_failures);
    }
}

static void backend_tls_failures(struct writer *writer)
{
    for (size_t i = 0; i < writer->snapshot->backend_count; i++) {
        const struct metrics_backend *backend = &writer->snapshot->backends[i];
        if (backend->has_tls)
            tls_failures(writer, "backend", backend->name, backend->figures.tls_failures);
    }
}

static void tls_handshakes(struct writer *writer, const char *name, const char *text, uint64_t full,
                           uint64_t resumed)
{
    part(writer, name, text, "resumed", "no", full);
    part(writer, name, text, "resumed", "yes", resumed);
}

static void frontend_tls_handshakes(struct writer *writer)
{
    for (size_t i = 0; i < writer->snapshot->frontend_count; i++) {
        const struct metrics_frontend *frontend = &writer->snapshot->frontends[i];
        if (frontend->has_tls)
            tls_handshakes(writer, "frontend", frontend->name, frontend->figures.tls_full,
                           frontend->figures.tls_resumed);
    }
}

static void backend_tls_handshakes(struct writer *writer)
{
    for (size_t i = 0; i < writer->snapshot->backend_count; i++) {
        const struct metrics_backend *backend = &writer->snapshot->backends[i];
        if (backend->has_tls)
            tls_handshakes(writer, "backend", backend->name, backend->figures.tls_full,
                           backend->figures.tls_resumed);
    }
}

static void certificates(struct writer *writer)
{
    for (size_t i = 0; i < writer->snapshot->certificate_count; i++) {
        const struct metrics_certificate *certificate = &writer->snapshot->certificates[i];
        begin(writer);
        label(writer, "frontend", certificate->frontend);
        label(writer, "file", certificate->file);
        label(writer, "name", certificate->name);
        value(writer, certificate->expires_at);
    }
}

static void backend_bytes(struct writer *writer)
{
    for (size_t i = 0; i < writer->snapshot->backend_count; i++) {
        const struct metrics_backend *backend = &writer->snapshot->backends[i];
        part(writer, "backend", backend->name, "direction", "in", backend->figures.bytes_in);
        part(writer, "backend", backend->name, "direction", "out", backend->figures.bytes_out);
    }
}

static void backend_failures(struct writer *writer)
{
    for (size_t i = 0; i < writer->snapshot->backend_count; i++)
        for (unsigned j = 0; j < CONNECT_FAILURES; j++)
            part(writer, "backend", writer->snapshot->backends[i].name, "reason",
                 connect_failure_name(j), writer->snapshot->backends[i].figures.failures[j]);
}

static void backend_ends(struct writer *writer)
{
    for (size_t i = 0; i < writer->snapshot->backend_count; i++)
        for (unsigned j = SESSION_DONE + 1; j < SESSION_ENDS; j++)
            part(writer, "backend", writer->snapshot->backends[i].name, "reason",
                 session_end_name(j), writer->snapshot->backends[i].figures.ends[j]);
}

/* Begins a series of a server. */
static void begin_server(struct writer *writer, size_t backend, size_t server)
{
    begin(writer);
    label(writer, "backend", writer->snapshot->backends[backend].name);
    label(writer, "server", writer->snapshot->backends[backend].servers[server].name);
}

/* Calls `write` for each server. */
static void each_server(struct writer *writer,
                        void (*write)(struct writer *writer, size_t backend, size_t server))
{
    for (size_t i = 0; i < writer->snapshot->backend_count; i++)
        for (size_t j = 0; j < writer->snapshot->backends[i].server_count; j++)
            write(writer, i, j);
}

static void server_part(struct writer *writer, size_t backend, size_t server, const char *name,
                        const char *text, uint64_t number)
{
    begin_server(writer, backend, server);
    label(writer, name, text);
    value(writer, number);
}

static void admin_of(struct writer *writer, size_t backend, size_t server)
{
    server_part(writer, backend, server, "state",
                writer->snapshot->backends[backend].servers[server].admin, 1);
}

static void bytes_of(struct writer *writer, size_t backend, size_t server)
{
    const struct server_figures *figures =
        &writer->snapshot->backends[backend].servers[server].figures;
    server_part(writer, backend, server, "direction", "in", figures->bytes_in);
    server_part(writer, backend, server, "direction", "out", figures->bytes_out);
}

static void failures_of(struct writer *writer, size_t backend, size_t server)
{
    const struct server_events *events =
        &writer->snapshot->backends[backend].servers[server].events;
    for (unsigned i = 0; i < CONNECT_FAILURES; i++)
        server_part(writer, backend, server, "reason", connect_failure_name(i),
                    events->failures[i]);
}

/* Few reasons concern a server; a series for each of the others would be 0 for ever. */
static void ends_of(struct writer *writer, size_t backend, size_t server)
{
    const struct server_events *events =
        &writer->snapshot->backends[backend].servers[server].events;
    for (unsigned i = SESSION_DONE + 1; i < SESSION_ENDS; i++)
        if (events->ends[i] > 0 || i == SESSION_SERVER_RESET || i == SESSION_CLIENT_RESET)
            server_part(writer, backend, server, "reason", session_end_name(i), events->ends[i]);
}

static void checks_of(struct writer *writer, size_t backend, size_t server)
{
    const struct metrics_server *item = &writer->snapshot->backends[backend].servers[server];
    if (!item->is_checked)
        return;
    server_part(writer, backend, server, "result", "passed", item->events.checks_passed);
    server_part(writer, backend, server, "result", "failed", item->events.checks_failed);
}

static void server_admin(struct writer *writer)
{
    each_server(writer, admin_of);
}

static void server_bytes(struct writer *writer)
{
    each_server(writer, bytes_of);
}

static void server_failures(struct writer *writer)
{
    each_server(writer, failures_of);
}

static void server_ends(struct writer *writer)
{
    each_server(writer, ends_of);
}

static void server_checks(struct writer *writer)
{
    each_server(writer, checks_of);
}

/* --- all families -------------------------------------------------------------------------- */

#define PROXY(member)     .scope = OF_PROXY, .offset = offsetof(struct metrics_snapshot, member)
#define FRONTEND(member)  .scope = OF_FRONTENDS, .offset = offsetof(struct metrics_frontend, member)
#define BACKEND(member)   .scope = OF_BACKENDS, .offset = offsetof(struct metrics_backend, member)
#define SERVER(member)    .scope = OF_SERVERS, .offset = offsetof(struct metrics_server, member)
#define PROCESS(member)   .scope = OF_PROCESS, .offset = offsetof(struct metrics_process, member)
#define LABELED(function) .scope = WITH_LABELS, .write = function

/* clang-format off */
static const struct family families[] = {
    {"rpproxy_build_info", GAUGE, NULL, "The version that runs; always 1.", LABELED(build_info)},
    {"rpproxy_generation", GAUGE, NULL, "Number of the generation that answers.",
     PROXY(generation)},
    {"rpproxy_generations", GAUGE, NULL, "Processes that live.", PROXY(generations)},
    {"rpproxy_state_info", GAUGE, NULL, "State of the process that answers; always 1.",
     LABELED(state)},
    {"rpproxy_workers", GAUGE, NULL, "Worker threads.", PROXY(workers)},
    {"rpproxy_live_sessions", GAUGE, NULL, "Sessions now.", PROXY(live)},
    {"rpproxy_max_sessions", GAUGE, NULL, "Limit of sessions; absent: none.",
     PROXY(max_sessions), .zero_is_none = true},
    {"rpproxy_sessions_total", COUNTER, NULL, "Sessions accepted.", PROXY(figures.sessions)},
    {"rpproxy_bytes_total", COUNTER, "bytes", "Bytes from clients (in) and from servers (out).",
     LABELED(bytes)},
    {"rpproxy_connect_errors_total", COUNTER, NULL, "Attempts to connect to a server that failed.",
     PROXY(figures.connect_errors)},
    {"rpproxy_failed_sessions_total", COUNTER, NULL, "Sessions that found no server.",
     PROXY(figures.failed)},
    {"rpproxy_cut_sessions_total", COUNTER, NULL,
     "Sessions that ended by a reset or for lack of resources.", PROXY(figures.cut)},
    {"rpproxy_killed_sessions_total", COUNTER, NULL, "Sessions that a command ended.",
     PROXY(figures.killed)},
    {"rpproxy_queued_sessions_total", COUNTER, NULL, "Sessions that waited in a queue.",
     PROXY(figures.queued)},
    {"rpproxy_queue_timeouts_total", COUNTER, NULL, "Sessions that waited too long in a queue.",
     PROXY(figures.queue_timeout)},
    {"rpproxy_queue_full_total", COUNTER, NULL, "Sessions refused because a queue was full.",
     PROXY(figures.queue_full)},
    {"rpproxy_log_dropped_lines_total", COUNTER, NULL, "Log lines of this process that were lost.",
     PROXY(log_dropped)},
    {"rpproxy_reloads_total", COUNTER, NULL, "Reloads.", LABELED(reloads)},
    {"rpproxy_reload_seconds_total", COUNTER, "seconds", "Time that successful reloads took.",
     PROXY(reloads.time), .digits = 3},
    {"rpproxy_rollbacks_total", COUNTER, NULL, "Reloads that were rolled back on probation.",
     PROXY(reloads.rolled_back)},
    {"rpproxy_last_reload_info", GAUGE, NULL, "Result of the last reload; always 1.",
     LABELED(last_reload)},
    {"rpproxy_last_reload_timestamp_seconds", GAUGE, "seconds", "When the last reload was over.",
     PROXY(reload_at), .zero_is_none = true},
    {"rpproxy_last_reload_duration_seconds", GAUGE, "seconds", "How long the last reload took.",
     PROXY(reload_duration), .condition = offsetof(struct metrics_snapshot, reloaded),
     .digits = 3},
    {"rpproxy_crashes_total", COUNTER, NULL, "Generations that crashed.", PROXY(reloads.crashes)},
    {"rpproxy_last_crash_timestamp_seconds", GAUGE, "seconds", "When a generation crashed last.",
     PROXY(crashed_at), .zero_is_none = true},
    {"rpproxy_draining_sessions", GAUGE, NULL, "Sessions of generations that drain.",
     PROXY(draining)},
    {"rpproxy_drain_left_seconds", GAUGE, "seconds", "Time until the last of them is closed.",
     PROXY(drain_left), .condition = offsetof(struct metrics_snapshot, drain_ends), .digits = 3},
    {"rpproxy_canary_left_seconds", GAUGE, "seconds", "Time until the canary is promoted.",
     PROXY(canary.left), .condition = offsetof(struct metrics_snapshot, canary.any), .digits = 3},
    {"rpproxy_canary_share_ratio", GAUGE, "ratio", "Share of the new connections of the canary.",
     PROXY(canary.share), .condition = offsetof(struct metrics_snapshot, canary.any), .digits = 4},
    {"rpproxy_canary_sessions", GAUGE, NULL, "Sessions accepted since the canary began.",
     LABELED(canary_sessions)},
    {"rpproxy_canary_connect_errors", GAUGE, NULL,
     "Failed attempts to connect since the canary began.", LABELED(canary_connect_errors)},
    {"rpproxy_canary_failed_sessions", GAUGE, NULL,
     "Sessions without a server since the canary began.", LABELED(canary_failed)},
    {"rpproxy_canary_cut_sessions", GAUGE, NULL, "Sessions that were cut since the canary began.",
     LABELED(canary_cut)},
    {"rpproxy_frontend_live_sessions", GAUGE, NULL, "Sessions of the frontend now.",
     FRONTEND(live)},
    {"rpproxy_frontend_max_sessions", GAUGE, NULL, "Limit of the frontend; absent: none.",
     FRONTEND(max_sessions), .zero_is_none = true},
    {"rpproxy_frontend_paused", GAUGE, NULL, "1: paused by command, and accepts no clients.",
     FRONTEND(paused)},
    {"rpproxy_frontend_most_sessions", GAUGE, NULL, "Largest number of sessions that was seen.",
     FRONTEND(figures.most)},
    {"rpproxy_frontend_sessions_total", COUNTER, NULL, "Sessions accepted.",
     FRONTEND(figures.sessions)},
    {"rpproxy_frontend_bytes_total", COUNTER, "bytes",
     "Bytes from clients (in) and from servers (out).", LABELED(frontend_bytes)},
    {"rpproxy_frontend_session_ends_total", COUNTER, NULL, "Sessions that ended.",
     LABELED(frontend_ends)},
    {"rpproxy_frontend_waits_total", COUNTER, NULL, "Clients that waited for a place of a limit.",
     FRONTEND(figures.waits)},
    {"rpproxy_frontend_session_duration_seconds", HISTOGRAM, "seconds", "How long sessions lasted.",
     FRONTEND(figures.session_time), .first = 10, .last = 34},
    {"rpproxy_frontend_denied_total", COUNTER, NULL, "Clients that were refused.",
     LABELED(frontend_denied)},
    {"rpproxy_frontend_tls_handshakes_total", COUNTER, NULL,
     "TLS handshakes with clients that were completed.", LABELED(frontend_tls_handshakes)},
    {"rpproxy_frontend_tls_failures_total", COUNTER, NULL, "TLS handshakes with clients that failed.",
     LABELED(frontend_tls_failures)},
    {"rpproxy_certificate_expiry_timestamp_seconds", GAUGE, "seconds",
     "When a certificate for clients expires.", LABELED(certificates)},
    {"rpproxy_backend_servers", GAUGE, NULL, "Servers of the backend.", BACKEND(all)},
    {"rpproxy_backend_usable_servers", GAUGE, NULL, "Servers that get new connections.",
     BACKEND(usable)},
    {"rpproxy_backend_waiting_sessions", GAUGE, NULL, "Sessions in the queue now.",
     BACKEND(waiting), .condition = offsetof(struct metrics_backend, has_queue)},
    {"rpproxy_backend_most_waiting_sessions", GAUGE, NULL, "Longest queue that was seen.",
     BACKEND(figures.most_waiting), .condition = offsetof(struct metrics_backend, has_queue)},
    {"rpproxy_backend_max_waiting_sessions", GAUGE, NULL,
     "Limit (max-queue) of the queue; absent: none.", BACKEND(max_waiting), .zero_is_none = true},
    {"rpproxy_backend_live_sessions", GAUGE, NULL, "Sessions of the servers now.", BACKEND(live)},
    {"rpproxy_backend_sessions_total", COUNTER, NULL, "Connections to servers that were begun.",
     BACKEND(figures.sessions)},
    {"rpproxy_backend_bytes_total", COUNTER, "bytes",
     "Bytes from clients (in) and from servers (out).", LABELED(backend_bytes)},
    {"rpproxy_backend_connect_failures_total", COUNTER, NULL,
     "Attempts to connect to a server that failed.", LABELED(backend_failures)},
    {"rpproxy_backend_tls_handshakes_total", COUNTER, NULL,
     "TLS handshakes with servers that were completed.", LABELED(backend_tls_handshakes)},
    {"rpproxy_backend_tls_failures_total", COUNTER, NULL,
     "TLS handshakes with servers that failed.", LABELED(backend_tls_failures)},
    {"rpproxy_backend_retries_total", COUNTER, NULL, "Attempts that followed a failed one.",
     BACKEND(figures.retries)},
    {"rpproxy_backend_queued_sessions_total", COUNTER, NULL, "Sessions that waited in the queue.",
     BACKEND(figures.queued)},
    {"rpproxy_backend_session_ends_total", COUNTER, NULL,
     "Sessions that ended otherwise than done.", LABELED(backend_ends)},
    {"rpproxy_backend_connect_duration_seconds", HISTOGRAM, "seconds",
     "Time until the connection to a server.", BACKEND(figures.connect), .first = 6, .last = 24},
    {"rpproxy_backend_queue_duration_seconds", HISTOGRAM, "seconds", "Time in the queue.",
     BACKEND(figures.queue), .condition = offsetof(struct metrics_backend, has_queue), .first = 6,
     .last = 26},
    {"rpproxy_backend_first_byte_duration_seconds", HISTOGRAM, "seconds",
     "Time from the connection to the server's first byte.", BACKEND(figures.first_byte),
     .first = 6, .last = 26},
    {"rpproxy_server_usable", GAUGE, NULL, "1: the server gets new connections.", SERVER(usable)},
    {"rpproxy_server_check_up", GAUGE, NULL, "1: the server's checks pass; absent: no checks.",
     SERVER(check_up), .condition = offsetof(struct metrics_server, is_checked)},
    {"rpproxy_server_admin_state_info", GAUGE, NULL, "State by command; always 1.",
     LABELED(server_admin)},
    {"rpproxy_server_ejected", GAUGE, NULL, "1: the server was ejected.", SERVER(ejected)},
    {"rpproxy_server_weight", GAUGE, NULL, "Weight of the server.", SERVER(weight)},
    {"rpproxy_server_live_sessions", GAUGE, NULL, "Sessions of the server now.",
     SERVER(figures.live)},
    {"rpproxy_server_most_sessions", GAUGE, NULL, "Largest number of sessions that was seen.",
     SERVER(events.most)},
    {"rpproxy_server_sessions_total", COUNTER, NULL, "Connections that were begun.",
     SERVER(figures.sessions)},
    {"rpproxy_server_bytes_total", COUNTER, "bytes",
     "Bytes from clients (in) and from the server (out).", LABELED(server_bytes)},
    {"rpproxy_server_connect_failures_total", COUNTER, NULL, "Attempts to connect that failed.",
     LABELED(server_failures)},
    {"rpproxy_server_session_ends_total", COUNTER, NULL, "Sessions that ended otherwise than done.",
     LABELED(server_ends)},
    {"rpproxy_server_checks_total", COUNTER, NULL, "Checks.", LABELED(server_checks)},
    {"rpproxy_server_last_check_duration_seconds", GAUGE, "seconds", "How long the last check took.",
     SERVER(events.check_time), .condition = offsetof(struct metrics_server, is_checked),
     .digits = 6},
    {"rpproxy_server_downs_total", COUNTER, NULL, "Changes from UP to DOWN.", SERVER(events.downs)},
    {"rpproxy_server_downtime_seconds_total", COUNTER, "seconds", "Time in which it was DOWN.",
     SERVER(events.downtime), .digits = 3},
    {"rpproxy_server_max_sessions", GAUGE, NULL, "Limit (maxconn) of the server; absent: none.",
     SERVER(maxconn), .zero_is_none = true},
    {"rpproxy_server_changed_timestamp_seconds", GAUGE, "seconds",
     "Last change of the server's state.", SERVER(changed_at)},
    /* Named as all client libraries of Prometheus name them. */
    {"process_cpu_seconds_total", COUNTER, "seconds", "CPU time of the process.",
     PROCESS(cpu), .digits = 6},
    {"process_start_time_seconds", GAUGE, "seconds", "When the process started.",
     PROCESS(started_at), .digits = 3},
    {"process_resident_memory_bytes", GAUGE, "bytes", "Resident memory.", PROCESS(resident)},
    {"process_virtual_memory_bytes", GAUGE, "bytes", "Virtual memory.", PROCESS(virtual_size)},
    {"process_open_fds", GAUGE, NULL, "Open descriptors.", PROCESS(descriptors)},
    {"process_max_fds", GAUGE, NULL, "Limit of open descriptors.", PROCESS(descriptors_most)},
    {"process_threads", GAUGE, NULL, "Threads.", PROCESS(threads)},
};
/* clang-format on */

#define FAMILIES (sizeof families / sizeof *families)

/* --- the text ------------------------------------------------------------------------------ */

/* What the family shows of an object of its scope. False: nothing. */
static bool read_value(const struct family *family, const void *object, uint64_t *number)
{
    const unsigned char *at = object;
    bool holds = true;
    if (family->condition)
        memcpy(&holds, at + family->condition, sizeof holds);
    memcpy(number, at + family->offset, sizeof *number);
    return holds && !(family->zero_is_none && *number == 0);
}

static void write_whole(struct writer *writer, const void *object)
{
    uint64_t number;
    if (!read_value(writer->family, object, &number))
        return;
    begin(writer);
    value(writer, number);
}

static void write_of(struct writer *writer, const void *object, const char *name, const char *text)
{
    const struct family *family = writer->family;
    uint64_t number;
    if (!read_value(family, object, &number))
        return;
    if (family->kind == HISTOGRAM)
        histogram(writer, name, text,
                  (const void *)((const unsigned char *)object + family->offset));
    else
        series(writer, name, text, number);
}

static void write_of_frontends(struct writer *writer)
{
    for (size_t i = 0; i < writer->snapshot->frontend_count; i++)
        write_of(writer, &writer->snapshot->frontends[i], "frontend",
                 writer->snapshot->frontends[i].name);
}

static void write_of_backends(struct writer *writer)
{
    for (size_t i = 0; i < writer->snapshot->backend_count; i++)
        write_of(writer, &writer->snapshot->backends[i], "backend",
                 writer->snapshot->backends[i].name);
}

static void write_of_servers(struct writer *writer)
{
    uint64_t number;
    for (size_t i = 0; i < writer->snapshot->backend_count; i++)
        for (size_t j = 0; j < writer->snapshot->backends[i].server_count; j++)
            if (read_value(writer->family, &writer->snapshot->backends[i].servers[j], &number)) {
                begin_server(writer, i, j);
                value(writer, number);
            }
}

static void comment(struct writer *writer, const char *what, const char *text)
{
    const char *name = writer->family->name;
    size_t length = strlen(name);
    char base[80];
    if (writer->openmetrics && writer->family->kind == COUNTER)
        length -= strlen("_total");
    memcpy(base, name, length);
    base[length] = '\0';
    text_out(&writer->out, what);
    text_out(&writer->out, base);
    text_out(&writer->out, " ");
    text_out(&writer->out, text);
    text_out(&writer->out, "\n");
}

static bool is_of_servers(const struct family *family)
{
    return strncmp(family->name, "rpproxy_server_", strlen("rpproxy_server_")) == 0;
}

/* The snapshot has what the family shows. */
static bool is_wanted(const struct family *family, const struct metrics_snapshot *snapshot)
{
    if (family->scope == OF_PROCESS)
        return snapshot->process.measured;
    return snapshot->server_series || !is_of_servers(family);
}

static const char *type_name(enum kind kind)
{
    static const char *const names[] = {
        [COUNTER] = "counter", [GAUGE] = "gauge", [HISTOGRAM] = "histogram"};
    return names[kind];
}

static void write_family(struct writer *writer, const struct family *family)
{
    writer->family = family;
    comment(writer, "# HELP ", family->help);
    comment(writer, "# TYPE ", type_name(family->kind));
    if (writer->openmetrics && family->unit)
        comment(writer, "# UNIT ", family->unit);
    switch (family->scope) {
    case OF_PROXY:
        write_whole(writer, writer->snapshot);
        break;
    case OF_FRONTENDS:
        write_of_frontends(writer);
        break;
    case OF_BACKENDS:
        write_of_backends(writer);
        break;
    case OF_SERVERS:
        write_of_servers(writer);
        break;
    case OF_PROCESS:
        write_whole(writer, &writer->snapshot->process);
        break;
    case WITH_LABELS:
        family->write(writer);
        break;
    }
}

int metrics_write(const struct metrics_snapshot *snapshot, struct evbuffer *out, bool openmetrics)
{
    struct writer *writer = malloc(sizeof *writer);
    if (!writer)
        return ENOMEM;
    writer->snapshot = snapshot;
    writer->openmetrics = openmetrics;
    text_out_begin(&writer->out, out);
    for (size_t i = 0; i < FAMILIES; i++)
        if (is_wanted(&families[i], snapshot))
            write_family(writer, &families[i]);
    if (openmetrics)
        text_out(&writer->out, "# EOF\n");
    int error = text_out_end(&writer->out);
    free(writer);
    return error;
}

const char *metrics_name(size_t index)
{
    return index < FAMILIES ? families[index].name : NULL;
}
