#include "config/import/text.h"

#include "config/base/address.h"
#include "config/syntax/value.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of a name, so that two of them and their section fit into a line. */
#define NAME_BYTES 200

bool text_is_ipv4(const char *text)
{
    struct in_addr address;
    return inet_pton(AF_INET, text, &address) == 1;
}

bool text_is_ipv6(const char *text)
{
    struct in6_addr address;
    size_t length = strcspn(text, "%");
    char plain[64];
    if (length >= sizeof plain)
        return false;
    memcpy(plain, text, length);
    plain[length] = '\0';
    return inet_pton(AF_INET6, plain, &address) == 1;
}

bool text_is_host(const char *text)
{
    return *text && (address_is_host_name(text) || text_is_ipv4(text));
}

bool text_is_prefix(const char *text)
{
    char address[64];
    size_t length = strcspn(text, "/");
    if (length >= sizeof address)
        return false;
    memcpy(address, text, length);
    address[length] = '\0';
    const char *bits = text + length;
    if (!text_is_ipv4(address) && !text_is_ipv6(address))
        return false;
    if (!*bits)
        return true;
    if (text_is_ipv4(bits + 1))
        return text_is_ipv4(address);
    return isdigit((unsigned char)bits[1]) && strlen(bits) < 5 &&
           bits[1 + strspn(bits + 1, "0123456789")] == '\0' &&
           atoi(bits + 1) <= (text_is_ipv4(address) ? 32 : 128);
}

const char *text_escape(struct arena *arena, const char *bytes, size_t length, bool of_word)
{
    char *text = arena_new(arena, length * 4 + 1, 1), *at = text;
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        const char *word = byte == '\r'   ? "\\r"
                           : byte == '\n' ? "\\n"
                           : byte == '\t' ? "\\t"
                           : byte == '\\' ? "\\\\"
                           : byte == ';'  ? "\\;"
                           : byte == '#'  ? "\\#"
                                          : NULL;
        bool edge = byte == ' ' && (i == 0 || i + 1 == length);
        bool variable = byte == '$' && i + 1 < length && bytes[i + 1] == '{';
        if (word)
            at += sprintf(at, "%s", word);
        else if (byte < ' ' || byte > '~' || edge || variable ||
                 (of_word && (byte == ' ' || byte == ',')))
            at += sprintf(at, "\\x%02x", byte);
        else
            *at++ = (char)byte;
    }
    return text;
}

const char *text_absolute(struct arena *arena, const char *folder, const char *path)
{
    char present[PATH_MAX];
    if (*path != '/' && folder && *folder)
        path = arena_print(arena, "%s/%s", folder, path);
    if (*path == '/' || !getcwd(present, sizeof present))
        return path;
    return arena_print(arena, "%s/%s", strcmp(present, "/") == 0 ? "" : present, path);
}

const char *text_duration(struct arena *arena, uint64_t time)
{
    char text[DURATION_TEXT_MAX];
    return arena_copy(arena, duration_text(time, text));
}

const char *text_name(struct arena *arena, const char *name)
{
    char *copy = arena_copy_n(arena, name, strnlen(name, NAME_BYTES));
    for (char *at = copy; *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr("_.-", *at))
            *at = '-';
    return *copy ? copy : "unnamed";
}

const char *text_value(struct arena *arena, const char *text)
{
    if (!strstr(text, "${"))
        return text;
    char *copy = arena_copy(arena, text);
    for (char *at = copy; (at = strstr(at, "${"));)
        *at = '?';
    return copy;
}

struct text_given {
    struct text_given *next;
    const char *name;
    unsigned last; /* number that was put behind it */
};

static struct text_given *find(const struct text_names *names, const char *name, unsigned *chain)
{
    unsigned hash = 5381;
    for (const char *at = name; *at; at++)
        hash = hash * 33 + (unsigned char)*at;
    *chain = hash % TEXT_NAME_CHAINS;
    struct text_given *given = names->chains[*chain];
    while (given && strcmp(given->name, name) != 0)
        given = given->next;
    return given;
}

const char *text_unique(struct arena *arena, struct text_names *names, const char *name)
{
    const char *plain = text_name(arena, name), *text = plain;
    unsigned chain;
    struct text_given *first = find(names, plain, &chain);
    if (!first && strcmp(plain, "reject") == 0)
        text = "reject-2";
    while (find(names, text, &chain))
        text = arena_print(arena, "%s-%u", plain, first ? ++first->last : 2);
    struct text_given *given = arena_new(arena, 1, sizeof *given);
    *given = (struct text_given){names->chains[chain], text, 1};
    names->chains[chain] = given;
    return text;
}
