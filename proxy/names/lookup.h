/* Names that only clients know: a worker asks for the addresses of a name, and goes on with its
 * other sessions meanwhile. The main thread asks the name servers, and keeps what they say.
 *
 *   worker                                    main thread
 *   lookup_begin() --- task --------------->  known: answered at once
 *                                             else: resolver, by a loop of libevent
 *   done() <---------- task ----------------
 *
 * Answers are kept for their TTL within resolve-min and resolve-max, and names without addresses
 * for a few seconds. When no name server answers, a name that was known keeps its addresses for
 * resolve-hold. At most LOOKUPS_KEPT names are kept, the least recently used goes first; at most
 * LOOKUPS_OPEN names are asked for at a time: what comes beyond has the addresses that are held, or
 * ends as ANSWER_BUSY, so clients that send random names use up neither memory nor name servers. */
#ifndef RPPROXY_PROXY_NAMES_LOOKUP_H
#define RPPROXY_PROXY_NAMES_LOOKUP_H

#include "config/model/names.h"
#include "config/names/answer.h"
#include "proxy/core/task_queue.h"

#define LOOKUPS_KEPT 4096
#define LOOKUPS_OPEN 512

#define LOOKUP_ADDRESSES_MOST 8

struct event_base;
struct lookups;
struct lookup;

struct lookup_result {
    enum answer_status status;                       /* answer_text() says it in words */
    size_t count;                                    /* 0 unless ANSWER_OK */
    struct address addresses[LOOKUP_ADDRESSES_MOST]; /* without ports; the best one first */
};

/* On the thread that began the lookup. The result is valid during the call; the lookup is over. */
typedef void lookup_done(const struct lookup_result *result, void *arg);

/* Main thread. main is its task queue, base its loop; all of them must outlive the lookups. Takes
 * no descriptor before the first lookup. NULL: out of memory. */
struct lookups *lookups_new(struct event_base *base, struct task_queue *main,
                            const struct resolver_conf *conf) __attribute__((warn_unused_result));

/* Main thread; the threads that looked up have ended. Lookups that are left end without a call.
 * NULL is fine. */
void lookups_free(struct lookups *lookups);

/* Any thread with a task queue, which is `here`. name: as in a ClientHello or a Host header, in any
 * case, without port; a text that is an IPv4 or IPv6 address gives that address. done is called
 * once, later, by a task of `here`. NULL: out of memory. */
struct lookup *lookup_begin(struct lookups *lookups, struct task_queue *here, const char *name,
                            lookup_done *done, void *arg) __attribute__((warn_unused_result));

/* The thread that began it: done will not be called. */
void lookup_cancel(struct lookup *lookup);

#endif
