#include "tests/system/support/daemons.h"

#include "tests/system/support/net.h"

#include <glob.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void free_port(char port[static 8])
{
    snprintf(port, 8, "%u", port_reserve(getuid()));
}

void proxy_before(struct proxy *proxy, const char *family, const char *server, char port[static 8])
{
    free_port(port);
    proxy_init(proxy, "proxy");
    proxy_configure(proxy,
                    "workers = 2\nmax-generations = 64\n"
                    "[listen main]\nbind = 127.0.0.1:%s\nserver = a %s%s\n",
                    port, family, server);
    proxy_start(proxy);
}

void daemon_end(pid_t server, int signal)
{
    kill(server, signal);
    wait_gone(server);
}

void client_ends_well(pid_t client, const char *name, const char *out, const char *const *bad)
{
    char text[32768];
    int status = wait_gone(client);
    read_file(out, text, sizeof text);
    ck_assert_msg(status == 0, "%s: wait status %d:\n%s", name, status, text);
    for (size_t i = 0; bad[i] != NULL; i++) {
        ck_assert_msg(strstr(text, bad[i]) == NULL, "%s says:\n%s", name, text);
    }
}

bool socket_accepts(void *path)
{
    struct endpoint where = endpoint_unix(path);
    int client = try_connect(&where);
    return client >= 0 && close(client) == 0;
}

const char *postgres_find(struct postgres *postgres)
{
    postgres->connections = 100;
    postgres->settings = postgres->clients = NULL;
    glob_t found;
    if (glob("/usr/lib/postgresql/*/bin/postgres", 0, NULL, &found) != 0) {
        return "no PostgreSQL server";
    }
    snprintf(postgres->server, PATH_MAX, "%s", found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);
    int folder = (int)(strrchr(postgres->server, '/') - postgres->server);
    ck_assert_int_lt(folder, PATH_MAX - 16);
    snprintf(postgres->initdb, PATH_MAX, "%.*s/initdb", folder, postgres->server);
    snprintf(postgres->pgbench, PATH_MAX, "%.*s/pgbench", folder, postgres->server);
    snprintf(postgres->psql, PATH_MAX, "%.*s/psql", folder, postgres->server);
    return program_exists(postgres->pgbench) ? NULL : "no pgbench";
}

