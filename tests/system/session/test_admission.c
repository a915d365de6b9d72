/* Who may come in: access lists, limits and rates by client address, and the rate of a frontend. */
#include "tests/system/scenarios.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/net.h"
#include "tests/system/support/proxy.h"
#include "tests/system/support/scene.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- clients with addresses of 127.0.0.0/8 --- */

/* Of a client with the address 127.0.0.0 plus `number`. */
static int socket_as(uint32_t number)
{
    struct sockaddr_in source = {.sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl(0x7f000000u + number)};
    const int on = 1;
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(client, 0);
    ck_assert_int_eq(setsockopt(client, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on), 0);
    ck_assert_int_eq(bind(client, (struct sockaddr *)&source, sizeof source), 0);
    return client;
}

static int connect_as(const struct endpoint *front, uint32_t number)
{
    int client = socket_as(number);
    ck_assert_msg(connect(client, &front->any, front->length) == 0, "connect: %s", strerror(errno));
    return client;
}

/* The client comes in: it is connected with the server. */
static struct session comes_in(const struct scene *scene, uint32_t number)
{
    struct session session = {.client = connect_as(&scene->front, number)};
    session.server = accept_from(scene->listener);
    session_works(&session);
    return session;
}

/* The client may be reset before it sends its bytes, or after. The kernel tells of a
 * reset once: by the first call that comes after it, connect(2) included. */
static void is_refused_with(const struct endpoint *front, uint32_t number, const char *text)
{
    int client = socket_as(number);
    size_t length = strlen(text);
    if (connect(client, &front->any, front->length) == 0 &&
        (length == 0 || send(client, text, length, MSG_NOSIGNAL) == (ssize_t)length))
        expect_reset(client);
    else
        ck_assert_msg(errno == ECONNRESET || errno == EPIPE, "%s", strerror(errno));
    close(client);
}

static void is_refused(const struct endpoint *front, uint32_t number)
{
    is_refused_with(front, number, "");
}

/* --- the status --- */

struct counts {
    json_int_t denied, list, source_limit, source_rate, over_limit;
};

static struct counts counts_of(const struct scene *scene)
{
    struct outcome outcome;
    struct counts counts = {0};
    ck_assert_int_eq(proxy_command(&scene->proxy, &outcome, "status", "--json", NULL), 0);
    json_t *status = json_loads(outcome.out, 0, NULL);
    ck_assert_int_eq(json_unpack(json_array_get(json_object_get(status, "frontends"), 0),
                                 "{s:I, s:{s:I, s:I, s:I, s:I}}", "denied", &counts.denied,
                                 "denied_by", "list", &counts.list, "source_limit",
                                 &counts.source_limit, "source_rate", &counts.source_rate,
                                 "over_limit", &counts.over_limit),
                     0);
    json_decref(status);
    return counts;
}

/* --- lists --- */

START_TEST(the_first_line_that_contains_the_client_decides)
{
    struct scene scene;
    char path[PATH_MAX];
    struct outcome outcome;
    write_file(test_path(path, "some.txt"), 0644, "# friends\n127.1.0.0/16\n\n127.2.0.7 ; one\n");
    scene_start(&scene, "",
                "access-log = yes\n"
                "deny = 127.1.0.9\n"
                "allow = 127.0.0.1 @some.txt\n"
                "deny = ::ffff:127.0.0.0/120\n"
                "allow = 127.0.1.0/24\n"
                "deny = any\n");
    static const uint32_t in[] = {0x1, 0x10001, 0x1ffff, 0x20007, 0x101, 0x1ff};
    static const uint32_t out[] = {0x2, 0x10009, 0x20008, 0x200, 0xff, 0xfffffe};
    for (size_t i = 0; i < sizeof in / sizeof in[0]; i++) {
        struct session session = comes_in(&scene, in[i]);
        session_close(&session);
        is_refused(&scene.front, out[i]);
    }
    wait_mentions(scene.proxy.log, "end=denied", 6);
    wait_mentioned(scene.proxy.log, "client=127.1.0.9:");
    struct counts counts = counts_of(&scene);
    ck_assert_int_eq(counts.denied, 6);
    ck_assert_int_eq(counts.list, 6);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "status", NULL), 0);
    ck_assert_ptr_nonnull(strstr(outcome.out, "\nmain             6     6 "));
    proxy_reload(&scene.proxy);
    proxy_wait_drained(&scene.proxy);
    is_refused(&scene.front, 2);
    ck_assert_int_eq(counts_of(&scene).list, 7); /* with those of the process that is gone */
    proxy_stop(&scene.proxy);
}
END_TEST

