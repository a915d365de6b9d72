/* Which servers of a backend get the sessions: the active ones, or those that stand by (attribute
 * `backup`). Pure.
 *
 *   - As long as an active server is usable, all usable active servers get the sessions.
 *   - Then the first usable backup in the order of the configuration does, or (backup = all) all
 *     usable ones.
 *   - failback = no: a backup that has taken over goes on as long as it is usable, even if a server
 *     before it comes back. After that the rules above decide anew. */
#ifndef RPPROXY_PROXY_BACKEND_ELECTION_H
#define RPPROXY_PROXY_BACKEND_ELECTION_H

#include <stdbool.h>
#include <stddef.h>

/* Zeros: the active servers. */
struct elected {
    bool backups;  /* the backups get the sessions, ... */
    size_t backup; /* ... and with backup = first this one alone */
};

struct election {
    bool all, failback; /* the configuration */
    struct elected before;
    bool active, backup, holder; /* usable: an active server, a backup, the one elected before */
    size_t first_backup;
};

static inline struct election election_begin(bool all, bool failback, struct elected before)
{
    return (struct election){.all = all, .failback = failback, .before = before};
}

/* To be called for each server in the order of the configuration. */
static inline void election_add(struct election *election, size_t place, bool usable, bool backup)
{
    if (!usable)
        return;
    if (!backup) {
        election->active = true;
        return;
    }
    if (!election->backup)
        election->first_backup = place;
    election->backup = true;
    election->holder |=
        election->before.backups && (election->all || place == election->before.backup);
}

static inline struct elected election_end(const struct election *election)
{
    if (election->holder && !election->failback)
        return election->before;
    if (election->active || !election->backup)
        return (struct elected){0};
    return (struct elected){.backups = true, .backup = election->first_backup};
}

/* A usable server gets sessions. */
static inline bool election_has_elected(const struct election *election, struct elected elected,
                                        size_t place, bool backup)
{
    if (!backup)
        return !elected.backups;
    return elected.backups && (election->all || place == elected.backup);
}

#endif
