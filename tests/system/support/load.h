/* Real clients as load: programs that end, run again and again. */
#ifndef TESTS_SYSTEM_LOAD_H
#define TESTS_SYSTEM_LOAD_H

#include "tests/system/support/proxy.h"

enum { LOAD_CLIENTS = 4 };

struct load {
    pid_t clients[LOAD_CLIENTS];
    char done[PATH_MAX], lost[PATH_MAX], stop[PATH_MAX];
};

/* Runs the command of the shell in LOAD_CLIENTS loops, each to its end before it begins again. A
 * command that exits with 0 adds its output, one line, to the file `done`; another one adds it to
 * `lost` and ends its loop. name: of the files. */
void load_start(struct load *load, const char *name, const char *command);

/* Waits until `count` further commands have succeeded. Fails the test if one was lost. */
void load_goes_on(const struct load *load, unsigned count);

/* Lets the commands end, and fails the test if one was lost. Returns how many succeeded. */
unsigned load_stop(struct load *load);

/* Reloads the proxy scaled(10, 2) times; between two reloads each load goes on. `loads` is
 * NULL-ended. */
void reload_under_loads(struct proxy *proxy, const struct load *const *loads);

#endif
