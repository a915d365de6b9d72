#include "reload/cli/command.h"

#include "config/base/clock.h"
#include "config/base/memory.h"
#include "config/first.h"
#include "config/load.h"
#include "config/options/options.h"
#include "config/syntax/value.h"
#include "config/tls/certificate_store.h"
#include "reload/base/canary_plan.h"
#include "reload/base/exit_status.h"
#include "reload/base/privileges.h"
#include "reload/base/text.h"
#include "reload/cli/ask.h"
#include "reload/cli/conversation.h"
#include "reload/cli/pick.h"
#include "reload/cli/preview.h"
#include "reload/cli/report.h"
#include "reload/cli/screen.h"

#include <jansson.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How long to look for another process when the process that was asked to reload has died. */
#define SURVIVOR_WAIT_MS  10000
#define SURVIVOR_LOOK_MS  20
#define WATCH_INTERVAL_MS 1000

/* The process has sent its last object. Waits until it exits; without a pidfd, the end of the
 * connection is the last action of the process. Returns false if the time is over. */
static bool wait_for_exit(const struct conversation *talk)
{
    struct pollfd poller = {.fd = talk->process, .events = POLLIN};
    while (talk->process >= 0 && poll(&poller, 1, 100) <= 0)
        if (clock_ms() >= talk->deadline)
            return false;
    return true;
}

/* Prints a step, if stderr is a terminal or --verbose was given. */
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
    fprintf(stderr, "rpproxy: %s, but pid %d closed %s at its deadline", what, talk->pid,
            sessions_text(cut, text));
    if (others_cut)
        fprintf(stderr, ", and older processes closed %s", sessions_text(others_cut, text));
    fputc('\n', stderr);
}

static int wait_for_end(struct conversation *talk, const struct command *command, const char *what)
{
    json_int_t cut = 0, others_cut = 0;
    for (;;) {
        json_t *object = NULL;
        const char *text;
        int status;
        switch (conversation_hear(talk, &object)) {
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
            return EXIT_CUT;
        case WORD_TIMEOUT:
            end_line(talk);
            fprintf(stderr, "rpproxy: %s, but pid %d has not exited yet\n", what, talk->pid);
            return EXIT_WAITING;
        }
    }
}

/* Returns the pid of the process that answers now, as it is in the PID namespace of that
 * process; 0: none answers in time. */
static int ask_for_pid(const struct command *command, millis timeout)
{
    struct conversation talk;
    const struct request request = {
        .what = "status", .control = command->control, .timeout = timeout};
    if (conversation_begin(&talk, &request))
        return 0;
    conversation_end(&talk);
    return talk.pid;
}

/* The old process died during the reload. If the new process was ready, it serves without the old
 * one. */
static int find_survivor(const struct command *command, int lost)
{
    uint64_t now = clock_ms(), give_up = now + SURVIVOR_WAIT_MS;
    do {
        int pid = ask_for_pid(command, give_up - now);
        if (pid != 0 && pid != lost && command->abort) {
            fprintf(stderr,
                    "rpproxy: not called off: pid %d died during the reload, and pid %d serves\n",
                    lost, pid);
            return EXIT_OTHER;
        }
        if (pid != 0 && pid != lost) {
            printf("reloaded: pid %d -> %d; the old process died during the reload\n", lost, pid);
            return EXIT_DONE;
        }
        (void)poll(NULL, 0, SURVIVOR_LOOK_MS);
        now = clock_ms();
    } while (now < give_up);
    fprintf(stderr, "rpproxy: pid %d died during the reload, and no new process answers\n", lost);
    return EXIT_NO_PROXY;
}

/* True: the path leads through a symbolic link. */
static bool passes_link(const char *file)
{
    char path[PATH_MAX];
    struct stat status;
    for (size_t i = 1; file[0] && i < sizeof path; i++) {
        if (file[i] && file[i] != '/')
            continue;
        memcpy(path, file, i);
        path[i] = '\0';
        if (lstat(path, &status) == 0 && S_ISLNK(status.st_mode))
            return true;
        if (!file[i])
            break;
    }
    return false;
}

