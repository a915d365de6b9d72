#include "config/syntax/expand.h"

#include "config/base/error_text.h"
#include "config/base/memory.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 8

struct expansion {
    const char *next;   /* the rest of the input */
    FILE *out;          /* NULL: this part is only checked for mistakes */
    const char *quoted; /* characters that get a backslash if they come from a variable */
    unsigned depth;     /* of the default that is being read; 0: none */
};

static const char *expand_until(struct expansion *expansion, bool in_default);

static size_t name_length(const char *text)
{
    size_t length = 0;
    if (isdigit((unsigned char)text[0]))
        return 0;
    while (isalnum((unsigned char)text[length]) || text[length] == '_')
        length++;
    return length;
}

static void write_value(const struct expansion *expansion, const char *value)
{
    for (; expansion->out && *value; value++) {
        if (strchr(expansion->quoted, *value))
            putc('\\', expansion->out);
        putc(*value, expansion->out);
    }
}

static const char *expand_default(struct expansion *expansion, bool used)
{
    FILE *out = expansion->out;
    if (expansion->depth == DEPTH_MAX)
        return "too many nested defaults; at most 8 are possible";
    expansion->depth++;
    expansion->out = used ? out : NULL;
    const char *wrong = expand_until(expansion, true);
    expansion->out = out;
    expansion->depth--;
    return wrong;
}

/* Reads a variable from its name to its '}', and writes its value or its default. Returns NULL, or
 * what is wrong. */
static const char *expand_one(struct expansion *expansion)
{
    const char *start = expansion->next;
    size_t length = name_length(start);
    bool has_default = strncmp(start + length, ":-", 2) == 0;
    if (!strchr(start, '}'))
        return "'${' has no '}'";
    if (length == 0 || (start[length] != '}' && !has_default))
        return "variables are written ${NAME} or ${NAME:-DEFAULT}";
    char *name = memory_copy_n(start, length);
    const char *value = getenv(name);
    const char *wrong = NULL;
    bool use_value = value && (*value || !has_default);
    expansion->next = start + length + (has_default ? 2 : 1);
    if (use_value) {
        write_value(expansion, value);
    } else if (!has_default && expansion->out) {
        wrong = error_text("variable '%s' is not defined; ${%s:-DEFAULT} gives it a default", name,
                           name);
    }
    free(name);
    return has_default ? expand_default(expansion, !use_value) : wrong;
}

/* Expands up to the end of the text or, in a default, past the '}' that ends it. */
static const char *expand_until(struct expansion *expansion, bool in_default)
{
    const char *wrong = NULL;
    while (!wrong && *expansion->next) {
        char c = *expansion->next++;
        if (in_default && c == '}')
            return NULL;
        if (c == '$' && *expansion->next == '{') {
            expansion->next++;
            wrong = expand_one(expansion);
        } else if (expansion->out) {
            putc(c, expansion->out);
        }
    }
    return wrong || !in_default ? wrong : "'${' has no '}'";
}

char *expand_variables(const char *value, const char *quoted, const char **wrong)
{
    *wrong = NULL;
    if (!strstr(value, "${"))
        return memory_copy(value);
    char *result = NULL;
    size_t size = 0;
    /* open_memstream(3) takes 8 KB or more, so it is not called for a value without a variable. */
    FILE *out = open_memstream(&result, &size);
    struct expansion expansion = {.next = value, .out = out, .quoted = quoted ? quoted : ""};
    *wrong = out ? expand_until(&expansion, false) : "out of memory";
    if (out && fclose(out) != 0 && !*wrong)
        *wrong = "out of memory";
    if (!*wrong)
        return result;
    free(result);
    return NULL;
}
