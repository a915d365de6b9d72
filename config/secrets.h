/* Secrets in the text of a configuration, where it is shown to people that might not read the file:
 * the password of a check, the headers that a check sends, what its steps say, the arguments of its
 * program. */
#ifndef RPPROXY_CONFIG_SECRETS_H
#define RPPROXY_CONFIG_SECRETS_H

#include <stddef.h>

/* So many bytes at the beginning of this line may be shown; what follows is the value of an option
 * that may contain a secret. A value @FILE is none: it names the file with the secret. The line is
 * one of config_text() (write.h), or of a file that somebody has changed: comments count as well.
 * Without a secret: length. */
size_t secrets_shown(const char *line, size_t length);

#endif
