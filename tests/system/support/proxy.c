#include "tests/system/support/proxy.h"

#include "tests/system/support/net.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <libgen.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

bool sanitized(void)
{
    int fd = open(proxy_binary(), O_RDONLY | O_CLOEXEC);
    struct stat status;
    ck_assert(fd >= 0 && fstat(fd, &status) == 0);
    size_t length = (size_t)status.st_size;
    void *program = mmap(NULL, length, PROT_READ, MAP_PRIVATE, fd, 0);
    ck_assert(program != MAP_FAILED);
    bool found = memmem(program, length, "__asan_init", 11) != NULL ||
                 memmem(program, length, "__tsan_init", 11) != NULL;
    munmap(program, length);
    close(fd);
    return found;
}

const char *proxy_binary(void)
{
    static char path[PATH_MAX];
    if (path[0] == '\0') {
        const char *chosen = getenv("RPPROXY");
        if (chosen != NULL) {
            ck_assert_msg(realpath(chosen, path) != NULL, "%s: %s", chosen, strerror(errno));
        } else {
            char self[PATH_MAX];
            ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
            ck_assert_int_gt((int)length, 0);
            self[length] = '\0';
            int written = snprintf(path, sizeof path, "%s/rpproxy", dirname(self));
            ck_assert_int_lt(written, (int)sizeof path);
        }
    }
    ck_assert_msg(access(path, X_OK) == 0, "%s: %s", path, strerror(errno));
    return path;
}

void proxy_init(struct proxy *proxy, const char *name)
{
    *proxy = (struct proxy){.generation = 1};
    char file[NAME_MAX];
    snprintf(proxy->program, sizeof proxy->program, "%s", proxy_binary());
    snprintf(file, sizeof file, "%s.ini", name);
    test_path(proxy->file, file);
    snprintf(file, sizeof file, "%s.log", name);
    test_path(proxy->log, file);
    /* A folder for the files that the proxy makes, so that a test may change its owner. */
    char folder[PATH_MAX];
    snprintf(file, sizeof file, "%s.run", name);
    ck_assert_int_eq(mkdir(test_path(folder, file), 0755), 0);
    snprintf(file, sizeof file, "%s.run/control.sock", name);
    test_path(proxy->control, file);
    snprintf(file, sizeof file, "%s.run/pid", name);
    test_path(proxy->pidfile, file);
}

void proxy_own_binary(struct proxy *proxy)
{
    test_path(proxy->program, "rpproxy");
    copy_file(proxy_binary(), proxy->program, 0755);
}

void proxy_configure(const struct proxy *proxy, const char *text, ...)
{
    char *rest = NULL;
    va_list arguments;
    va_start(arguments, text);
    ck_assert_int_ge(vasprintf(&rest, text, arguments), 0);
    va_end(arguments);
    write_file(proxy->file, 0644, "[global]\ncontrol = %s\npidfile = %s\n%s%s", proxy->control,
               proxy->pidfile, strstr(rest, "probation") ? "" : "probation = 0s\n", rest);
    free(rest);
}

void proxy_launch(struct proxy *proxy)
{
    const char *argv[] = {proxy->program, "-f", proxy->file, NULL};
    proxy->generation = 1;
    proxy->pid = program_start(&(struct program){
        .argv = argv,
        .env = proxy->env,
        .user = proxy->user,
        .passed = proxy->passed,
        .out = proxy->log,
        .err = proxy->log,
    });
}

static bool answers(void *argument)
{
    struct proxy *proxy = argument;
    struct outcome outcome;
    ck_assert_msg(process_alive(proxy->pid), "the proxy ended instead of serving");
    return proxy_command(proxy, &outcome, "status", NULL) == 0;
}

void proxy_wait_serving(struct proxy *proxy)
{
    wait_until(answers, proxy, "the proxy answers on its control socket");
}

void proxy_start(struct proxy *proxy)
{
    proxy_launch(proxy);
    proxy_wait_serving(proxy);
}

enum { ARGUMENTS_MAX = 32 };

static void compose(const struct proxy *proxy, const char *command, va_list arguments,
                    const char *argv[static ARGUMENTS_MAX])
{
    size_t count = 0;
    argv[count++] = proxy_binary();
    argv[count++] = command;
    argv[count++] = "-f";
    argv[count++] = proxy->file;
    do {
        ck_assert_uint_lt(count, ARGUMENTS_MAX);
        argv[count] = va_arg(arguments, const char *);
    } while (argv[count++] != NULL);
}