static void add_lines(const struct postgres *postgres, const char *name, const char *lines)
{
    char path[PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/%s", postgres->data, name);
    FILE *file = fopen(path, "ae");
    ck_assert_ptr_nonnull(file);
    fputs(lines ? lines : "", file);
    ck_assert_int_eq(fclose(file), 0);
}

void postgres_serve(struct postgres *postgres)
{
    struct outcome outcome;
    postgres->user = NULL;
    test_path(postgres->log, "postgres.log");
    ck_assert_int_eq(mkdir(test_path(postgres->data, "data"), 0700), 0);
    char sockets[PATH_MAX];
    ck_assert_int_eq(mkdir(test_path(sockets, "pg"), 0755), 0);
    if (getuid() == 0) {
        const struct passwd *owner = getpwnam("postgres");
        ck_assert_ptr_nonnull(owner);
        ck_assert_int_eq(chown(postgres->data, owner->pw_uid, owner->pw_gid), 0);
        ck_assert_int_eq(chown(sockets, owner->pw_uid, owner->pw_gid), 0);
        postgres->user = "postgres";
    }
    const char *init[] = {postgres->initdb, "--no-sync", "--no-locale",  "-A", "trust", "-U",
                          "postgres",       "-D",        postgres->data, NULL};
    program_run(
        &(struct program){.argv = init, .user = postgres->user, .directory = postgres->data},
        3 * PATIENCE_MS, &outcome);
    ck_assert_msg(outcome.code == 0, "initdb: %s%s", outcome.out, outcome.err);
    add_lines(postgres, "postgresql.conf", "listen_addresses = ''\n");
    add_lines(postgres, "postgresql.conf", postgres->settings);
    add_lines(postgres, "pg_hba.conf", postgres->clients);
    char connections[32];
    snprintf(connections, sizeof connections, "max_connections=%u", postgres->connections);
    const char *argv[] = {postgres->server,
                          "-D",
                          postgres->data,
                          "-k",
                          sockets,
                          "-c",
                          "fsync=off",
                          "-c",
                          connections,
                          "-c",
                          "superuser_reserved_connections=0",
                          "-c",
                          "max_wal_senders=0",
                          NULL};
    write_file(postgres->log, 0666, "%s", "");
    postgres->pid = program_start(&(struct program){.argv = argv,
                                                    .user = postgres->user,
                                                    .directory = postgres->data,
                                                    .out = postgres->log,
                                                    .err = postgres->log});
    test_path(postgres->socket, "pg/.s.PGSQL.5432");
    wait_mentioned(postgres->log, "ready to accept connections");
}

void postgres_start(struct postgres *postgres, struct proxy *proxy, char port[static 8])
{
    struct outcome outcome;
    postgres_serve(postgres);
    proxy_before(proxy, "unix:", postgres->socket, port);
    run(&outcome, postgres->pgbench, "-h", "127.0.0.1", "-p", port, "-U", "postgres", "-i", "-q",
        "postgres", NULL);
    ck_assert_msg(outcome.code == 0, "pgbench -i: %s%s", outcome.out, outcome.err);
}

const char *const pgbench_complaints[] = {"error", "ERROR", "FATAL", "abort", "failed: 1", NULL};

pid_t redis_start(char socket[static PATH_MAX])
{
    char log[PATH_MAX];
    test_path(socket, "redis.sock");
    test_path(log, "redis.log");
    const char *argv[] = {"redis-server", "--port", "0",     "--unixsocket",   socket,
                          "--save",       "",       "--dir", test_directory(), NULL};
    pid_t server = program_start(&(struct program){.argv = argv, .out = log, .err = log});
    wait_until(socket_accepts, socket, "Redis listens");
    return server;
}

void ssh_key_make(const char *path)
{
    struct outcome outcome;
    run(&outcome, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path, NULL);
    ck_assert_msg(outcome.code == 0, "ssh-keygen: %s%s", outcome.out, outcome.err);
}

pid_t sshd_start(const char *port, const char *user_key)
{
    char key[PATH_MAX], file[PATH_MAX], log[PATH_MAX];
    ssh_key_make(test_path(key, "host_key"));
    write_file(test_path(file, "sshd.conf"), 0600,
               "ListenAddress 127.0.0.1:%s\nHostKey %s\nAuthorizedKeysFile %s.pub\n"
               "PidFile none\nStrictModes no\nUsePAM no\n",
               port, key, user_key);
    if (getuid() == 0) {
        mkdir("/run/sshd", 0755); /* normally made by the service */
    }
    const char *argv[] = {"/usr/sbin/sshd", "-D", "-e", "-f", file, NULL};
    test_path(log, "sshd.log");
    pid_t server = program_start(&(struct program){.argv = argv, .out = log, .err = log});
    wait_mentioned(log, "Server listening");
    return server;
}

const char agent_program[] = "import socket, sys\n"
                             "s = socket.create_server(('127.0.0.1', int(sys.argv[1])))\n"
                             "while True:\n"
                             "    c, _ = s.accept()\n"
                             "    try:\n"
                             "        c.sendall(open(sys.argv[2], 'rb').read())\n"
                             "    except OSError:\n"
                             "        pass\n"
                             "    c.close()\n";

void agent_says(const char *words)
{
    char path[PATH_MAX], new[PATH_MAX];
    write_file(test_path(new, "words.new"), 0644, "%s", words);
    ck_assert_int_eq(rename(new, test_path(path, "words")), 0);
}
