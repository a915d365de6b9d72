/* A haproxy.cfg as sections with settings; each proxy has what its defaults section says. */
#ifndef RPPROXY_CONFIG_IMPORT_HAPROXY_MODEL_H
#define RPPROXY_CONFIG_IMPORT_HAPROXY_MODEL_H

#include "config/import/haproxy/section.h"

struct hap_model {
    struct hap_section global;     /* of all sections global together */
    struct hap_section **sections; /* proxies and resolvers, in the order of the file */
    size_t count, capacity;
    struct hap_section **defaults; /* the sections defaults */
    size_t defaults_count;
};

/* Makes the sections of the lines, each with what its defaults say. */
void hap_model_make(struct import *import, const struct hap_lines *lines, struct hap_model *model);

/* True: the section is in mode http. */
bool hap_is_http(const struct hap_section *section);

/* The backend or listen section of that name, or NULL. */
struct hap_section *hap_find_back(const struct hap_model *model, const char *name);

#endif
