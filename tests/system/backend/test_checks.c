/* Servers that die and return, servers that the operator takes out, and the effect of reloads on
 * both. */
#include "tests/system/scenarios.h"
#include "tests/system/support/churn.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/origin.h"
#include "tests/system/support/scene.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { RELOADS = 30 };

/* --- what the proxy says of a server --- */

struct server_status {
    char check[8], admin[8], last_check[128];
    unsigned weight;
    uint64_t live, all;
};

static json_t *find_named(json_t *list, const char *name)
{
    size_t index;
    json_t *one;
    json_array_foreach(list, index, one)
    {
        if (strcmp(json_string_value(json_object_get(one, "name")), name) == 0) {
            return one;
        }
    }
    ck_abort_msg("status --json has no %s", name);
}

static struct server_status server_status(const struct proxy *proxy, const char *backend,
                                          const char *name)
{
    struct outcome outcome;
    struct server_status status;
    ck_assert_int_eq(proxy_command(proxy, &outcome, "status", "--json", NULL), 0);
    json_t *all = json_loads(outcome.out, 0, NULL);
    json_t *servers =
        json_object_get(find_named(json_object_get(all, "backends"), backend), "servers");
    const char *check, *admin;
    json_t *last;
    int weight;
    json_int_t live, sum;
    json_error_t error;
    ck_assert_msg(json_unpack_ex(find_named(servers, name), &error, 0,
                                 "{s:s, s:s, s:o, s:i, s:I, s:I}", "check", &check, "admin", &admin,
                                 "last_check", &last, "weight", &weight, "sessions", &live,
                                 "sessions_total", &sum) == 0,
                  "status --json: %s: %s", error.text, outcome.out);
    snprintf(status.check, sizeof status.check, "%s", check);
    snprintf(status.admin, sizeof status.admin, "%s", admin);
    snprintf(status.last_check, sizeof status.last_check, "%s",
             json_is_string(last) ? json_string_value(last) : "");
    status.weight = (unsigned)weight;
    status.live = (uint64_t)live;
    status.all = (uint64_t)sum;
    json_decref(all);
    return status;
}

struct wanted {
    const struct proxy *proxy;
    const char *name, *check;
};

static bool has_check_state(void *argument)
{
    const struct wanted *wanted = argument;
    return strcmp(server_status(wanted->proxy, "main", wanted->name).check, wanted->check) == 0;
}

static void wait_check_state(const struct proxy *proxy, const char *name, const char *check)
{
    wait_until(has_check_state, &(struct wanted){proxy, name, check}, check);
}

static bool has_no_sessions(void *argument)
{
    const struct wanted *wanted = argument;
    return server_status(wanted->proxy, "main", wanted->name).live == 0;
}

static void set_server(const struct proxy *proxy, const char *name, const char *what)
{
    struct outcome outcome;
    int code = proxy_command(proxy, &outcome, "server", name, what, NULL);
    ck_assert_msg(code == 0, "server %s %s: exit %d: %s%s", name, what, code, outcome.out,
                  outcome.err);
    ck_assert_msg(strstr(outcome.out, name) != NULL, "server %s %s: %s", name, what, outcome.out);
}

/* --- nginx --- */

struct nginx {
    char name[8], file[PATH_MAX], log[PATH_MAX];
    uint16_t port;
    pid_t pid;
};

static void nginx_prepare(struct nginx *nginx, const char *name)
{
    char file[NAME_MAX];
    const char *folder = test_directory();
    snprintf(nginx->name, sizeof nginx->name, "%s", name);
    nginx->port = port_reserve(getuid());
    snprintf(file, sizeof file, "nginx-%s.log", name);
    test_path(nginx->log, file);
    snprintf(file, sizeof file, "nginx-%s.conf", name);
    test_path(nginx->file, file);
    write_file(nginx->file, 0644,
               "daemon off; master_process off; pid %s/nginx-%s.pid; error_log %s;\n"
               "events { worker_connections 256; }\n"
               "http { access_log off; client_body_temp_path %s/body;\n"
               " proxy_temp_path %s/proxy; fastcgi_temp_path %s/fastcgi;\n"
               " uwsgi_temp_path %s/uwsgi; scgi_temp_path %s/scgi;\n"
               " server { listen 127.0.0.1:%u; location / { return 200 \"%s\\n\"; } } }\n",
               folder, name, nginx->log, folder, folder, folder, folder, folder, nginx->port, name);
}

