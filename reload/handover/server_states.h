/* What the new process takes over of the old one's servers: their states, and which backends had a
 * server that could be used.
 *
 * A server is the same one if its backend and its name are, and if its line in the file says the
 * same (address, weight, options). Any other begins anew: a changed line means another
 * server, or the same server with the state that the line gives it. But a backup that has taken
 * over (failback = no) and has the same address keeps the new sessions, since there may be one
 * writer only. */
#ifndef RPPROXY_RELOAD_HANDOVER_SERVER_STATES_H
#define RPPROXY_RELOAD_HANDOVER_SERVER_STATES_H

#include "proxy/names/names.h"
#include "proxy/proxy.h"
#include "reload/handover/message.h"

#include <stdbool.h>
#include <stddef.h>

struct known_server {
    char *backend; /* owns the other texts, too */
    const char *name, *line;
    struct message_server_state state;
};

/* In the order of backend and name once it has been applied. */
struct server_states {
    struct known_server *list;
    size_t count, capacity;
};

/* The server as it is now. */
void server_states_record(const struct server *server, struct message_server *record);

/* Of what the server's line in the file says. */
uint64_t server_states_line_hash(const struct server_conf *conf);

/* Reads a payload, which may be shorter or longer than the one here: what is missing is 0. */
void server_states_read(const void *payload, size_t length, struct message_server *record);

/* For MESSAGE_SERVERS: writes a record to at, whole or not at all. Returns its size, which is at
 * most MESSAGE_PAYLOAD_MAX; 0 if that is more than room. */
size_t server_states_pack(const struct message_server *record, unsigned char *at, size_t room);

/* Reads the next record, which may be of another version, as server_states_read(). Returns its
 * size; 0 if there is no whole one. */
size_t server_states_unpack(const unsigned char *at, size_t left, struct message_server *record);

/* Returns 0 or ENOMEM. */
int server_states_add(struct server_states *server_states, const struct message_server *record)
    __attribute__((warn_unused_result));

/* All of the old process's servers are there. */
void server_states_sort(struct server_states *server_states);

/* After server_states_sort(): the old process had an address for this name, be its server still the
 * same or not. */
bool server_states_has_address(const struct server_states *server_states,
                               const struct backend_conf *backend, const struct server_conf *conf);

/* After server_states_sort(), before names_begin(): names get the addresses that they had. Returns
 * 0 or ENOMEM. */
int server_states_inherit(const struct server_states *server_states, const struct proxy *proxy,
                          struct names *names, struct checks *checks)
    __attribute__((warn_unused_result));

/* The proxy's servers that are the same take their states over. */
void server_states_apply(struct server_states *server_states, struct proxy *proxy);

/* A later message about a server, after server_states_apply(). */
void server_states_update(struct server_states *server_states, const struct message_server *record,
                          struct proxy *proxy);

/* A command that another process has carried out: admin state and weight of the server, if it is
 * the same one here. */
void server_states_obey(const struct message_server *record, struct proxy *proxy);

/* The same of a payload of MESSAGE_SERVER. */
void server_states_hear(const void *payload, size_t length, struct proxy *proxy);

/* The backends of which the old process had a usable server, and the proxy has none; each is
 * reported in a line. Returns how many. */
size_t server_states_losses(const struct server_states *server_states, const struct proxy *proxy,
                            void (*report)(const char *line, void *arg), void *arg);

/* For a process that drains, and checks nothing any more: a payload of MESSAGE_SERVER of the
 * process that serves. As server_states_hear(), and the check state as well. */
void server_states_follow(const void *payload, size_t length, struct proxy *proxy);

void server_states_free(struct server_states *server_states);

#endif
