/* Keys of session tickets that machines have in common: a file with a key in each line. */
#ifndef RPPROXY_CONFIG_TLS_TICKET_FILE_H
#define RPPROXY_CONFIG_TLS_TICKET_FILE_H

#include "config/tls/ticket_key.h"

#include <stdbool.h>
#include <stddef.h>

struct key_copies;

/* A larger file, and more keys, are errors. */
#define TICKET_FILE_BYTES_MAX (64 * 1024)
#define TICKET_FILE_KEYS_MAX  100

/* In memory that is in no core dump, and is not swapped out if RLIMIT_MEMLOCK allows it. Never
 * changes: any thread. */
struct ticket_file {
    size_t count;
    size_t current; /* the key of new tickets: the last but one, so that a key can be on all
                       machines before the first ticket is made with it; or the only one */
    struct ticket_key keys[TICKET_FILE_KEYS_MAX];
};

/* Reads the keys: lines of base64, of 48 bytes (name, AES-128, HMAC) or of 80 bytes (name, HMAC,
 * AES-256). Empty lines and lines that begin with '#' do not count. Returns NULL, and *made is the
 * caller's; or what is wrong, "PATH: cannot be read: ..." or "PATH:2: ...", in a thread-local text
 * that is valid until the next call. *warning: what a person should know, in the same way (of a
 * text that is not overwritten before the next call); NULL: nothing. copies: as
 * certificate_read() has them. No text has a part of a key.
 * While a configuration is read: exits if there is no memory. */
const char *ticket_file_read(const char *path, struct key_copies *copies, struct ticket_file **made,
                             const char **warning) __attribute__((warn_unused_result));

/* As ticket_file_read(), from a text in memory; path is the name in messages. */
const char *ticket_file_parse(const char *text, size_t length, const char *path,
                              struct ticket_file **made) __attribute__((warn_unused_result));

/* The key with this name, or NULL. */
const struct ticket_key *ticket_file_find(const struct ticket_file *file,
                                          const unsigned char name[static TICKET_NAME_SIZE]);

/* Overwrites the keys. NULL is fine. */
void ticket_file_free(struct ticket_file *file);

#endif
