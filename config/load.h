/* Reads a file and returns the configuration that it describes. */
#ifndef RPPROXY_CONFIG_LOAD_H
#define RPPROXY_CONFIG_LOAD_H

#include "config/model/config.h"
#include "config/syntax/problems.h"

/* Reads and validates file. Touches no port, and nothing of a running proxy. Blocks while host
 * names are resolved; exits if there is no memory left. Returns the config, owned by the
 * caller, with its warnings in *errors (problems.h), or NULL with every error found in *errors (at
 * least one, also for a file that cannot be read: "FILE: No such file or directory"). The caller
 * frees the errors, in either case, by config_errors_free(). */
struct config *config_load(const char *file, struct config_errors *errors)
    __attribute__((warn_unused_result));

struct key_copies;

/* The same; the files with private keys are read by way of copies (tls/key_copies.h). */
struct config *config_load_with(const char *file, struct key_copies *copies,
                                struct config_errors *errors) __attribute__((warn_unused_result));

/* The same as config_load() for a text that is not in a file: the configuration of another process
 * (write.h). Files that it names are not opened, for they may have changed. Messages use name as
 * the name of its file. There are no warnings. */
struct config *config_load_text(const char *name, const char *text, size_t length,
                                struct config_errors *errors) __attribute__((warn_unused_result));

/* The same for a text that is to become a file, as config_load() would judge it: files that it
 * names are read. */
struct config *config_load_draft(const char *name, const char *text, size_t length,
                                 struct config_errors *errors) __attribute__((warn_unused_result));

/* Returns the path of the control socket that file sets, for commands that contact a running
 * proxy, regardless of other mistakes in the file. Returns the default path if the file does not
 * exist, or sets none. Returns NULL if that cannot be known, because the file or a line that may
 * set it cannot be read: the default socket may be that of another proxy. *errors are those found
 * on the way, at least one with NULL; the caller frees them, in either case, and the path. */
char *config_control(const char *file, struct config_errors *errors)
    __attribute__((warn_unused_result));

/* config may be NULL. */
void config_free(struct config *config);

/* The file that is read if -f is not given. */
#define CONFIG_DEFAULT_FILE "/etc/rpproxy/proxy.ini"

#endif
