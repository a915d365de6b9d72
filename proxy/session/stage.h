/* A stage of a session between accepting its client and choosing a server: what a module has to
 * provide that decides about sessions before they are connected.
 *
 * A module (access lists, inspection of the first bytes, routes, a queue for places of servers,
 * ...; proxy/stages/) fills a struct stage, and struct frontend lists the stages that its sessions
 * pass, in order. The list is made once at start. A frontend without stages has no list, and its
 * sessions begin to connect at once. stages.h leads sessions through the list. */
#ifndef RPPROXY_PROXY_SESSION_STAGE_H
#define RPPROXY_PROXY_SESSION_STAGE_H

#include "proxy/session/states.h"

#include <stdbool.h>
#include <stdint.h>

struct session;
struct service;
struct frontend;
struct stage;

/* Makes a stage for the frontend, which has its configuration and its backend; each module of
 * stages/ has one. Returns 0 with *stage NULL where the configuration does not ask for it, or an
 * errno value. */
typedef int stage_maker(const struct service *service, struct frontend *frontend,
                        struct stage **stage);

/* Why a stage is asked. */
enum stage_occasion {
    STAGE_BEGINS,  /* the session has come to this stage */
    STAGE_BYTES,   /* the client has sent more; session->first_bytes has all */
    STAGE_FULL,    /* the same, and no more is kept */
    STAGE_ENDED,   /* the client has ended its stream; nothing more will come */
    STAGE_NEWS,    /* stages_news(): what the stage waited for has come */
    STAGE_EVENT,   /* for a stage that receives by itself: the client's connection has an event */
    STAGE_OVERDUE, /* the deadline has passed */
};

enum stage_verdict {
    STAGE_PASSES, /* on to the next stage; behind the last one a server is chosen */
    STAGE_WAITS,  /* ask again. After STAGE_FULL, STAGE_ENDED and STAGE_OVERDUE a session that still
                     waits ends, with stage->overdue */
    STAGE_REFUSES, /* the session ends, with session->outcome if that is set, or else with
                      stage->refused */
};

/* All functions are called on the thread of the session's worker. */
struct stage {
    enum session_state state; /* ADMISSION, FIRST_BYTES, ROUTING or QUEUED */
    enum session_end refused, overdue;
    uint32_t deadline; /* milliseconds that a session may be here */
    bool reads;        /* what the client says meanwhile is received, up to FIRST_BYTES_MAX; else it
                          stays in the kernel */
    bool receives;     /* the stage receives from the client by itself */
    /* May set session->backend; must not end the session. What was received is in
     * session->first_bytes (NULL: nothing), and becomes the first that the server is sent. */
    enum stage_verdict (*decide)(struct session *session, const struct stage *stage,
                                 enum stage_occasion occasion);
    /* The session ends here, for any reason: what the stage has begun for it is to be given
     * up. NULL: there is nothing. */
    void (*cancel)(struct session *session, const struct stage *stage);
    /* Frees the stage, at the end of the process. NULL: free() does. */
    void (*release)(struct stage *stage);
};

#endif
