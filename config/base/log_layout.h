/* How a line of the log looks, for its target. Every part of a line comes from here; log.h queues
 * and writes it.
 *
 *   stderr, file       2026-11-22T20:52:41.123Z NOTICE [generation 3] message
 *   stderr of a unit   <5>[generation 3] message                              (sd-daemon(3))
 *   syslog             <29>1 2026-11-22T20:52:41.123Z host rpproxy 4711 - - [generation 3] message
 *   ... RFC 3164       <29>Nov 22 20:52:41 rpproxy[4711]: [generation 3] message
 *   journal            fields, as systemd's native protocol for the journal has them
 *
 * With JSON an object stands instead of "[generation 3] message", and nothing before it in a
 * file. */
#ifndef RPPROXY_CONFIG_BASE_LOG_LAYOUT_H
#define RPPROXY_CONFIG_BASE_LOG_LAYOUT_H

#include "config/base/line.h"
#include "config/base/log_types.h"

#include <time.h>

/* The longest line. Below PIPE_BUF a write to a pipe is atomic, so lines of two processes that
 * share the pipe do not mix. */
#define LOG_LINE_MAX 4096

/* The longest text, with what stands before it; an object of JSON can be longer, since it must not
 * be cut. */
#define LOG_TEXT_MAX 2048

/* Main thread: how the lines look from now on. */
void log_layout_set(const struct log_conf *conf);

void log_layout_set_generation(unsigned generation);

/* As log_wants_message() and log_wants_fields() (log.h). */
bool log_layout_wants_message(void);
bool log_layout_wants_fields(void);

void log_layout_time(struct line *line, const struct timespec *now);

/* Writes the line, with a newline at its end. cut: the message was cut already. Takes no lock. */
void log_layout(struct line *line, const struct timespec *now, const struct log_event *event,
                bool cut);

#endif
