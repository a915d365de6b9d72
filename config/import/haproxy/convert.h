/* The sections of a haproxy.cfg as those of a proxy.ini. */
#ifndef RPPROXY_CONFIG_IMPORT_HAPROXY_CONVERT_H
#define RPPROXY_CONFIG_IMPORT_HAPROXY_CONVERT_H

#include "config/import/haproxy/servers.h"

/* What the modules of haproxy/ share while they write. */
struct hap_conversion {
    struct import *import;
    struct hap_model *model;
    const struct hap_environment *environment;
    const char **binds; /* addresses that a bind has */
    size_t bind_count, bind_capacity;
    const char **resolvers; /* names of the sections that servers use */
    size_t resolver_count, resolver_capacity;
    struct origin retries_noted, names_noted;
};

/* Binds, limits, rules and timeouts of a frontend; out is its section. Returns false where it has
 * no bind that can be carried over. */
bool hap_front_write(struct hap_conversion *conversion, const struct hap_section *section,
                     struct ini_section *out);

/* Adds the lines of the bind lines. Returns how many there are. */
size_t hap_binds_write(struct hap_conversion *conversion, const struct hap_section *section,
                       struct ini_section *out);

/* Access lists, limits of sources, routes and the default backend. */
void hap_rules_write(struct hap_conversion *conversion, const struct hap_section *section,
                     struct ini_section *out);

/* Balance, servers and timeouts of a backend. both: out is a section [listen]. */
void hap_back_write(struct hap_conversion *conversion, const struct hap_section *section,
                    const struct hap_servers *servers, bool both, struct ini_section *out);

/* What is checked, and how often. */
void hap_checks_write(struct hap_conversion *conversion, const struct hap_section *section,
                      const struct hap_servers *servers, struct ini_section *out);

/* The steps of option tcp-check, and the requests of option httpchk. */
void hap_tcp_check_write(struct hap_conversion *conversion, const struct hap_section *section,
                         bool tls, struct ini_section *out);
void hap_http_check_write(struct hap_conversion *conversion, const struct hap_section *section,
                          struct ini_section *out);

/* TCP keep-alive of the connections of clients, or of those to servers. */
void hap_keepalive_write(struct hap_conversion *conversion, const struct hap_section *section,
                         bool of_clients, struct ini_section *out);

/* True: a line "connect" of the section's kind of checks says this (port, addr), and so counts
 * before what servers say. */
bool hap_connect_says(const struct hap_section *section, const char *word);

/* [global]: of the section global, resolvers, and pages of figures. */
void hap_global_write(struct hap_conversion *conversion);

/* True: the section is there for figures or health of HAProxy itself. */
bool hap_is_page(const struct hap_section *section);

/* The time of a slot, or 0. */
static inline uint64_t hap_number(const struct hap_section *section, enum hap_slot slot)
{
    return section->values[slot].set ? section->values[slot].number : 0;
}

/* The value that all servers of a backend share in proxy.ini. Notes the servers with another one.
 * NULL: none has it. checked: only servers that are checked count. */
const struct hap_param_value *hap_common(struct hap_conversion *conversion,
                                         const struct hap_servers *servers, enum hap_param param,
                                         const char *name, bool checked);

#endif