/* What it has sent already is never read. */
START_TEST(a_refused_client_is_not_read)
{
    struct scene scene;
    scene_start(&scene, "", "access-log = yes\nallow = 127.0.0.1\ndeny = any\n");
    is_refused_with(&scene.front, 2, "hello");
    wait_mentioned(scene.proxy.log, " connect=- ");
    wait_mentioned(scene.proxy.log, " in=0 out=0 retries=0 end=denied");
    ck_assert(!readable_within(scene.listener, 0));
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(unix_clients_match_any_only)
{
    struct scene scene;
    char path[PATH_MAX];
    scene_init(&scene);
    proxy_configure(&scene.proxy,
                    "workers = 2\n[listen main]\nbind = unix:%s\nserver = a 127.0.0.1:%u\n"
                    "deny = 0.0.0.0/0 ::/0\nmax-sessions-per-source = 1\n",
                    test_path(path, "front.sock"), scene.server_port);
    proxy_start(&scene.proxy);
    struct endpoint front = endpoint_unix(path);
    struct session one = session_through(&front, scene.listener);
    struct session two = session_through(&front, scene.listener);
    session_works(&one);
    session_works(&two);
    proxy_configure(&scene.proxy,
                    "workers = 2\n[listen main]\nbind = unix:%s\nserver = a 127.0.0.1:%u\n"
                    "deny = any\n",
                    path, scene.server_port);
    proxy_reload(&scene.proxy);
    proxy_wait_drained(&scene.proxy); /* its workers may accept once more from the same socket */
    int client = connect_to(&front);
    char byte;
    ck_assert_int_le(recv(client, &byte, 1, 0), 0);
    close(client);
    session_works(&one);
    session_close(&one);
    session_close(&two);
    proxy_stop(&scene.proxy);
}
END_TEST

/* A reload with a wrong list: exit status 2, both places are named, the old process serves on. */
static void reload_is_refused(struct scene *scene, const char *list, const char *wrong)
{
    struct outcome outcome;
    char line[PATH_MAX + 256];
    ck_assert_int_eq(proxy_command(&scene->proxy, &outcome, "reload", NULL), 2);
    snprintf(line, sizeof line, "%s:8: deny: %s%s", scene->proxy.file, list, wrong);
    ck_assert_msg(strstr(outcome.err, line) != NULL, "'%s' is not in '%s'", line, outcome.err);
    ck_assert_int_eq(proxy_command(&scene->proxy, &outcome, "check", NULL), 2);
    ck_assert_ptr_nonnull(strstr(outcome.err, line));
    is_refused(&scene->front, 5);
    struct session session = comes_in(scene, 6);
    session_close(&session);
}

START_TEST(a_list_changes_at_a_reload)
{
    struct scene scene;
    char list[PATH_MAX], text[PATH_MAX + 256];
    struct outcome outcome;
    write_file(test_path(list, "deny.txt"), 0644, "127.0.0.5\n");
    scene_init(&scene);
    proxy_configure(&scene.proxy,
                    "[listen main]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n"
                    "deny = @deny.txt\n",
                    scene.port, scene.server_port);
    proxy_start(&scene.proxy);
    is_refused(&scene.front, 5);
    struct session kept = comes_in(&scene, 6);

    write_file(list, 0644, "127.0.0.6\n127.0.0.7\n");
    is_refused(&scene.front, 5); /* not before a reload */
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--dry-run", NULL), 0);
    snprintf(text, sizeof text, "list %s: 1 entries (", list);
    ck_assert_msg(strstr(outcome.out, text) != NULL, "%s", outcome.out);
    ck_assert_ptr_nonnull(strstr(outcome.out, " -> 2 entries ("));
    proxy_reload(&scene.proxy);
    is_refused(&scene.front, 6);
    struct session session = comes_in(&scene, 5);
    session_close(&session);
    session_works(&kept); /* a list counts for new sessions */
    session_close(&kept);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--dry-run", NULL), 0);
    ck_assert_ptr_nonnull(strstr(outcome.out, "would change nothing"));

    write_file(list, 0644, "127.0.0.5\n");
    proxy_reload(&scene.proxy);
    write_file(list, 0644, "127.0.0.5\nlocalhost\n127.0.0.9/33\n");
    reload_is_refused(&scene, list, ":2: 'localhost' is not an IP address or ADDRESS/BITS");
    reload_is_refused(&scene, list, ":3: '127.0.0.9/33' has no prefix length");
    ck_assert_int_eq(truncate(list, (off_t)65 << 20), 0);
    reload_is_refused(&scene, list, ": larger than 64 MiB");
    ck_assert_int_eq(unlink(list), 0);
    reload_is_refused(&scene, list, ": No such file or directory");
    ck_assert_int_eq(mkfifo(list, 0644), 0);
    reload_is_refused(&scene, list, ": not a regular file");
    ck_assert_int_eq(unlink(list), 0);
    ck_assert_int_eq(symlink("/dev/zero", list), 0);
    reload_is_refused(&scene, list, ": not a regular file");
    ck_assert_int_eq(unlink(list), 0);
    ck_assert_int_eq(mkdir(list, 0755), 0);
    reload_is_refused(&scene, list, ": Is a directory");
    ck_assert_int_eq(rmdir(list), 0);
    ck_assert_int_eq(symlink(list, list), 0);
    reload_is_refused(&scene, list, ": Too many levels of symbolic links");
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "config", NULL), 0);
    snprintf(text, sizeof text, "deny = @%s\n", list); /* the list is gone, what runs is shown */
    ck_assert_ptr_nonnull(strstr(outcome.out, text));
    ck_assert_int_eq(unlink(list), 0);
    proxy_stop(&scene.proxy);
}
END_TEST

