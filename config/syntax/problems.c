#include "config/syntax/problems.h"

#include "config/base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

__attribute__((format(printf, 4, 0))) static void add(struct problems *problems,
                                                      enum severity severity, struct place place,
                                                      const char *format, va_list arguments)
{
    char text[1024];
    if (problems->counts[severity] >= PROBLEMS_MAX)
        return;
    vsnprintf(text, sizeof text, format, arguments);
    /* The text quotes the file, which may contain any bytes: an error must stay one line. */
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    problems->items =
        memory_grow(problems->items, problems->count, &problems->capacity, sizeof *problems->items);
    problems->items[problems->count] = (struct problem){.severity = severity,
                                                        .place = place,
                                                        .sequence = problems->count,
                                                        .text = memory_copy(text)};
    problems->count++;
    problems->counts[severity]++;
}

void problem_add(struct problems *problems, struct place place, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add(problems, SEVERITY_ERROR, place, format, arguments);
    va_end(arguments);
}

void problem_warn(struct problems *problems, struct place place, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add(problems, SEVERITY_WARNING, place, format, arguments);
    va_end(arguments);
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
    enum severity severity = problems_any(problems) ? SEVERITY_ERROR : SEVERITY_WARNING;
    const char *word = severity == SEVERITY_WARNING ? "warning: " : "";
    for (size_t i = 0; i < problems->count; i++) {
        struct problem *problem = &problems->items[i];
        const char *path = problem->place.source->path;
        if (problem->severity == severity && problem->place.line > 0)
            errors->lines[errors->count++] =
                memory_print("%s:%u: %s%s", path, problem->place.line, word, problem->text);
        else if (problem->severity == severity)
            errors->lines[errors->count++] = memory_print("%s: %s%s", path, word, problem->text);
        free(problem->text);
    }
    if (problems->counts[severity] >= PROBLEMS_MAX)
        errors->lines[errors->count++] = memory_print(
            "%s: too many %s; the rest is not shown", problems->items[0].place.source->path,
            severity == SEVERITY_WARNING ? "warnings" : "errors");
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

void config_errors_print(const struct config_errors *errors, FILE *out)
{
    for (size_t i = 0; i < errors->count; i++)
        fprintf(out, "%s\n", errors->lines[i]);
}

void config_errors_free(struct config_errors *errors)
{
    for (size_t i = 0; i < errors->count; i++)
        free(errors->lines[i]);
    free(errors->lines);
    named_files_free(&errors->named);
    *errors = (struct config_errors){0};
}

void problems_free(struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        free(problems->items[i].text);
    free(problems->items);
    *problems = (struct problems){0};
}
