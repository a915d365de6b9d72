#include "config/options/metrics_values.h"

#include "config/base/error_text.h"
#include "config/base/memory.h"
#include "config/lists/list_file.h"
#include "config/model/config.h"

#include <crypt.h>
#include <stdlib.h>
#include <string.h>

static const char blanks[] = " \t";

/* --- addresses ------------------------------------------------------------------------------- */

static const char *add_address(struct metrics_addresses *addresses, const char *word)
{
    struct metrics_address added = {.address.length = 0};
    const char *wrong = address_parse(word, &added.address);
    if (wrong)
        return error_text("has '%.100s': %s", word, wrong);
    address_format(&added.address, added.text);
    for (size_t i = 0; i < addresses->count; i++)
        if (strcmp(addresses->list[i].text, added.text) == 0)
            return error_text("has '%.100s' twice", word);
    if (addresses->count == METRICS_ADDRESSES_MAX)
        return error_text("has more than %d addresses", METRICS_ADDRESSES_MAX);
    size_t capacity = addresses->count;
    addresses->list =
        memory_grow(addresses->list, addresses->count, &capacity, sizeof *addresses->list);
    addresses->list[addresses->count++] = added;
    return NULL;
}

static const char *read_addresses(const char *value, void *member,
                                  const struct option_context *context)
{
    (void)context;
    char *words = memory_copy(value), *rest;
    const char *wrong = NULL;
    for (char *word = strtok_r(words, blanks, &rest); word && !wrong;
         word = strtok_r(NULL, blanks, &rest))
        wrong = add_address(member, word);
    free(words);
    return wrong;
}

static bool write_addresses(const void *member, size_t item, FILE *out)
{
    const struct metrics_addresses *addresses = member;
    if (item > 0 || addresses->count == 0)
        return false;
    for (size_t i = 0; i < addresses->count; i++)
        fprintf(out, "%s%s", i > 0 ? " " : "", addresses->list[i].text);
    return true;
}

static void release_addresses(void *member)
{
    struct metrics_addresses *addresses = member;
    free(addresses->list);
    *addresses = (struct metrics_addresses){0};
}

const struct option_custom metrics_addresses_value = {.form = "ADDRESS:PORT or unix:/PATH ...",
                                                      .read = read_addresses,
                                                      .write = write_addresses,
                                                      .release = release_addresses};

/* --- users ----------------------------------------------------------------------------------- */

/* Longer ones would make libcrypt's answer, and the header of a request, long. */
#define USER_NAME_MAX 64

/* Of the oldest methods, whose hashes begin with no '$', any password could be one. */
static const char *check_hash(const char *hash)
{
    switch (hash[0] == '$' ? crypt_checksalt(hash) : CRYPT_SALT_INVALID) {
    case CRYPT_SALT_OK:
    case CRYPT_SALT_METHOD_LEGACY:
    case CRYPT_SALT_TOO_CHEAP:
        return NULL;
    default:
        return "has a hash that crypt(3) does not know; mkpasswd and htpasswd -B make some";
    }
}

const char *metrics_user_add(void *arg, char *line)
{
    struct metrics_users *users = arg;
    char *hash = strchr(line, ':'), *rest = hash ? strchr(hash + 1, ':') : NULL;
    if (!hash || hash == line)
        return "must be NAME:HASH or NAME:HASH:admin";
    *hash++ = '\0';
    if (rest)
        *rest++ = '\0';
    if (rest && strcmp(rest, "admin") != 0)
        return "must end with the hash or with :admin";
    if (strlen(line) > USER_NAME_MAX)
        return "has a name of more than 64 bytes";
    for (size_t i = 0; i < users->count; i++)
        if (strcmp(users->list[i].name, line) == 0)
            return "is there twice";
    const char *wrong = check_hash(hash);
    if (wrong)
        return wrong;
    size_t capacity = users->count;
    users->list = memory_grow(users->list, users->count, &capacity, sizeof *users->list);
    users->list[users->count++] = (struct metrics_user){
        .name = memory_copy(line), .hash = memory_copy(hash), .admin = rest != NULL};
    return NULL;
}

static void release_users(void *member)
{
    struct metrics_users *users = member;
    for (size_t i = 0; i < users->count; i++) {
        free(users->list[i].name);
        free(users->list[i].hash);
    }
    free(users->list);
    free(users->path);
    *users = (struct metrics_users){0};
}

static const char *read_users(const char *value, void *member, const struct option_context *context)
{
    struct metrics_users *users = member;
    const struct list_origin origin = {.problems = context->problems,
                                       .place = context->place,
                                       .option = "metrics-auth",
                                       .secret = true};
    if (!*value)
        return "must be a file";
    release_users(users);
    users->path = list_file_path(value, context->place.source);
    if (!context->files->closed &&
        list_file_read(users->path, &origin, metrics_user_add, users, NULL) && users->count == 0)
        return "has no user: everybody would be refused";
    return NULL;
}

static bool write_users(const void *member, size_t item, FILE *out)
{
    const struct metrics_users *users = member;
    if (item > 0 || !users->path)
        return false;
    fputs(users->path, out);
    return true;
}

const struct option_custom metrics_auth_value = {
    .form = "FILE", .read = read_users, .write = write_users, .release = release_users};

/* --- names ------------------------------------------------------------------------------------ */

static const char *read_names(const char *value, void *member, const struct option_context *context)
{
    (void)context;
    struct words *names = member;
    char *words = memory_copy(value), *rest;
    for (char *word = strtok_r(words, blanks, &rest); word; word = strtok_r(NULL, blanks, &rest)) {
        size_t capacity = names->count;
        names->list = memory_grow(names->list, names->count, &capacity, sizeof *names->list);
        names->list[names->count++] = memory_copy(word);
    }
    free(words);
    return NULL;
}

static bool write_names(const void *member, size_t item, FILE *out)
{
    const struct words *names = member;
    if (item > 0 || names->count == 0)
        return false;
    for (size_t i = 0; i < names->count; i++)
        fprintf(out, "%s%s", i > 0 ? " " : "", names->list[i]);
    return true;
}

static void release_names(void *member)
{
    struct words *names = member;
    for (size_t i = 0; i < names->count; i++)
        free(names->list[i]);
    free(names->list);
    *names = (struct words){0};
}

const struct option_custom words_value = {
    .form = "NAME ...", .read = read_names, .write = write_names, .release = release_names};
