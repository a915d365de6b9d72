/* ${VAR} and ${VAR:-default} in values. */
#ifndef RPPROXY_CONFIG_SYNTAX_EXPAND_H
#define RPPROXY_CONFIG_SYNTAX_EXPAND_H

/* Returns value with its variables replaced from the environment, to be freed; what a variable
 * holds is not expanded again. An undefined variable is an error, unless it has a default, which
 * also stands for an empty one (as in the shell). A default may hold variables with defaults of
 * their own, 8 deep; where a default is not used, its variables need not be defined. Each character
 * of quoted (NULL: none) gets a backslash before it where a variable holds it, and none where value
 * itself does. NULL: *wrong says why, as a static or thread-local text. A '$' without '{' stands
 * for itself. */
char *expand_variables(const char *value, const char *quoted, const char **wrong)
    __attribute__((warn_unused_result));

#endif
