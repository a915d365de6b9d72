/* The lines of a haproxy.cfg: words with HAProxy's quotes, escapes and variables, and what its
 * conditional blocks (.if) leave. */
#ifndef RPPROXY_CONFIG_IMPORT_HAPROXY_LINES_H
#define RPPROXY_CONFIG_IMPORT_HAPROXY_LINES_H

#include "config/import/haproxy/environment.h"

#include <stdbool.h>
#include <stddef.h>

struct hap_line {
    struct origin origin;
    char **words; /* NULL behind the last one */
    size_t count; /* at least 1 */
};

struct hap_lines {
    struct hap_line *items;
    size_t count, capacity;
};

/* Adds the lines of a text. name lives as long as the import. */
void hap_lines_read(struct import *import, struct hap_environment *environment, const char *name,
                    const char *text, size_t length, struct hap_lines *lines);

void hap_line_add(struct import *import, struct hap_lines *lines, struct hap_line line);

#endif