/* Entries are written all the time while reloads run. */
START_TEST(a_list_that_is_written_to_is_not_read_by_halves)
{
    struct scene scene;
    char list[PATH_MAX], other[PATH_MAX];
    struct outcome outcome;
    write_file(test_path(list, "deny.txt"), 0644, "127.0.0.5\n");
    test_path(other, "new.txt");
    scene_init(&scene);
    proxy_configure(&scene.proxy,
                    "[listen main]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n"
                    "deny = @deny.txt\n",
                    scene.port, scene.server_port);
    proxy_start(&scene.proxy);
    const char *const argv[] = {
        "sh",
        "-c",
        "while :; do { echo 127.0.0.5; seq -f 10.0.%g.0/24 0 255; echo 127.0.0.7; } >\"$1\"; "
        "mv \"$1\" \"$2\"; done",
        "sh",
        other,
        list,
        NULL};
    pid_t writer = program_start(&(struct program){.argv = argv});
    for (unsigned i = 0; i < 10; i++) {
        proxy_reload(&scene.proxy);
        is_refused(&scene.front, 5);
        struct session session = comes_in(&scene, 6);
        session_close(&session);
    }
    ck_assert_int_eq(kill(writer, SIGKILL), 0);
    wait_gone(writer);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "check", NULL), 0);
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(a_hundred_thousand_entries)
{
    struct scene scene;
    char path[PATH_MAX];
    scene_init(&scene);
    FILE *file = fopen(test_path(path, "deny.txt"), "w");
    ck_assert_ptr_nonnull(file);
    for (uint32_t i = 0; i < 100000; i++) {
        if (i % 4 == 3)
            fprintf(file, "2001:db8:%x:%x::/64\n", i >> 16, i & 0xffff);
        else
            fprintf(file, "127.%u.%u.%u\n", 16 + (i >> 16), i >> 8 & 0xff, i & 0xff);
    }
    fclose(file);
    proxy_configure(&scene.proxy, "[listen main]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n",
                    scene.port, scene.server_port);
    proxy_start(&scene.proxy);
    int64_t begin = now_ms();
    proxy_reload(&scene.proxy);
    int64_t without_list = now_ms() - begin;
    unsigned long long memory = process_status(scene.proxy.pid, "VmRSS:", 10);
    proxy_configure(&scene.proxy,
                    "[listen main]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n"
                    "deny = @deny.txt\n",
                    scene.port, scene.server_port);
    proxy_reload(&scene.proxy);
    begin = now_ms();
    proxy_reload(&scene.proxy);
    printf("100,000 entries: a reload takes %lld ms (%lld ms without), and the process has %llu "
           "KiB (%llu KiB without)\n",
           (long long)(now_ms() - begin), (long long)without_list,
           process_status(scene.proxy.pid, "VmRSS:", 10), memory);
    is_refused(&scene.front, 16u << 16 | 0x0102);
    is_refused(&scene.front, 17u << 16 | 0x8000);
    struct session session = comes_in(&scene, 16u << 16 | 0x0103); /* i % 4 == 3 */
    session_close(&session);
    session = comes_in(&scene, 18u << 16);
    session_close(&session);
    proxy_stop(&scene.proxy);
}
END_TEST

