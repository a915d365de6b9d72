/* The process's log: one line a call, from any thread, and never a stall of the caller.
 *
 * Until log_start() lines are written directly, and syslog and journal may take for ever: it is to
 * follow log_open(). After it a thread of the log's own writes them from a bounded queue: when the
 * target cannot keep up, lines are dropped and counted, and the count is logged when there is room
 * again, at most once a second while lines go on to be dropped. A stopped reader of stderr
 * therefore never stops a worker. A thread formats its line by itself and takes a lock only to copy
 * it into the queue; the lines of one thread stay in their order. */
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

/* Chooses where lines go and what is left out. path is for LOG_TO_FILE, and is copied. Returns 0,
 * or an errno value (the file cannot be opened); the earlier target stays in force then. */
int log_open(enum log_target target, const char *path, enum log_level level)
    __attribute__((warn_unused_result));

/* A text put into each line after the level ("generation 3"); copied, at most 31 bytes. */
void log_set_tag(const char *tag);

/* Starts the writer thread, with all signals blocked in it. Returns 0 or an errno value. */
int log_start(void) __attribute__((warn_unused_result));

/* Asks for the log file to be opened anew (SIGUSR1, log rotation). The old one is kept when that
 * fails. No effect for other targets. */
void log_reopen(void);

/* Writes what is queued, for at most two seconds, and ends the thread. Lines logged after it are
 * written directly. */
void log_stop(void);

bool log_enabled(enum log_level level);

void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...)  log_line(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...)    log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
