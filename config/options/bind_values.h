/* The attributes of a bind that need more than one member: how workers accept, permissions,
 * owner and group of the file of a Unix bind, and which clients come to it. Their member is the
 * whole struct bind_conf. */
#ifndef RPPROXY_CONFIG_OPTIONS_BIND_VALUES_H
#define RPPROXY_CONFIG_OPTIONS_BIND_VALUES_H

#include "config/model/config.h"
#include "config/options/options.h"

/* Not written where a bind has only one socket: it is always shared. */
extern const struct option_custom bind_accept, bind_steer;

/* Names of users and groups are looked up (getpwnam(3), which may block); a number is used as the
 * id. */
extern const struct option_custom bind_file_mode, bind_file_owner, bind_file_group;

/* Which clients come to the bind: members of bind->at. */
extern const struct option_custom bind_v6only, bind_interface;

bool bind_file_is_given(const struct bind_conf *bind);

/* Checks whether a process that has become `user`, and is not root, can set this owner and group.
 * Returns NULL, or what is wrong (a string constant). */
const char *bind_file_check_user(const struct bind_conf *bind, const char *user)
    __attribute__((warn_unused_result));

#endif