int proxy_command(const struct proxy *proxy, struct outcome *outcome, const char *command, ...)
{
    const char *argv[ARGUMENTS_MAX];
    va_list arguments;
    va_start(arguments, command);
    compose(proxy, command, arguments, argv);
    va_end(arguments);
    program_run(&(struct program){.argv = argv}, PATIENCE_MS, outcome);
    return outcome->code;
}

pid_t proxy_command_start(const struct proxy *proxy, const char *out, const char *command, ...)
{
    const char *argv[ARGUMENTS_MAX];
    va_list arguments;
    va_start(arguments, command);
    compose(proxy, command, arguments, argv);
    va_end(arguments);
    return program_start(&(struct program){.argv = argv, .out = out, .err = out});
}

int proxy_after_commands(const struct proxy *proxy)
{
    static const char question[] = "{\"command\": \"status\"}\n";
    const struct endpoint control = endpoint_unix(proxy->control);
    int client = connect_to(&control);
    send_all(client, question, sizeof question - 1);
    ck_assert_msg(readable_within(client, PATIENCE_MS), "the control socket does not answer");
    return client;
}

pid_t proxy_follow_events(const struct proxy *proxy, char file[static PATH_MAX], const char *name)
{
    test_path(file, name);
    pid_t pid = proxy_command_start(proxy, file, "events", "--json", "--last=1", NULL);
    wait_mentioned(file, "\"number\":");
    return pid;
}

static void follow_reload(struct proxy *proxy, const char *line)
{
    int old, new;
    unsigned generation;
    double took;
    int fields = sscanf(line, "reloaded: pid %d -> %d, generation %u, took %lf ms", &old, &new,
                        &generation, &took);
    ck_assert_msg(fields == 4, "not the line that was promised: %s", line);
    ck_assert_int_eq(old, proxy->pid);
    ck_assert_uint_gt(generation, proxy->generation); /* failed reloads have numbers, too */
    ck_assert_msg(process_alive(new), "the successor, pid %d, is not there", new);
    proxy->pid = new;
    proxy->generation = generation;
}

void proxy_reload(struct proxy *proxy)
{
    struct outcome outcome;
    int code = proxy_command(proxy, &outcome, "reload", NULL);
    ck_assert_msg(code == 0, "reload of generation %u: exit %d\n%s%s", proxy->generation, code,
                  outcome.out, outcome.err);
    follow_reload(proxy, outcome.out);
}

pid_t proxy_reload_start(const struct proxy *proxy)
{
    char out[PATH_MAX];
    unlink(test_path(out, "reload.out"));
    return proxy_command_start(proxy, out, "reload", NULL);
}

void proxy_reload_end(struct proxy *proxy, pid_t reload)
{
    char path[PATH_MAX], text[4096];
    int status = wait_gone(reload);
    read_file(test_path(path, "reload.out"), text, sizeof text);
    ck_assert_msg(status == 0, "reload: wait status %x: %s", (unsigned)status, text);
    follow_reload(proxy, text);
}

static bool follows(void *argument)
{
    struct proxy *proxy = argument;
    struct status status;
    if (!proxy_status(proxy, &status) || status.generation <= proxy->generation) {
        return false;
    }
    proxy->pid = status.pid;
    proxy->generation = status.generation;
    return true;
}

void proxy_reload_by_signal(struct proxy *proxy, int signal)
{
    pid_t before = proxy->pid;
    ck_assert_int_eq(kill(proxy->pid, signal), 0);
    wait_until(follows, proxy, "a signal starts another generation");
    ck_assert_int_ne(proxy->pid, before);
}

void proxy_follow(struct proxy *proxy)
{
    struct status status;
    ck_assert_msg(proxy_status(proxy, &status), "the proxy does not tell its status");
    proxy->pid = status.pid;
    proxy->generation = status.generation;
}

static bool alone(void *argument)
{
    struct status status;
    return proxy_status(argument, &status) && status.count == 1;
}

void proxy_wait_drained(struct proxy *proxy)
{
    wait_until(alone, proxy, "only one generation is left");
}