/* --- sessions of a source --- */

enum { LIMIT = 5, SOURCES = 4 };

/* Each source tries twice as often as it may, from all workers. */
static void fill(const struct scene *scene, struct session sessions[SOURCES][LIMIT])
{
    for (uint32_t source = 0; source < SOURCES; source++)
        for (unsigned i = 0; i < 2 * LIMIT; i++)
            if (i < LIMIT)
                sessions[source][i] = comes_in(scene, 10 + source);
            else
                is_refused(&scene->front, 10 + source);
}

START_TEST(a_source_has_no_more_sessions_than_it_may)
{
    struct scene scene;
    struct session sessions[SOURCES][LIMIT];
    scene_start(&scene, "workers = 4\n", "max-sessions-per-source = 5\naccess-log = yes\n");
    fill(&scene, sessions);
    wait_mentions(scene.proxy.log, "end=source-limit", SOURCES * LIMIT);
    ck_assert_int_eq(counts_of(&scene).source_limit, SOURCES * LIMIT);
    for (unsigned i = 0; i < 20; i++) {
        unsigned which = i % LIMIT, source = i % SOURCES;
        session_close(&sessions[source][which]);
        wait_mentions(scene.proxy.log, "end=done", i + 1);
        sessions[source][which] = comes_in(&scene, 10 + source);
        is_refused(&scene.front, 10 + source);
    }
    for (unsigned source = 0; source < SOURCES; source++)
        for (unsigned i = 0; i < LIMIT; i++)
            session_close(&sessions[source][i]);
    wait_mentions(scene.proxy.log, "end=done", 20 + SOURCES * LIMIT);
    fill(&scene, sessions);
    for (unsigned source = 0; source < SOURCES; source++)
        for (unsigned i = 0; i < LIMIT; i++)
            session_close(&sessions[source][i]);
    proxy_stop(&scene.proxy);
}
END_TEST

/* Sessions that move, and those that stay in a process that drains, count for the new process. */
static void count_over_reloads(const char *global, bool moves)
{
    struct scene scene;
    struct session sessions[SOURCES][LIMIT];
    scene_start(&scene, global, "max-sessions-per-source = 5\naccess-log = yes\n");
    fill(&scene, sessions);
    for (unsigned i = 0; i < 3; i++) {
        proxy_reload(&scene.proxy);
        for (uint32_t source = 0; source < SOURCES; source++)
            is_refused(&scene.front, 10 + source);
        session_close(&sessions[1][i]);
        wait_mentions(scene.proxy.log, "end=done", i + 1);
        if (moves) /* a session counts in both processes while it moves */
            proxy_wait_drained(&scene.proxy);
        sessions[1][i] = comes_in(&scene, 11);
        is_refused(&scene.front, 11);
    }
    for (unsigned source = 0; source < SOURCES; source++)
        for (unsigned i = 0; i < LIMIT; i++)
            session_close(&sessions[source][i]);
    proxy_wait_drained(&scene.proxy);
    wait_mentions(scene.proxy.log, "end=done", 3 + SOURCES * LIMIT);
    fill(&scene, sessions);
    for (unsigned source = 0; source < SOURCES; source++)
        for (unsigned i = 0; i < LIMIT; i++)
            session_close(&sessions[source][i]);
    proxy_stop(&scene.proxy);
}

