#include "reload/control/figures_json.h"

#include "proxy/session/states.h"
#include "proxy/tls/tls_failure.h"

static void set(json_t *object, const char *name, uint64_t number)
{
    json_object_set_new(object, name, json_integer((json_int_t)number));
}

/* Those that have occurred. */
static json_t *ends_json(const uint64_t ends[static ENDS_MOST])
{
    json_t *object = json_object();
    for (unsigned i = 0; i < SESSION_ENDS; i++)
        if (ends[i] > 0)
            set(object, session_end_name(i), ends[i]);
    return object;
}

/* The same. */
static json_t *tls_failures_json(const uint64_t failures[static TLS_FAILURES_MOST])
{
    json_t *object = json_object();
    for (unsigned i = 0; i < TLS_FAILURES; i++)
        if (failures[i] > 0)
            set(object, tls_failure_name(i), failures[i]);
    return object;
}

void figures_json_frontend(json_t *object, const struct frontend_figures *figures)
{
    set(object, "sessions_total", figures->sessions);
    set(object, "most_sessions", figures->most);
    set(object, "client_bytes", figures->bytes_in);
    set(object, "server_bytes", figures->bytes_out);
    set(object, "waited", figures->waits);
    json_object_set_new(object, "ends", ends_json(figures->ends));
    json_object_set_new(object, "tls_failures", tls_failures_json(figures->tls_failures));
}

void figures_json_server(json_t *object, const struct server_figures *figures,
                         const struct server_events *events)
{
    set(object, "sessions", figures->live);
    set(object, "sessions_total", figures->sessions);
    set(object, "most_sessions", events->most);
    set(object, "client_bytes", figures->bytes_in);
    set(object, "server_bytes", figures->bytes_out);
    json_t *failures = json_object();
    for (unsigned i = 0; i < CONNECT_FAILURES; i++)
        set(failures, connect_failure_name(i), events->failures[i]);
    json_object_set_new(object, "connect_failures", failures);
    json_object_set_new(object, "ends", ends_json(events->ends));
    set(object, "checks_passed", events->checks_passed);
    set(object, "checks_failed", events->checks_failed);
    json_object_set_new(object, "check_ms", json_real((double)events->check_time / 1000));
    set(object, "downs", events->downs);
    set(object, "downtime_ms", events->downtime);
}

void figures_json_queue(json_t *object, const struct backend_figures *figures)
{
    set(object, "queued", figures->queued);
    set(object, "queue_timeouts", figures->ends[SESSION_QUEUE_TIMEOUT]);
    set(object, "queue_full", figures->ends[SESSION_QUEUE_FULL]);
}
