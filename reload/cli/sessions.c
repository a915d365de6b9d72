#include "reload/cli/sessions.h"

#include "proxy/session/session_filter.h"
#include "reload/base/exit_status.h"
#include "reload/base/text.h"
#include "reload/cli/ask.h"
#include "reload/cli/conversation.h"
#include "reload/cli/plain.h"
#include "reload/cli/units.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One session. The text is its object as --json prints it: an object in memory would take several
 * times as much. */
struct row {
    json_int_t began;
    char *id, *text;
};

struct rows {
    struct row *list;
    size_t count, capacity;
    size_t most; /* that are printed */
};

static bool no_memory(void)
{
    fputs("rpproxy: out of memory\n", stderr);
    return false;
}

static bool add_row(struct rows *rows, json_t *session)
{
    const char *id = json_string_value(json_object_get(session, "id"));
    if (rows->count == rows->capacity) {
        size_t capacity = rows->capacity ? 2 * rows->capacity : 64;
        struct row *list = realloc(rows->list, capacity * sizeof *list);
        if (!list)
            return no_memory();
        rows->list = list;
        rows->capacity = capacity;
    }
    if (!id)
        return true; /* of a version that is not understood */
    struct row *row = &rows->list[rows->count];
    row->began = json_integer_value(json_object_get(session, "began"));
    json_object_del(session, "began");
    row->id = strdup(id);
    row->text = json_dumps(session, JSON_COMPACT);
    if (!row->id || !row->text) {
        free(row->id);
        free(row->text);
        return no_memory();
    }
    rows->count++;
    return true;
}

static int by_age(const void *left, const void *right)
{
    const struct row *a = left, *b = right;
    if (a->began != b->began)
        return a->began < b->began ? -1 : 1;
    return strcmp(a->id, b->id);
}

static void cut_rows(struct rows *rows, size_t count)
{
    while (rows->count > count) {
        rows->count--;
        free(rows->list[rows->count].id);
        free(rows->list[rows->count].text);
    }
}

/* The oldest first; of a session that was seen in two processes what the first of them said. */
static void arrange(struct rows *rows)
{
    size_t kept = 0;
    if (rows->count == 0)
        return;
    qsort(rows->list, rows->count, sizeof *rows->list, by_age);
    for (size_t i = 1; i < rows->count; i++) {
        if (strcmp(rows->list[i].id, rows->list[kept].id) != 0) {
            const struct row row = rows->list[i];
            rows->list[i] = rows->list[++kept];
            rows->list[kept] = row;
        }
    }
    cut_rows(rows, kept + 1);
    cut_rows(rows, rows->most);
}

static bool add_rows(json_t *sessions, void *arg)
{
    struct rows *rows = arg;
    size_t i;
    json_t *session;
    json_array_foreach(sessions, i, session) if (!add_row(rows, session)) return false;
    if (rows->count / 2 > rows->most)
        arrange(rows);
    return true;
}

/* --- printing -------------------------------------------------------------------------------- */

/* The versions with the client, and with the server if that speaks TLS as well. */
static const char *tls_text(const char *client, const char *server, char text[static 32])
{
    snprintf(text, 32, "%s%s%s", client ? client : "-", server ? "/" : "", server ? server : "");
    return text;
}

static void print_row(const struct row *row)
{
    const char *client = "-", *backend = "-", *server = "-", *state = "-", *tls = NULL,
               *server_tls = NULL;
    json_int_t age = 0, idle = 0, in = 0, out = 0;
    int generation = 0;
    char *full = NULL, versions[32], ages[2][UNITS_TEXT_MAX], sizes[3][UNITS_TEXT_MAX];
    json_t *session = json_loads(row->text, 0, NULL);
    plain_strings(session);
    (void)json_unpack(session, "{s?s, s?s, s?s, s?s, s?I, s?I, s?I, s?I, s?i, s?s?, s?s?}",
                      "client", &client, "backend", &backend, "server", &server, "state", &state,
                      "age_ms", &age, "idle_ms", &idle, "bytes_in", &in, "bytes_out", &out,
                      "generation", &generation, "tls", &tls, "server_tls", &server_tls);
    if (asprintf(&full, "%s/%s", backend, server) < 0)
        full = NULL;
    double rate = age > 0 ? (double)(in + out) * 1000 / (double)age : 0;
    printf("%-14s %-21s %-16s %-11s %6s %6s %7s %7s %7s %4d %s\n", row->id, client,
           full ? full : "-", state, units_time(age, ages[0]), units_time(idle, ages[1]),
           units_bytes((double)in, sizes[0]), units_bytes((double)out, sizes[1]),
           units_bytes(rate, sizes[2]), generation, tls_text(tls, server_tls, versions));
    free(full);
    json_decref(session);
}

static void print_rows(const struct rows *rows)
{
    printf("%-14s %-21s %-16s %-11s %6s %6s %7s %7s %7s %4s %s\n", "ID", "CLIENT", "SERVER",
           "STATE", "AGE", "IDLE", "IN", "OUT", "RATE/S", "GEN", "TLS");
    for (size_t i = 0; i < rows->count && !ferror(stdout); i++)
        print_row(&rows->list[i]);
}

static void print_json_rows(const struct rows *rows)
{
    putchar('[');
    for (size_t i = 0; i < rows->count && !ferror(stdout); i++)
        printf("%s\n  %s", i ? "," : "", rows->list[i].text);
    puts(rows->count ? "\n]" : "]");
}

