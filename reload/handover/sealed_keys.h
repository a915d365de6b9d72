/* Private keys for the next process (config/tls/key_copies.h): MESSAGE_KEYS, the first of all
 * messages, since the new process needs them before anything else: it reads its configuration
 * before it hears the old process. A message, and no inherited descriptor: a new process of a build
 * that does not know it closes the descriptor, so that no program that it starts has the keys. Main
 * thread. */
#ifndef RPPROXY_RELOAD_HANDOVER_SEALED_KEYS_H
#define RPPROXY_RELOAD_HANDOVER_SEALED_KEYS_H

#include <stdbool.h>

struct channel;
struct generation;

/* Before the configuration is read, and before channel_open(). fd: the new process's end of the
 * channel; -1: there is no old process. */
void sealed_keys_begin(struct generation *generation, int fd);

/* The configuration could not be read: whether that may be for a private key that the user of the
 * proxy may not read. */
bool sealed_keys_are_missed(const struct generation *generation);

/* The configuration has been read, and this process has not become another user yet. Returns 0 or
 * an errno value. */
int sealed_keys_keep(struct generation *generation) __attribute__((warn_unused_result));

/* This process is the user of the configuration, and has a log: tells what was not read from files,
 * and, in a process without an old one, that a reload will not be able to read them. */
void sealed_keys_tell(struct generation *generation);

/* The old process: to the new one, before anything else. */
void sealed_keys_send(const struct generation *generation, struct channel *successor);

void sealed_keys_end(struct generation *generation);

#endif
