#include "canary.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct reload reload_start(const struct proxy *proxy, const char *plan)
{
    struct reload reload;
    test_path(reload.out, "reload.out");
    test_path(reload.err, "reload.err");
    unlink(reload.out);
    unlink(reload.err);
    const char *argv[] = {proxy_binary(), "reload",   "-f", proxy->file,
                          "-v",           "--canary", plan, NULL};
    reload.pid =
        program_start(&(struct program){.argv = argv, .out = reload.out, .err = reload.err});
    return reload;
}

void reload_ends(const struct reload *reload, int code)
{
    char text[4096];
    int status = wait_gone(reload->pid);
    read_file(reload->err, text, sizeof text);
    ck_assert_msg(status == code << 8, "wait status %x: %s", (unsigned)status, text);
}

void file_says(const char *path, const char *what)
{
    char text[8192];
    read_file(path, text, sizeof text);
    ck_assert_msg(strstr(text, what) != NULL, "'%s' is not said in: %s", what, text);
}

bool canary_look(struct canary *canary)
{
    struct outcome outcome;
    if (proxy_command(canary->proxy, &outcome, "status", "--json", NULL) != 0) {
        return false;
    }
    json_t *status = json_loads(outcome.out, 0, NULL);
    ck_assert_ptr_nonnull(status);
    int pid;
    json_int_t its, ours;
    bool there = json_unpack(status, "{s:{s:i, s:F, s:b, s:{s:I}, s:{s:I}}}", "canary", "pid", &pid,
                             "percent", &canary->percent, "by_source", &canary->by_source, "canary",
                             "sessions_total", &its, "predecessor", "sessions_total", &ours) == 0;
    if (there) {
        canary->pid = pid;
        canary->sessions = (unsigned)its;
        canary->predecessors = (unsigned)ours;
    }
    json_decref(status);
    return there;
}

static bool canary_there(void *argument)
{
    return canary_look(argument);
}

struct canary canary_wait(const struct proxy *proxy)
{
    struct canary canary = {.proxy = proxy};
    wait_until(canary_there, &canary, "the successor is a canary");
    return canary;
}

void configure(const struct stage *stage, const char *global, const char *binds,
               uint16_t server_port)
{
    proxy_configure(&stage->proxy,
                    "workers = 2\n%s[listen main]\nbind = 127.0.0.1:%u\n%sserver = a "
                    "127.0.0.1:%u\n",
                    global, stage->port, binds, server_port);
}

void stage_open(struct stage *stage)
{
    stage->listener = listen_loopback(&stage->server_port);
    stage->port = port_reserve(getuid());
    stage->front = endpoint_loopback(stage->port);
    proxy_init(&stage->proxy, "proxy");
}

void stage_start(struct stage *stage, const char *global)
{
    stage_open(stage);
    configure(stage, global, "", stage->server_port);
    proxy_start(&stage->proxy);
}

struct line line_of(const struct stage *stage, int client)
{
    return (struct line){.client = client, .server = accept_from(stage->listener)};
}

struct line line_open(const struct stage *stage)
{
    return line_of(stage, connect_to(&stage->front));
}

void line_works(const struct line *line)
{
    char byte = 'x';
    send_all(line->client, &byte, 1);
    receive_exactly(line->server, &byte, 1);
    send_all(line->server, &byte, 1);
    receive_exactly(line->client, &byte, 1);
}

void line_close(const struct line *line)
{
    close(line->client);
    close(line->server);
}

bool buried(void *argument)
{
    return kill(*(pid_t *)argument, 0) != 0 && errno == ESRCH;
}

bool is_active_again(void *argument)
{
    const struct proxy *proxy = argument;
    struct status status;
    return proxy_status(proxy, &status) && status.pid == proxy->pid && status.count == 1;
}

void next_reload(struct proxy *proxy)
{
    proxy->generation++;
    proxy_reload(proxy);
}

void follow(struct proxy *proxy)
{
    struct status status;
    ck_assert(proxy_status(proxy, &status));
    proxy->pid = status.pid;
    proxy->generation = status.generation;
}

unsigned lines_on_both_sides(const struct stage *stage, struct line lines[static LINES_MAX])
{
    struct canary canary = {.proxy = &stage->proxy};
    unsigned count = 0;
    do {
        ck_assert_uint_lt(count, LINES_MAX);
        lines[count++] = line_open(stage);
        ck_assert(canary_look(&canary));
    } while (canary.sessions == 0 || canary.predecessors == 0);
    return count;
}

void lines_work(const struct line *lines, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        line_works(&lines[i]);
    }
}

void lines_close(const struct line *lines, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        line_close(&lines[i]);
    }
}

void start_under_load(struct stage *stage, struct origin *origin, struct churn **churn)
{
    stage_open(stage);
    configure(stage, "", "", origin_port(origin));
    proxy_start(&stage->proxy);
    *churn = churn_start(
        &(struct churn_options){.target = stage->front, .in_flight = IN_FLIGHT, .rate = 500});
    churn_wait(*churn, IN_FLIGHT);
}

static bool is_mentioned(void *argument)
{
    const char *const *where = argument;
    return file_mentions(where[0], where[1]) > 0;
}

void wait_for_line(const char *path, const char *line)
{
    const char *where[] = {path, line};
    wait_until(is_mentioned, where, line);
}