/* --- asking ---------------------------------------------------------------------------------- */

/* Returns NULL after printing an error: a filter is wrong, or memory is out. *only_ids: each word
 * is the id of a session. */
static json_t *question(const struct command *command, bool *only_ids)
{
    struct session_filter filter = {0};
    json_t *filters = json_array();
    const char *wrong = NULL;
    for (unsigned i = 0; i < command->word_count && !wrong; i++) {
        wrong = session_filter_add(&filter, command->words[i]);
        if (wrong)
            fprintf(stderr, "rpproxy: '%s' %s\n", command->words[i], wrong);
        json_array_append_new(filters, json_string(command->words[i]));
    }
    *only_ids = filter.keys == 1u << FILTER_ID;
    session_filter_free(&filter);
    json_t *members =
        json_pack("{s:o, s:I}", "filters", filters, "limit", (json_int_t)command->limit);
    if (!wrong && members)
        return members;
    if (!wrong)
        (void)no_memory();
    json_decref(members);
    return NULL;
}

static void print_missing(const json_t *missing, const char *what)
{
    fprintf(stderr, "rpproxy: generation %lld (pid %lld) has not answered: %s\n",
            (long long)json_integer_value(json_object_get(missing, "generation")),
            (long long)json_integer_value(json_object_get(missing, "pid")), what);
}

/* Hears the whole answer. hear_some: NULL for a kill. *again: the process has ended, and another
 * one has its sessions. Returns an exit status; errors are printed. */
static int hear(struct conversation *talk, sessions_heard *hear_some, void *arg, uint64_t *killed,
                bool *again)
{
    int status = EXIT_DONE;
    *again = false;
    for (;;) {
        json_t *object = NULL, *part;
        const char *text;
        json_int_t count;
        switch (conversation_hear_answer(talk, &object)) {
        case WORD_END:
            fprintf(stderr, "rpproxy: pid %d exited before its answer was complete\n", talk->pid);
            return EXIT_OTHER;
        case WORD_TIMEOUT:
            fprintf(stderr, "rpproxy: pid %d has not answered in time\n", talk->pid);
            return EXIT_WAITING;
        case WORD_HEARD:
            break;
        }
        bool over = json_is_true(json_object_get(object, "over"));
        if (hear_some && (part = json_object_get(object, "sessions")) && !hear_some(part, arg)) {
            status = EXIT_OTHER;
            over = true;
        }
        if ((part = json_object_get(object, "missing"))) {
            print_missing(part, hear_some ? "its sessions are not shown" : "its sessions live on");
            status = EXIT_OTHER;
        }
        if (over && json_unpack(object, "{s:I}", "killed", &count) == 0)
            *killed += (uint64_t)count;
        *again = json_is_true(json_object_get(object, "again"));
        int failed;
        if (json_unpack(object, "{s:s, s:i}", "result", &text, "exit", &failed) == 0) {
            fprintf(stderr, "rpproxy: %s\n", text);
            status = failed;
            over = true;
        }
        json_decref(object);
        if (over || *again)
            return status;
    }
}

/* Asks one process after the other until one has answered completely. */
static int ask_all(const struct command *command, const json_t *members, sessions_heard *hear_some,
                   void *arg, uint64_t *killed)
{
    const char *what = hear_some ? "sessions" : "kill";
    struct conversation talk;
    bool again;
    int status = EXIT_DONE, pid;
    if (!ask(&talk, command, what, members))
        return EXIT_NO_PROXY;
    do {
        int heard = hear(&talk, hear_some, arg, killed, &again);
        pid = talk.pid;
        conversation_end(&talk);
        status = status != EXIT_DONE ? status : heard;
    } while (again && ask_again(&talk, command, what, members));
    if (again && hear_some) {
        fprintf(stderr, "rpproxy: pid %d exited before its answer was complete\n", pid);
        return EXIT_OTHER;
    }
    return status;
}

int sessions_ask(const struct command *command, sessions_heard *hear_some, void *arg)
{
    bool only_ids;
    uint64_t killed = 0;
    json_t *members = question(command, &only_ids);
    if (!members)
        return EXIT_OTHER;
    int status = ask_all(command, members, hear_some, arg, &killed);
    json_decref(members);
    return status;
}

int command_sessions(const struct command *command)
{
    struct rows rows = {.most = command->limit ? (size_t)command->limit : SIZE_MAX};
    int status = sessions_ask(command, add_rows, &rows);
    if (status == EXIT_NO_PROXY)
        return status;
    arrange(&rows);
    if (command->json)
        print_json_rows(&rows);
    else if (status == EXIT_DONE || rows.count > 0)
        print_rows(&rows);
    cut_rows(&rows, 0);
    free(rows.list);
    return status;
}

int command_kill(const struct command *command)
{
    bool only_ids;
    uint64_t killed = 0;
    char text[SESSIONS_TEXT_MAX];
    json_t *members = question(command, &only_ids);
    if (!members)
        return EXIT_OTHER;
    int status = ask_all(command, members, NULL, NULL, &killed);
    json_decref(members);
    if (status == EXIT_NO_PROXY)
        return status;
    if (status == EXIT_DONE && killed == 0 && only_ids) {
        fputs("rpproxy: there is no such session (any more)\n", stderr);
        return EXIT_OTHER;
    }
    if (status == EXIT_DONE || killed > 0)
        printf("killed: %s\n", sessions_text(killed, text));
    return status;
}