/* Prints the result, one line. It names the file that was read if the user did not name it, or
 * named a symbolic link. */
static void print_reloaded(const struct conversation *talk, const struct command *command,
                           const char *text)
{
    bool is_told = talk->file && (!command->file || passes_link(command->file));
    printf("reloaded: %s%s%s\n", text, is_told ? ", read from " : "", is_told ? talk->file : "");
}

static void print_result(const struct conversation *talk, const struct command *command, int status,
                         const char *text)
{
    if (status != EXIT_DONE)
        fprintf(stderr, "rpproxy: %s: %s\n",
                command->abort     ? "not called off"
                : command->promote ? "not promoted"
                                   : "reload failed",
                text);
    else if (command->abort)
        printf("called off: %s\n", text);
    else
        print_reloaded(talk, command, text);
    (void)fflush(stdout);
}

static int hear_result(struct conversation *talk, const struct command *command)
{
    for (;;) {
        json_t *object = NULL;
        const char *text;
        int status;
        switch (conversation_hear(talk, &object)) {
        case WORD_END:
            return find_survivor(command, talk->pid);
        case WORD_TIMEOUT:
            fprintf(stderr, "rpproxy: the reload has not finished in time; it continues\n");
            return EXIT_WAITING;
        case WORD_HEARD:
            break;
        }
        if (json_unpack(object, "{s:s}", "progress", &text) == 0) {
            fprintf(stderr, "%s\n", text);
        } else if (json_unpack(object, "{s:s, s:i}", "result", &text, "exit", &status) == 0) {
            print_result(talk, command, status, text);
            json_decref(object);
            return status;
        }
        print_step(talk, command, object);
        json_decref(object);
    }
}

/* What the process has read of the files with lists, so that they can be compared. */
static void note_lists(const json_t *lists, struct config *config)
{
    size_t i;
    json_t *item;
    json_array_foreach(lists, i, item)
    {
        const char *path, *hash;
        json_int_t entries;
        if (json_unpack(item, "{s:s, s:I, s:s}", "path", &path, "entries", &entries, "hash",
                        &hash) == 0)
            address_files_note(&config->address_files, path, (size_t)entries,
                               strtoull(hash, NULL, 16));
    }
}

static struct words read_names(const json_t *names)
{
    struct words words = {.list = memory_new(json_array_size(names) + 1, sizeof(char *))};
    size_t i;
    json_t *item;
    json_array_foreach(names, i, item)
    {
        if (json_is_string(item))
            words.list[words.count++] = memory_copy(json_string_value(item));
    }
    return words;
}

/* The same for certificates. */
static void note_certificates(const json_t *list, struct config *config)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        const char *source, *path, *print, *key = NULL;
        json_int_t until;
        json_t *names;
        if (json_unpack(item, "{s:s, s:s, s:o, s:I, s:s, s?s}", "source", &source, "path", &path,
                        "names", &names, "until", &until, "sha256", &print, "key", &key))
            continue;
        struct certificate *certificate = memory_new(1, sizeof *certificate);
        certificate->path = memory_copy(path);
        certificate->names = read_names(names);
        certificate->not_after = (time_t)until;
        snprintf(certificate->print, sizeof certificate->print, "%s", print);
        certificate_store_note(config->certificates, source, key, certificate);
    }
}

/* Returns the configuration of the running process, or NULL if this program does not understand it;
 * then an error was printed. */
static struct config *load_running(const json_t *running, int pid)
{
    const json_t *text = json_object_get(running, "text");
    struct config_errors errors = {0};
    struct config *config = NULL;
    if (json_is_string(text))
        config =
            config_load_text("running", json_string_value(text), json_string_length(text), &errors);
    config_errors_print(&errors, stderr);
    config_errors_free(&errors);
    if (config) {
        note_lists(json_object_get(running, "lists"), config);
        note_certificates(json_object_get(running, "certificates"), config);
    }
    if (!config)
        fprintf(stderr, "rpproxy: this program does not understand the configuration of pid %d\n",
                pid);
    return config;
}

