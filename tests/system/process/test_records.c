/* A kill of any process, while all is in use that outlives processes: supervisor, history, counters
 * and the status page. What is promised: counters do not fall while the supervisor lives, numbers
 * of the history go on, the page finds the process that serves, and the supervisor ends as
 * documented.
 */
#include "tests/system/scenarios.h"
#include "tests/system/support/churn.h"
#include "tests/system/support/http.h"
#include "tests/system/support/origin.h"
#include "tests/system/support/scene.h"
#include "tests/system/support/supervisor.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

enum { ROUNDS = 40, SERIES = 3, MOMENT_MAX_MS = 40 };

static const char *const series[SERIES] = {
    "\nrpproxy_sessions_total ", "\nrpproxy_bytes_total{direction=\"out\"} ",
    "\nrpproxy_server_sessions_total{backend=\"main\",server=\"a\"} "};

enum victim { OLD, NEW, SUPERVISOR };
static const char *const victims[] = {"old process", "new process", "supervisor"};

/* What a browser and a scraper see. */
struct watcher {
    struct endpoint where;
    pthread_t scraper, page;
    atomic_bool stop;
    atomic_uint life;    /* counts starts of a supervisor; odd: none is there, or it ends */
    atomic_uint scrapes; /* that had an answer */
    atomic_uint events;  /* that the page got */
    atomic_bool fell;
    char told[256]; /* if fell */
    double last[SERIES];
};

struct stage {
    struct proxy proxy;
    struct origin *origin;
    struct churn *churn;
    struct endpoint front;
    struct watcher watcher;
    uint16_t metrics;
    pid_t supervisor, command;
    unsigned generation; /* the highest that the history has had */
};

/* --- the watcher's threads ------------------------------------------------------------------- */

/* Returns a socket, or -1. */
static int ask(const struct endpoint *where, const char *path)
{
    const struct timeval patience = {.tv_sec = 10};
    char text[256];
    int length = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    int socket = try_connect(where);
    if (socket < 0)
        return -1;
    (void)setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (send(socket, text, (size_t)length, MSG_NOSIGNAL) == length)
        return socket;
    close(socket);
    return -1;
}

static double value_in(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at ? strtod(at + strlen(name), NULL) : -1;
}

static void compare(struct watcher *watcher, const char *text)
{
    for (unsigned i = 0; i < SERIES; i++) {
        double now = value_in(text, series[i]);
        if (now < watcher->last[i] && !watcher->fell) {
            snprintf(watcher->told, sizeof watcher->told, "%s fell from %.0f to %.0f",
                     series[i] + 1, watcher->last[i], now);
            watcher->fell = true;
        }
        watcher->last[i] = now;
    }
}

static void *scrape(void *argument)
{
    struct watcher *watcher = argument;
    unsigned compared = 0;
    while (!watcher->stop) {
        struct response response;
        unsigned life = watcher->life;
        int socket = ask(&watcher->where, "/metrics");
        bool answered = socket >= 0 && http_receive(socket, false, &response);
        if (answered && life % 2 == 0 && life == watcher->life) {
            if (life != compared)
                memset(watcher->last, 0, sizeof watcher->last);
            compared = life;
            if (response.status == 200) {
                compare(watcher, response.body);
                watcher->scrapes++;
            }
        }
        if (answered)
            response_free(&response);
        if (socket >= 0)
            close(socket);
        (void)usleep(5000);
    }
    return NULL;
}

/* As a browser does it: when the stream ends, it comes again. */
static void *look_at_page(void *argument)
{
    struct watcher *watcher = argument;
    while (!watcher->stop) {
        char bytes[65536];
        int socket = ask(&watcher->where, "/events");
        for (ssize_t got; socket >= 0 && !watcher->stop &&
                          (got = recv(socket, bytes, sizeof bytes - 1, 0)) > 0;) {
            bytes[got] = '\0';
            if (strstr(bytes, "data: {"))
                watcher->events++;
        }
        if (socket >= 0)
            close(socket);
        (void)usleep(5000);
    }
    return NULL;
}

static void watcher_start(struct watcher *watcher, uint16_t port)
{
    watcher->where = endpoint_loopback(port);
    watcher->life = 1;
    ck_assert_int_eq(pthread_create(&watcher->scraper, NULL, scrape, watcher), 0);
    ck_assert_int_eq(pthread_create(&watcher->page, NULL, look_at_page, watcher), 0);
}

