#include "reload/command.h"

#include "config/clock.h"
#include "config/options.h"
#include "config/value.h"
#include "reload/generation.h"
#include "reload/preview.h"
#include "reload/text.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* How long a reload's survivor is looked for when the process that was asked has died. */
#define SURVIVOR_WAIT_MS 10000
#define TAKE_OVER_MS     2000
#define SURVIVOR_LOOK_MS 20
#define ANSWER_MAX       ((size_t)64 << 20)
/* A process that has just been replaced hangs up on who has not asked yet: its successor has the
 * path by then. */
#define ASK_ATTEMPTS      3
#define WATCH_INTERVAL_MS 1000

struct conversation {
    int fd;
    int pid;           /* who answers */
    int process;       /* a pidfd of it, or -1 where there are none */
    uint64_t deadline; /* clock_ms(), or UINT64_MAX */
    char *buffer;
    size_t length, size;
    bool open_line; /* on stderr stands a line that will be written over */
};

enum word {
    WORD_HEARD,
    WORD_END,     /* the process is gone */
    WORD_TIMEOUT, /* nothing came in time */
};

/* connect() waits where the proxy hangs and its queue is full. deadline: as of a conversation. */
static void bound_wait(int fd, uint64_t deadline)
{
    if (deadline == UINT64_MAX)
        return;
    uint64_t now = clock_ms();
    const struct timeval left = clock_interval(deadline > now ? deadline - now : 1);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &left, sizeof left);
}

