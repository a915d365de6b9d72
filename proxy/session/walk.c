#include "proxy/session/walk.h"

#include "proxy/session/sealed.h"
#include "proxy/session/session.h"
#include "proxy/tls/tls.h"
#include "proxy/tls/tls_shown.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Sessions that are looked at between two readings of the clock. */
#define BETWEEN_READINGS 8

struct walk {
    struct service *service;
    struct walk_order order;
    TAILQ_ENTRY(walk) link; /* of service->walks */
    unsigned worker;        /* that is asked now, or next */
    bool lent;              /* to that worker; what follows is its own then */
    struct task to_main;
    struct task to_worker;
    atomic_bool ended;
    atomic_uint_fast64_t killed;
    bool standing;                /* the cursor is in the list of that frontend */
    bool worker_over;             /* its last list has come to its end */
    size_t frontend;              /* whose sessions are looked at */
    struct session_cursor cursor; /* the next of them */
    uint64_t begun_at;            /* microseconds: when the worker was asked first */
    uint64_t given;               /* sessions of this list */
    size_t text_length;
    char text[WALK_TEXT]; /* the names of the slice */
    struct walk_slice slice;
};

/* --- on the worker --------------------------------------------------------------------------- */

/* A turn has one time for loop_now(); this is how long the turn lasts. */
static uint64_t read_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void begin_list(struct walk *walk, struct session_set *set)
{
    session_cursor_begin(&walk->cursor, &set->lists[walk->frontend]);
    walk->standing = true;
    walk->given = 0;
}

static void end_list(struct walk *walk)
{
    if (walk->standing)
        session_cursor_end(&walk->cursor);
    walk->standing = false;
}

/* Returns the copy, or NULL: there is no room. */
static const char *copy_text(struct walk *walk, const char *text)
{
    size_t length = strlen(text) + 1;
    if (length > sizeof walk->text - walk->text_length)
        return NULL;
    char *copy = memcpy(walk->text + walk->text_length, text, length);
    walk->text_length += length;
    return copy;
}

static const char *version_of(const struct conn *conn)
{
    const struct tls *tls = sealed_tls(conn);
    return tls && tls_is_open(tls) ? tls_shown_version(tls) : NULL;
}

/* False: the slice has no room for the session. */
static bool show(struct walk *walk, const struct session *session)
{
    const char *names[SESSION_NAMES];
    struct walk_session *seen = &walk->slice.sessions[walk->slice.count];
    if (walk->slice.count == WALK_SESSIONS)
        return false;
    session_names(session, names);
    const char *frontend = copy_text(walk, names[0]), *backend = copy_text(walk, names[2]),
               *server = copy_text(walk, names[3]);
    if (!frontend || !backend || !server)
        return false;
    *seen = (struct walk_session){
        .id = {session->generation, session->entry.accepted_by, session->number},
        .accepted_at = session->entry.accepted_at,
        .active_at = session->active_at,
        .bytes_in = session->client.stream.received,
        .bytes_out = session->server.stream.received,
        .state = session->state,
        .client = session_source_address(session),
        .frontend = frontend,
        .backend = backend,
        .server = server,
        .tls = version_of(&session->client),
        .server_tls = version_of(&session->server)};
    walk->slice.count++;
    walk->given++;
    return true;
}

/* A session on its way belongs to nobody until the other process has answered. */
static void end_session(struct walk *walk, struct session *session)
{
    if (session->state == SESSION_PARKED) {
        walk->slice.moving++;
        return;
    }
    counter_add(&session->set->counters->killed, 1);
    /* First: it may be the last session, and the process exits and tells the number. */
    atomic_fetch_add(&walk->killed, 1);
    session_close(session, SESSION_KILLED);
}

/* The next list, or the end of the worker. */
static void next_list(struct walk *walk, const struct session_set *set)
{
    end_list(walk);
    walk->frontend++;
    walk->worker_over = walk->frontend == set->service->frontend_count;
}

