#include "reload/cli/ask.h"

#include "config/base/clock.h"
#include "reload/base/exit_status.h"
#include "reload/cli/locate.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The path of the control socket comes from the file, and may have changed there since the proxy
 * started. */
static void print_control_hint(const struct command *command)
{
    struct located found;
    if (locate_proxy(command->file, &found))
        fprintf(stderr, "rpproxy: pid %d reads %s and answers on %s: use -s %s\n", found.pid,
                command->file, found.control, found.control);
    else
        fprintf(stderr,
                "rpproxy: %s names that socket; if control was changed there after the proxy "
                "started, the proxy answers on the old one: use -s OLD-SOCKET\n",
                command->file);
}

static const char *user_name(uid_t uid, char text[static 32])
{
    const struct passwd *entry = getpwuid(uid);
    if (entry)
        snprintf(text, 32, "%s", entry->pw_name);
    else
        snprintf(text, 32, "%u", uid);
    return text;
}

/* A proxy may well serve there. */
static void print_forbidden(const struct command *command)
{
    struct stat status;
    char own[32], other[32];
    user_name(geteuid(), own);
    if (stat(command->control, &status))
        fprintf(stderr, "rpproxy: user %s may not look at %s: %s\n", own, command->control,
                strerror(errno));
    else
        fprintf(stderr,
                "rpproxy: user %s may not use %s: the proxy answers user %s and root only\n", own,
                command->control, user_name(status.st_uid, other));
}

static struct request request_of(const struct command *command, const char *what,
                                 const json_t *members)
{
    return (struct request){.what = what,
                            .control = command->control,
                            .timeout = command->timeout,
                            .file = command->file,
                            .members = members};
}

bool ask(struct conversation *talk, const struct command *command, const char *what,
         const json_t *members)
{
    const millis patience = command->timeout && command->timeout < CONVERSATION_ANSWER_MS
                                ? command->timeout
                                : CONVERSATION_ANSWER_MS;
    uint64_t began = clock_ms();
    const struct request request = request_of(command, what, members);
    int error = conversation_begin(talk, &request);
    if (!error)
        return true;
    bool in_time = clock_ms() - began < patience;
    if (error == EACCES || error == EPERM) {
        print_forbidden(command);
    } else if (error != EPROTO && error != EAGAIN) { /* EAGAIN: the queue of its socket is full */
        fprintf(stderr, "rpproxy: no proxy answers on %s: %s\n", command->control, strerror(error));
        if (command->control_from_file)
            print_control_hint(command);
    } else {
        fprintf(stderr, "rpproxy: the proxy on %s does not answer%s\n", command->control,
                in_time ? " (it answers its own user and root only)" : " in time");
    }
    return false;
}

bool ask_again(struct conversation *talk, const struct command *command, const char *what,
               const json_t *members)
{
    const struct request request = request_of(command, what, members);
    return conversation_begin(talk, &request) == 0;
}

int hear_answer(struct conversation *talk, json_t **object)
{
    switch (conversation_hear_answer(talk, object)) {
    case WORD_HEARD:
        return EXIT_DONE;
    case WORD_END:
        fprintf(stderr, "rpproxy: pid %d exited without an answer\n", talk->pid);
        return EXIT_NO_PROXY;
    case WORD_TIMEOUT:
        break;
    }
    fprintf(stderr, "rpproxy: pid %d has not answered in time\n", talk->pid);
    return EXIT_WAITING;
}

int ask_once(const struct command *command, const char *what, int *pid, pid_t *here,
             json_t **answer)
{
    struct conversation talk;
    json_t *object = NULL;
    const char *refusal;
    if (!ask(&talk, command, what, NULL))
        return EXIT_NO_PROXY;
    *pid = talk.pid;
    if (here)
        *here = talk.here;
    *answer = NULL;
    int status = hear_answer(&talk, &object);
    if (status != EXIT_DONE) {
        conversation_end(&talk);
        return status;
    }
    status = EXIT_NO_PROXY;
    if (json_unpack(object, "{s:O}", what, answer) == 0)
        status = EXIT_DONE;
    else if (json_unpack(object, "{s:s, s:i}", "result", &refusal, "exit", &status) == 0)
        fprintf(stderr, "rpproxy: pid %d does not send its %s: %s\n", talk.pid, what, refusal);
    json_decref(object);
    conversation_end(&talk);
    return *answer ? EXIT_DONE : status;
}

int ask_for_action(const struct command *command, const char *what, const json_t *members)
{
    struct conversation talk;
    if (!ask(&talk, command, what, members))
        return EXIT_NO_PROXY;
    json_t *object = NULL;
    const char *text;
    int status = hear_answer(&talk, &object);
    if (status == EXIT_DONE &&
        json_unpack(object, "{s:s, s:i}", "result", &text, "exit", &status) == 0)
        fprintf(status == EXIT_DONE ? stdout : stderr, "%s%s\n",
                status == EXIT_DONE ? "" : "rpproxy: ", text);
    json_decref(object);
    conversation_end(&talk);
    return status;
}

bool print_json(const json_t *json, bool on_one_line)
{
    bool printed = json_dumpf(json, stdout, on_one_line ? JSON_COMPACT : JSON_INDENT(2)) == 0;
    putchar('\n');
    return printed;
}

int end_of_answer(bool printed, int pid)
{
    if (printed || ferror(stdout))
        return EXIT_DONE;
    fprintf(stderr, "rpproxy: the answer of pid %d cannot be printed\n", pid);
    return EXIT_OTHER;
}
