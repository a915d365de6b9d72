/* mode=, owner= and group= of a bind: what the file of a Unix bind is to look like. */
#ifndef RPPROXY_CONFIG_OPTIONS_BIND_FILE_H
#define RPPROXY_CONFIG_OPTIONS_BIND_FILE_H

#include "config/model/config.h"

#include <stdio.h>

#define BIND_FILE_ERROR_MAX 192

/* Takes in one word of a bind, "NAME=VALUE". Names of users and groups are looked up (getpwnam(3),
 * which may block); a number stands for itself. Returns false where the word is of another kind;
 * else wrong is "", or says what is wrong with it. */
bool bind_file_read(const char *word, struct bind_conf *bind,
                    char wrong[static BIND_FILE_ERROR_MAX]) __attribute__((warn_unused_result));

bool bind_file_is_given(const struct bind_conf *bind);

/* Whether a process that has become user can do it, which is not root then. Returns NULL, or what
 * is wrong (a string constant). */
const char *bind_file_check_user(const struct bind_conf *bind, const char *user)
    __attribute__((warn_unused_result));

/* " mode=0660 owner=NAME": what is given, as it would be read. */
void bind_file_write(const struct bind_conf *bind, FILE *out);

#endif
