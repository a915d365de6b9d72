#include "config/options/attributes.h"

#include "config/base/memory.h"
#include "config/options/foreign_names.h"
#include "config/options/remedy.h"
#include "config/syntax/suggest.h"

#include <stdlib.h>
#include <string.h>

static const char blanks[] = " \t";

static const char *line_name(enum option_owner which)
{
    return which == OWNER_BIND ? "bind" : "server";
}

/* The row with the name that the word begins with, or NULL. */
static const struct option *find(enum option_owner which, const char *word, size_t length)
{
    for (const struct option *option = attribute_table(which); option->name; option++)
        if (strlen(option->name) == length && strncmp(option->name, word, length) == 0)
            return option;
    return NULL;
}

/* follows: a word before it was wrong, and this may be its value: "inter 2s", "weight = 5". */
static void report_unknown(enum option_owner which, const char *word, size_t length, bool follows,
                           const struct option_context *context)
{
    char hint[SUGGEST_TEXT_MAX];
    char *name = memory_copy_n(word, length ? length : strlen(word));
    const char *ours = foreign_name(FOREIGN_ATTRIBUTE, name);
    struct suggestion suggestion = suggest_begin(name);
    for (const struct option *option = attribute_table(which); option->name; option++)
        suggest_offer(&suggestion, option->name);
    if (ours) {
        problem_add(context->problems, context->place, "%s: unknown attribute '%s': it is %s",
                    line_name(which), name, ours);
    } else if (suggestion.best) {
        problem_add(context->problems, context->place, "%s: unknown attribute '%s'%s",
                    line_name(which), name, suggest_text(&suggestion, hint));
    } else if (!follows) {
        problem_add(context->problems, context->place,
                    "%s: unknown attribute '%s'; see %s ATTRIBUTES in proxy.ini(5)",
                    line_name(which), name, which == OWNER_BIND ? "BIND" : "SERVER");
    }
    free(name);
}

static bool read_word(enum option_owner which, const char *word, bool follows, void *owner,
                      const struct option_context *context, attribute_set *given)
{
    size_t length = strcspn(word, "=");
    const struct option *option = find(which, word, length);
    if (!option) {
        report_unknown(which, word, length, follows, context);
        return false;
    }
    bool has_value = word[length] == '=';
    if (has_value && option->type == OPTION_FLAG) {
        problem_add(context->problems, context->place,
                    "%s: '%s' has no value: write the word alone", line_name(which), option->name);
        return false;
    }
    if (!has_value && option->type != OPTION_FLAG) {
        problem_add(context->problems, context->place,
                    "%s: '%s' needs its value directly after it, without spaces: write %s=VALUE",
                    line_name(which), option->name, option->name);
        return false;
    }
    attribute_set bit = (attribute_set)1 << (option - attribute_table(which));
    if ((*given & bit) && !option->repeated) {
        problem_add(context->problems, context->place, "%s: %s is given twice", line_name(which),
                    option->name);
        return false;
    }
    if (!(*given & bit))
        option_release(option, owner); /* a default */
    *given |= bit;
    const char *value = has_value ? word + length + 1 : "";
    char text[REMEDY_TEXT_MAX];
    const char *wrong = option_set(option, value, owner, context);
    if (wrong)
        problem_add(context->problems, context->place, "%s: %s '%s' %s%s", line_name(which),
                    option->name, value, wrong, remedy(option, value, text));
    return !wrong;
}

bool attributes_read(enum option_owner which, char *words, void *owner,
                     const struct option_context *context, attribute_set *given)
{
    bool good = true;
    char *rest;
    *given = 0;
    bool follows = false;
    for (char *word = strtok_r(words, blanks, &rest); word; word = strtok_r(NULL, blanks, &rest)) {
        bool right = read_word(which, word, follows, owner, context, given);
        /* A word without a value of its own may have the next word as its value. */
        follows = !right && (follows || !strchr(word, '='));
        good &= right;
    }
    return good;
}

bool attribute_is_given(enum option_owner which, attribute_set given, const char *name)
{
    const struct option *option = find(which, name, strlen(name));
    return option && (given >> (option - attribute_table(which)) & 1);
}