void proxy_stop(struct proxy *proxy)
{
    struct outcome outcome;
    int code = proxy_command(proxy, &outcome, "stop", NULL);
    ck_assert_msg(code == 0, "stop: exit %d\n%s%s", code, outcome.out, outcome.err);
    int status = wait_gone(proxy->pid);
    ck_assert_msg(status <= 0, "the proxy ended with wait status %d", status);
    ck_assert_uint_eq(orphans_failed(), 0);
    expect_clean_log(proxy->log);
}

static void read_last_crash(json_t *crash, struct status *status)
{
    int generation, pid, signal, code;
    json_int_t at, sessions;
    json_error_t error;
    if (crash == NULL) {
        return;
    }
    ck_assert_msg(json_unpack_ex(crash, &error, 0, "{s:i,s:i,s:i,s:i,s:I,s:I}", "generation",
                                 &generation, "pid", &pid, "signal", &signal, "status", &code, "at",
                                 &at, "sessions", &sessions) == 0,
                  "last_crash: %s", error.text);
    status->last_crash.generation = (unsigned)generation;
    status->last_crash.pid = pid;
    status->last_crash.signal = (unsigned)signal;
    status->last_crash.status = (unsigned)code;
    status->last_crash.at = (uint64_t)at;
    status->last_crash.sessions = (uint64_t)sessions;
}

bool proxy_status(const struct proxy *proxy, struct status *status)
{
    *status = (struct status){0};
    struct outcome outcome;
    if (proxy_command(proxy, &outcome, "status", "--json", NULL) != 0) {
        return false;
    }
    json_error_t error;
    json_t *all = json_loads(outcome.out, 0, &error);
    ck_assert_msg(all != NULL, "status --json: %s: %s", error.text, outcome.out);
    int pid, number, sessions;
    json_t *generations;
    ck_assert_msg(json_unpack_ex(all, &error, 0, "{s:i,s:i,s:i,s:o}", "pid", &pid, "generation",
                                 &number, "sessions", &sessions, "generations", &generations) == 0,
                  "status --json: %s: %s", error.text, outcome.out);
    status->pid = pid;
    status->generation = (unsigned)number;
    status->sessions = (unsigned)sessions;
    json_int_t total, errors, failed, in, out;
    ck_assert_msg(json_unpack_ex(all, &error, 0, "{s:I,s:I,s:I,s:I,s:I}", "sessions_total", &total,
                                 "connect_errors", &errors, "sessions_failed", &failed,
                                 "client_bytes", &in, "server_bytes", &out) == 0,
                  "status --json: %s: %s", error.text, outcome.out);
    status->total.sessions = (uint64_t)total;
    status->total.connect_errors = (uint64_t)errors;
    status->total.failed = (uint64_t)failed;
    json_int_t cut = 0; /* an older version does not report it */
    (void)json_unpack(all, "{s:I}", "sessions_cut", &cut);
    status->total.cut = (uint64_t)cut;
    status->total.client_bytes = (uint64_t)in;
    status->total.server_bytes = (uint64_t)out;
    read_last_crash(json_object_get(all, "last_crash"), status);
    size_t index;
    json_t *one;
    json_array_foreach(generations, index, one)
    {
        ck_assert_uint_lt(index, GENERATIONS_MAX);
        const char *state;
        ck_assert_msg(json_unpack_ex(one, &error, 0, "{s:i,s:i,s:s,s:i}", "generation", &number,
                                     "pid", &pid, "state", &state, "sessions", &sessions) == 0,
                      "status --json: %s: %s", error.text, outcome.out);
        status->generations[index].generation = (unsigned)number;
        status->generations[index].pid = pid;
        status->generations[index].sessions = (unsigned)sessions;
        snprintf(status->generations[index].state, sizeof status->generations[index].state, "%s",
                 state);
        json_int_t age = 0;
        total = 0;
        (void)json_unpack(one, "{s:I,s:I}", "sessions_total", &total, "age_ms", &age);
        status->generations[index].sessions_total = (uint64_t)total;
        status->generations[index].age_ms = (uint64_t)age;
        status->count++;
    }
    json_decref(all);
    return true;
}

pid_t proxy_pidfile(const struct proxy *proxy)
{
    char text[32], *end;
    if (read_file(proxy->pidfile, text, sizeof text) == 0) {
        return -1;
    }
    long pid = strtol(text, &end, 10);
    return *end == '\n' || *end == '\0' ? (pid_t)pid : -1;
}
