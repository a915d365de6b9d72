#include "reload/cli/history.h"

#include "config/load.h"
#include "config/syntax/value.h"
#include "reload/base/exit_status.h"
#include "reload/base/text_diff.h"
#include "reload/cli/ask.h"
#include "reload/cli/command.h"
#include "reload/cli/conversation.h"
#include "reload/cli/plain.h"
#include "reload/control/running.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Asks for the history, with the texts of two generations; 0: none. Returns an exit status. */
static int ask_history(const struct command *command, unsigned first, unsigned second,
                       json_t **answer)
{
    struct conversation talk;
    const char *text;
    int status = EXIT_OTHER;
    json_t *members = json_pack("{s:[i, i]}", "texts", (int)first, (int)second);
    bool asked = ask(&talk, command, "history", members);
    json_decref(members);
    *answer = NULL;
    if (!asked)
        return EXIT_NO_PROXY;
    int heard = hear_answer(&talk, answer);
    if (heard != EXIT_DONE || json_object_get(*answer, "history"))
        status = heard;
    else if (json_unpack(*answer, "{s:s, s:i}", "result", &text, "exit", &status) == 0)
        fprintf(stderr, "rpproxy: %s\n", text);
    conversation_end(&talk);
    return status;
}

static void print_unread(json_t *answer)
{
    size_t i;
    json_t *line;
    json_array_foreach(json_object_get(answer, "unread"), i, line)
        fprintf(stderr, "rpproxy: %s\n", json_string_value(line));
}

static void print_entry(json_t *entry)
{
    const char *by = "", *result = "", *hash = "-";
    json_int_t generation = 0, at = 0;
    char when[32] = "";
    struct tm parts;
    plain_strings(entry);
    (void)json_unpack(entry, "{s?I, s?I, s?s, s?s}", "generation", &generation, "at", &at, "by",
                      &by, "result", &result);
    (void)json_unpack(entry, "{s:s}", "hash", &hash);
    time_t seconds = (time_t)at;
    if (localtime_r(&seconds, &parts))
        (void)strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &parts);
    printf("%10lld  %-19s  %-16s  %s; %s\n", (long long)generation, when, hash, result, by);
}

static const char *find_text(json_t *answer, unsigned number)
{
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(answer, "history"), i, entry)
    {
        if (json_integer_value(json_object_get(entry, "generation")) == (json_int_t)number)
            return json_string_value(json_object_get(entry, "text"));
    }
    return NULL;
}

static int print_difference(const char *const texts[static 2], const unsigned numbers[static 2])
{
    char labels[2][32];
    struct diff_text sides[2];
    for (unsigned i = 0; i < 2; i++) {
        snprintf(labels[i], sizeof labels[i], "generation %u", numbers[i]);
        sides[i] = (struct diff_text){labels[i], texts[i]};
    }
    int error = text_diff(&sides[0], &sides[1], stdout);
    if (error)
        fprintf(stderr, "rpproxy: %s\n", strerror(error));
    return error ? EXIT_OTHER : EXIT_DONE;
}

/* Returns false, after printing an error: it is none. */
static bool read_number(const char *text, unsigned *number)
{
    uint64_t value;
    const char *wrong = value_unsigned(text, &value);
    if (!wrong && (value == 0 || value > INT_MAX))
        wrong = "is not the number of a generation";
    if (wrong)
        fprintf(stderr, "rpproxy: '%s' %s\n", text, wrong);
    *number = wrong ? 0 : (unsigned)value;
    return !wrong;
}

static int print_diff(const struct command *command)
{
    unsigned numbers[2];
    const char *texts[2];
    json_t *answer;
    if (command->word_count != 2) {
        fputs("rpproxy: --diff needs two generations: history --diff 3 4\n", stderr);
        return EXIT_OTHER;
    }
    for (unsigned i = 0; i < 2; i++)
        if (!read_number(command->words[i], &numbers[i]))
            return EXIT_OTHER;
    int status = ask_history(command, numbers[0], numbers[1], &answer);
    for (unsigned i = 0; i < 2 && status == EXIT_DONE; i++) {
        texts[i] = find_text(answer, numbers[i]);
        if (texts[i])
            continue;
        fprintf(stderr, "rpproxy: the history has no configuration of generation %u\n", numbers[i]);
        status = EXIT_OTHER;
    }
    if (status == EXIT_DONE)
        status = print_difference(texts, numbers);
    json_decref(answer);
    return status;
}

