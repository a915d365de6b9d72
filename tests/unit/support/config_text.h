/* Configurations from a text of the test, in files of a temporary folder. */
#ifndef RPPROXY_TESTS_UNIT_SUPPORT_CONFIG_TEXT_H
#define RPPROXY_TESTS_UNIT_SUPPORT_CONFIG_TEXT_H

#include "config/load.h"

#include <stddef.h>

/* The result of config_load(). */
struct loaded {
    struct config *config;
    char *
        errors; /* one line for each error, without the path of the temporary folder; "" for none */
    size_t error_count;
    char *warnings; /* the same of a config that is valid */
};

/* For tcase_add_checked_fixture(): makes a new folder for each test, and removes it. */
void folder_make(void);
void folder_remove(void);

/* Returns the path of name in the folder. Static storage, valid until the next call. */
const char *folder_path(const char *name);

void folder_write(const char *name, const char *bytes, size_t length);

/* Loads a file of the folder. */
struct loaded load_file(const char *name);

/* Writes text as "p.ini" and loads it. */
struct loaded load_text(const char *text);

/* Loads text, which must be without a mistake. The caller frees the config. */
struct config *load_good(const char *text);

void loaded_free(struct loaded *loaded);

/* A valid frontend and backend, for tests of something else. */
#define VALID                                                                                      \
    "[listen ok]\n"                                                                                \
    "bind = 127.0.0.1:1\n"                                                                         \
    "server = a 127.0.0.1:2\n"

#endif
