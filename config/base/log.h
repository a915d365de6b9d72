/* The log of the process. Each call writes one line; any thread may call, and is never blocked
 * by the target. Before log_start() lines are written directly, and syslog or the journal may
 * then block for any time: call log_start() soon after log_open(). After log_start() a separate
 * thread writes the lines from a bounded queue. If the target is too slow, lines are dropped and
 * counted; their number is logged when there is room again, at most once a second while lines
 * are being dropped. So a stopped reader of stderr never stops a worker. The calling thread
 * formats its line without a lock, and holds a lock only while it copies the line into the
 * queue. Lines of one thread keep their order. */
#ifndef RPPROXY_CONFIG_BASE_LOG_H
#define RPPROXY_CONFIG_BASE_LOG_H

#include <stdbool.h>

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_NOTICE,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG
};

enum log_target { LOG_TO_STDERR, LOG_TO_SYSLOG, LOG_TO_JOURNAL, LOG_TO_FILE };

/* Sets the target and the least important level. path is for LOG_TO_FILE, and is copied. Returns
 * 0, or an errno value (the file cannot be opened); the previous target then stays in use. */
int log_open(enum log_target target, const char *path, enum log_level level)
    __attribute__((warn_unused_result));

/* Sets a text that stands in each line after the level ("generation 3"). It is copied; at most
 * 31 bytes are used. */
void log_set_tag(const char *tag);

/* Starts the writer thread, with all signals blocked in it. Returns 0 or an errno value. */
int log_start(void) __attribute__((warn_unused_result));

/* Opens the log file again (SIGUSR1, log rotation). If that fails, the old file stays in use. No
 * effect for other targets. */
void log_reopen(void);

/* Writes the queued lines, for at most two seconds, and ends the thread. Later lines are written
 * directly. */
void log_stop(void);

bool log_enabled(enum log_level level);

void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...)  log_line(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...)    log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
