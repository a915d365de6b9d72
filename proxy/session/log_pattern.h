/* A line of the access log by the pattern of log-format. */
#ifndef RPPROXY_PROXY_SESSION_LOG_PATTERN_H
#define RPPROXY_PROXY_SESSION_LOG_PATTERN_H

#include "config/base/line.h"
#include "config/base/log_types.h"
#include "config/model/access_log.h"

/* What the field is of the session that arg knows. */
typedef struct log_field log_field_of(void *arg, enum access_field which);

/* Adds the pattern with the value of each field, or as much as there is room for. No value can end
 * the line, or a quotation that the pattern has begun. */
void log_pattern_put(struct line *line, const struct log_format *format, log_field_of *value_of,
                     void *arg);

/* Adds a value as text: "-" where there is none. quotable: it can stand between quotation marks. */
void log_value_put(struct line *line, const struct log_field *field, bool quotable);

#endif
