/* What log.h and the modules under it speak of: levels, targets, lines with fields. */
#ifndef RPPROXY_CONFIG_BASE_LOG_TYPES_H
#define RPPROXY_CONFIG_BASE_LOG_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_NOTICE,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG
};

enum log_target {
    LOG_TO_STDERR,
    LOG_TO_SYSLOG, /* by a Unix socket */
    LOG_TO_UDP,    /* syslog by UDP */
    LOG_TO_JOURNAL,
    LOG_TO_FILE
};

/* AUTO: RFC 5424, but for a socket of journald, which reads only the older form. */
enum log_syslog_form { LOG_SYSLOG_AUTO, LOG_SYSLOG_RFC5424, LOG_SYSLOG_RFC3164 };

#define LOG_DEVICE "/dev/log"

struct log_conf {
    enum log_target target;
    /* Of the file; of the socket, '@' at the start for an abstract name (NULL: LOG_DEVICE); or the
     * host, with its port. NULL where there is nothing to be said. */
    const char *where;
    enum log_level level; /* the least important that is written */
    bool json;            /* each line is an object of JSON */
    unsigned facility;    /* of syslog: 0 to 23, as RFC 5424 has them */
    enum log_syslog_form syslog_form;
};

enum log_value {
    LOG_NOTHING, /* null */
    LOG_WORD,
    LOG_COUNT,
    LOG_MICROSECONDS /* written as milliseconds */
};

struct log_field {
    const char *name; /* lower case and '_'; in the journal RPPROXY_NAME */
    enum log_value value;
    const char *word;
    uint64_t number;
};

/* A line whose parts are known. Where lines are JSON it has the fields instead of the message; the
 * journal gets both; other targets the message alone. */
struct log_event {
    enum log_level level;
    const char *kind;    /* a word for the MSGID of RFC 5424 */
    const char *message; /* one line */
    bool bare; /* the message is the whole line: no time, level and generation before it */
    const struct log_field *fields;
    size_t field_count;
};

#endif
