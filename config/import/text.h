/* Words of other products as proxy.ini writes them. */
#ifndef RPPROXY_CONFIG_IMPORT_TEXT_H
#define RPPROXY_CONFIG_IMPORT_TEXT_H

#include "config/import/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True: the text is the name of a host, or an IPv4 address. */
bool text_is_host(const char *text);

/* True: an address, or an address and the length of a prefix. */
bool text_is_prefix(const char *text);

/* True: an IPv4 address, or an IPv6 address without brackets. */
bool text_is_ipv4(const char *text);
bool text_is_ipv6(const char *text);

/* Bytes with the escapes of proxy.ini. of_word: also for spaces and commas, so that the text is one
 * word of a list. */
const char *text_escape(struct arena *arena, const char *bytes, size_t length, bool of_word)
    __attribute__((returns_nonnull));

/* The path as an absolute one: a relative path begins at folder, which may be relative itself, or
 * NULL for the present one. Symbolic links stay: what they lead to may change. */
const char *text_absolute(struct arena *arena, const char *folder, const char *path)
    __attribute__((returns_nonnull));

/* "5s" of milliseconds. */
const char *text_duration(struct arena *arena, uint64_t time) __attribute__((returns_nonnull));

/* A name of which proxy.ini takes all bytes. */
const char *text_name(struct arena *arena, const char *name) __attribute__((returns_nonnull));

/* The text in shape for the value of a line: "${" would be a variable. */
const char *text_value(struct arena *arena, const char *text) __attribute__((returns_nonnull));

/* Names that were given out: a table of chains. */
#define TEXT_NAME_CHAINS 1024u

struct text_names {
    struct text_given *chains[TEXT_NAME_CHAINS];
};

/* The name as text_name() has it, with "-2" and so on behind it if it was given out before. */
const char *text_unique(struct arena *arena, struct text_names *names, const char *name)
    __attribute__((returns_nonnull));

#endif
