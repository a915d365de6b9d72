#include "config/options/name_list.h"

#include "config/base/error_text.h"
#include "config/base/memory.h"
#include "config/lists/list_file.h"
#include "config/model/config.h"

#include <stdlib.h>
#include <string.h>

char *name_list_next(char **list)
{
    char *word;
    while ((word = strsep(list, ",")) && !*word)
        ;
    return word;
}

static const char *add_name(struct name_map *names, const char *name)
{
    const char *wrong = name_map_add(names, name, 0);
    return wrong == name_is_twice ? NULL : wrong;
}

struct filling {
    struct name_map *names;
    size_t count;
};

static const char *take_name(void *arg, char *entry)
{
    struct filling *filling = arg;
    const char *wrong = add_name(filling->names, entry);
    filling->count += !wrong;
    return wrong;
}

static const char *read_file(const char *name, struct name_map *names, const char *option,
                             const struct option_context *context)
{
    const struct list_origin origin = {
        .problems = context->problems, .place = context->place, .option = option};
    if (!*name)
        return "needs the name of a file: @FILE";
    char *path = list_file_path(name, context->place.source);
    struct filling filling = {.names = names};
    uint64_t hash = 0;
    bool read =
        !context->files->closed && list_file_read(path, &origin, take_name, &filling, &hash);
    address_files_add_names(context->files, path, filling.count, hash, read);
    free(path);
    return NULL;
}

const char *name_list_read(char *list, struct name_map *names, const char *option,
                           const struct option_context *context)
{
    char *word = name_list_next(&list);
    if (!word)
        return "needs a name";
    for (; word; word = name_list_next(&list)) {
        const char *wrong =
            word[0] == '@' ? read_file(word + 1, names, option, context) : add_name(names, word);
        if (wrong)
            return error_text("'%.100s' %s", word, wrong);
    }
    return NULL;
}

char *name_list_text(const char *text, const struct option_context *context)
{
    struct memory_stream absolute;
    memory_stream_begin(&absolute);
    bool begins = true; /* a word of the list begins here */
    while (*text) {
        if (begins && *text == '@') {
            size_t length = strcspn(text, ",");
            char *name = memory_copy_n(text + 1, length - 1);
            char *path = list_file_path(name, context->place.source);
            fprintf(absolute.stream, "@%s", path);
            free(path);
            free(name);
            text += length;
            continue;
        }
        begins = *text == ':' || *text == ',';
        fputc(*text++, absolute.stream);
    }
    return memory_stream_end(&absolute);
}

static const char *read_list(const char *value, void *member, const struct option_context *context)
{
    struct name_list *list = member;
    char *words = memory_copy(value);
    list->text = name_list_text(value, context);
    list->names = name_map_make();
    const char *wrong = name_list_read(words, list->names, "server", context);
    free(words);
    return wrong;
}

static bool write_list(const void *member, size_t item, FILE *out)
{
    const struct name_list *list = member;
    if (item > 0 || !list->text)
        return false;
    fputs(list->text, out);
    return true;
}

static void release_list(void *member)
{
    struct name_list *list = member;
    free(list->text);
    name_map_free(list->names);
    *list = (struct name_list){0};
}

const struct option_custom name_list_value = {
    .form = "NAMES",
    .read = read_list,
    .write = write_list,
    .release = release_list,
};