static bool takes_connections(void *argument)
{
    const struct nginx *nginx = argument;
    struct endpoint where = endpoint_loopback(nginx->port);
    int fd = try_connect(&where);
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

static void nginx_start(struct nginx *nginx)
{
    const char *argv[] = {program_exists("nginx") ? "nginx" : "/usr/sbin/nginx", "-c", nginx->file,
                          NULL};
    nginx->pid =
        program_start(&(struct program){.argv = argv, .out = nginx->log, .err = nginx->log});
    wait_until(takes_connections, nginx, "nginx listens");
}

/* Opens a connection for one request and returns which server answers: "one" or "two". */
static void ask(const struct endpoint *front, char answer[static 512])
{
    static const char request[] = "GET / HTTP/1.0\r\n\r\n";
    size_t length = 0;
    int fd = connect_to(front);
    send_all(fd, request, sizeof request - 1);
    for (ssize_t got; (got = recv(fd, answer + length, 511 - length, 0)) != 0;) {
        ck_assert_msg(got > 0, "a request is lost: %s", strerror(errno));
        length += (size_t)got;
    }
    answer[length] = '\0';
    close(fd);
}

static unsigned answers_of(const struct endpoint *front, unsigned requests, const char *name)
{
    unsigned count = 0;
    char answer[512], body[16];
    snprintf(body, sizeof body, "\r\n%s\n", name);
    for (unsigned i = 0; i < requests; i++) {
        ask(front, answer);
        ck_assert_msg(strstr(answer, "200 OK") != NULL, "not an answer: %s", answer);
        count += strstr(answer, body) != NULL;
    }
    return count;
}

/* A killed server gets no connection, and clients notice nothing. It has its share again when it is
 * back. */
START_TEST(a_server_dies_and_returns)
{
    if (!program_exists("nginx") && !program_exists("/usr/sbin/nginx")) {
        skip_test("no nginx");
    }
    struct nginx one, two;
    struct proxy proxy;
    uint16_t port = port_reserve(getuid());
    struct endpoint front = endpoint_loopback(port);
    nginx_prepare(&one, "one");
    nginx_prepare(&two, "two");
    nginx_start(&one);
    nginx_start(&two);
    proxy_init(&proxy, "proxy");
    proxy_configure(&proxy,
                    "workers = 2\n[listen main]\nbind = 127.0.0.1:%u\ncheck = tcp\n"
                    "check-interval = 50ms\nserver = one 127.0.0.1:%u\n"
                    "server = two 127.0.0.1:%u\n",
                    port, one.port, two.port);
    proxy_start(&proxy);
    wait_check_state(&proxy, "one", "up");
    wait_check_state(&proxy, "two", "up");
    ck_assert_uint_ge(answers_of(&front, 20, "two"), 1);

    for (unsigned round = 1; round <= 3; round++) {
        kill(two.pid, SIGKILL);
        wait_gone(two.pid);
        wait_check_state(&proxy, "two", "down");
        struct server_status before = server_status(&proxy, "main", "two");
        ck_assert_str_eq(before.last_check, strerror(ECONNREFUSED));
        ck_assert_uint_eq(answers_of(&front, 20, "one"), 20);
        ck_assert_uint_eq(server_status(&proxy, "main", "two").all, before.all);
        wait_mentions(proxy.log, "server main/two is DOWN: ", round);

        nginx_start(&two);
        wait_check_state(&proxy, "two", "up");
        ck_assert_uint_ge(answers_of(&front, 20, "two"), 1);
    }
    wait_mentions(proxy.log, "server main/two is UP: ", 3);
    proxy_stop(&proxy);
    kill(one.pid, SIGQUIT);
    kill(two.pid, SIGQUIT);
    wait_gone(one.pid);
    wait_gone(two.pid);
}
END_TEST

/* --- origins of the test's own --- */

/* Accepts only clients that send something, which a check does not. */
static int listen_for_sessions(uint16_t port)
{
    struct endpoint where = endpoint_loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, seconds = 100;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof seconds);
    ck_assert_int_eq(bind(fd, &where.any, where.length), 0);
    ck_assert_int_eq(listen(fd, 1024), 0);
    return fd;
}

/* Reloads under load, with one server in maintenance by command, and one that was down and listens
 * again but has not passed enough checks. Neither server gets a session. */
