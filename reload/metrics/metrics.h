/* Metrics for Prometheus: writes a snapshot as text. Pure, and for any thread. rpproxy-metrics(7)
 * has what each of them means.
 *
 * Two formats: the text format 0.0.4 of Prometheus, and OpenMetrics 1.0, which a client asks for
 * by its header Accept (application/openmetrics-text). */
#ifndef RPPROXY_RELOAD_METRICS_METRICS_H
#define RPPROXY_RELOAD_METRICS_METRICS_H

#include "reload/metrics/snapshot.h"

#include <event2/buffer.h>
#include <stdbool.h>

/* Values of the header Content-Type. */
#define METRICS_TEXT_TYPE        "text/plain; version=0.0.4; charset=utf-8"
#define METRICS_OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* Appends all metrics to out. Returns 0, or ENOMEM: out then has only a part of them. */
int metrics_write(const struct metrics_snapshot *snapshot, struct evbuffer *out, bool openmetrics)
    __attribute__((warn_unused_result));

/* The name of a family of metrics, as it stands in a line "# TYPE" of the text format: of the first
 * (0), the second, and so on. NULL: there are no more. */
const char *metrics_name(size_t index);

#endif