static void watcher_stop(struct watcher *watcher)
{
    watcher->stop = true;
    ck_assert_int_eq(pthread_join(watcher->scraper, NULL), 0);
    ck_assert_int_eq(pthread_join(watcher->page, NULL), 0);
}

static bool has_seen_more(void *argument)
{
    struct watcher *watcher = ((void **)argument)[0];
    const unsigned *seen = ((void **)argument)[1];
    return watcher->scrapes > seen[0] + 1 && watcher->events > seen[1];
}

/* Both get answers of the process that serves now. */
static void watcher_goes_on(struct watcher *watcher)
{
    unsigned seen[] = {watcher->scrapes, watcher->events};
    void *argument[] = {watcher, seen};
    wait_until(has_seen_more, argument, "scraper and page are answered");
    ck_assert_msg(!watcher->fell, "%s", watcher->told);
}

/* --- lives of a supervisor ------------------------------------------------------------------- */

static void begin_life(struct stage *stage, const char *probation)
{
    char folder[PATH_MAX];
    proxy_configure(&stage->proxy,
                    "workers = 2\nprobation = %s\nhistory = %s\nhistory-keep = 1000\n"
                    "metrics = 127.0.0.1:%u\n[listen main]\nbind = 127.0.0.1:%u\n"
                    "server = a 127.0.0.1:%u\n",
                    probation, test_path(folder, "proxy.run/history"), stage->metrics,
                    ntohs(stage->front.in.sin_port), origin_port(stage->origin));
    stage->supervisor = supervisor_start(&stage->proxy, "--supervise");
    ck_assert_uint_gt(stage->proxy.generation, stage->generation);
    stage->churn =
        churn_start(&(struct churn_options){.target = stage->front, .in_flight = 10, .rate = 500});
    stage->watcher.life++;
}

/* What clients have completed was counted, also by processes that were killed. */
static void end_churn(struct stage *stage, bool serves)
{
    struct churn_result result;
    struct response response;
    churn_stop(stage->churn, &result);
    stage->churn = NULL;
    if (!serves)
        return;
    http_get(&stage->watcher.where, "/metrics", &response);
    ck_assert_int_eq(response.status, 200);
    double sessions = value_in(response.body, series[0]);
    ck_assert_msg(sessions >= (double)result.completed, "%.0f sessions are counted of %llu",
                  sessions, (unsigned long long)result.completed);
    response_free(&response);
}

/* The supervisor has ended with its generations, or is killed and they serve on. */
static void end_life(struct stage *stage, bool serves)
{
    struct outcome outcome;
    end_churn(stage, serves);
    stage->watcher.life++;
    if (serves) {
        int code = proxy_command(&stage->proxy, &outcome, "stop", NULL);
        ck_assert_msg(code == 0 || code == 9, "stop: exit %d: %s", code, outcome.err);
    }
    stage->supervisor = 0;
}

/* --- a round --------------------------------------------------------------------------------- */

static bool has_successor(void *argument)
{
    const struct stage *stage = argument;
    char path[64], text[256];
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)stage->proxy.pid,
             (int)stage->proxy.pid);
    return read_file(path, text, sizeof text) > 0 || !process_alive(stage->command);
}

/* The process that the one that serves has launched; 0: it is gone already, or was never there. */
static pid_t successor(const struct stage *stage)
{
    char path[64], text[256];
    int pid = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)stage->proxy.pid,
             (int)stage->proxy.pid);
    if (read_file(path, text, sizeof text) > 0)
        (void)sscanf(text, "%d", &pid);
    return pid;
}

struct settling {
    struct stage *stage;
    bool ended, serves;
};

static bool has_settled(void *argument)
{
    struct settling *settling = argument;
    struct stage *stage = settling->stage;
    struct status status;
    settling->ended = !process_alive(stage->supervisor);
    settling->serves = proxy_status(&stage->proxy, &status) && status.count == 1;
    if (settling->serves) {
        stage->proxy.pid = status.pid;
        stage->proxy.generation = status.generation;
    }
    return settling->ended || (settling->serves && !process_alive(stage->command));
}

