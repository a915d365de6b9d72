/* The log of the process. Each call writes one line; any thread may call, and is never blocked
 * by the target. Before log_start() lines are written directly: call it soon after log_open().
 * After log_start() a separate thread writes the lines from a bounded queue. If the target is too
 * slow, full or gone, lines are dropped and counted; their number is logged when there is room
 * again, at most once a second while lines are being dropped. So a stopped reader of stderr never
 * stops a worker. The calling thread formats its line without a lock (log_layout.h says how the
 * line looks), and holds a lock only while it copies the line into the queue. Lines of one thread
 * keep their order. */
#ifndef RPPROXY_CONFIG_BASE_LOG_H
#define RPPROXY_CONFIG_BASE_LOG_H

#include "config/base/log_types.h"

/* Opens the target, and uses it from now on. A host is resolved later, by a thread of its own.
 * Returns 0, or an errno value (the file cannot be opened, there is no journald); what was in use
 * before then stays in use. Syslog's reader may come later. The main thread. */
int log_open(const struct log_conf *conf) __attribute__((warn_unused_result));

/* The generation that stands in each line; 0: none. */
void log_set_generation(unsigned generation);

/* Starts the writer thread, with all signals blocked in it. Returns 0 or an errno value. */
int log_start(void) __attribute__((warn_unused_result));

/* Opens the log file again (SIGUSR1, log rotation), or the socket. The writer thread goes over to
 * it as soon as it has written what it is writing. Returns 0, or an errno value, which is logged as
 * well: what was open stays in use. No effect on stderr. */
int log_reopen(void);

/* The writer thread has gone over: no line is written to what was open before log_reopen(). Any
 * thread. */
bool log_has_reopened(void) __attribute__((warn_unused_result));

/* Writes the queued lines, for at most two seconds, and ends the thread. Later lines are written
 * directly. */
void log_stop(void);

bool log_enabled(enum log_level level);

/* Lines that were lost since the start of the process. Any thread. */
uint64_t log_dropped(void);

void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...)  log_line(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...)    log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* --- lines with fields ------------------------------------------------------------------------ */

/* The longest message, with its NUL. */
#define LOG_MESSAGE_MAX 2048

/* What is not wanted need not be made: the message may be NULL, or field_count 0. */
bool log_wants_message(void);
bool log_wants_fields(void);

void log_event(const struct log_event *event);

/* The time as it stands before lines: "2026-11-22T20:52:41.123Z". Returns text. */
#define LOG_TIME_MAX 40
const char *log_time(char text[static LOG_TIME_MAX]);

#endif
