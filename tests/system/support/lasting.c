#include "tests/system/support/lasting.h"

#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void expect_alive(const struct lasting *lasting)
{
    static char text[32768];
    if (!process_alive(lasting->pid)) {
        read_file(lasting->out, text, sizeof text);
        ck_abort_msg("the client %s has ended:\n%s", lasting->name, text);
    }
}

static void wait_count(const struct lasting *lasting, const char *text, unsigned count)
{
    int64_t begin = now_ms();
    while (file_mentions(lasting->out, text) < count) {
        expect_alive(lasting);
        ck_assert_msg(now_ms() - begin < PATIENCE_MS, "the client %s has no answer", lasting->name);
        poll(NULL, 0, 5);
    }
}

/* Sets `from` to the address of the client's connection, as ss(8) prints it. */
static void find_connection(const struct lasting *lasting, char from[static 64])
{
    struct outcome outcome;
    char owner[32], *rest = NULL;
    unsigned found = 0;
    snprintf(owner, sizeof owner, ",pid=%d,", lasting->pid);
    run(&outcome, "ss", "-Htnp", "state", "established", NULL);
    for (char *line = strtok_r(outcome.out, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest)) {
        if (strstr(line, owner)) {
            found += sscanf(line, "%*u %*u %63s", from) == 1;
        }
    }
    ck_assert_msg(found == 1, "the client %s has %u connections", lasting->name, found);
}

void lasting_start(struct lasting *lasting, const char *greeting)
{
    char name[64], in[PATH_MAX], command[1024];
    snprintf(name, sizeof name, "%s.in", lasting->name);
    ck_assert_int_eq(mkfifo(test_path(in, name), 0600), 0);
    lasting->in = open(in, O_RDWR | O_CLOEXEC);
    ck_assert_int_ge(lasting->in, 0);
    snprintf(name, sizeof name, "%s.out", lasting->name);
    test_path(lasting->out, name);
    snprintf(command, sizeof command, "exec %s", lasting->command);
    const char *argv[] = {"sh", "-c", command, NULL};
    lasting->pid = program_start(
        &(struct program){.argv = argv, .in = in, .out = lasting->out, .err = lasting->out});
    if (greeting) {
        wait_count(lasting, greeting, 1);
    } else {
        lasting_ask(lasting);
    }
    find_connection(lasting, lasting->from);
}

void lasting_say(struct lasting *lasting, const char *text)
{
    ck_assert_int_eq(write(lasting->in, text, strlen(text)), (ssize_t)strlen(text));
}

void lasting_ask(struct lasting *lasting)
{
    unsigned before = file_mentions(lasting->out, lasting->answer);
    expect_alive(lasting);
    if (lasting->say) {
        lasting_say(lasting, lasting->say);
    } else {
        struct outcome outcome;
        run(&outcome, "sh", "-c", lasting->ask, NULL);
        ck_assert_msg(outcome.code == 0, "%s: %s%s", lasting->ask, outcome.out, outcome.err);
    }
    wait_count(lasting, lasting->answer, before + 1);
}

/* The connection is the one that it was, and the process of this generation has it. */
static void expect_session(const struct proxy *proxy, const struct lasting *lasting,
                           unsigned expected)
{
    struct outcome outcome;
    char from[64];
    find_connection(lasting, from);
    ck_assert_msg(strcmp(from, lasting->from) == 0, "the client %s has connected again",
                  lasting->name);
    ck_assert_int_eq(proxy_command(proxy, &outcome, "sessions", "--json", NULL), 0);
    json_t *list = json_loads(outcome.out, 0, NULL), *one;
    size_t index;
    unsigned found = 0;
    json_array_foreach(list, index, one)
    {
        const char *client = "";
        int generation = 0;
        ck_assert_int_eq(
            json_unpack(one, "{s:s,s:i}", "client", &client, "generation", &generation), 0);
        found += strcmp(client, from) == 0 && generation == (int)expected;
    }
    json_decref(list);
    ck_assert_msg(found == 1, "the session of %s, from %s, is not in generation %u:\n%s",
                  lasting->name, from, expected, outcome.out);
}

static void hand_over_once(struct proxy *proxy, struct lasting *const *all, bool asking)
{
    proxy_reload(proxy);
    for (struct lasting *const *lasting = all; asking && *lasting; lasting++) {
        lasting_ask(*lasting);
    }
    proxy_wait_drained(proxy);
    proxy_follow(proxy);
    for (struct lasting *const *lasting = all; *lasting; lasting++) {
        expect_session(proxy, *lasting, proxy->generation);
        if (asking) {
            lasting_ask(*lasting);
        }
    }
}

void hand_over(struct proxy *proxy, struct lasting *const *all, const struct load *const *loads)
{
    for (unsigned i = 0; i < HANDOFFS; i++) {
        hand_over_once(proxy, all, true);
        for (const struct load *const *load = loads; load && *load; load++) {
            load_goes_on(*load, LOAD_CLIENTS);
        }
    }
}

void hand_over_silent(struct proxy *proxy, struct lasting *const *all)
{
    for (unsigned i = 0; i < HANDOFFS; i++) {
        hand_over_once(proxy, all, false);
    }
}

struct stay {
    const struct proxy *proxy;
    unsigned generation;
};

static bool status_says_why(void *argument)
{
    const struct stay *stay = argument;
    struct outcome outcome;
    char begin[64];
    snprintf(begin, sizeof begin, "generation %u has ", stay->generation);
    ck_assert_int_eq(proxy_command(stay->proxy, &outcome, "status", NULL), 0);
    const char *line = strstr(outcome.out, begin);
    return line && strstr(line, "whose TLS ends there");
}

void reload_beside(struct proxy *proxy, struct lasting *const *all, const struct load *const *loads)
{
    const unsigned first = proxy->generation;
    for (unsigned i = 0; i < HANDOFFS; i++) {
        proxy_reload(proxy);
        for (struct lasting *const *lasting = all; *lasting; lasting++) {
            lasting_ask(*lasting);
            expect_session(proxy, *lasting, first);
        }
        wait_until(status_says_why, &(struct stay){proxy, first}, "status says why sessions stay");
        for (const struct load *const *load = loads; load && *load; load++) {
            load_goes_on(*load, LOAD_CLIENTS);
        }
    }
}

void lasting_end(struct lasting *lasting)
{
    expect_alive(lasting);
    close(lasting->in);
    kill(lasting->pid, SIGKILL);
    wait_gone(lasting->pid);
}
