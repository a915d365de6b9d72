/* From a file to the configuration it describes. */
#ifndef RPPROXY_CONFIG_LOAD_H
#define RPPROXY_CONFIG_LOAD_H

#include "config/model/config.h"
#include "config/syntax/problems.h"

/* Reads and validates file. Touches no port, and nothing of a running proxy. Blocks while host
 * names are resolved; exits when there is no memory left for it. Returns the config, owned by the
 * caller, or NULL with every error found in *errors (at least one, also for a file that cannot be
 * read: "FILE: No such file or directory"). The caller frees the errors, in either case, by
 * config_errors_free(). */
struct config *config_load(const char *file, struct config_errors *errors)
    __attribute__((warn_unused_result));

/* The same for a text that comes from elsewhere than a file; name stands for it in messages. */
struct config *config_load_text(const char *name, const char *text, size_t length,
                                struct config_errors *errors) __attribute__((warn_unused_result));

/* The control socket that file names, for commands that speak to a running proxy: whatever else is
 * wrong with the file. It is the default one when the file cannot be read or names none. The
 * caller's, to free. */
char *config_control(const char *file) __attribute__((warn_unused_result));

/* The file that is read when none is given by -f. */
#define CONFIG_DEFAULT_FILE "/etc/rpproxy/proxy.ini"

#endif
