#include "tests/system/support/peers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void name_socket(struct client *client)
{
    struct endpoint own = {.length = sizeof own.un};
    char host[INET6_ADDRSTRLEN];
    ck_assert_int_eq(getsockname(client->socket, &own.any, &own.length), 0);
    if (own.any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &own.in6.sin6_addr, host, sizeof host);
        snprintf(client->name, sizeof client->name, "[%s]:%u", host, ntohs(own.in6.sin6_port));
    } else {
        inet_ntop(AF_INET, &own.in.sin_addr, host, sizeof host);
        snprintf(client->name, sizeof client->name, "%s:%u", host, ntohs(own.in.sin_port));
    }
}

struct client client_to(uint16_t port)
{
    struct client client = {.socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    struct sockaddr_in own = {.sin_family = AF_INET};
    const struct endpoint front = endpoint_loopback(port);
    const struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    inet_pton(AF_INET, CLIENT_HOST, &own.sin_addr);
    setsockopt(client.socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ck_assert_int_eq(bind(client.socket, (struct sockaddr *)&own, sizeof own), 0);
    ck_assert_msg(connect(client.socket, &front.any, front.length) == 0, "%s", strerror(errno));
    name_socket(&client);
    return client;
}

bool client6_to(uint16_t port, struct client *client)
{
    struct sockaddr_in6 front = {
        .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT, .sin6_port = htons(port)};
    client->socket = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->socket < 0 ||
        connect(client->socket, (struct sockaddr *)&front, sizeof front) != 0) {
        return false;
    }
    name_socket(client);
    return true;
}

size_t receive_all(int socket, char *text, size_t size)
{
    size_t length = 0;
    ssize_t got;
    while (length < size - 1 && (got = recv(socket, text + length, size - 1 - length, 0)) > 0) {
        length += (size_t)got;
    }
    text[length] = '\0';
    return length;
}

/* --- real peers ------------------------------------------------------------------------------ */

static bool port_accepts(void *port)
{
    struct endpoint where = endpoint_loopback(*(uint16_t *)port);
    int client = try_connect(&where);
    return client >= 0 && close(client) == 0;
}

const char *nginx_program(void)
{
    return program_exists("nginx")             ? "nginx"
           : program_exists("/usr/sbin/nginx") ? "/usr/sbin/nginx"
                                               : NULL;
}

const char nginx_stream_module[] = "/usr/lib/nginx/modules/ngx_stream_module.so";

void nginx_start(const char *sections)
{
    char file[PATH_MAX], log[PATH_MAX], pid[PATH_MAX];
    test_path(file, "nginx.conf");
    test_path(log, "nginx-error.log");
    write_file(file, 0644,
               "%s%s%s daemon off; master_process off; pid %s/nginx.pid; error_log %s;\n"
               "events {}\n%s",
               access(nginx_stream_module, F_OK) == 0 ? "load_module " : "",
               access(nginx_stream_module, F_OK) == 0 ? nginx_stream_module : "",
               access(nginx_stream_module, F_OK) == 0 ? ";" : "", test_directory(), log, sections);
    const char *argv[] = {nginx_program(), "-c", file, NULL};
    program_start(&(struct program){.argv = argv, .out = log, .err = log});
    wait_file(test_path(pid, "nginx.pid"));
}

const char *haproxy_program(void)
{
    return program_exists("haproxy")             ? "haproxy"
           : program_exists("/usr/sbin/haproxy") ? "/usr/sbin/haproxy"
                                                 : NULL;
}

void haproxy_start(uint16_t port, const char *sections)
{
    char file[PATH_MAX], log[PATH_MAX];
    test_path(file, "haproxy.cfg");
    test_path(log, "haproxy.log");
    write_file(file, 0644,
               "global\n log stderr format raw local0\n"
               "defaults\n mode tcp\n log global\n timeout connect 60s\n timeout client 600s\n"
               " timeout server 600s\n%s",
               sections);
    const char *argv[] = {haproxy_program(), "-db", "-f", file, NULL};
    program_start(&(struct program){.argv = argv, .out = log, .err = log});
    wait_until(port_accepts, &port, "HAProxy listens");
}
