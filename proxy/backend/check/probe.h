/* The connection of one check: connects to a server, leads a dialogue with it if the check has one,
 * and says how that went.
 *
 *   IDLE -> CONNECTING -> [HANDSHAKE] -> [TALKING] -> verdict -> [CLOSING] -> IDLE
 *
 * The PROXY header goes out first where the check wants one, then TLS begins where it wants that.
 * A check without a dialogue has passed when it is connected, or when the TLS handshake is done.
 *
 * A probe decides nothing about the server; checks.h does. How the connection ends: after a verdict
 * of a dialogue that awaits the close, and after a check that passed and has check-close = fin, by
 * the end of the probe's stream; then what the server still says is dropped until it has closed as
 * well. Where a dialogue lets the server finish, by a reset when the server has closed. Else by a
 * reset at once, as HAProxy does: no TIME-WAIT is left. A probe that is CLOSING can be cancelled:
 * its verdict is known.
 *
 * For the thread of the checks. */
#ifndef RPPROXY_PROXY_BACKEND_CHECK_PROBE_H
#define RPPROXY_PROXY_BACKEND_CHECK_PROBE_H

#include "config/model/config.h"
#include "proxy/backend/check/dialogue.h"
#include "proxy/backend/check/tls_client.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>

/* Bytes of one server that a probe takes in at most, regardless of its dialogue. */
#define PROBE_RECEIVED_MAX (1024u * 1024)

/* What all probes of a backend have in common. */
struct probe_plan {
    const struct check_conf *conf;
    const struct source_choice *source; /* SOURCE_ADDRESS; NULL: the kernel chooses */
    struct tls_client_context *tls;     /* NULL: no TLS */
    char *name; /* that check-sni or check-host says, as for tls_client_new(); NULL: none */
};

/* How a probe went. */
struct probe_result {
    int error; /* 0: passed; else an errno value; EPROTO: the server's answer was wrong */
    char reason[DIALOGUE_REASON_MAX]; /* where the error alone does not tell; or "" */
    enum agent_state agent_state;     /* as in struct dialogue */
    int agent_percent;
};

enum probe_state { PROBE_IDLE, PROBE_CONNECTING, PROBE_HANDSHAKE, PROBE_TALKING, PROBE_CLOSING };

struct probe {
    struct event_base *base;
    const struct probe_plan *plan;
    void (*on_verdict)(struct probe *probe, const struct probe_result *result);
    void (*on_end)(struct probe *probe);
    enum probe_state state;
    int fd;                    /* -1: IDLE */
    struct event io, deadline; /* while fd is open */
    struct address address;    /* that the probe connects to, or did last */
    unsigned turn;             /* as in struct connect_plan */
    enum send_proxy proxy;     /* the header that it begins with */
    unsigned
        own_port; /* of the server, if the kernel may take it for the probe's side, too; else 0 */
    const char *name; /* as for tls_client_new(); NULL: none */
    const struct tls_target
        *as_sessions; /* TLS is that of the server's sessions; NULL: it is not */
    size_t received;
    struct tls_client *tls; /* NULL: none */
    struct dialogue dialogue;
    struct evbuffer *input, *output;
    bool has_ended; /* the server's stream */
    bool sends_end; /* CLOSING: the probe ends its stream as well, once the output is sent */
};

/* plan must outlive the probe. Of a probe that has begun, and is not cancelled, on_verdict is
 * called once, from the loop, within the timeout of the plan; on_end after that, when the
 * connection is closed, within the same time. The probe may begin again in on_end. */
void probe_init(struct probe *probe, struct event_base *base, const struct probe_plan *plan,
                const char *name, enum send_proxy proxy,
                void (*on_verdict)(struct probe *probe, const struct probe_result *result),
                void (*on_end)(struct probe *probe));

/* Connects to the address; the probe is IDLE. Returns 0, or an errno value: the probe has ended
 * already, and nothing is called. socket_is_shortage() tells an error that says nothing about the
 * server. */
int probe_begin(struct probe *probe, const struct address *address)
    __attribute__((warn_unused_result));

/* Ends it without a call of on_verdict or on_end; harmless when it is IDLE. */
void probe_cancel(struct probe *probe);

#endif