/* Each file is whole, and numbers rise. Returns the highest. */
static unsigned look_at_history(const struct proxy *proxy)
{
    struct outcome outcome;
    unsigned last = 0;
    ck_assert_int_eq(proxy_command(proxy, &outcome, "history", "--json", NULL), 0);
    ck_assert_str_eq(outcome.err, "");
    json_t *list = json_loads(outcome.out, 0, NULL), *entry;
    size_t i;
    json_array_foreach(list, i, entry)
    {
        unsigned number = (unsigned)json_integer_value(json_object_get(entry, "generation"));
        ck_assert_uint_gt(number, last);
        last = number;
        if (number == proxy->generation)
            ck_assert_int_eq((int)json_integer_value(json_object_get(entry, "exit")), 0);
    }
    json_decref(list);
    ck_assert_uint_ge(last, proxy->generation);
    return last;
}

static void kill_at_random(struct stage *stage, enum victim victim)
{
    unsigned moment = (unsigned)rand() % MOMENT_MAX_MS;
    stage->command = proxy_command_start(&stage->proxy, NULL, "reload", NULL);
    if (victim == NEW)
        wait_until(has_successor, stage, "the reload has launched a process, or failed");
    (void)usleep(moment * 1000);
    pid_t pid = victim == OLD   ? stage->proxy.pid
                : victim == NEW ? successor(stage)
                                : stage->supervisor;
    printf("     %s after %u ms\n", victims[victim], moment);
    if (pid > 0)
        (void)kill(pid, SIGKILL);
}

static void play_round(struct stage *stage, enum victim victim)
{
    struct settling settling = {.stage = stage};
    churn_wait(stage->churn, churn_ended(stage->churn) + 20);
    kill_at_random(stage, victim);
    if (victim == SUPERVISOR)
        (void)wait_gone(stage->supervisor);
    wait_until(has_settled, &settling, "one process serves, or the supervisor has ended");
    if (victim == SUPERVISOR) {
        wait_mentioned(stage->proxy.log, "the supervisor is gone");
        stage->supervisor = getpid(); /* none that could end */
        wait_until(has_settled, &settling, "the proxy serves without its supervisor");
        watcher_goes_on(&stage->watcher);
        stage->generation = look_at_history(&stage->proxy);
        end_life(stage, true);
    } else if (settling.ended) {
        struct status status;
        stage->watcher.life++; /* what is counted ends with the last process */
        expect_end(stage->supervisor, KILLED);
        ck_assert(!proxy_status(&stage->proxy, &status));
        stage->watcher.life++;
        end_life(stage, false);
    } else {
        watcher_goes_on(&stage->watcher);
        stage->generation = look_at_history(&stage->proxy);
    }
}

START_TEST(any_process_is_killed_while_all_is_in_use)
{
    struct stage stage = {.origin = origin_start(ORIGIN_ANSWER)};
    unsigned seed = (unsigned)now_ms();
    char folder[PATH_MAX], file[PATH_MAX + 32];
    printf("     seed %u\n", seed);
    srand(seed);
    stage.front = endpoint_loopback(port_reserve(getuid()));
    stage.metrics = port_reserve(getuid());
    proxy_init(&stage.proxy, "proxy");
    watcher_start(&stage.watcher, stage.metrics);
    for (unsigned i = 0; i < scaled(ROUNDS, 9); i++) {
        if (stage.supervisor == 0)
            begin_life(&stage, rand() % 2 ? "0s" : "200ms");
        play_round(&stage, (enum victim)(i % 3));
    }
    if (stage.supervisor == 0)
        begin_life(&stage, "0s");
    watcher_goes_on(&stage.watcher);
    proxy_reload(&stage.proxy);
    snprintf(file, sizeof file, "%s/generation-%u.ini", test_path(folder, "proxy.run/history"),
             stage.proxy.generation);
    wait_file(file);
    watcher_goes_on(&stage.watcher);
    (void)look_at_history(&stage.proxy);
    end_churn(&stage, true);
    watcher_stop(&stage.watcher);
    ck_assert_int_eq(kill(stage.supervisor, SIGTERM), 0);
    expect_end(stage.supervisor, 0);
    expect_clean_log(stage.proxy.log);
}
END_TEST

Suite *records_suite(void)
{
    Suite *suite = suite_create("records");
    scenario_add(suite, any_process_is_killed_while_all_is_in_use, 600);
    return suite;
}
