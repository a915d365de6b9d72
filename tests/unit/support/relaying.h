/* A fixture: a proxy with one worker and one session, whose client and server are the test. */
#ifndef RPPROXY_TESTS_UNIT_SUPPORT_RELAYING_H
#define RPPROXY_TESTS_UNIT_SUPPORT_RELAYING_H

#include "proxy/proxy.h"

#include <event2/event.h>

struct relaying {
    struct event_base *base;
    struct config *config;
    struct proxy *proxy;   /* for at most eight sessions */
    int listener, servers; /* where the proxy accepts; where the proxy connects to */
    int client, server;
};

void relaying_start(struct relaying *relaying);

/* Frees the proxy and its event base, and closes all descriptors. */
void relaying_end(struct relaying *relaying);

#endif
