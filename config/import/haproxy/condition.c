#include "config/import/haproxy/condition.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Levels of parentheses. */
#define DEPTH_MAX 32

#define AS_VERSION "2.8"

struct judging {
    struct import *import;
    const struct hap_environment *environment;
    struct origin origin;
    const char *next;
    unsigned depth;
    bool wrong;
};

static bool judge_any(struct judging *judging);

static void skip(struct judging *judging)
{
    while (isspace((unsigned char)*judging->next))
        judging->next++;
}

static bool take(struct judging *judging, const char *token)
{
    skip(judging);
    if (strncmp(judging->next, token, strlen(token)) != 0)
        return false;
    judging->next += strlen(token);
    return true;
}

/* "2.4-dev5" as a number. */
static long version_number(const char *text)
{
    char *end;
    long major = strtol(text, &end, 10);
    long minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;
    return major * 1000 + minor;
}

/* Splits "a, b)" in place. Returns the number of arguments, and moves past the ')'. */
static size_t read_arguments(struct judging *judging, char *arguments[static 4])
{
    size_t count = 0, length = 0;
    const char *from = judging->next;
    char quote = 0;
    for (; from[length] && (quote || from[length] != ')'); length++)
        if (quote ? from[length] == quote : from[length] == '"' || from[length] == '\'')
            quote = quote ? 0 : from[length];
    judging->wrong |= !from[length];
    judging->next += length + (from[length] != '\0');
    char *rest = arena_copy_n(&judging->import->arena, from, length);
    for (char *word = strsep(&rest, ","); word && count < 4; word = strsep(&rest, ",")) {
        word += strspn(word, " \t\"'");
        size_t end = strlen(word);
        while (end > 0 && strchr(" \t\"'", word[end - 1]))
            word[--end] = '\0';
        arguments[count++] = word;
    }
    return count;
}

static bool judge_call(struct judging *judging, const char *name)
{
    char *words[4] = {NULL, NULL, NULL, NULL};
    size_t count = read_arguments(judging, words);
    const char *one = count > 0 ? words[0] : "", *two = count > 1 ? words[1] : "";
    if (strcmp(name, "defined") == 0)
        return hap_variable(judging->environment, one) != NULL;
    if (strcmp(name, "streq") == 0)
        return strcmp(one, two) == 0;
    if (strcmp(name, "strneq") == 0)
        return strcmp(one, two) != 0;
    if (strcmp(name, "strstr") == 0)
        return strstr(one, two) != NULL;
    if (strcmp(name, "version_atleast") == 0 || strcmp(name, "version_before") == 0) {
        imported_differently(judging->import, judging->origin,
                             "%s(%s): judged as HAProxy " AS_VERSION, name, one);
        return (version_number(AS_VERSION) >= version_number(one)) == (name[8] == 'a');
    }
    if (strcmp(name, "feature") == 0 || strcmp(name, "enabled") == 0 ||
        strncmp(name, "openssl_version", 15) == 0 || strncmp(name, "ssllib_name", 11) == 0) {
        imported_differently(judging->import, judging->origin, "%s(%s): taken to be true", name,
                             one);
        return true;
    }
    judging->wrong = true;
    return false;
}

static bool judge_one(struct judging *judging)
{
    if (++judging->depth > DEPTH_MAX) {
        judging->wrong = true;
        return false;
    }
    bool result = false;
    if (take(judging, "!")) {
        result = !judge_one(judging);
    } else if (take(judging, "(")) {
        result = judge_any(judging);
        judging->wrong |= !take(judging, ")");
    } else {
        skip(judging);
        size_t length = 0;
        while (isalnum((unsigned char)judging->next[length]) || judging->next[length] == '_')
            length++;
        char *word = arena_copy_n(&judging->import->arena, judging->next, length);
        judging->next += length;
        if (length > 0 && take(judging, "("))
            result = judge_call(judging, word);
        else if (length > 0 && word[strspn(word, "0123456789")] == '\0')
            result = atoi(word) != 0;
        else if (strcasecmp(word, "true") == 0 || strcasecmp(word, "false") == 0)
            result = strcasecmp(word, "true") == 0;
        else
            judging->wrong |= length > 0 || *judging->next; /* an empty condition is false */
    }
    judging->depth--;
    return result;
}

static bool judge_all(struct judging *judging)
{
    bool result = judge_one(judging);
    while (!judging->wrong && take(judging, "&&")) {
        bool other = judge_one(judging);
        result = result && other;
    }
    return result;
}

static bool judge_any(struct judging *judging)
{
    bool result = judge_all(judging);
    while (!judging->wrong && take(judging, "||")) {
        bool other = judge_all(judging);
        result = result || other;
    }
    return result;
}

bool hap_condition(struct import *import, const struct hap_environment *environment,
                   struct origin origin, const char *text)
{
    struct judging judging = {
        .import = import, .environment = environment, .origin = origin, .next = text};
    bool result = judge_any(&judging);
    skip(&judging);
    if (!judging.wrong && !*judging.next)
        return result;
    not_imported(import, origin, "the condition '%.100s' is not understood: its block is left out",
                 text);
    return false;
}
