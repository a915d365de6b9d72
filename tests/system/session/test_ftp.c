/* FTP in passive mode: vsftpd and curl, through the example with a range of data ports. */
#include "tests/system/scenarios.h"
#include "tests/system/support/example.h"
#include "tests/system/support/lasting.h"
#include "tests/system/support/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SERVERS = 2, FILE_BYTES = 64 << 20 };

static const char vsftpd[] = "/usr/sbin/vsftpd";

static bool greets(void *host)
{
    struct endpoint where = endpoint_loopback(21);
    char greeting[3] = "";
    inet_pton(AF_INET, host, &where.in.sin_addr);
    int fd = try_connect(&where);
    bool good = fd >= 0 && recv(fd, greeting, sizeof greeting, MSG_WAITALL) == sizeof greeting &&
                memcmp(greeting, "220", sizeof greeting) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return good;
}

/* A server of anonymous users, which tells them the address of the proxy. */
static pid_t start_server(unsigned number, const char *folder)
{
    char host[16], name[32], file[PATH_MAX], log[PATH_MAX];
    snprintf(host, sizeof host, "10.0.0.10%u", number);
    snprintf(name, sizeof name, "vsftpd%u.conf", number);
    write_file(test_path(file, name), 0600,
               "listen=YES\nbackground=NO\nlisten_address=%s\nanonymous_enable=YES\n"
               "local_enable=NO\nno_anon_password=YES\nanon_root=%s\n"
               "nopriv_user=nobody\nsecure_chroot_dir=%s\npasv_address=127.0.0.1\n"
               "pasv_min_port=30000\npasv_max_port=30009\nseccomp_sandbox=NO\nisolate=NO\n"
               "isolate_network=NO\nxferlog_enable=NO\nftpd_banner=ftp%u\n",
               host, folder, folder, number);
    snprintf(name, sizeof name, "vsftpd%u.log", number);
    const char *argv[] = {vsftpd, file, NULL};
    test_path(log, name);
    pid_t server = program_start(&(struct program){.argv = argv, .out = log, .err = log});
    wait_until(greets, host, "vsftpd greets");
    return server;
}

static void make_file(const char *path)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    for (unsigned i = 0; i < FILE_BYTES / 8; i++) {
        fprintf(file, "%07u\n", i);
    }
    ck_assert_int_eq(fclose(file), 0);
    chmod(path, 0644);
}

static void expect_same(const char *one, const char *other)
{
    struct outcome outcome;
    run(&outcome, "cmp", one, other, NULL);
    ck_assert_msg(outcome.code == 0, "%s%s", outcome.out, outcome.err);
}

/* way: EPSV, which tells a port only, or PASV, which tells an address and a port. */
static void download(const char *way, const char *file, const char *copy)
{
    struct outcome outcome;
    run(&outcome, "curl", "-sS", way, "--no-ftp-skip-pasv-ip", "-o", copy, "ftp://127.0.0.1/big",
        NULL);
    ck_assert_msg(outcome.code == 0, "curl %s: %s", way, outcome.err);
    expect_same(file, copy);
}

/* Which server greets a client of the proxy. */
static unsigned server_of_clients(void)
{
    char greeting[] = "220 ftp?";
    struct endpoint front = endpoint_loopback(21);
    int client = connect_to(&front);
    receive_exactly(client, greeting, strlen(greeting));
    close(client);
    ck_assert_msg(greeting[7] == '1' || greeting[7] == '2', "%s", greeting);
    return (unsigned)(greeting[7] - '0');
}

static unsigned sessions_of(const struct proxy *proxy)
{
    struct status status;
    ck_assert(proxy_status(proxy, &status));
    return status.sessions;
}

/* For wait_until(): whether there is a connection for the control and one for the data. */
static bool transfers(void *proxy)
{
    return sessions_of(proxy) == 2;
}

START_TEST(ftp_in_passive_mode)
{
    struct proxy proxy;
    struct outcome outcome;
    struct load load;
    struct lasting control = {.name = "control",
                              .command = RAW_CLIENT("21"),
                              .say = "NOOP\r\n",
                              .answer = "200 NOOP ok."};
    char folder[PATH_MAX], file[PATH_MAX], copy[PATH_MAX], down[64];
    char pipe[PATH_MAX], from[PATH_MAX + 8], to[PATH_MAX + 8];
    pid_t servers[SERVERS];
    if (!program_exists(vsftpd)) {
        skip_test("no vsftpd");
    }
    if (!example_network()) {
        skip_test("no network namespace");
    }
    mkdir(test_path(folder, "ftp"), 0755);
    write_file(test_path(file, "ftp/small"), 0644, "whole\n");
    make_file(test_path(file, "ftp/big"));
    chmod(folder, 0555); /* vsftpd wants no folder that its users could write to */
    test_path(copy, "copy");
    for (unsigned i = 0; i < SERVERS; i++) {
        servers[i] = start_server(i + 1, folder);
    }
    proxy_init(&proxy, "proxy");
    example_configure(&proxy, "ftp.ini", "workers = 2\n");
    proxy_start(&proxy);
    download("--epsv", file, copy);
    download("--disable-epsv", file, copy);

    /* A transfer that is under way moves to the new process, and a control connection. The client
     * waits for a reader, and the rest of the file is more than the buffers on the way hold. */
    const char *argv[] = {"curl", "-sS", "-o", pipe, "ftp://127.0.0.1/big", NULL};
    struct lasting *const lasting[] = {&control, NULL};
    ck_assert_int_eq(mkfifo(test_path(pipe, "pipe"), 0600), 0);
    pid_t client = program_start(&(struct program){.argv = argv});
    wait_until(transfers, &proxy, "the transfer has begun");
    lasting_start(&control, "220 ");
    lasting_say(&control, "USER anonymous\r\nPASS a@example.org\r\n");
    wait_mentioned(control.out, "230 ");
    hand_over(&proxy, lasting, NULL);
    ck_assert_uint_eq(sessions_of(&proxy), 3);
    load_start(&load, "small", "curl -sS ftp://127.0.0.1/small");
    reload_under_loads(&proxy, (const struct load *const[]){&load, NULL});
    hand_over(&proxy, lasting, (const struct load *const[]){&load, NULL});
    ck_assert_uint_eq(load_stop(&load), file_mentions(load.done, "whole"));
    lasting_end(&control);
    snprintf(from, sizeof from, "if=%s", pipe);
    snprintf(to, sizeof to, "of=%s", copy);
    run(&outcome, "dd", "status=none", from, to, NULL);
    ck_assert_int_eq(outcome.code, 0);
    ck_assert_int_eq(wait_gone(client), 0);
    expect_same(file, copy);
    download("--epsv", file, copy);

    /* The other server takes over both ports. */
    unsigned first = server_of_clients();
    kill(servers[first - 1], SIGTERM);
    wait_gone(servers[first - 1]);
    snprintf(down, sizeof down, "server data/ftp%u is DOWN, as control/ftp%u", first, first);
    wait_mentioned(proxy.log, down);
    ck_assert_uint_ne(server_of_clients(), first);
    download("--epsv", file, copy);
    download("--disable-epsv", file, copy);
    /* Not proxy_stop(): processes of the server that was ended become children of the test, and
     * exit with 1 and 2. */
    ck_assert_int_eq(proxy_command(&proxy, &outcome, "stop", NULL), 0);
    expect_clean_log(proxy.log);
}
END_TEST

Suite *ftp_suite(void)
{
    Suite *suite = suite_create("ftp");
    scenario_add(suite, ftp_in_passive_mode, 180);
    return suite;
}
