/* A name server on a loop of libevent, by UDP on a port of its own. */
#ifndef RPPROXY_TESTS_UNIT_SUPPORT_NAMESERVER_H
#define RPPROXY_TESTS_UNIT_SUPPORT_NAMESERVER_H

#include "config/model/names.h"

#include <event2/event.h>

#define NAMESERVER_RECORDS_MOST 64

struct nameserver_record {
    char name[64];
    int type, ttl, length;
    unsigned char data[80];
};

struct nameserver {
    struct evdns_server_port *server;
    unsigned short port;
    struct nameserver_record records[NAMESERVER_RECORDS_MOST];
    size_t count;
    int error;         /* DNS_ERR_...: what is said of every name; 0: what the records say */
    int error_of_type; /* only for questions of this type; 0: of all */
    bool silent;
    unsigned asked; /* questions so far */
    unsigned lost;  /* of these, so many at first have no answer */
    int lost_type;  /* nor have questions of this type; 0: there is none */
};

void nameserver_open(struct nameserver *nameserver, struct event_base *base);
void nameserver_close(struct nameserver *nameserver);

/* Adds an A or AAAA record. */
void nameserver_add(struct nameserver *nameserver, const char *name, const char *address, int ttl);
void nameserver_add_srv(struct nameserver *nameserver, const char *name, unsigned priority,
                        unsigned weight, unsigned port, const char *target, int ttl);
void nameserver_clear(struct nameserver *nameserver);

/* A configuration that asks this server: bounds of 10 ms and 1 s, hold 60 s, timeout 300 ms. */
struct resolver_conf nameserver_conf(const struct nameserver *nameserver);

#endif
