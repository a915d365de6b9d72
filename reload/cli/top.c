#include "reload/cli/top.h"

#include "config/base/address.h"
#include "config/base/clock.h"
#include "reload/base/exit_status.h"
#include "reload/cli/ask.h"
#include "reload/cli/plain.h"
#include "reload/cli/screen.h"
#include "reload/cli/sessions.h"
#include "reload/cli/table.h"
#include "reload/cli/units.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INTERVAL_MS 1000
/* With more sessions than this, only the oldest of each worker and frontend are looked at. */
#define SOURCES_OF  10000
#define SOURCE_MAX  ADDRESS_TEXT_MAX
#define SOURCE_ROWS 5

struct top_source {
    char name[SOURCE_MAX];
    double bytes;
    unsigned sessions;
};

struct view {
    json_t *now, *before; /* two answers of status; NULL: there is none yet */
    double seconds;       /* between them */
    struct top_source *sources;
    size_t source_count, source_capacity;
};

/* --- rates -------------------------------------------------------------------------------------
 */

static const json_t *find(const json_t *list, const char *name)
{
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item)
    {
        const char *other = json_string_value(json_object_get(item, "name"));
        if (other && name && strcmp(other, name) == 0)
            return item;
    }
    return NULL;
}

static json_int_t number(const json_t *object, const char *member)
{
    return json_integer_value(json_object_get(object, member));
}

/* "-": a process that begins does not say it. */
static const char *word(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    return text ? text : "-";
}

/* A second, since the answer before; 0 where that does not have the object. */
static double rate(const struct view *view, const json_t *now, const json_t *before,
                   const char *member)
{
    json_int_t more = before ? number(now, member) - number(before, member) : 0;
    return more > 0 && view->seconds > 0 ? (double)more / view->seconds : 0;
}

static void print_rates(FILE *out, const struct view *view, const json_t *now, const json_t *before)
{
    char in[UNITS_TEXT_MAX], sent[UNITS_TEXT_MAX];
    fprintf(out, "\t%.0f\t%s\t%s", rate(view, now, before, "sessions_total"),
            units_bytes(rate(view, now, before, "client_bytes"), in),
            units_bytes(rate(view, now, before, "server_bytes"), sent));
}

/* --- the parts of the screen -------------------------------------------------------------------
 */

static void write_head(FILE *out, const struct view *view)
{
    char age[UNITS_TEXT_MAX], in[UNITS_TEXT_MAX], sent[UNITS_TEXT_MAX];
    const json_t *now = view->now;
    fprintf(out, "rpproxy %s  pid %lld  generation %lld  %s  up %s\n", word(now, "version"),
            (long long)number(now, "pid"), (long long)number(now, "generation"), word(now, "state"),
            units_time(number(now, "uptime_ms"), age));
    fprintf(out, "sessions %lld now, %.0f new/s, %.0f failed/s  in %s/s  out %s/s\n\n",
            (long long)number(now, "sessions"), rate(view, now, view->before, "sessions_total"),
            rate(view, now, view->before, "sessions_failed"),
            units_bytes(rate(view, now, view->before, "client_bytes"), in),
            units_bytes(rate(view, now, view->before, "server_bytes"), sent));
}

static void write_frontends(FILE *out, const struct view *view)
{
    size_t i;
    const json_t *item, *before = json_object_get(view->before, "frontends");
    fputs("FRONTEND\tSESSIONS\tNEW/S\tIN/S\tOUT/S\tDENIED/S\n", out);
    json_array_foreach(json_object_get(view->now, "frontends"), i, item)
    {
        const char *name = word(item, "name");
        const json_t *old = find(before, name);
        fprintf(out, "%s\t%lld", name, (long long)number(item, "sessions"));
        print_rates(out, view, item, old);
        fprintf(out, "\t%.0f\n", rate(view, item, old, "denied"));
    }
}

static json_int_t failures(const json_t *server)
{
    const char *name;
    json_t *value;
    json_int_t sum = 0;
    json_object_foreach(json_object_get(server, "connect_failures"), name, value) sum +=
        json_integer_value(value);
    return sum;
}

static void write_server(FILE *out, const struct view *view, const char *backend,
                         const json_t *server, const json_t *old)
{
    const char *check = word(server, "check"), *admin = word(server, "admin");
    bool ready = strcmp(admin, "ready") == 0;
    double failed =
        old && view->seconds > 0 ? (double)(failures(server) - failures(old)) / view->seconds : 0;
    fprintf(out, "%s/%s\t%s\t%lld", backend, word(server, "name"), ready ? check : admin,
            (long long)number(server, "sessions"));
    print_rates(out, view, server, old);
    fprintf(out, "\t%.0f\n", failed > 0 ? failed : 0);
}

static void write_servers(FILE *out, const struct view *view)
{
    size_t i, j;
    const json_t *item, *server, *before = json_object_get(view->before, "backends");
    fputs("SERVER\tSTATE\tSESSIONS\tNEW/S\tIN/S\tOUT/S\tFAILED/S\n", out);
    json_array_foreach(json_object_get(view->now, "backends"), i, item)
    {
        const char *name = word(item, "name");
        const json_t *old = json_object_get(find(before, name), "servers");
        json_array_foreach(json_object_get(item, "servers"), j, server)
            write_server(out, view, name, server, find(old, word(server, "name")));
    }
}

