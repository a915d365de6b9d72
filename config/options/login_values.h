/* Values of the options of checks that log in, and of programs that check. */
#ifndef RPPROXY_CONFIG_OPTIONS_LOGIN_VALUES_H
#define RPPROXY_CONFIG_OPTIONS_LOGIN_VALUES_H

#include "config/options/options.h"

/* Member: struct check_conf. "@FILE": the first line of a file that is read with the configuration;
 * what is written is its name. */
extern const struct option_custom check_password;

/* Member: enum check_role. */
extern const struct option_custom check_role;

/* Member: char *. The program must exist, and be executable by somebody. */
extern const struct option_custom check_command;

#endif