int command_history(const struct command *command)
{
    json_t *answer, *entry;
    size_t i;
    if (command->diff)
        return print_diff(command);
    if (command->word_count > 0) {
        fprintf(stderr, "rpproxy: too many arguments: %s\n", command->words[0]);
        return EXIT_OTHER;
    }
    int status = ask_history(command, 0, 0, &answer);
    if (status == EXIT_DONE) {
        print_unread(answer);
        if (command->json) {
            (void)print_json(json_object_get(answer, "history"), false);
        } else {
            printf("%10s  %-19s  %-16s  %s\n", "GENERATION", "AT", "CONFIG", "RESULT; BY");
            json_array_foreach(json_object_get(answer, "history"), i, entry) print_entry(entry);
        }
    }
    json_decref(answer);
    return status;
}

/* --- rollback ----------------------------------------------------------------------------------
 */

/* The configuration that runs now, as `config` prints it. The caller frees it. */
static json_t *running(const struct command *command)
{
    int pid;
    json_t *answer;
    return ask_once(command, "config", &pid, NULL, &answer) == EXIT_DONE ? answer : NULL;
}

/* True: the file says the same as the text with that hash. */
static bool file_says(const char *path, const char *hash)
{
    struct config_errors errors;
    char text[HASH_TEXT_MAX];
    struct config *config = config_load(path, &errors);
    config_errors_free(&errors);
    bool same = config && strcmp(hash_text(running_hash(config), text), hash) == 0;
    config_free(config);
    return same;
}

static int write_all(int fd, const char *text)
{
    for (size_t left = strlen(text); left > 0;) {
        ssize_t written = write(fd, text, left);
        if (written < 0)
            return errno;
        text += written;
        left -= (size_t)written;
    }
    return 0;
}

/* Puts the text into the file, with its owner and mode; the old file stays as FILE.before-rollback.
 * At each moment there is a complete file. Returns 0 or an errno value. */
static int replace_file(const char *path, const char *text)
{
    char new[PATH_MAX + 32], kept[PATH_MAX + 32];
    struct stat status;
    if (stat(path, &status))
        return errno;
    snprintf(new, sizeof new, "%s.new-%d", path, (int)getpid());
    snprintf(kept, sizeof kept, "%s.before-rollback", path);
    int fd = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    int error = write_all(fd, text);
    if (!error && ((status.st_uid != geteuid() && fchown(fd, status.st_uid, status.st_gid)) ||
                   fchmod(fd, status.st_mode & 07777) || fsync(fd)))
        error = errno;
    if (close(fd) && !error)
        error = errno;
    if (!error && unlink(kept) && errno != ENOENT)
        error = errno;
    if (!error && link(path, kept))
        error = errno;
    if (!error && rename(new, path))
        error = errno;
    if (error)
        (void)unlink(new);
    return error;
}

/* What is left to be said, or done, about the file. */
static int settle_file(const struct command *command)
{
    const char *path, *hash, *text;
    int status = EXIT_DONE;
    json_t *now = running(command);
    if (json_unpack(now, "{s:s, s:s, s:s}", "path", &path, "hash", &hash, "text", &text)) {
        json_decref(now);
        return EXIT_OTHER;
    }
    if (file_says(path, hash)) {
        printf("%s has this configuration already\n", path);
    } else if (!command->write) {
        printf("%s differs from it: the next reload reads that file again (rollback --write "
               "changes it)\n",
               path);
    } else {
        int error = replace_file(path, text);
        if (error) {
            fprintf(stderr, "rpproxy: rolled back, but %s cannot be written: %s\n", path,
                    strerror(error));
            status = EXIT_OTHER;
        } else {
            printf("%s has this configuration now; what it had is in %s.before-rollback\n", path,
                   path);
        }
    }
    json_decref(now);
    return status;
}

int command_rollback(const struct command *command)
{
    struct command order = *command;
    order.rollback = true;
    if (command->word_count == 1 && !read_number(command->words[0], &order.stored))
        return EXIT_OTHER;
    int status = command_reload(&order);
    return status == EXIT_DONE ? settle_file(command) : status;
}
