/* The backends of a configuration by their names. */
#ifndef RPPROXY_CONFIG_BACKEND_NAMES_H
#define RPPROXY_CONFIG_BACKEND_NAMES_H

#include "config/model/config.h"

/* In place of the number of a backend: there is none of that name. */
#define BACKEND_UNKNOWN UINT32_MAX

struct backend_names {
    const struct config *config;
    const struct backend_conf **sorted;
};

/* config, with all its backends, must outlive *names. */
void backend_names_open(struct backend_names *names, const struct config *config);
void backend_names_close(struct backend_names *names);

/* The number of the backend in the configuration, or BACKEND_UNKNOWN. */
uint32_t backend_names_find(const struct backend_names *names, const char *name);

/* "there is no [backend NAME]; did you mean ...?". Returns text. */
#define BACKEND_TEXT_MAX 320
const char *backend_names_unknown(const struct backend_names *names, const char *name,
                                  char text[static BACKEND_TEXT_MAX]);

#endif