static void write_sources(FILE *out, const struct view *view)
{
    char bytes[UNITS_TEXT_MAX];
    fputs("SOURCE\tSESSIONS\tBYTES\n", out);
    for (size_t i = 0; i < view->source_count && i < SOURCE_ROWS; i++)
        fprintf(out, "%s\t%u\t%s\n", view->sources[i].name, view->sources[i].sessions,
                units_bytes(view->sources[i].bytes, bytes));
}

/* Prints a table, at most so many lines of it, and a blank line. Returns the lines that are left.
 */
static int print_part(FILE *screen, const struct view *view,
                      void (*write_part)(FILE *, const struct view *), const char *aligns,
                      int lines)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return lines;
    write_part(out, view);
    if (fclose(out) == 0 && text) {
        char *end = text;
        for (; lines > 0 && *end; lines--)
            end += strcspn(end, "\n") + 1;
        *end = '\0';
        table_print(text, aligns, table_width(), screen);
        fputc('\n', screen);
    }
    free(text);
    return lines - 1;
}

static void write_screen(FILE *screen, const struct view *view)
{
    int lines = screen_lines();
    lines = (lines > 8 ? lines : 24) - 5; /* without the head and the last line */
    write_head(screen, view);
    lines = print_part(screen, view, write_frontends, "lrrrrr", lines);
    lines = print_part(screen, view, write_sources, "lrr", lines);
    (void)print_part(screen, view, write_servers, "llrrrrr", lines);
    fputs("q: quit", screen);
}

/* A line that is longer than the terminal is wide would take the place of two. */
static void draw(const struct view *view)
{
    char *text = NULL;
    size_t size = 0;
    FILE *screen = open_memstream(&text, &size);
    if (!screen)
        return;
    write_screen(screen, view);
    screen_clear();
    if (fclose(screen) == 0 && text)
        table_print_cut(text, table_width(), stdout);
    free(text);
    (void)fflush(stdout);
}

/* --- sources -----------------------------------------------------------------------------------
 */

/* "10.0.0.1:80" and "[::1]:80" without the port. */
static void read_source(const char *client, char name[static SOURCE_MAX])
{
    const char *port = strrchr(client, ':');
    size_t length = port && port != client ? (size_t)(port - client) : strlen(client);
    snprintf(name, SOURCE_MAX, "%.*s", (int)length, client);
}

static bool add_sources(json_t *sessions, void *arg)
{
    struct view *view = arg;
    size_t i;
    const json_t *session;
    plain_strings(sessions);
    json_array_foreach(sessions, i, session)
    {
        if (view->source_count == view->source_capacity) {
            size_t capacity = view->source_capacity ? 2 * view->source_capacity : 256;
            struct top_source *list = realloc(view->sources, capacity * sizeof *list);
            if (!list)
                return false;
            view->sources = list;
            view->source_capacity = capacity;
        }
        struct top_source *source = &view->sources[view->source_count++];
        const char *client = json_string_value(json_object_get(session, "client"));
        read_source(client ? client : "-", source->name);
        source->sessions = 1;
        source->bytes = (double)(number(session, "bytes_in") + number(session, "bytes_out"));
    }
    return true;
}

static int by_name(const void *left, const void *right)
{
    return strcmp(((const struct top_source *)left)->name,
                  ((const struct top_source *)right)->name);
}

static int by_sessions(const void *left, const void *right)
{
    const struct top_source *a = left, *b = right;
    if (a->sessions != b->sessions)
        return a->sessions > b->sessions ? -1 : 1;
    return a->bytes > b->bytes ? -1 : a->bytes < b->bytes;
}

/* One for each name, those with the most sessions first. */
static void add_up(struct view *view)
{
    size_t kept = 0;
    if (view->source_count == 0)
        return;
    struct top_source *list = view->sources;
    qsort(list, view->source_count, sizeof *list, by_name);
    for (size_t i = 1; i < view->source_count; i++) {
        if (strcmp(list[i].name, list[kept].name) == 0) {
            list[kept].sessions += list[i].sessions;
            list[kept].bytes += list[i].bytes;
        } else {
            list[++kept] = list[i];
        }
    }
    view->source_count = kept + 1;
    qsort(list, view->source_count, sizeof *list, by_sessions);
}

/* --- the command -------------------------------------------------------------------------------
 */

/* Asks again. Returns an exit status; errors are printed. */
static int look(const struct command *command, struct view *view, uint64_t *at)
{
    json_t *answer = NULL;
    int pid;
    struct command oldest = *command;
    oldest.limit = SOURCES_OF;
    int status = ask_once(command, "status", &pid, NULL, &answer);
    if (status != EXIT_DONE)
        return status;
    uint64_t now = clock_ms();
    plain_strings(answer);
    json_decref(view->before);
    view->before = view->now;
    view->now = answer;
    view->seconds = (double)(now - *at) / 1000;
    *at = now;
    view->source_count = 0;
    status = sessions_ask(&oldest, add_sources, view);
    add_up(view);
    return status;
}

int command_top(const struct command *command)
{
    struct view view = {0};
    uint64_t at = 0;
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        fputs("rpproxy: top needs a terminal; status --json and sessions --json are for programs\n",
              stderr);
        return EXIT_OTHER;
    }
    screen_begin();
    int status;
    do {
        status = look(command, &view, &at);
        if (status == EXIT_DONE)
            draw(&view);
    } while (status == EXIT_DONE && !ferror(stdout) && screen_wait(INTERVAL_MS));
    screen_end();
    putchar('\n');
    json_decref(view.now);
    json_decref(view.before);
    free(view.sources);
    return status;
}
