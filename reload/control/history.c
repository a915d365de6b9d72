#include "reload/control/history.h"

#include "reload/base/history.h"
#include "reload/base/text.h"
#include "reload/control/client.h"
#include "reload/control/running.h"
#include "reload/handover/generation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool has(const json_t *numbers, unsigned number)
{
    size_t i;
    json_t *item;
    json_array_foreach(numbers, i, item)
    {
        if (json_integer_value(item) == (json_int_t)number)
            return true;
    }
    return false;
}

static void add(const char *folder, unsigned number, const json_t *texts, json_t *list,
                json_t *unread)
{
    struct history_entry entry;
    char line[PATH_MAX + 128], path[PATH_MAX];
    const char *wrong = history_read(folder, number, &entry);
    if (wrong) {
        snprintf(line, sizeof line, "%s %s", history_path(folder, number, path), wrong);
        json_array_append_new(unread, text_json(line, strlen(line)));
        return;
    }
    json_t *object = history_json(&entry);
    if (has(texts, number))
        json_object_set_new(object, "text",
                            entry.text ? text_json(entry.text, strlen(entry.text)) : json_null());
    json_array_append_new(list, object);
    history_entry_free(&entry);
}

void history_answer(struct client *client, const json_t *request)
{
    const char *folder = client->generation->config->history;
    if (!folder) {
        client_send_result(client, EXIT_OTHER,
                           "no history is kept: set history = /PATH in [global]");
        return;
    }
    json_t *list = json_array(), *unread = json_array();
    unsigned *numbers;
    size_t count = history_numbers(folder, &numbers);
    for (size_t i = 0; i < count; i++)
        add(folder, numbers[i], json_object_get(request, "texts"), list, unread);
    free(numbers);
    client_send(client, json_pack("{s:o, s:o}", "history", list, "unread", unread));
}

static bool served_otherwise(const struct generation *generation, unsigned number)
{
    struct history_entry entry;
    char hash[HASH_TEXT_MAX];
    if (number == generation->number || history_read(generation->config->history, number, &entry))
        return false;
    bool good = entry.exit == EXIT_DONE && !entry.crashed && entry.text &&
                strcmp(entry.hash, hash_text(generation->config_hash, hash)) != 0;
    history_entry_free(&entry);
    return good;
}

static unsigned choose_newest(const struct generation *generation)
{
    unsigned *numbers, chosen = 0;
    size_t count = history_numbers(generation->config->history, &numbers);
    while (count > 0 && chosen == 0) {
        if (served_otherwise(generation, numbers[count - 1]))
            chosen = numbers[count - 1];
        count--;
    }
    free(numbers);
    return chosen;
}

unsigned history_choose(const struct generation *generation, json_int_t asked, char *text,
                        size_t size)
{
    const char *folder = generation->config->history;
    struct history_entry entry;
    if (!folder) {
        snprintf(text, size, "no history is kept: set history = /PATH in [global]");
        return 0;
    }
    if (asked == 0) {
        unsigned chosen = choose_newest(generation);
        snprintf(text, size,
                 "the history has no generation that served with another "
                 "configuration");
        return chosen;
    }
    const char *wrong = asked < 0 || asked > INT_MAX
                            ? "is not the number of a generation"
                            : history_read(folder, (unsigned)asked, &entry);
    if (!wrong && !entry.text)
        wrong = "has no configuration: that reload was refused";
    else if (!wrong)
        history_entry_free(&entry);
    snprintf(text, size, "generation %lld of the history %s", (long long)asked, wrong ? wrong : "");
    return wrong ? 0 : (unsigned)asked;
}
