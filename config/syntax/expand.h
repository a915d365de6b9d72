/* ${VAR} and ${VAR:-default} in values. */
#ifndef RPPROXY_CONFIG_SYNTAX_EXPAND_H
#define RPPROXY_CONFIG_SYNTAX_EXPAND_H

/* Replaces the variables in value by their values in the environment, which are not expanded again.
 * An undefined variable is an error unless it has a default. The default is used for an empty
 * variable too, as in the shell. A default may contain variables with defaults, in at most 8
 * levels; variables of an unused default need not be defined. A '$' without '{' is copied. If the
 * value of a variable contains a character of quoted (may be NULL), a backslash is put before this
 * character; characters of value itself get none. Returns the text, which the caller frees; or
 * NULL, with the reason in *wrong, a static or thread-local text. */
char *expand_variables(const char *value, const char *quoted, const char **wrong)
    __attribute__((warn_unused_result));

#endif
