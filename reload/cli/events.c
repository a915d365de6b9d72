#include "reload/cli/events.h"

#include "config/base/clock.h"
#include "reload/base/exit_status.h"
#include "reload/cli/ask.h"
#include "reload/cli/conversation.h"
#include "reload/cli/plain.h"

#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* How long to wait for the next process, and how often to look. */
#define NEXT_WAIT_MS 10000
#define NEXT_LOOK_MS 20

/* What has been heard, for the next process. */
struct heard {
    char instance[64]; /* "": nothing yet */
    json_int_t newest;
    uint64_t count; /* of the events that were printed */
};

static void print_event(json_t *event)
{
    const char *kind = "?", *text = "";
    double at = 0;
    char when[32] = "";
    struct tm parts;
    plain_strings(event);
    (void)json_unpack(event, "{s?s, s?s, s?F}", "event", &kind, "text", &text, "at", &at);
    time_t seconds = (time_t)at;
    if (gmtime_r(&seconds, &parts))
        (void)strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &parts);
    printf("%s.%03dZ %s: %s\n", when, (int)((at - (double)seconds) * 1000 + 0.5) % 1000, kind,
           text);
}

static void print_lost(const struct command *command, json_int_t lost)
{
    if (lost > 0 && command->json)
        printf("{\"event\":\"lost\",\"events\":%lld}\n", (long long)lost);
    else if (lost > 0)
        fprintf(stderr, "rpproxy: %lld events were lost: they are not kept any more\n",
                (long long)lost);
}

static void take_head(const struct command *command, json_t *head, struct heard *heard)
{
    const char *instance = "";
    json_int_t lost = 0, newest = 0;
    (void)json_unpack(head, "{s?s, s?I, s?I}", "instance", &instance, "newest", &newest, "lost",
                      &lost);
    if (strcmp(instance, heard->instance) != 0)
        heard->newest = 0;
    if (!heard->instance[0] && command->last == 0)
        heard->newest = newest;
    snprintf(heard->instance, sizeof heard->instance, "%s", instance);
    print_lost(command, lost);
}

/* Returns an exit status, or -1: the process is gone, or hands over. */
static int hear(struct conversation *talk, const struct command *command, struct heard *heard)
{
    for (;;) {
        json_t *object = NULL, *head;
        const char *text;
        json_int_t number;
        int status;
        if (conversation_hear(talk, &object) != WORD_HEARD)
            return -1;
        if (json_object_get(object, "ended")) { /* the proxy was stopped */
            json_decref(object);
            return EXIT_DONE;
        }
        if ((head = json_object_get(object, "events"))) {
            take_head(command, head, heard);
        } else if (json_unpack(object, "{s:s, s:i}", "result", &text, "exit", &status) == 0) {
            fprintf(stderr, "rpproxy: %s\n", text);
            json_decref(object);
            return status;
        } else if (json_unpack(object, "{s:I}", "number", &number) == 0) {
            heard->newest = number;
            heard->count++;
            if (command->json)
                (void)print_json(object, true);
            else
                print_event(object);
        }
        json_decref(object);
        if (fflush(stdout) != 0 || ferror(stdout))
            return EXIT_DONE; /* output_end() in main.c reports it */
        if (command->limit && heard->count >= command->limit)
            return EXIT_DONE;
    }
}

static json_t *question(const struct command *command, const struct heard *heard)
{
    if (heard->instance[0])
        return json_pack("{s:s, s:I}", "instance", heard->instance, "after", heard->newest);
    return json_pack("{s:I}", "last", (json_int_t)command->last);
}

/* The process that was heard is gone, and the next one may need a moment: a successor that has
 * failed leaves the control socket to its predecessor. False, after printing an error: none
 * answers. */
static bool ask_next(struct conversation *talk, const struct command *command, json_t *members)
{
    const struct request request = {
        .what = "events", .control = command->control, .file = command->file, .members = members};
    uint64_t give_up = clock_ms() + NEXT_WAIT_MS;
    while (clock_ms() < give_up) {
        if (conversation_begin(talk, &request) == 0)
            return true;
        (void)poll(NULL, 0, NEXT_LOOK_MS);
    }
    return ask(talk, command, "events", members);
}

int command_events(const struct command *command)
{
    struct heard heard = {0};
    int status = -1;
    while (status < 0) {
        struct conversation talk;
        json_t *members = question(command, &heard);
        bool asked = heard.instance[0] ? ask_next(&talk, command, members)
                                       : ask(&talk, command, "events", members);
        json_decref(members);
        if (!asked)
            return EXIT_NO_PROXY;
        status = hear(&talk, command, &heard);
        conversation_end(&talk);
    }
    return status;
}
