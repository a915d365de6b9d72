#include "reload/cli/complete.h"

#include "config/load.h"
#include "reload/cli/conversation.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 2000
#define SERVERS    "@server"
#define FRONTENDS  "@frontend"
#define FILTERS    "frontend= backend= server= source= state= idle= age= bytes="

/* What can stand as a word after a command, and as the value of an option: candidates with spaces
 * between them. Words without a row here are the user's own. */
static const struct values {
    const char *command; /* NULL: the value of an option */
    unsigned word;       /* from 0; the last row of a command is for all further words, too */
    const char *option;
    const char *candidates;
} values[] = {
    {"server", 0, NULL, SERVERS},       {"server", 1, NULL, "ready drain maint weight= maxconn="},
    {"frontend", 0, NULL, FRONTENDS},   {"frontend", 1, NULL, "pause resume"},
    {"import", 0, NULL, "haproxy"},     {"import", 1, NULL, COMPLETE_FILE},
    {"sessions", 0, NULL, FILTERS},     {"kill", 0, NULL, FILTERS},
    {NULL, 0, "wait", "ready drained"}, {NULL, 0, "canary", "5%:30s"},
    {NULL, 0, "timeout", "10s 1m"},     {NULL, 0, "f", COMPLETE_FILE},
    {NULL, 0, "s", COMPLETE_FILE},
};

struct line {
    const struct complete_grammar *grammar;
    const struct complete_command *command;
    char **words;
    size_t count;
    const char *current; /* the word that is to be completed */
};

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* prefix: of the current word, before the candidate. */
static void offer(const struct line *line, const char *prefix, const char *candidate)
{
    char word[256];
    int length = snprintf(word, sizeof word, "%s%s", prefix, candidate);
    if (length > 0 && (size_t)length < sizeof word && begins(word, line->current))
        puts(word);
}

/* --- servers and frontends ------------------------------------------------------------------- */

/* The value of -f or -s among the words, or NULL. */
static const char *value_of(const struct line *line, char letter)
{
    const char *value = NULL;
    for (size_t i = 0; i + 1 < line->count; i++) {
        const char *word = line->words[i];
        if (word[0] != '-' || word[1] != letter)
            continue;
        value = word[2] ? word + 2 : line->words[i + 1];
    }
    return value;
}

static void offer_servers_of(const struct line *line, const json_t *status)
{
    size_t i, j;
    const json_t *backend, *server;
    json_array_foreach(json_object_get(status, "backends"), i, backend)
    {
        const char *name = json_string_value(json_object_get(backend, "name"));
        json_array_foreach(json_object_get(backend, "servers"), j, server)
        {
            char prefix[256];
            const char *own = json_string_value(json_object_get(server, "name"));
            if (!name || !own || (size_t)snprintf(prefix, sizeof prefix, "%s/", name) >= 256)
                continue;
            offer(line, prefix, own);
        }
    }
}

static void offer_frontends_of(const struct line *line, const json_t *status)
{
    size_t i;
    const json_t *frontend;
    json_array_foreach(json_object_get(status, "frontends"), i, frontend)
    {
        const char *name = json_string_value(json_object_get(frontend, "name"));
        if (name)
            offer(line, "", name);
    }
}

/* Names that the running proxy knows. */
static void offer_names(const struct line *line,
                        void (*offer_of)(const struct line *line, const json_t *status))
{
    const char *file = value_of(line, 'f'), *socket = value_of(line, 's');
    struct config_errors errors = {0};
    char *control =
        socket ? strdup(socket) : config_control(file ? file : CONFIG_DEFAULT_FILE, &errors);
    config_errors_free(&errors);
    struct conversation talk;
    const struct request request = {.what = "status", .control = control, .timeout = TIMEOUT_MS};
    json_t *object = NULL;
    if (control && conversation_begin(&talk, &request) == 0) {
        while (conversation_hear(&talk, &object) == WORD_HEARD) {
            offer_of(line, json_object_get(object, "status"));
            bool was_it = json_object_get(object, "status") != NULL;
            json_decref(object);
            if (was_it)
                break;
        }
        conversation_end(&talk);
    }
    free(control);
}

/* --- words, options, values ------------------------------------------------------------------ */

static void offer_each(const struct line *line, const char *prefix, const char *candidates)
{
    char *copy = strdup(candidates), *save;
    for (char *one = copy ? strtok_r(copy, " ", &save) : NULL; one;
         one = strtok_r(NULL, " ", &save)) {
        if (strcmp(one, SERVERS) == 0)
            offer_names(line, offer_servers_of);
        else if (strcmp(one, FRONTENDS) == 0)
            offer_names(line, offer_frontends_of);
        else if (strcmp(one, COMPLETE_FILE) == 0)
            puts(COMPLETE_FILE);
        else
            offer(line, prefix, one);
    }
    free(copy);
}

