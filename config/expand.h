/* ${VAR} and ${VAR:-default} in values. */
#ifndef RPPROXY_CONFIG_EXPAND_H
#define RPPROXY_CONFIG_EXPAND_H

/* Returns value with its variables replaced from the environment, to be freed; what a variable
 * holds is not expanded again. A variable that is undefined or empty takes its default, which may
 * be empty. NULL: *wrong says why, as a static or thread-local text. A '$' without '{' stands for
 * itself. */
char *expand_variables(const char *value, const char **wrong) __attribute__((warn_unused_result));

#endif
