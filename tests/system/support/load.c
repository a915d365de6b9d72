#include "tests/system/support/load.h"

#include <poll.h>
#include <stdio.h>

static const char *load_file(char path[static PATH_MAX], const char *name, const char *end)
{
    char file[64];
    snprintf(file, sizeof file, "%s.%s", name, end);
    return test_path(path, file);
}

void load_start(struct load *load, const char *name, const char *command)
{
    char script[PATH_MAX];
    load_file(load->done, name, "done");
    load_file(load->lost, name, "lost");
    load_file(load->stop, name, "stop");
    write_file(load->done, 0644, "%s", "");
    write_file(load->lost, 0644, "%s", "");
    write_file(load_file(script, name, "sh"), 0644,
               "while [ ! -e %s ]; do\n"
               "    if said=$({ %s; } 2>&1)\n"
               "    then echo \"$said\" >>%s\n"
               "    else echo \"exit status $?: $said\" >>%s; exit\n"
               "    fi\n"
               "done\n",
               load->stop, command, load->done, load->lost);
    const char *argv[] = {"sh", script, NULL};
    for (unsigned i = 0; i < LOAD_CLIENTS; i++) {
        load->clients[i] = program_start(&(struct program){.argv = argv});
    }
}

static void expect_nothing_lost(const struct load *load)
{
    char text[4096];
    ck_assert_msg(read_file(load->lost, text, sizeof text) == 0, "%s: %s", load->lost, text);
}

void load_goes_on(const struct load *load, unsigned count)
{
    unsigned before = file_mentions(load->done, "");
    int64_t begin = now_ms();
    while (file_mentions(load->done, "") < before + count) {
        expect_nothing_lost(load);
        ck_assert_msg(now_ms() - begin < PATIENCE_MS, "%s: no progress", load->done);
        poll(NULL, 0, 10);
    }
}

unsigned load_stop(struct load *load)
{
    write_file(load->stop, 0644, "%s", "");
    for (unsigned i = 0; i < LOAD_CLIENTS; i++) {
        wait_gone(load->clients[i]);
    }
    expect_nothing_lost(load);
    return file_mentions(load->done, "");
}

void reload_under_loads(struct proxy *proxy, const struct load *const *loads)
{
    for (unsigned i = 0; i < scaled(10, 2); i++) {
        proxy_reload(proxy);
        for (const struct load *const *load = loads; *load; load++) {
            load_goes_on(*load, LOAD_CLIENTS);
        }
    }
}