START_TEST(reloads_with_servers_out)
{
    struct origin *good = origin_start(ORIGIN_ANSWER);
    struct origin *maint = origin_start(ORIGIN_ANSWER);
    struct proxy proxy;
    uint16_t port = port_reserve(getuid()), down_port = port_reserve(getuid());
    proxy_init(&proxy, "proxy");
    proxy_configure(&proxy,
                    "workers = 2\nmax-generations = 64\n[listen main]\nbind = 127.0.0.1:%u\n"
                    "check = tcp\ncheck-interval = 300ms\nrise = 1000\n"
                    "server = good 127.0.0.1:%u\nserver = maint 127.0.0.1:%u weight=7\n"
                    "server = down 127.0.0.1:%u weight=7\n",
                    port, origin_port(good), origin_port(maint), down_port);
    proxy_start(&proxy);
    wait_check_state(&proxy, "down", "down");
    struct origin *down = origin_start_on(ORIGIN_ANSWER, listen_for_sessions(down_port));
    struct churn *churn =
        churn_start(&(struct churn_options){.target = endpoint_loopback(port), .in_flight = 50});
    churn_wait(churn, 200);
    ck_assert_uint_gt(server_status(&proxy, "main", "maint").all, 0);
    set_server(&proxy, "main/maint", "maint");
    wait_until(has_no_sessions, &(struct wanted){&proxy, "maint", NULL}, "it has no session");
    uint64_t before = origin_accepted(maint);
    uint64_t counted = server_status(&proxy, "main", "maint").all;
    ck_assert_uint_gt(before, 0);
    for (unsigned i = 0; i < scaled(RELOADS, 5); i++) {
        churn_wait(churn, churn_ended(churn) + 50);
        proxy_reload(&proxy);
    }
    struct server_status status = server_status(&proxy, "main", "down");
    ck_assert_str_eq(status.check, "down");
    ck_assert_uint_eq(status.all, 0);
    status = server_status(&proxy, "main", "maint");
    ck_assert_str_eq(status.admin, "maint");
    ck_assert_uint_eq(status.all, counted); /* it goes on, and has no more */
    churn_stop_clean(churn, "beside reloads with servers out");
    ck_assert_uint_eq(origin_accepted(maint), before);
    ck_assert_uint_eq(origin_accepted(down), 0);

    /* A server that may be used again gets sessions: the load would have reached it before. */
    churn =
        churn_start(&(struct churn_options){.target = endpoint_loopback(port), .in_flight = 10});
    set_server(&proxy, "main/maint", "ready");
    churn_wait(churn, churn_ended(churn) + 100);
    churn_stop_clean(churn, "with one of them back");
    ck_assert_uint_gt(origin_accepted(maint), before);
    proxy_wait_drained(&proxy);
    proxy_stop(&proxy);
}
END_TEST

/* --- a proxy in front of this test --- */

static void configure(const struct scene *scene, const char *options, const char *servers, ...)
    __attribute__((format(printf, 3, 4)));

static void configure(const struct scene *scene, const char *options, const char *servers, ...)
{
    char text[2048];
    va_list arguments;
    va_start(arguments, servers);
    vsnprintf(text, sizeof text, servers, arguments);
    va_end(arguments);
    proxy_configure(&scene->proxy, "workers = 1\n%s[listen main]\nbind = 127.0.0.1:%u\n%s", options,
                    scene->port, text);
}

/* The connection is accepted and reset: no server was available. */
static void expect_no_server(const struct scene *scene)
{
    expect_reset_at(&scene->front);
}

