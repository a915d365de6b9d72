/* The attributes mode=, owner= and group= of a bind: permissions, owner and group of the file of a
 * Unix bind. */
#ifndef RPPROXY_CONFIG_OPTIONS_BIND_FILE_H
#define RPPROXY_CONFIG_OPTIONS_BIND_FILE_H

#include "config/model/config.h"

#include <stdio.h>

#define BIND_FILE_ERROR_MAX 192

/* Reads one word of a bind, "NAME=VALUE", into *bind. Names of users and groups are looked up
 * (getpwnam(3), which may block); a number is used as the id. Returns false if NAME is none of the
 * three attributes. Otherwise returns true, and wrong is "" or says what is wrong with the word. */
bool bind_file_read(const char *word, struct bind_conf *bind,
                    char wrong[static BIND_FILE_ERROR_MAX]) __attribute__((warn_unused_result));

bool bind_file_is_given(const struct bind_conf *bind);

/* Checks whether a process that has become `user`, and is not root, can set this owner and group.
 * Returns NULL, or what is wrong (a string constant). */
const char *bind_file_check_user(const struct bind_conf *bind, const char *user)
    __attribute__((warn_unused_result));

/* Writes the attributes that are given as bind_file_read() reads them: " mode=0660 owner=NAME". */
void bind_file_write(const struct bind_conf *bind, FILE *out);

#endif
