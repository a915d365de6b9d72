/* Asks name servers, by c-ares, on a libevent loop; nothing here blocks but the reading of
 * /etc/hosts and /etc/resolv.conf.
 *
 * With `resolver = system` a name is looked up as the C library does it with "hosts: files dns":
 * in /etc/hosts, then by the name servers of /etc/resolv.conf with its search domains. A changed
 * /etc/resolv.conf counts from the next question on. Other sources of nsswitch.conf(5) are not
 * asked. With addresses of name servers only these are asked, for exactly that name. "localhost"
 * is this machine in either case (RFC 6761).
 *
 * Answers that are too long for a UDP packet are fetched by TCP. A question goes to the next name
 * server when one does not answer, fails or refuses, and ends within `timeout` in any case. At most
 * RESOLVER_QUERIES_MOST packets are under way; further ones wait.
 *
 * All functions, and all callbacks, are for the thread of the loop. */
#ifndef RPPROXY_CONFIG_NAMES_RESOLVER_H
#define RPPROXY_CONFIG_NAMES_RESOLVER_H

#include "config/model/names.h"
#include "config/names/answer.h"

struct event_base;
struct resolver;
struct question;

#define RESOLVER_QUERIES_MOST 64

/* Sockets that a resolver takes at most, and a file that it reads. */
unsigned resolver_descriptors(const struct resolver_conf *conf);

/* conf and base must outlive the resolver. Returns 0, and stores it in *made; or an errno value. */
int resolver_new(struct event_base *base, const struct resolver_conf *conf, struct resolver **made)
    __attribute__((warn_unused_result));

/* Not in a callback of this resolver. Questions that are left end without a call. NULL is fine. */
void resolver_free(struct resolver *resolver);

enum question_kind {
    QUESTION_ADDRESSES, /* A and AAAA */
    QUESTION_SERVICE,   /* SRV, and the addresses of the targets */
};

/* The answer is valid during the call, and the question is over with it. */
typedef void question_answered(const struct answer *answer, void *arg);

/* Asks for name, with or without a final dot, and for addresses of that family only. port (network
 * byte order) is the port of all addresses of QUESTION_ADDRESSES. answered is called once, by the
 * loop and never from within this function. The items of an answer are in the order of the answer.
 * NULL: out of memory. */
struct question *resolver_ask(struct resolver *resolver, const char *name, enum question_kind kind,
                              enum resolve_family family, in_port_t port,
                              question_answered *answered, void *arg)
    __attribute__((warn_unused_result));

#endif