static int connect_to(const char *path, uint64_t deadline)
{
    struct address address = {.length = sizeof address.un};
    address.un.sun_family = AF_UNIX;
    if (snprintf(address.un.sun_path, sizeof address.un.sun_path, "%s", path) >=
        (int)sizeof address.un.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        bound_wait(fd, deadline);
    if (fd >= 0 && connect(fd, &address.any, address.length)) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static bool make_room(struct conversation *talk)
{
    if (talk->length < talk->size)
        return true;
    size_t size = talk->size ? talk->size * 2 : 4096;
    char *buffer = size <= ANSWER_MAX ? realloc(talk->buffer, size) : NULL;
    if (!buffer)
        return false;
    talk->buffer = buffer;
    talk->size = size;
    return true;
}

/* The next object; *object is the caller's. */
static enum word hear(struct conversation *talk, json_t **object)
{
    for (;;) {
        char *end = talk->length ? memchr(talk->buffer, '\n', talk->length) : NULL;
        if (end) {
            size_t used = (size_t)(end - talk->buffer) + 1;
            *object = json_loadb(talk->buffer, used - 1, 0, NULL);
            talk->length -= used;
            memmove(talk->buffer, end + 1, talk->length);
            if (*object)
                return WORD_HEARD;
            continue;
        }
        uint64_t now = clock_ms();
        if (now >= talk->deadline)
            return WORD_TIMEOUT;
        uint64_t wait = talk->deadline - now;
        struct pollfd poller = {.fd = talk->fd, .events = POLLIN};
        int ready = poll(&poller, 1, wait > 60000 ? 60000 : (int)wait);
        if (ready <= 0)
            continue;
        if (!make_room(talk))
            return WORD_END;
        ssize_t got = recv(talk->fd, talk->buffer + talk->length, talk->size - talk->length, 0);
        if (got <= 0)
            return WORD_END;
        talk->length += (size_t)got;
    }
}

static void hang_up(struct conversation *talk)
{
    if (talk->process >= 0)
        close(talk->process);
    close(talk->fd);
    free(talk->buffer);
}

/* The line that asks for it, the caller's; NULL when memory is out. */
static char *request_line(const struct command *command, const char *what)
{
    char *line = NULL;
    json_t *request = json_pack("{s:s}", "command", what);
    if (command->force)
        json_object_set_new(request, "force", json_true());
    if (command->canary)
        json_object_set_new(request, "plan", text_json(command->canary, strlen(command->canary)));
    if (command->server)
        json_object_set_new(request, "server", text_json(command->server, strlen(command->server)));
    if (command->set)
        json_object_set_new(request, "set", text_json(command->set, strlen(command->set)));
    char *object = json_dumps(request, JSON_COMPACT);
    if (object && asprintf(&line, "%s\n", object) < 0)
        line = NULL;
    free(object);
    json_decref(request);
    return line;
}

/* True: the other has greeted. */
static bool greet(struct conversation *talk, const struct command *command, const char *what)
{
    char *line = request_line(command, what);
    size_t length = line ? strlen(line) : 0;
    json_t *greeting = NULL;
    bool heard = line && send(talk->fd, line, length, MSG_NOSIGNAL) == (ssize_t)length &&
                 hear(talk, &greeting) == WORD_HEARD &&
                 json_unpack(greeting, "{s:i}", "pid", &talk->pid) == 0;
    json_decref(greeting);
    free(line);
    if (heard)
        talk->process = pidfd_open(talk->pid, 0);
    return heard;
}

/* take_over: until then also beyond ASK_ATTEMPTS. */
static bool may_try(int attempt, uint64_t deadline, uint64_t take_over)
{
    uint64_t now = clock_ms();
    return attempt == 0 || (now < deadline && (attempt < ASK_ATTEMPTS || now < take_over));
}

/* Connects and asks. False: nobody answers, which has been said. */
static bool ask(struct conversation *talk, const struct command *command, const char *what)
{
    uint64_t deadline = command->timeout ? clock_ms() + command->timeout : UINT64_MAX;
    uint64_t take_over = 0; /* until then somebody may follow who answered, and is gone */
    int error = 0;
    for (int attempt = 0; may_try(attempt, deadline, error ? take_over : 0); attempt++) {
        if (error)
            (void)poll(NULL, 0, take_over ? SURVIVOR_LOOK_MS : 0);
        *talk = (struct conversation){
            .deadline = deadline, .process = -1, .fd = connect_to(command->control, deadline)};
        error = talk->fd < 0 ? errno : 0;
        if (error)
            continue;
        take_over = clock_ms() + TAKE_OVER_MS;
        if (greet(talk, command, what))
            return true;
        hang_up(talk);
    }
    if (error)
        fprintf(stderr, "rpproxy: no proxy answers on %s: %s\n", command->control, strerror(error));
    else
        fprintf(stderr, "rpproxy: the proxy on %s does not answer%s\n", command->control,
                clock_ms() < deadline ? " (only its own user and root are)" : " in time");
    return false;
}

/* It has said its last word, and exits. False: not in time. */
static bool wait_for_exit(const struct conversation *talk)
{
    struct pollfd poller = {.fd = talk->process, .events = POLLIN};
    while (talk->process >= 0 && poll(&poller, 1, 100) <= 0)
        if (clock_ms() >= talk->deadline)
            return false;
    return true;
}

/* One of the steps that are told to who watches, or wants them all the same. */
static void print_step(struct conversation *talk, const struct command *command, json_t *object)
{
    bool watched = isatty(STDERR_FILENO);
    const char *step;
    char left[SESSIONS_TEXT_MAX];
    json_int_t sessions;
    if ((!watched && !command->verbose) || json_unpack(object, "{s:s}", "step", &step))
        return;
    if (json_unpack(object, "{s:I}", "sessions", &sessions)) {
        fprintf(stderr, "%s%s\n", talk->open_line ? "\n" : "", step);
        talk->open_line = false;
    } else {
        fprintf(stderr, watched ? "\r%s: %s left\033[K" : "%s: %s left\n", step,
                sessions_text((uint64_t)sessions, left));
        talk->open_line = watched;
    }
}

static void end_line(struct conversation *talk)
{
    if (talk->open_line)
        fputc('\n', stderr);
    talk->open_line = false;
}

static void print_cut(const struct conversation *talk, const char *what, uint64_t cut,
                      uint64_t others_cut)
{
    char text[SESSIONS_TEXT_MAX];
    fprintf(stderr, "rpproxy: %s, and pid %d cut %s at its deadline", what, talk->pid,
            sessions_text(cut, text));
    if (others_cut)
        fprintf(stderr, ", older processes %s at theirs", sessions_text(others_cut, text));
    fputc('\n', stderr);
}

static int wait_for_end(struct conversation *talk, const struct command *command, const char *what)
{
    json_int_t cut = 0, others_cut = 0;
    for (;;) {
        json_t *object = NULL;
        const char *text;
        int status;
        switch (hear(talk, &object)) {
        case WORD_HEARD:
            if (json_unpack(object, "{s:s, s:i}", "rolled_back", &text, "exit", &status) == 0) {
                fprintf(stderr, "rpproxy: rolled back to pid %d: %s\n", talk->pid, text);
                json_decref(object);
                return status;
            }
            (void)json_unpack(object, "{s:I}", "cut", &cut);
            (void)json_unpack(object, "{s:I}", "others_cut", &others_cut);
            print_step(talk, command, object);
            json_decref(object);
            break;
        case WORD_END:
            end_line(talk);
            if (!wait_for_exit(talk))
                break;
            if (cut == 0 && others_cut == 0)
                return EXIT_DONE;
            print_cut(talk, what, (uint64_t)cut, (uint64_t)others_cut);
            return EXIT_WAITING;
        case WORD_TIMEOUT:
            end_line(talk);
            fprintf(stderr, "rpproxy: %s, but pid %d is not gone yet\n", what, talk->pid);
            return EXIT_WAITING;
        }
    }
}

/* The process that was to reload is gone: its successor goes on by itself, if it was there. */
static int find_survivor(const struct command *command, int lost)
{
    uint64_t give_up = clock_ms() + SURVIVOR_WAIT_MS;
    do {
        int fd = connect_to(command->control, give_up);
        if (fd >= 0) {
            struct ucred peer = {0};
            socklen_t length = sizeof peer;
            (void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length);
            close(fd);
            if (peer.pid != lost && command->abort) {
                fprintf(stderr,
                        "rpproxy: not called off: pid %d was lost on the way, and pid %d serves\n",
                        lost, (int)peer.pid);
                return EXIT_OTHER;
            }
            if (peer.pid != lost) {
                printf("reloaded: pid %d -> %d; the old process was lost on the way\n", lost,
                       (int)peer.pid);
                return EXIT_DONE;
            }
        }
        (void)poll(NULL, 0, SURVIVOR_LOOK_MS);
    } while (clock_ms() < give_up);
    fprintf(stderr, "rpproxy: pid %d was lost in the reload, and no successor answers\n", lost);
    return EXIT_NO_PROXY;
}

static void print_result(const struct command *command, int status, const char *text)
{
    if (status != EXIT_DONE)
        fprintf(stderr, "rpproxy: %s: %s\n",
                command->abort     ? "not called off"
                : command->promote ? "not promoted"
                                   : "reload failed",
                text);
    else
        printf("%s: %s\n", command->abort ? "called off" : "reloaded", text);
    (void)fflush(stdout);
}

static int hear_result(struct conversation *talk, const struct command *command)
{
    for (;;) {
        json_t *object = NULL;
        const char *text;
        int status;
        switch (hear(talk, &object)) {
        case WORD_END:
            return find_survivor(command, talk->pid);
        case WORD_TIMEOUT:
            fprintf(stderr, "rpproxy: the reload has not ended in time; it goes on\n");
            return EXIT_WAITING;
        case WORD_HEARD:
            break;
        }
        if (json_unpack(object, "{s:s}", "progress", &text) == 0) {
            fprintf(stderr, "%s\n", text);
        } else if (json_unpack(object, "{s:s, s:i}", "result", &text, "exit", &status) == 0) {
            print_result(command, status, text);
            json_decref(object);
            return status;
        }
        print_step(talk, command, object);
        json_decref(object);
    }
}

/* Asks for one thing, the member of that name of one object. *answer is the caller's. Returns an
 * exit status; what went wrong has been said. */
static int ask_once(const struct command *command, const char *what, int *pid, json_t **answer)
{
    struct conversation talk;
    json_t *object = NULL;
    const char *refusal;
    int status = EXIT_NO_PROXY;
    if (!ask(&talk, command, what))
        return EXIT_NO_PROXY;
    *pid = talk.pid;
    *answer = NULL;
    if (hear(&talk, &object) != WORD_HEARD)
        fprintf(stderr, "rpproxy: pid %d is gone without an answer\n", talk.pid);
    else if (json_unpack(object, "{s:O}", what, answer) == 0)
        status = EXIT_DONE;
    else if (json_unpack(object, "{s:s, s:i}", "result", &refusal, "exit", &status) == 0)
        fprintf(stderr, "rpproxy: pid %d does not tell its %s: %s\n", talk.pid, what, refusal);
    json_decref(object);
    hang_up(&talk);
    return *answer ? EXIT_DONE : status;
}

/* The configuration of the running process; NULL: it makes no sense to us, which has been said. */
static struct config *load_running(const json_t *running, int pid)
{
    const json_t *text = json_object_get(running, "text");
    struct config_errors errors = {0};
    struct config *config = NULL;
    if (json_is_string(text))
        config =
            config_load_text("running", json_string_value(text), json_string_length(text), &errors);
    for (size_t i = 0; i < errors.count; i++)
        fprintf(stderr, "%s\n", errors.lines[i]);
    config_errors_free(&errors);
    if (!config)
        fprintf(stderr, "rpproxy: the configuration that pid %d runs is not understood here\n",
                pid);
    return config;
}

static int compare(const struct command *command, const struct config *running, const char *file)
{
    struct config_errors errors;
    json_t *status = NULL;
    int pid;
    struct config *next = config_load(file, &errors);
    for (size_t i = 0; i < errors.count; i++)
        fprintf(stderr, "%s\n", errors.lines[i]);
    config_errors_free(&errors);
    if (!next)
        return EXIT_INVALID;
    int outcome = ask_once(command, "status", &pid, &status);
    if (outcome == EXIT_DONE)
        preview_print(running, next, status, stdout);
    json_decref(status);
    config_free(next);
    return outcome;
}

static bool same_file(const char *one, const char *other)
{
    struct stat a, b;
    return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

/* What a reload would change. The running process is asked, and nothing else happens to it. */
static int preview(const struct command *command)
{
    json_t *answer = NULL;
    const char *path;
    int pid;
    int status = ask_once(command, "config", &pid, &answer);
    if (status != EXIT_DONE)
        return status;
    if (!preview_environment(pid))
        fprintf(stderr,
                "rpproxy: the environment of pid %d cannot be read (%s): variables have the "
                "values they have here\n",
                pid, strerror(errno));
    struct config *running = load_running(answer, pid);
    if (!running || json_unpack(answer, "{s:s}", "path", &path)) {
        status = EXIT_OTHER;
    } else {
        const char *file = command->file ? command->file : path;
        if (!same_file(file, path))
            fprintf(stderr, "rpproxy: a reload would read %s, not %s\n", path, file);
        status = compare(command, running, file);
    }
    config_free(running);
    json_decref(answer);
    return status;
}

int command_config(const struct command *command)
{
    json_t *answer = NULL;
    const char *file, *hash, *text;
    int pid;
    int status = ask_once(command, "config", &pid, &answer);
    if (status != EXIT_DONE)
        return status;
    if (command->json) {
        (void)json_dumpf(answer, stdout, JSON_INDENT(2));
        putchar('\n');
    } else if (json_unpack(answer, "{s:s, s:s, s:s}", "file", &file, "hash", &hash, "text",
                           &text) == 0) {
        printf("; what pid %d runs, read from %s\n; hash %s\n%s", pid, file, hash, text);
    }
    json_decref(answer);
    return EXIT_DONE;
}

int command_reload(const struct command *command)
{
    struct conversation talk;
    if (command->dry_run)
        return preview(command);
    const char *what = command->abort     ? "abort"
                       : command->promote ? "promote"
                       : command->canary  ? "canary"
                                          : "reload";
    if (!ask(&talk, command, what))
        return EXIT_NO_PROXY;
    int status = hear_result(&talk, command);
    if (status == EXIT_DONE && command->drained)
        status = wait_for_end(&talk, command, "reloaded");
    hang_up(&talk);
    return status;
}

int command_stop(const struct command *command)
{
    struct conversation talk;
    if (!ask(&talk, command, "stop"))
        return EXIT_NO_PROXY;
    int status = wait_for_end(&talk, command, "stopping");
    if (status == EXIT_DONE)
        printf("stopped: pid %d\n", talk.pid);
    hang_up(&talk);
    return status;
}

int command_server(const struct command *command)
{
    struct conversation talk;
    if (!ask(&talk, command, "server"))
        return EXIT_NO_PROXY;
    json_t *object = NULL;
    const char *text;
    int status = EXIT_NO_PROXY;
    if (hear(&talk, &object) == WORD_HEARD &&
        json_unpack(object, "{s:s, s:i}", "result", &text, "exit", &status) == 0)
        fprintf(status == EXIT_DONE ? stdout : stderr, "%s%s\n",
                status == EXIT_DONE ? "" : "rpproxy: ", text);
    else
        fprintf(stderr, "rpproxy: pid %d is gone without an answer\n", talk.pid);
    json_decref(object);
    hang_up(&talk);
    return status;
}

/* "5s", "3m", "2h", "9d": since then. */
static const char *age(json_int_t since, char text[static 24])
{
    static const struct {
        long long seconds;
        char unit;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    long long seconds = (long long)time(NULL) - since;
    if (seconds < 0)
        seconds = 0;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (seconds >= 2 * units[i].seconds || units[i].seconds == 1) {
            snprintf(text, 24, "%lld%c", seconds / units[i].seconds, units[i].unit);
            break;
        }
    return text;
}

static void print_server(const char *backend, json_t *server)
{
    const char *name, *address, *check, *admin;
    int weight;
    json_int_t live, all, changed_at;
    char full[512], since[24];
    if (json_unpack(server, "{s:s, s:s, s:s, s:s, s:i, s:I, s:I, s:I}", "name", &name, "address",
                    &address, "check", &check, "admin", &admin, "weight", &weight, "sessions",
                    &live, "sessions_total", &all, "changed_at", &changed_at))
        return;
    snprintf(full, sizeof full, "%s/%s", backend, name);
    printf("%-20s %-24s %-5s %-5s %6d %8lld %10lld %7s\n", full, address, check, admin, weight,
           (long long)live, (long long)all, age(changed_at, since));
}

static void print_servers(json_t *backends)
{
    size_t i, j;
    json_t *backend, *server;
    const char *name;
    printf("\n%-20s %-24s %-5s %-5s %6s %8s %10s %7s\n", "SERVER", "ADDRESS", "CHECK", "ADMIN",
           "WEIGHT", "SESSIONS", "IN ALL", "SINCE");
    json_array_foreach(backends, i, backend)
    {
        if (json_unpack(backend, "{s:s}", "name", &name))
            continue;
        json_array_foreach(json_object_get(backend, "servers"), j, server)
            print_server(name, server);
    }
}

/* "59m": how long milliseconds are. */
static const char *span(json_int_t milliseconds, char text[static 24])
{
    static const struct {
        long long length;
        const char *unit;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}};
    size_t i = 0;
    while (i < 3 && milliseconds < 2 * units[i].length)
        i++;
    snprintf(text, 24, "%lld%s", milliseconds / units[i].length, units[i].unit);
    return text;
}

/* Short, as people read it: "17", "2.4M". */
static const char *short_size(json_int_t bytes, char text[static 16])
{
    static const char units[] = "kMGTPE";
    double size = (double)bytes;
    const char *unit = NULL;
    for (; size >= 1000 && (!unit || unit[1]); size /= 1000)
        unit = unit ? unit + 1 : units;
    if (unit)
        snprintf(text, 16, "%.1f%c", size, *unit);
    else
        snprintf(text, 16, "%lld", (long long)bytes);
    return text;
}

/* The frontends that have sessions, how many, and the age of the oldest where it is told. */
static void print_frontends(json_t *frontends)
{
    size_t i;
    json_t *item;
    const char *name, *before = "  ";
    json_int_t sessions, lasted;
    char text[24];
    json_array_foreach(frontends, i, item)
    {
        if (json_unpack(item, "{s:s, s:I}", "name", &name, "sessions", &sessions))
            continue;
        printf("%s%s %lld", before, name, (long long)sessions);
        if (json_unpack(item, "{s:I}", "oldest_ms", &lasted) == 0)
            printf(" (%s)", span(lasted, text));
        before = ", ";
    }
}

static void print_generation(json_t *generation)
{
    int number, pid;
    json_int_t sessions, lasted, lived, in, out;
    const char *state;
    char age_text[24] = "-", in_text[16] = "-", out_text[16] = "-", closes_text[24],
         oldest_text[24] = "-";
    if (json_unpack(generation, "{s:i, s:i, s:s, s:I}", "generation", &number, "pid", &pid, "state",
                    &state, "sessions", &sessions))
        return;
    if (json_unpack(generation, "{s:I, s:I, s:I}", "age_ms", &lived, "client_bytes", &in,
                    "server_bytes", &out) == 0) {
        span(lived, age_text);
        short_size(in, in_text);
        short_size(out, out_text);
    }
    if (json_unpack(generation, "{s:I}", "oldest_ms", &lasted) == 0)
        span(lasted, oldest_text);
    const json_t *closes = json_object_get(generation, "closes_in_ms");
    const char *hash = json_string_value(json_object_get(generation, "config_hash"));
    printf("%10d %8d %-10s %10lld %7s %7s %9s %9s %7s  %-16s", number, pid, state,
           (long long)sessions, oldest_text, age_text, in_text, out_text,
           !closes                ? "-"
           : json_is_null(closes) ? "never"
                                  : span(json_integer_value(closes), closes_text),
           hash ? hash : "-");
    print_frontends(json_object_get(generation, "frontends"));
    putchar('\n');
}

static void print_generations(json_t *generations)
{
    size_t i;
    json_t *item;
    printf("\n%10s %8s %-10s %10s %7s %7s %9s %9s %7s  %-16s  %s\n", "GENERATION", "PID", "STATE",
           "SESSIONS", "OLDEST", "AGE", "IN", "OUT", "CLOSES", "CONFIG", "FRONTENDS");
    json_array_foreach(generations, i, item)
    {
        print_generation(item);
    }
}

#define TIME_TEXT_MAX 32

static const char *time_text(json_int_t at, char text[static TIME_TEXT_MAX])
{
    struct tm local;
    time_t seconds = (time_t)at;
    if (!localtime_r(&seconds, &local) || !strftime(text, TIME_TEXT_MAX, "%F %T", &local))
        return "(never)";
    return text;
}

static void print_last_reload(json_t *reload)
{
    json_int_t at, took;
    int status;
    const char *result;
    char text[TIME_TEXT_MAX];
    if (json_unpack(reload, "{s:i, s:I, s:I, s:s}", "exit", &status, "at", &at, "took_ms", &took,
                    "result", &result))
        return;
    const char *when = time_text(at, text);
    if (status == EXIT_DONE)
        printf("last reload %s: %s\n", when, result);
    else
        printf("last reload %s: failed after %lld ms (exit %d): %s\n", when, (long long)took,
               status, result);
}

static void print_last_crash(json_t *crash)
{
    json_int_t at;
    const char *result;
    char when[TIME_TEXT_MAX];
    if (json_unpack(crash, "{s:I, s:s}", "at", &at, "result", &result) == 0)
        printf("last-crash %s: %s\n", time_text(at, when), result);
}

static void print_side(const char *name, json_t *side)
{
    json_int_t sessions, errors, failed, cut;
    char text[SESSIONS_TEXT_MAX];
    if (json_unpack(side, "{s:I, s:I, s:I, s:I}", "sessions_total", &sessions, "connect_errors",
                    &errors, "sessions_failed", &failed, "sessions_cut", &cut) == 0)
        printf("%s %s, %lld failed connect%s, %lld failed, %lld cut\n", name,
               sessions_text((uint64_t)sessions, text), (long long)errors, errors == 1 ? "" : "s",
               (long long)failed, (long long)cut);
}

static void print_canary(json_t *canary)
{
    int number, pid, by_source;
    json_int_t left;
    double percent;
    char left_text[24];
    if (json_unpack(canary, "{s:i, s:i, s:F, s:b, s:I}", "generation", &number, "pid", &pid,
                    "percent", &percent, "by_source", &by_source, "left_ms", &left))
        return;
    printf("canary generation %d  pid %d  %g%%%s  %s left\n", number, pid, percent,
           by_source ? " by source" : "", span(left, left_text));
    print_side("  canary     ", json_object_get(canary, "canary"));
    print_side("  predecessor", json_object_get(canary, "predecessor"));
}

static void print_status(json_t *status)
{
    int pid, number, workers;
    json_int_t uptime, sessions, total;
    const char *state, *version, *file;
    size_t i;
    json_t *item;
    if (json_unpack(status, "{s:i, s:i, s:i, s:I, s:I, s:I, s:s, s:s, s:s}", "pid", &pid,
                    "generation", &number, "workers", &workers, "uptime_ms", &uptime, "sessions",
                    &sessions, "sessions_total", &total, "state", &state, "version", &version,
                    "file", &file))
        return;
    printf("rpproxy %s  pid %d  generation %d  %s  %d workers  up %llds\n", version, pid, number,
           state, workers, (long long)uptime / 1000);
    printf("file %s\nsessions %lld now, %lld in all\n", file, (long long)sessions,
           (long long)total);

    print_last_reload(json_object_get(status, "last_reload"));
    print_last_crash(json_object_get(status, "last_crash"));
    if (json_object_get(status, "canary"))
        print_canary(json_object_get(status, "canary"));
    print_generations(json_object_get(status, "generations"));

    const char *address, *frontend, *handover;
    int listeners;
    printf("\n%-28s %-16s %9s %s\n", "BIND", "FRONTEND", "LISTENERS", "HANDOVER");
    json_array_foreach(json_object_get(status, "binds"), i,
                       item) if (json_unpack(item, "{s:s, s:s, s:i, s:s}", "address", &address,
                                             "frontend", &frontend, "listeners", &listeners,
                                             "handover", &handover) == 0)
        printf("%-28s %-16s %9d %s\n", address, frontend, listeners, handover);
    if (json_object_get(status, "backends")) /* an older version has none */
        print_servers(json_object_get(status, "backends"));
}

static void print_report(const struct command *command, json_t *status)
{
    if (command->watch && isatty(STDOUT_FILENO))
        fputs("\033[H\033[J", stdout);
    if (command->json) {
        (void)json_dumpf(status, stdout, command->watch ? JSON_COMPACT : JSON_INDENT(2));
        putchar('\n');
    } else {
        print_status(status);
        if (command->watch && !isatty(STDOUT_FILENO))
            putchar('\n');
    }
    (void)fflush(stdout);
}

int command_status(const struct command *command)
{
    int status;
    do {
        json_t *answer = NULL;
        int pid;
        status = ask_once(command, "status", &pid, &answer);
        if (status == EXIT_DONE)
            print_report(command, answer);
        json_decref(answer);
        if (command->watch && status == EXIT_DONE)
            (void)poll(NULL, 0, WATCH_INTERVAL_MS);
    } while (command->watch && status == EXIT_DONE && !ferror(stdout));
    return status;
}

int command_check(const char *file)
{
    struct config_errors errors;
    struct config *config = config_load(file, &errors);
    for (size_t i = 0; i < errors.count; i++)
        fprintf(stderr, "%s\n", errors.lines[i]);
    config_errors_free(&errors);
    if (!config)
        return EXIT_INVALID;
    config_free(config);
    printf("%s: valid\n", file);
    return EXIT_DONE;
}

int command_help_options(void)
{
    options_print(stdout);
    return EXIT_DONE;
}

const char *command_canary(const char *text)
{
    struct canary_plan plan;
    return canary_read(text, &plan);
}

const char *command_duration(const char *text, millis *duration)
{
    return value_duration(text, duration);
}