static void print_line(const char *line, void *arg)
{
    fprintf(arg, "%s\n", line);
}

/* Resolves the names of servers as a start or a reload does, but for those that are known. False:
 * some make that fail, and have been printed. */
static bool names_are_good(const struct config *config, first_is_known *is_known, void *arg)
{
    struct first_answers answers;
    first_ask(config, 0, is_known, arg, &answers);
    size_t failures = first_report(config, &answers, print_line, stderr);
    first_free(&answers);
    return failures == 0;
}

/* A reload takes over the addresses of a name that the running process has. */
static bool is_running(const struct backend_conf *backend, const struct server_conf *server,
                       void *arg)
{
    const struct config *running = arg;
    for (size_t i = 0; i < running->backend_count; i++) {
        const struct backend_conf *other = &running->backends[i];
        for (size_t j = 0; j < other->server_count && strcmp(other->name, backend->name) == 0; j++)
            if (strcmp(other->servers[j].name, server->name) == 0 &&
                strcmp(other->servers[j].text, server->text) == 0)
                return true;
    }
    return false;
}

static int compare(const struct command *command, struct config *running, const char *file)
{
    struct config_errors errors;
    json_t *status = NULL;
    int pid;
    struct config *next = config_load(file, &errors);
    config_errors_print(&errors, stderr);
    config_errors_free(&errors);
    if (!next)
        return EXIT_INVALID;
    int outcome = EXIT_INVALID;
    if (names_are_good(next, is_running, running))
        outcome = ask_once(command, "status", &pid, NULL, &status);
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

/* Prints what a reload would change. Only asks the running process. */
static int preview(const struct command *command)
{
    json_t *answer = NULL;
    const char *path;
    int pid;
    pid_t here;
    int status = ask_once(command, "config", &pid, &here, &answer);
    if (status != EXIT_DONE)
        return status;
    int error = preview_environment(here);
    if (error)
        fprintf(stderr,
                "rpproxy: the environment of pid %d cannot be read (%s): variables get the values "
                "of the environment of this command\n",
                pid, strerror(error));
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

static bool print_config(json_t *answer, int pid)
{
    const char *file, *hash, *text;
    if (json_unpack(answer, "{s:s, s:s, s:s}", "file", &file, "hash", &hash, "text", &text))
        return false;
    printf("; configuration of pid %d, read from %s\n; hash %s\n%s", pid, file, hash, text);
    return true;
}

int command_config(const struct command *command)
{
    json_t *answer = NULL;
    int pid;
    int status = ask_once(command, "config", &pid, NULL, &answer);
    if (status == EXIT_DONE)
        status = end_of_answer(
            command->json ? print_json(answer, false) : print_config(answer, pid), pid);
    json_decref(answer);
    return status;
}

int command_reload(const struct command *command)
{
    struct conversation talk;
    if (command->dry_run)
        return preview(command);
    const char *what = command->abort      ? "abort"
                       : command->promote  ? "promote"
                       : command->canary   ? "canary"
                       : command->rollback ? "rollback"
                                           : "reload";
    json_t *order = json_pack("{s:b, s:s*, s:i}", "force", (int)command->force, "plan",
                              command->canary, "generation", (int)command->stored);
    bool heard = ask(&talk, command, what, order);
    json_decref(order);
    if (!heard)
        return EXIT_NO_PROXY;
    int status = hear_result(&talk, command);
    if (status == EXIT_DONE && command->drained)
        status = wait_for_end(&talk, command, "reloaded");
    conversation_end(&talk);
    return status;
}

int command_stop(const struct command *command)
{
    struct conversation talk;
    if (!ask(&talk, command, "stop", NULL))
        return EXIT_NO_PROXY;
    int status = wait_for_end(&talk, command, "stopping");
    if (status == EXIT_DONE)
        printf("stopped: pid %d\n", talk.pid);
    conversation_end(&talk);
    return status;
}

int command_reopen(const struct command *command)
{
    return ask_for_action(command, "reopen", NULL);
}

int command_server(const struct command *command)
{
    const char *server = command->words[0], *set = command->words[1];
    json_t *order = json_pack("{s:o, s:o}", "server", text_json(server, strlen(server)), "set",
                              text_json(set, strlen(set)));
    int status = ask_for_action(command, "server", order);
    json_decref(order);
    return status;
}

int command_frontend(const struct command *command)
{
    const char *name = command->words[0], *set = command->word_count > 1 ? command->words[1] : NULL;
    json_t *order = json_pack("{s:o}", "frontend", text_json(name, strlen(name)));
    if (set)
        json_object_set_new(order, "set", text_json(set, strlen(set)));
    int status = ask_for_action(command, "frontend", order);
    json_decref(order);
    return status;
}

static bool print_screen(json_t *status, bool whole)
{
    struct memory_stream text;
    memory_stream_begin(&text);
    bool printed = report_print(status, whole, text.stream);
    char *report = memory_stream_end(&text);
    screen_print(report);
    free(report);
    return printed;
}

static bool print_report(const struct command *command, json_t *status)
{
    const bool whole = command->word_count == 0;
    const bool redraws = command->watch && isatty(STDOUT_FILENO);
    if (redraws && !command->json)
        return print_screen(status, whole);
    if (redraws)
        screen_clear();
    bool printed =
        command->json ? print_json(status, command->watch) : report_print(status, whole, stdout);
    if (command->watch && !command->json)
        putchar('\n');
    (void)fflush(stdout);
    return printed;
}

static int print_status(const struct command *command)
{
    json_t *answer = NULL;
    const char *unknown = NULL;
    int pid;
    int status = ask_once(command, "status", &pid, NULL, &answer);
    if (status == EXIT_DONE && command->word_count > 0)
        unknown = pick(answer, command->words, command->word_count);
    if (unknown) {
        fprintf(stderr, "rpproxy: no frontend, backend or server is named '%s'\n", unknown);
        status = EXIT_OTHER;
    }
    if (status == EXIT_DONE)
        status = end_of_answer(print_report(command, answer), pid);
    json_decref(answer);
    return status;
}

int command_status(const struct command *command)
{
    if (command->watch)
        screen_begin();
    int status = print_status(command);
    while (command->watch && status == EXIT_DONE && !ferror(stdout) &&
           screen_wait(WATCH_INTERVAL_MS))
        status = print_status(command);
    screen_end();
    return status;
}

/* What a start would not find on this machine. No errors: a file may be checked on another machine
 * than the one that it is for. */
static void warn_of_surroundings(const struct config *config)
{
    const char *wrong = config->user ? privileges_check_user(config->user) : NULL;
    if (wrong)
        fprintf(stderr, "%s: warning: user: %s on this machine: a start would fail\n",
                config_where(config, "user"), wrong);
}

int command_check(const struct command *command)
{
    const char *file = command->file;
    struct config_errors errors;
    struct config *config = config_load(file, &errors);
    config_errors_print(&errors, stderr);
    config_errors_free(&errors);
    if (!config)
        return EXIT_INVALID;
    warn_of_surroundings(config);
    bool good = names_are_good(config, NULL, NULL);
    config_free(config);
    if (!good)
        return EXIT_INVALID;
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

const char *command_limit(const char *text, uint64_t *limit)
{
    const char *wrong = value_unsigned(text, limit);
    if (!wrong && (*limit == 0 || *limit > INT64_MAX))
        wrong = "must be 1 or more";
    return wrong;
}

const char *command_duration(const char *text, millis *duration)
{
    return value_duration(text, duration);
}