static void offer_values(const struct line *line, const char *prefix, const char *option)
{
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (!values[i].command && strcmp(values[i].option, option) == 0)
            offer_each(line, prefix, values[i].candidates);
}

static void offer_word(const struct line *line, unsigned word)
{
    const char *candidates = "";
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (values[i].command && strcmp(values[i].command, line->command->name) == 0 &&
            values[i].word <= word)
            candidates = values[i].candidates;
    offer_each(line, "", candidates);
}

static bool takes(const struct complete_command *command, int value)
{
    for (size_t i = 0; i < command->option_count; i++)
        if (command->options[i] == value)
            return true;
    return false;
}

/* Every command has --help. What only rpproxy itself has stands in no row of a command. */
static bool is_general(const struct complete_grammar *grammar, int value)
{
    for (size_t i = 0; i < grammar->command_count; i++)
        if (takes(&grammar->commands[i], value))
            return false;
    return true;
}

static void offer_options(const struct line *line)
{
    const struct complete_command *command = line->command;
    if (takes(command, 'f'))
        offer(line, "", "-f");
    if (takes(command, 's'))
        offer(line, "", "-s");
    for (const struct option *option = line->grammar->options; option->name; option++) {
        bool general = is_general(line->grammar, option->val);
        if (general ? *command->name && strcmp(option->name, "help") != 0
                    : !takes(command, option->val))
            continue;
        offer(line, "--", option->name);
    }
}

static const struct option *find_option(const struct complete_grammar *grammar, const char *name,
                                        size_t length)
{
    for (const struct option *option = grammar->options; option->name; option++)
        if (strlen(option->name) == length && strncmp(option->name, name, length) == 0)
            return option;
    return NULL;
}

/* The name of the option whose value the word after `word` is, or NULL. */
static const char *awaits_value(const struct complete_grammar *grammar, const char *word)
{
    if (strcmp(word, "-f") == 0 || strcmp(word, "-s") == 0)
        return word + 1;
    if (!begins(word, "--"))
        return NULL;
    const struct option *option = find_option(grammar, word + 2, strlen(word + 2));
    return option && option->has_arg == required_argument ? option->name : NULL;
}

/* --name=VALUE. False: the current word is not of this form. */
static bool offer_value_in_word(const struct line *line)
{
    const char *equals = strchr(line->current, '=');
    if (!begins(line->current, "--") || !equals)
        return false;
    const struct option *option =
        find_option(line->grammar, line->current + 2, (size_t)(equals - line->current) - 2);
    char prefix[64];
    if (option && option->has_arg != no_argument &&
        (size_t)snprintf(prefix, sizeof prefix, "--%s=", option->name) < sizeof prefix)
        offer_values(line, prefix, option->name);
    return true;
}

static unsigned words_before(const struct line *line)
{
    unsigned words = 0;
    for (size_t i = *line->command->name ? 1 : 0; i + 1 < line->count; i++) {
        const char *word = line->words[i];
        if (awaits_value(line->grammar, word))
            i++;
        else if (word[0] != '-')
            words++;
    }
    return words;
}

static const struct complete_command *find_command(const struct complete_grammar *grammar,
                                                   const char *name)
{
    for (size_t i = 0; i < grammar->command_count; i++)
        if (strcmp(grammar->commands[i].name, name) == 0)
            return &grammar->commands[i];
    return NULL;
}

void complete(const struct complete_grammar *grammar, char **words, size_t count)
{
    if (count == 0)
        return;
    bool has_command = count > 1 && words[0][0] != '-';
    const struct line line = {.grammar = grammar,
                              .command = find_command(grammar, has_command ? words[0] : ""),
                              .words = words,
                              .count = count,
                              .current = words[count - 1]};
    const char *option = count > 1 ? awaits_value(grammar, words[count - 2]) : NULL;
    if (!line.command)
        return;
    if (option) {
        offer_values(&line, "", option);
    } else if (line.current[0] == '-') {
        if (!offer_value_in_word(&line))
            offer_options(&line);
    } else if (count == 1) {
        for (size_t i = 0; i < grammar->command_count; i++)
            if (*grammar->commands[i].name)
                offer(&line, "", grammar->commands[i].name);
    } else if (words_before(&line) < line.command->most) {
        offer_word(&line, words_before(&line));
    }
}
