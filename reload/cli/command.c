#include "reload/cli/command.h"

#include "config/base/clock.h"
#include "config/load.h"
#include "config/options/options.h"
#include "config/syntax/value.h"
#include "reload/base/text.h"
#include "reload/cli/preview.h"
#include "reload/cli/report.h"
#include "reload/process/generation.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
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

static void print_report(const struct command *command, json_t *status)
{
    if (command->watch && isatty(STDOUT_FILENO))
        fputs("\033[H\033[J", stdout);
    if (command->json) {
        (void)json_dumpf(status, stdout, command->watch ? JSON_COMPACT : JSON_INDENT(2));
        putchar('\n');
    } else {
        report_print(status);
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