START_TEST(sessions_of_a_source_that_move_count)
{
    count_over_reloads("workers = 2\ndrain = handoff\n", true);
}
END_TEST

START_TEST(sessions_of_a_source_in_old_processes_count)
{
    count_over_reloads("workers = 2\ndrain = wait\n", false);
}
END_TEST

/* A process that is killed keeps no places. */
START_TEST(sessions_of_a_killed_process_do_not_count)
{
    struct scene scene;
    scene_start(&scene, "drain = wait\n", "max-sessions-per-source = 1\n");
    struct session lost = comes_in(&scene, 9);
    pid_t old = scene.proxy.pid;
    proxy_reload(&scene.proxy);
    is_refused(&scene.front, 9);
    ck_assert_int_eq(kill(old, SIGKILL), 0);
    expect_eof(lost.client);
    proxy_wait_drained(&scene.proxy);
    struct session session = comes_in(&scene, 9);
    session_close(&session);
    close(lost.client);
    close(lost.server);
    (void)wait_gone(old);
    proxy_stop(&scene.proxy);
}
END_TEST

/* --- behind a PROXY header --- */

static int connect_with_header(const struct scene *scene, const char *source)
{
    char header[128];
    int client = connect_as(&scene->front, 1);
    int length = snprintf(header, sizeof header, "PROXY TCP4 %s 192.0.2.1 1000 80\r\n", source);
    send_all(client, header, (size_t)length);
    return client;
}

static void is_refused_with_header(const struct scene *scene, const char *source)
{
    int client = connect_with_header(scene, source);
    expect_reset(client);
    close(client);
}

static struct session comes_in_with_header(const struct scene *scene, const char *source)
{
    struct session session = {.client = connect_with_header(scene, source)};
    session.server = accept_from(scene->listener);
    session_works(&session);
    return session;
}

/* Lists and limits go by what the header tells, also for sessions that have moved. */
START_TEST(a_proxy_header_tells_the_source)
{
    struct scene scene;
    scene_start(&scene, "",
                "accept-proxy = 127.0.0.1\nmax-sessions-per-source = 2\naccess-log = yes\n"
                "allow = 203.0.113.0/24 127.0.0.2\ndeny = any\n");
    is_refused_with_header(&scene, "198.51.100.1");
    is_refused_with_header(&scene, "127.0.0.1");
    struct session one = comes_in_with_header(&scene, "203.0.113.7");
    struct session two = comes_in_with_header(&scene, "203.0.113.7");
    struct session other = comes_in_with_header(&scene, "203.0.113.8");
    struct session direct = comes_in(&scene, 2);
    is_refused(&scene.front, 3);
    is_refused_with_header(&scene, "203.0.113.7");
    wait_mentions(scene.proxy.log, "end=denied", 3);
    wait_mentions(scene.proxy.log, "end=source-limit", 1);
    for (unsigned i = 0; i < 2; i++) {
        proxy_reload(&scene.proxy);
        proxy_wait_drained(&scene.proxy);
        is_refused_with_header(&scene, "203.0.113.7");
    }
    session_close(&two);
    wait_mentions(scene.proxy.log, "end=done", 1);
    two = comes_in_with_header(&scene, "203.0.113.7");
    is_refused_with_header(&scene, "203.0.113.7");
    session_close(&one);
    session_close(&two);
    session_close(&other);
    session_close(&direct);
    proxy_stop(&scene.proxy);
}
END_TEST

/* --- rates --- */

