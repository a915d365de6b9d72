/* A proxy with one worker and one session, both ends of which are the test's: a fixture. */
#ifndef RPPROXY_TESTS_UNIT_SUPPORT_RELAYING_H
#define RPPROXY_TESTS_UNIT_SUPPORT_RELAYING_H

#include "proxy/proxy.h"

#include <event2/event.h>

struct relaying {
    struct event_base *base;
    struct config *config;
    struct proxy *proxy;   /* of eight sessions at most */
    int listener, servers; /* where it accepts; where it connects to */
    int client, server;
};

void relaying_start(struct relaying *relaying);

/* The proxy and its base are freed, and all is closed. */
void relaying_end(struct relaying *relaying);

#endif