START_TEST(sessions_stay_with_a_server_that_is_out)
{
    struct scene scene;
    scene_init(&scene);
    configure(&scene, "", "access-log = yes\nserver = a 127.0.0.1:%u\n", scene.server_port);
    proxy_start(&scene.proxy);
    struct session session = session_open(&scene);
    session_works(&session);
    static const char *const out[] = {"drain", "maint", "weight=0"};
    for (size_t i = 0; i < sizeof out / sizeof *out; i++) {
        set_server(&scene.proxy, "main/a", out[i]);
        expect_no_server(&scene);
        session_works(&session);
        ck_assert_uint_eq(server_status(&scene.proxy, "main", "a").live, 1);
    }
    set_server(&scene.proxy, "main/a", "ready");
    expect_no_server(&scene);
    set_server(&scene.proxy, "main/a", "weight=1");
    struct session other = session_open(&scene);
    session_works(&other);
    ck_assert_uint_eq(server_status(&scene.proxy, "main", "a").live, 2);
    ck_assert_uint_eq(server_status(&scene.proxy, "main", "a").all, 2);

    /* The sessions stay counted at their server after the reload. */
    proxy_reload(&scene.proxy);
    proxy_wait_drained(&scene.proxy);
    ck_assert_uint_eq(server_status(&scene.proxy, "main", "a").live, 2);
    ck_assert_uint_eq(server_status(&scene.proxy, "main", "a").all, 2);
    session_works(&session);
    session_close(&session);
    session_close(&other);
    wait_until(has_no_sessions, &(struct wanted){&scene.proxy, "a", NULL}, "no session is left");
    wait_mentions(scene.proxy.log, "server=main/- ", 4);
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(commands_that_are_wrong)
{
    static const struct {
        const char *which, *what, *says;
    } wrong[] = {
        {"other/a", "drain", "there is no backend 'other'"},
        {"mian/a", "drain", "did you mean 'main'?"},
        {"main/b", "drain", "backend main has no server 'b'"},
        {"main/", "drain", "backend main has no server ''"},
        {"main", "drain", "'main' must be BACKEND/SERVER"},
        {"/", "drain", "there is no backend ''"},
        {"", "drain", "'' must be BACKEND/SERVER"},
        {"main/\xff\"\n", "drain", "backend main has no server"},
        {"main/a", "up", "'up' must be ready, drain, maint, weight=N or maxconn=N"},
        {"main/a", "", "'' must be ready, drain, maint, weight=N or maxconn=N"},
        {"main/a", "weight", "'weight' must be ready"},
        {"main/a", "weight=", "weight '' must be 0 to 256"},
        {"main/a", "weight=257", "weight '257' must be 0 to 256"},
        {"main/a", "weight=-1", "weight '-1' must be 0 to 256"},
        {"main/a", "weight=18446744073709551617", "must be 0 to 256"},
        {"main/a", "weight=1x", "weight '1x' must be 0 to 256"},
    };
    struct scene scene;
    struct outcome outcome;
    scene_init(&scene);
    configure(&scene, "", "server = a 127.0.0.1:%u weight=3\n", scene.server_port);
    proxy_start(&scene.proxy);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int code =
            proxy_command(&scene.proxy, &outcome, "server", wrong[i].which, wrong[i].what, NULL);
        ck_assert_msg(code == 1 && strstr(outcome.err, wrong[i].says) != NULL &&
                          outcome.out[0] == '\0',
                      "server '%s' '%s': exit %d: %s%s", wrong[i].which, wrong[i].what, code,
                      outcome.out, outcome.err);
    }
    char much[3500];
    memset(much, 'x', sizeof much - 1);
    much[sizeof much - 1] = '\0';
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "server", much, "drain", NULL), 1);
    struct server_status status = server_status(&scene.proxy, "main", "a");
    ck_assert_str_eq(status.admin, "ready");
    ck_assert_str_eq(status.check, "off");
    ck_assert_uint_eq(status.weight, 3);

    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "server", NULL), 1);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "server", "main/a", NULL), 1);
    ck_assert_int_eq(
        proxy_command(&scene.proxy, &outcome, "server", "main/a", "drain", "now", NULL), 1);
    run(&outcome, proxy_binary(), "server", "main/a", "weight=5", "-s", scene.proxy.control, NULL);
    ck_assert_int_eq(outcome.code, 0);
    ck_assert_uint_eq(server_status(&scene.proxy, "main", "a").weight, 5);
    proxy_stop(&scene.proxy);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "server", "main/a", "drain", NULL), 8);
}
END_TEST

/* Counts how many of `count` connections reach which listener. */
static void count_connections(const struct scene *scene, int other, unsigned count,
                              unsigned got[static 2])
{
    got[0] = got[1] = 0;
    for (unsigned i = 0; i < count; i++) {
        int client = connect_to(&scene->front);
        send_all(client, "x", 1);
        while (!readable_within(scene->listener, 0) && !readable_within(other, 1)) {
        }
        bool first = readable_within(scene->listener, 0);
        int server = accept_from(first ? scene->listener : other);
        got[first ? 0 : 1]++;
        close(client);
        close(server);
    }
}

