/* Sums of tallies (tally.h): what several processes have counted of the frontends, backends and
 * servers that this process has, which are found in the others by their names.
 *
 * What another process counted of a server that this one does not have, but its backend, counts for
 * the backend. Main thread. */
#ifndef RPPROXY_PROXY_STATS_TALLY_SUMS_H
#define RPPROXY_PROXY_STATS_TALLY_SUMS_H

#include "proxy/stats/tally.h"

/* Of another process, for each of its frontends, backends and servers the number of it in this one;
 * TALLY_NONE: there is none. */
struct tally_map {
    uint32_t *frontends, *backends, *servers;
    uint32_t servers_own, servers_other; /* that had a record when the map was made */
};

#define TALLY_NONE UINT32_MAX

/* The sums of each record of a tally. */
struct tally_sums {
    size_t frontend_count, backend_count, server_count;
    struct frontend_figures *frontends;
    struct backend_figures *backends;
    struct server_figures *servers;
    struct server_events *events; /* of the servers */
    struct reload_figures reloads;
};

/* Which figures of a process count. */
enum tally_part {
    TALLY_OWN = 1,  /* what it has counted itself */
    TALLY_BASE = 2, /* its base */
    TALLY_LIVE = 4, /* the sessions of its servers now */
};

/* Makes a map, or makes it anew where servers have come since. An empty one is made of zeros.
 * Returns 0 or ENOMEM; the map is then as it was. */
int tally_map_make(struct tally_map *map, const struct tally *own, const struct tally *other)
    __attribute__((warn_unused_result));
void tally_map_free(struct tally_map *map);

/* Sums of 0 for all records of this tally. Returns 0 or ENOMEM; tally_sums_close() is right after
 * either. */
int tally_sums_open(struct tally_sums *sums, const struct tally *own)
    __attribute__((warn_unused_result));
void tally_sums_close(struct tally_sums *sums);

/* Adds the parts of a tally. map: NULL for that of this process itself. */
void tally_sums_add(struct tally_sums *sums, const struct tally *tally, const struct tally_map *map,
                    unsigned parts);

/* Adds the sums to the base of this process. */
void tally_inherit(struct tally *own, const struct tally_sums *sums);

/* Adds the sessions now of the servers of a process to `live`, which has a number for each of the
 * servers of this one. */
void tally_add_live(uint64_t *live, const struct tally *tally, const struct tally_map *map);

/* So many sessions were seen now, or wait in the queue of the backend; the server was DOWN for so
 * long. For the base of this process. */
void tally_note_live(struct tally *own, size_t server, uint64_t live);
void tally_note_frontend_live(struct tally *own, size_t frontend, uint64_t live);
void tally_note_waiting(struct tally *own, size_t backend, uint64_t waiting);
void tally_note_downtime(struct tally *own, size_t server, uint64_t milliseconds);

#endif
