/* Configurations from a test's own text, in files of a temporary folder. */
#ifndef RPPROXY_TESTS_UNIT_SUPPORT_CONFIG_TEXT_H
#define RPPROXY_TESTS_UNIT_SUPPORT_CONFIG_TEXT_H

#include "config/load.h"

#include <stddef.h>

/* What config_load() made of a file. */
struct loaded {
    struct config *config;
    char *errors; /* its lines, each with "\n"; the temporary folder taken out; "" for none */
    size_t error_count;
};

/* For tcase_add_checked_fixture(): the folder, new for each test, and its removal. */
void folder_make(void);
void folder_remove(void);

/* The path of name in the folder. Static storage, until the next call. */
const char *folder_path(const char *name);

void folder_write(const char *name, const char *bytes, size_t length);

/* Loads the folder's file. */
struct loaded load_file(const char *name);

/* Writes text as "p.ini" and loads it. */
struct loaded load_text(const char *text);

/* Loads text, which must be without a mistake. The caller frees the config. */
struct config *load_good(const char *text);

void loaded_free(struct loaded *loaded);

/* A frontend and a backend that are right, for texts that are about something else. */
#define VALID                                                                                      \
    "[listen ok]\n"                                                                                \
    "bind = 127.0.0.1:1\n"                                                                         \
    "server = a 127.0.0.1:2\n"

#endif