/* False: the slice is full. */
static bool look_at(struct walk *walk, struct session *session, uint64_t now)
{
    if (!session_filter_matches(&walk->order.filter, session, now))
        return true;
    if (walk->order.kill)
        end_session(walk, session);
    else
        return show(walk, session);
    return true;
}

/* Looks at sessions until the time of this turn is over, the slice is full, or the worker has no
 * more. True: the next turn goes on. */
static bool look(struct walk *walk, struct session_set *set)
{
    uint64_t now = read_clock(), until = now + WALK_TURN_US;
    for (unsigned looked = 1; !walk->worker_over; looked++) {
        if (!walk->standing)
            begin_list(walk, set);
        struct session_entry *entry = walk->cursor.at;
        if (!entry || entry->accepted_at > walk->begun_at || walk->given == walk->order.limit)
            next_list(walk, set);
        else if (!look_at(walk, session_of(entry), now))
            return false;
        else if (walk->cursor.at == entry) /* it is there still */
            walk->cursor.at = TAILQ_NEXT(entry, link);
        if ((walk->order.kill || looked % BETWEEN_READINGS == 0) && read_clock() >= until)
            return !walk->worker_over;
    }
    return false;
}

static void on_worker_turn(void *arg)
{
    struct walk *walk = arg;
    struct session_set *set = walk->service->sets[walk->worker];
    if (atomic_load(&walk->ended)) {
        end_list(walk);
    } else {
        if (walk->begun_at == 0)
            walk->begun_at = loop_now(&set->loop);
        if (look(walk, set)) {
            loop_post(&set->loop, &walk->to_worker);
            return;
        }
    }
    walk->slice.seen_at = loop_now(&set->loop);
    task_queue_post(walk->service->main, &walk->to_main);
}

/* --- on the main thread ---------------------------------------------------------------------- */

static void lend(struct walk *walk)
{
    walk->lent = true;
    walk->slice.count = 0;
    walk->text_length = 0;
    loop_post(&walk->service->sets[walk->worker]->loop, &walk->to_worker);
}

static void free_walk(struct walk *walk)
{
    TAILQ_REMOVE(&walk->service->walks, walk, link);
    session_filter_free(&walk->order.filter);
    free(walk);
}

static void begin_worker(struct walk *walk, unsigned worker)
{
    walk->worker = worker;
    walk->worker_over = false;
    walk->frontend = 0;
    walk->begun_at = 0;
}

static void on_answer(void *arg)
{
    struct walk *walk = arg;
    walk->lent = false;
    if (atomic_load(&walk->ended)) {
        if (walk->standing)
            lend(walk);
        else
            free_walk(walk);
        return;
    }
    if (walk->worker_over)
        begin_worker(walk, walk->worker + 1);
    walk->slice.over = walk->worker == walk->service->set_count;
    walk->order.on_slice(walk, walk->order.arg);
}

struct walk *walk_begin(struct service *service, const struct walk_order *order)
{
    struct walk *walk = calloc(1, sizeof *walk);
    if (!walk)
        return NULL;
    walk->service = service;
    walk->order = *order;
    walk->to_main = (struct task){.run = on_answer, .arg = walk};
    walk->to_worker = (struct task){.run = on_worker_turn, .arg = walk};
    TAILQ_INSERT_TAIL(&service->walks, walk, link);
    lend(walk);
    return walk;
}

const struct walk_slice *walk_slice(const struct walk *walk)
{
    return &walk->slice;
}

uint64_t walk_killed(const struct walk *walk)
{
    return atomic_load(&walk->killed);
}

void walk_go_on(struct walk *walk)
{
    if (walk->slice.over) {
        begin_worker(walk, 0);
        walk->slice.over = false;
        walk->slice.moving = 0;
    }
    lend(walk);
}

void walk_end(struct walk *walk)
{
    atomic_store(&walk->ended, true);
    if (walk->lent)
        return; /* on_answer() */
    if (walk->standing)
        lend(walk);
    else
        free_walk(walk);
}

void walks_free(struct service *service)
{
    struct walk *walk;
    while ((walk = TAILQ_FIRST(&service->walks)))
        free_walk(walk);
}