START_TEST(a_source_is_refused_beyond_its_rate)
{
    struct scene scene;
    scene_start(&scene, "workers = 4\n", "rate-per-source = 4/h\naccess-log = yes\n");
    for (uint32_t source = 20; source < 23; source++) {
        for (unsigned i = 0; i < 4; i++) {
            struct session session = comes_in(&scene, source);
            session_close(&session);
        }
        for (unsigned i = 0; i < 4; i++)
            is_refused(&scene.front, source);
    }
    wait_mentions(scene.proxy.log, "end=source-rate", 12);
    ck_assert_int_eq(counts_of(&scene).source_rate, 12);
    struct session session = comes_in(&scene, 30);
    session_close(&session);
    proxy_reload(&scene.proxy); /* while the old process drains, and when it is gone */
    is_refused(&scene.front, 20);
    proxy_wait_drained(&scene.proxy);
    proxy_reload(&scene.proxy);
    proxy_wait_drained(&scene.proxy);
    is_refused(&scene.front, 21);
    for (unsigned i = 1; i < 4; i++) {
        session = comes_in(&scene, 30);
        session_close(&session);
    }
    is_refused(&scene.front, 30);
    proxy_stop(&scene.proxy);
}
END_TEST

/* Clients beyond the rate stay in the backlog, until there is another rate. */
START_TEST(clients_beyond_the_rate_of_a_frontend_wait)
{
    struct scene scene;
    struct session sessions[6];
    scene_start(&scene, "workers = 2\n", "max-rate = 3/h\ndeny = 127.0.0.9\n");
    for (unsigned i = 0; i < 3; i++) {
        is_refused(&scene.front, 9); /* does not count */
        sessions[i] = comes_in(&scene, 1);
    }
    for (unsigned i = 3; i < 6; i++)
        sessions[i].client = connect_as(&scene.front, 1);
    ck_assert(!readable_within(scene.listener, 300));
    scene_configure(&scene, "workers = 2\n", "max-rate = 1000000/s\n");
    proxy_reload(&scene.proxy);
    for (unsigned i = 3; i < 6; i++) {
        sessions[i].server = accept_from(scene.listener);
        send_all(sessions[i].client, "x", 1);
    }
    for (unsigned i = 3; i < 6; i++) {
        char byte;
        receive_exactly(sessions[i].server, &byte, 1);
    }
    for (unsigned i = 0; i < 6; i++) {
        close(sessions[i].client);
        close(sessions[i].server);
    }
    proxy_stop(&scene.proxy);
}
END_TEST

/* None is lost, and none faster than the rate: counted at the server. */
START_TEST(a_frontend_keeps_its_rate)
{
    enum { RATE = 200, CLIENTS = 500 };
    struct scene scene;
    static int clients[CLIENTS], servers[CLIENTS];
    scene_start(&scene, "workers = 4\n", "max-rate = 200/s\n");
    /* The test sees a client later than the proxy accepts it: the time begins before the first one,
     * and ends when the test has seen the last one. */
    int64_t begin = now_ms();
    for (unsigned i = 0; i < CLIENTS; i++)
        clients[i] = connect_as(&scene.front, 1);
    for (unsigned i = 0; i < CLIENTS; i++)
        servers[i] = accept_from(scene.listener);
    int64_t took = now_ms() - begin;
    printf("max-rate = 200/s: %d clients in %lld ms\n", CLIENTS, (long long)took);
    ck_assert_int_ge(took, (CLIENTS - RATE - 1) * 1000 / RATE);
    for (unsigned i = 0; i < CLIENTS; i++) {
        close(clients[i]);
        close(servers[i]);
    }
    proxy_stop(&scene.proxy);
}
END_TEST

static void close_over_limit(const char *limit, bool comes_free)
{
    struct scene scene;
    char rest[128];
    snprintf(rest, sizeof rest, "%sover-limit = close\naccess-log = yes\n", limit);
    scene_start(&scene, "", rest);
    struct session one = comes_in(&scene, 1), two = comes_in(&scene, 1);
    is_refused(&scene.front, 1);
    is_refused(&scene.front, 2);
    wait_mentions(scene.proxy.log, "end=over-limit", 2);
    ck_assert_int_eq(counts_of(&scene).over_limit, 2);
    session_close(&two);
    wait_mentions(scene.proxy.log, "end=done", 1);
    if (comes_free) {
        two = comes_in(&scene, 1);
        session_close(&two);
    } else {
        is_refused(&scene.front, 1);
    }
    session_close(&one);
    proxy_stop(&scene.proxy);
}

START_TEST(over_max_sessions_clients_are_closed_if_so_configured)
{
    close_over_limit("max-sessions = 2\n", true);
}
END_TEST