START_TEST(weights_and_states_outlive_reloads)
{
    struct scene scene;
    uint16_t port;
    unsigned got[2];
    int other = listen_loopback(&port);
    scene_init(&scene);
    configure(&scene, "", "server = a 127.0.0.1:%u\nserver = b 127.0.0.1:%u\n", scene.server_port,
              port);
    proxy_start(&scene.proxy);
    count_connections(&scene, other, 20, got);
    ck_assert_uint_eq(got[0], 10);
    set_server(&scene.proxy, "main/a", "weight=4");
    count_connections(&scene, other, 50, got);
    ck_assert_uint_ge(got[0], 39);
    ck_assert_uint_le(got[0], 41);
    proxy_reload(&scene.proxy);
    count_connections(&scene, other, 50, got);
    ck_assert_uint_ge(got[0], 39);
    ck_assert_uint_le(got[0], 41);
    set_server(&scene.proxy, "main/b", "drain");
    for (unsigned i = 0; i < 3; i++) {
        proxy_reload(&scene.proxy);
        count_connections(&scene, other, 10, got);
        ck_assert_uint_eq(got[1], 0);
    }

    /* A changed line is another server. The others keep their states. */
    configure(&scene, "", "server = b 127.0.0.1:%u weight=2\nserver = a 127.0.0.1:%u\n", port,
              scene.server_port);
    proxy_reload(&scene.proxy);
    ck_assert_str_eq(server_status(&scene.proxy, "main", "b").admin, "ready");
    ck_assert_uint_eq(server_status(&scene.proxy, "main", "b").weight, 2);
    ck_assert_uint_eq(server_status(&scene.proxy, "main", "a").weight, 4);
    count_connections(&scene, other, 60, got);
    ck_assert_uint_ge(got[1], 19);
    ck_assert_uint_le(got[1], 21);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

static bool the_old_one_drains(void *argument)
{
    struct status status;
    return proxy_status(argument, &status) && status.count == 2 &&
           strcmp(status.generations[0].state, "draining") == 0;
}

static bool both_have_heard(void *argument)
{
    return file_mentions(argument, "server main/a is in state maint by command") == 2;
}

/* A session of the old process is still looking for a server. It does not get a server that a
 * command to the new process has taken out. */
START_TEST(a_command_reaches_draining_processes)
{
    struct scene scene;
    scene_init(&scene);
    configure(&scene, "", "retries = 100\nserver = a 127.0.0.1:%u\n", port_reserve(getuid()));
    proxy_start(&scene.proxy);
    int client = connect_to(&scene.front);
    pid_t first = scene.proxy.pid;
    proxy_reload(&scene.proxy);
    wait_until(the_old_one_drains, &scene.proxy, "the old process drains");
    set_server(&scene.proxy, "main/a", "maint");
    wait_until(both_have_heard, scene.proxy.log, "the old process has heard of it");
    expect_reset(client);
    close(client);
    wait_gone(first);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

/* The only free local port is the server's own, and the server does not listen: TCP connects the
 * check to itself. */
START_TEST(a_check_does_not_mistake_itself_for_a_server)
{
    if (!network_own()) {
        skip_test("no network namespace of our own");
    }
    static const char range[] = "/proc/sys/net/ipv4/ip_local_port_range";
    struct scene scene;
    scene_init(&scene);
    int file = open(range, O_WRONLY | O_CLOEXEC);
    if (file < 0 || write(file, "40000 40000\n", 12) != 12) {
        skip_test("%s: %s", range, strerror(errno));
    }
    close(file);
    struct endpoint only_port = endpoint_loopback(40000);
    close(connect_to(&only_port));
    configure(&scene, "", "check = tcp\ncheck-interval = 10ms\nserver = a 127.0.0.1:40000\n");
    proxy_start(&scene.proxy);
    wait_check_state(&scene.proxy, "a", "down");
    ck_assert_str_eq(server_status(&scene.proxy, "main", "a").last_check, strerror(ECONNREFUSED));
    proxy_stop(&scene.proxy);
}
END_TEST

/* --- the gate --- */

static void expect_refused(const struct scene *scene, const char *says)
{
    struct outcome outcome;
    struct status status;
    int code = proxy_command(&scene->proxy, &outcome, "reload", NULL);
    ck_assert_msg(code == 4 && strstr(outcome.err, "backend main would have no usable server") &&
                      strstr(outcome.err, says) && strstr(outcome.err, "--force"),
                  "reload: exit %d: %s%s", code, outcome.out, outcome.err);
    ck_assert(proxy_status(&scene->proxy, &status));
    ck_assert_int_eq(status.pid, scene->proxy.pid);
    ck_assert_uint_eq(status.count, 1);
    struct session session = session_open(scene);
    session_works(&session);
    session_close(&session);
}

static void follow(struct scene *scene)
{
    unsigned before = scene->proxy.generation;
    proxy_follow(&scene->proxy);
    ck_assert_uint_gt(scene->proxy.generation, before);
}

/* check-interval is long: only the new process's first checks come in between. */
#define CHECKED "check = tcp\ncheck-interval = 1h\n"

START_TEST(a_reload_that_would_lose_a_backend)
{
    struct scene scene;
    struct outcome outcome;
    uint16_t refusing = port_reserve(getuid()), full = listen_full();
    scene_init(&scene);
    configure(&scene, "", "server = a 127.0.0.1:%u\n", scene.server_port);
    proxy_start(&scene.proxy);
    for (unsigned i = 0; i < scaled(5, 2); i++) {
        configure(&scene, "", CHECKED "server = a 127.0.0.1:%u\nserver = b 127.0.0.1:%u weight=2\n",
                  refusing, refusing);
        expect_refused(&scene, "a: down, Connection refused; b: down");
    }
    configure(&scene, "", CHECKED "check-timeout = 50ms\nserver = a 127.0.0.1:%u\n", full);
    expect_refused(&scene, "a: down, Connection timed out");

    /* One server that is up is enough, even a new one. */
    configure(&scene, "", CHECKED "server = a 127.0.0.1:%u\nserver = b 127.0.0.1:%u\n", refusing,
              scene.server_port);
    proxy_command(&scene.proxy, &outcome, "reload", NULL);
    ck_assert_msg(outcome.code == 0, "reload: exit %d: %s", outcome.code, outcome.err);
    close(accept_from(scene.listener)); /* the check */
    follow(&scene);
    proxy_wait_drained(&scene.proxy);
    ck_assert_str_eq(server_status(&scene.proxy, "main", "a").check, "down");
    /* The server that is left is known to be down. */
    configure(&scene, "", CHECKED "server = a 127.0.0.1:%u\n", refusing);
    expect_refused(&scene, "a: down, Connection refused");

    proxy_command(&scene.proxy, &outcome, "reload", "--force", NULL);
    ck_assert_msg(outcome.code == 0 && strstr(outcome.err, "backend main would have"),
                  "reload --force: exit %d: %s%s", outcome.code, outcome.out, outcome.err);
    follow(&scene);
    expect_no_server(&scene);
    /* The backend has no usable server, so there is nothing to lose. */
    proxy_wait_drained(&scene.proxy);
    proxy_reload(&scene.proxy);
    expect_no_server(&scene);
    configure(&scene, "", "server = a 127.0.0.1:%u\n", scene.server_port);
    proxy_reload(&scene.proxy);
    struct session session = session_open(&scene);
    session_works(&session);
    session_close(&session);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(maintenance_by_command_holds_up_no_reload)
{
    struct scene scene;
    scene_init(&scene);
    configure(&scene, "", "server = a 127.0.0.1:%u\n", scene.server_port);
    proxy_start(&scene.proxy);
    set_server(&scene.proxy, "main/a", "maint");
    for (unsigned i = 0; i < 3; i++) {
        proxy_reload(&scene.proxy);
        expect_no_server(&scene);
    }
    set_server(&scene.proxy, "main/a", "ready");
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

/* More servers than one message of the handover can describe. */
START_TEST(many_servers_keep_their_states)
{
    enum { SERVERS = 90 };
    static const char *const orders[] = {"maint", "drain", "weight=9", "ready"};
    struct scene scene;
    char servers[SERVERS * 48], name[16], path[32];
    size_t length = 0;
    scene_init(&scene);
    for (int i = 0; i < SERVERS; i++)
        length += (size_t)snprintf(servers + length, sizeof servers - length,
                                   "server = s%d 127.0.0.1:%u\n", i, scene.server_port);
    proxy_configure(&scene.proxy, "[listen main]\nbind = 127.0.0.1:%u\n%s", scene.port, servers);
    proxy_start(&scene.proxy);
    for (int i = 0; i < SERVERS; i += 7) {
        snprintf(path, sizeof path, "main/s%d", i);
        set_server(&scene.proxy, path, orders[i % 4]);
    }
    proxy_reload(&scene.proxy);
    for (int i = 0; i < SERVERS; i += 7) {
        snprintf(name, sizeof name, "s%d", i);
        struct server_status status = server_status(&scene.proxy, "main", name);
        ck_assert_str_eq(status.admin, i % 4 < 2 ? orders[i % 4] : "ready");
        ck_assert_uint_eq(status.weight, i % 4 == 2 ? 9 : 1);
    }
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

static bool reload_has_begun(void *argument)
{
    struct status status;
    return proxy_status(argument, &status) && status.count > 1;
}

/* The new process waits for the first check of a server that never answers, but not longer than
 * ready-timeout allows. A command meanwhile counts for this server as well. */
START_TEST(a_command_during_a_reload)
{
    struct scene scene;
    uint16_t full = listen_full();
    char options[] = "ready-timeout = 4s\n";
    scene_init(&scene);
    configure(&scene, options, "server = a 127.0.0.1:%u\n", scene.server_port);
    proxy_start(&scene.proxy);
    configure(&scene, options,
              "server = a 127.0.0.1:%u\n"
              "[backend slow]\n" CHECKED "check-timeout = 1h\nserver = s 127.0.0.1:%u\n",
              scene.server_port, full);
    pid_t reload = proxy_command_start(&scene.proxy, NULL, "reload", NULL);
    wait_until(reload_has_begun, &scene.proxy, "a successor is on its way");
    set_server(&scene.proxy, "main/a", "maint");
    set_server(&scene.proxy, "main/a", "weight=9");
    expect_no_server(&scene);
    ck_assert_int_eq(wait_gone(reload), 0);
    follow(&scene);
    struct server_status status = server_status(&scene.proxy, "main", "a");
    ck_assert_str_eq(status.admin, "maint");
    ck_assert_uint_eq(status.weight, 9);
    expect_no_server(&scene);
    ck_assert(!readable_within(scene.listener, 0));
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

/* The old process is killed while the new one waits for a first check. The new process serves at
 * once, with the states that it was sent. */
START_TEST(a_predecessor_dies_while_its_successor_checks)
{
    struct scene scene;
    uint16_t checked_port, full = listen_full();
    int checked = listen_loopback(&checked_port);
    scene_init(&scene);
    configure(&scene, "", "server = a 127.0.0.1:%u\nserver = b 127.0.0.1:1 weight=9\n",
              scene.server_port);
    proxy_start(&scene.proxy);
    set_server(&scene.proxy, "main/b", "maint");
    configure(&scene, "",
              "server = a 127.0.0.1:%u\nserver = b 127.0.0.1:1 weight=9\n"
              "[backend slow]\n" CHECKED "check-timeout = 1h\n"
              "server = never 127.0.0.1:%u\nserver = at-once 127.0.0.1:%u\n",
              scene.server_port, full, checked_port);
    pid_t reload = proxy_command_start(&scene.proxy, NULL, "reload", NULL);
    close(accept_from(checked));
    kill(scene.proxy.pid, SIGKILL);
    wait_gone(scene.proxy.pid);
    ck_assert_int_eq(wait_gone(reload), 0);
    follow(&scene);
    ck_assert_str_eq(server_status(&scene.proxy, "main", "b").admin, "maint");
    for (unsigned i = 0; i < 5; i++) {
        struct session session = session_open(&scene);
        session_works(&session);
        session_close(&session);
    }
    ck_assert_uint_eq(server_status(&scene.proxy, "main", "b").all, 0);
    proxy_stop(&scene.proxy);
}
END_TEST

Suite *checks_suite(void)
{
    Suite *suite = suite_create("checks");
    scenario_add(suite, a_server_dies_and_returns, 300);
    scenario_add(suite, reloads_with_servers_out, 600);
    scenario_add(suite, sessions_stay_with_a_server_that_is_out, 300);
    scenario_add(suite, commands_that_are_wrong, 300);
    scenario_add(suite, weights_and_states_outlive_reloads, 300);
    scenario_add(suite, a_command_reaches_draining_processes, 300);
    scenario_add(suite, a_check_does_not_mistake_itself_for_a_server, 300);
    scenario_add(suite, a_reload_that_would_lose_a_backend, 300);
    scenario_add(suite, maintenance_by_command_holds_up_no_reload, 300);
    scenario_add(suite, many_servers_keep_their_states, 300);
    scenario_add(suite, a_command_during_a_reload, 300);
    scenario_add(suite, a_predecessor_dies_while_its_successor_checks, 300);
    return suite;
}
