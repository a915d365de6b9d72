/* Which names are asked for when a user writes a name: resolv.conf(5), "search" and "ndots". */
#ifndef RPPROXY_CONFIG_NAMES_SEARCH_H
#define RPPROXY_CONFIG_NAMES_SEARCH_H

#include <stdbool.h>
#include <stddef.h>

#define SEARCH_NAME_MAX 254 /* with the NUL */

/* Writes the n-th name to ask for, without a final dot. A name with a final dot is asked for as it
 * is; another one with ndots dots or more first as it is, then in each domain, and one with fewer
 * dots in each domain first. Names that would be too long are left out. False: there is no n-th. */
bool search_name(const char *name, char *const *domains, size_t domain_count, unsigned ndots,
                 size_t n, char text[static SEARCH_NAME_MAX]);

#endif