START_TEST(over_max_rate_clients_are_closed_if_so_configured)
{
    close_over_limit("max-rate = 2/h\n", false);
}
END_TEST

/* All limits at once, with reloads: nobody is lost, and no session is counted for ever. */
START_TEST(limits_across_many_reloads)
{
    struct scene scene;
    scene_start(&scene, "workers = 2\n",
                "max-sessions-per-source = 3\nrate-per-source = 1000/s\nmax-rate = 5000/s\n"
                "allow = 127.0.0.0/16\ndeny = any\naccess-log = yes\n");
    unsigned done = 0;
    for (unsigned round = 0; round < scaled(10, 3); round++) {
        struct session kept[3];
        for (unsigned i = 0; i < 3; i++)
            kept[i] = comes_in(&scene, 7);
        proxy_reload(&scene.proxy);
        is_refused(&scene.front, 7);
        is_refused(&scene.front, 1u << 16);
        for (unsigned i = 0; i < 50; i++) {
            struct session session = comes_in(&scene, 100 + i);
            session_close(&session);
            done++;
        }
        for (unsigned i = 0; i < 3; i++) {
            session_works(&kept[i]);
            session_close(&kept[i]);
            done++;
        }
        wait_mentions(scene.proxy.log, "end=done", done);
    }
    proxy_stop(&scene.proxy);
}
END_TEST

/* As many addresses as the table has, each with its own bucket. */
START_TEST(a_hundred_thousand_sources)
{
    const unsigned sources = scaled(100000, 2000);
    struct scene scene;
    scene_start(&scene, "workers = 2\n", "rate-per-source = 1/h\n");
    unsigned long long before = process_status(scene.proxy.pid, "VmRSS:", 10);
    int64_t begin = now_ms();
    for (unsigned i = 0; i < sources; i++) {
        int client = connect_as(&scene.front, 0x10000 + i);
        close(accept_from(scene.listener));
        send_reset(client);
    }
    printf("%u sources: %lld ms, %llu KiB before, %llu KiB after\n", sources,
           (long long)(now_ms() - begin), before, process_status(scene.proxy.pid, "VmRSS:", 10));
    for (unsigned i = 0; i < sources; i += 97)
        is_refused(&scene.front, 0x10000 + i);
    proxy_reload(&scene.proxy);
    proxy_wait_drained(&scene.proxy);
    for (unsigned i = 0; i < sources; i += 97)
        is_refused(&scene.front, 0x10000 + i);
    struct session session = comes_in(&scene, 2);
    session_close(&session);
    proxy_stop(&scene.proxy);
}
END_TEST

Suite *admission_suite(void)
{
    Suite *suite = suite_create("admission");
    scenario_add(suite, the_first_line_that_contains_the_client_decides, 120);
    scenario_add(suite, a_refused_client_is_not_read, 120);
    scenario_add(suite, unix_clients_match_any_only, 120);
    scenario_add(suite, a_list_changes_at_a_reload, 240);
    scenario_add(suite, a_list_that_is_written_to_is_not_read_by_halves, 240);
    scenario_add(suite, a_hundred_thousand_entries, 240);
    scenario_add(suite, a_source_has_no_more_sessions_than_it_may, 120);
    scenario_add(suite, sessions_of_a_source_that_move_count, 240);
    scenario_add(suite, sessions_of_a_source_in_old_processes_count, 240);
    scenario_add(suite, sessions_of_a_killed_process_do_not_count, 120);
    scenario_add(suite, a_proxy_header_tells_the_source, 120);
    scenario_add(suite, a_source_is_refused_beyond_its_rate, 120);
    scenario_add(suite, clients_beyond_the_rate_of_a_frontend_wait, 120);
    scenario_add(suite, a_frontend_keeps_its_rate, 120);
    scenario_add(suite, over_max_sessions_clients_are_closed_if_so_configured, 120);
    scenario_add(suite, over_max_rate_clients_are_closed_if_so_configured, 120);
    scenario_add(suite, limits_across_many_reloads, 240);
    scenario_add(suite, a_hundred_thousand_sources, 600);
    return suite;
}
