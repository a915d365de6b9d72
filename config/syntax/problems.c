#include "config/syntax/problems.h"

#include "config/base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void problem_add(struct problems *problems, struct place place, const char *format, ...)
{
    va_list arguments;
    char text[1024];
    if (problems_full(problems))
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    /* The text quotes the file, which may contain any bytes: an error must stay one line. */
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    problems->items =
        memory_grow(problems->items, problems->count, &problems->capacity, sizeof *problems->items);
    problems->items[problems->count] =
        (struct problem){.place = place, .sequence = problems->count, .text = memory_copy(text)};
    problems->count++;
}

static int by_place(const void *left, const void *right)
{
    const struct problem *a = left;
    const struct problem *b = right;
    if (a->place.source->index != b->place.source->index)
        return a->place.source->index < b->place.source->index ? -1 : 1;
    if (a->place.line != b->place.line)
        return a->place.line < b->place.line ? -1 : 1;
    return a->sequence < b->sequence ? -1 : a->sequence > b->sequence;
}

void problems_move(struct problems *problems, struct config_errors *errors)
{
    if (problems->count > 0) {
        qsort(problems->items, problems->count, sizeof *problems->items, by_place);
        errors->lines = memory_new(problems->count + 1, sizeof *errors->lines);
    }
    for (size_t i = 0; i < problems->count; i++) {
        struct problem *problem = &problems->items[i];
        const char *path = problem->place.source->path;
        if (problem->place.line > 0)
            errors->lines[errors->count++] =
                memory_print("%s:%u: %s", path, problem->place.line, problem->text);
        else
            errors->lines[errors->count++] = memory_print("%s: %s", path, problem->text);
        free(problem->text);
    }
    if (problems_full(problems))
        errors->lines[errors->count++] = memory_print("%s: too many errors; the rest is not shown",
                                                      problems->items[0].place.source->path);
    free(problems->items);
    *problems = (struct problems){0};
}

const char *place_text(struct place place, struct place from, char text[static PLACE_TEXT_MAX])
{
    if (place.source == from.source)
        snprintf(text, PLACE_TEXT_MAX, "line %u", place.line);
    else
        snprintf(text, PLACE_TEXT_MAX, "%s:%u", place.source->path, place.line);
    return text;
}

void config_errors_free(struct config_errors *errors)
{
    for (size_t i = 0; i < errors->count; i++)
        free(errors->lines[i]);
    free(errors->lines);
    *errors = (struct config_errors){0};
}

void problems_free(struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        free(problems->items[i].text);
    free(problems->items);
    *problems = (struct problems){0};
}
