#include "tests/unit/support/nameserver.h"

#include "config/names/dns.h"

#include <arpa/inet.h>
#include <check.h>
#include <event2/dns.h>
#include <event2/dns_struct.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static int answer_from(const struct nameserver *nameserver, struct evdns_server_request *request,
                       const struct evdns_server_question *question)
{
    bool exists = false;
    for (size_t i = 0; i < nameserver->count; i++) {
        const struct nameserver_record *record = &nameserver->records[i];
        if (strcasecmp(record->name, question->name) != 0)
            continue;
        exists = true;
        if (record->type == question->type)
            evdns_server_request_add_reply(request, EVDNS_ANSWER_SECTION, question->name,
                                           record->type, EVDNS_CLASS_INET, record->ttl,
                                           record->length, 0, (const char *)record->data);
    }
    return exists ? DNS_ERR_NONE : DNS_ERR_NOTEXIST;
}

static void on_request(struct evdns_server_request *request, void *arg)
{
    struct nameserver *nameserver = arg;
    const struct evdns_server_question *question = request->questions[0];
    nameserver->asked++;
    if (nameserver->silent || nameserver->asked <= nameserver->lost ||
        question->type == nameserver->lost_type) {
        evdns_server_request_drop(request);
        return;
    }
    bool fails = nameserver->error &&
                 (!nameserver->error_of_type || nameserver->error_of_type == question->type);
    int error = fails ? nameserver->error : answer_from(nameserver, request, question);
    evdns_server_request_respond(request, error);
}

void nameserver_open(struct nameserver *nameserver, struct event_base *base)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *nameserver = (struct nameserver){.port = ntohs(address.sin_port)};
    nameserver->server = evdns_add_server_port_with_base(base, fd, 0, on_request, nameserver);
    ck_assert_ptr_nonnull(nameserver->server);
}

void nameserver_close(struct nameserver *nameserver)
{
    evdns_close_server_port(nameserver->server);
}

static struct nameserver_record *add(struct nameserver *nameserver, const char *name, int type,
                                     int ttl)
{
    ck_assert_uint_lt(nameserver->count, NAMESERVER_RECORDS_MOST);
    struct nameserver_record *record = &nameserver->records[nameserver->count++];
    *record = (struct nameserver_record){.type = type, .ttl = ttl};
    snprintf(record->name, sizeof record->name, "%s", name);
    return record;
}

void nameserver_add(struct nameserver *nameserver, const char *name, const char *address, int ttl)
{
    bool six = strchr(address, ':') != NULL;
    struct nameserver_record *record = add(nameserver, name, six ? DNS_AAAA : DNS_A, ttl);
    record->length = six ? 16 : 4;
    ck_assert_int_eq(inet_pton(six ? AF_INET6 : AF_INET, address, record->data), 1);
}

void nameserver_add_srv(struct nameserver *nameserver, const char *name, unsigned priority,
                        unsigned weight, unsigned port, const char *target, int ttl)
{
    struct nameserver_record *record = add(nameserver, name, DNS_SRV, ttl);
    const unsigned numbers[] = {priority, weight, port};
    unsigned char *at = record->data;
    for (size_t i = 0; i < 3; i++) {
        *at++ = (unsigned char)(numbers[i] >> 8);
        *at++ = (unsigned char)numbers[i];
    }
    while (*target) {
        size_t length = strcspn(target, ".");
        *at++ = (unsigned char)length;
        memcpy(at, target, length);
        at += length;
        target += length + (target[length] == '.');
    }
    *at++ = 0;
    record->length = (int)(at - record->data);
}

void nameserver_clear(struct nameserver *nameserver)
{
    nameserver->count = 0;
}

struct resolver_conf nameserver_conf(const struct nameserver *nameserver)
{
    struct resolver_conf conf = {
        .server_count = 1, .min = 10, .max = 1000, .hold = 60000, .timeout = 300};
    conf.servers[0] = (struct address){.length = sizeof conf.servers[0].in,
                                       .in = {.sin_family = AF_INET,
                                              .sin_port = htons(nameserver->port),
                                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
    return conf;
}
