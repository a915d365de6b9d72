#include "reload/control/running.h"

#include "config/tls/certificate_store.h"
#include "config/write.h"
#include "reload/base/text.h"
#include "reload/handover/generation.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

uint64_t running_hash(const struct config *config)
{
    size_t length;
    char *text = config_text(config, &length);
    if (!text)
        return 0;
    uint64_t hash = config_text_hash(text, length);
    free(text);
    return hash ? hash : 1;
}

const char *hash_text(uint64_t hash, char text[static HASH_TEXT_MAX])
{
    snprintf(text, HASH_TEXT_MAX, "%016" PRIx64, hash);
    return text;
}

/* The caller's; NULL when memory is out or the directory is gone. */
static char *absolute_path(const char *file)
{
    char *path = NULL;
    if (file[0] == '/')
        return strdup(file);
    char *folder = getcwd(NULL, 0);
    if (folder && asprintf(&path, "%s/%s", folder, file) < 0)
        path = NULL;
    free(folder);
    return path;
}

json_t *running_file(const struct generation *generation)
{
    char *path = realpath(generation->file, NULL);
    if (!path)
        path = absolute_path(generation->file);
    const char *known = path ? path : generation->file;
    json_t *text = text_json(known, strlen(known));
    free(path);
    return text;
}

bool running_reads(const struct generation *generation, json_t *asked)
{
    struct stat status;
    json_int_t device, inode;
    const char *path;
    if (json_unpack(asked, "{s:s, s:I, s:I}", "path", &path, "device", &device, "inode", &inode))
        return true;
    if (stat(generation->file, &status) == 0)
        return (json_int_t)status.st_dev == device && (json_int_t)status.st_ino == inode;
    char *ours = absolute_path(generation->file);
    bool same = ours && strcmp(ours, path) == 0;
    free(ours);
    return same;
}

/* The files with lists that were read. */
static json_t *lists_json(const struct address_files *files)
{
    json_t *list = json_array();
    for (size_t i = 0; i < files->count; i++) {
        char hash[HASH_TEXT_MAX];
        const struct address_file *file = files->items[i];
        json_array_append_new(list, json_pack("{s:o, s:I, s:s}", "path",
                                              text_json(file->path, strlen(file->path)), "entries",
                                              (json_int_t)file->count, "hash",
                                              hash_text(file->hash, hash)));
    }
    return list;
}

static json_t *certificate_json(const struct certificate_source *source,
                                const struct certificate *certificate)
{
    json_t *names = json_array();
    for (size_t i = 0; i < certificate->names.count; i++)
        json_array_append_new(names, json_string(certificate->names.list[i]));
    json_t *json = json_pack(
        "{s:o, s:o, s:o, s:I, s:s}", "source", text_json(source->path, strlen(source->path)),
        "path", text_json(certificate->path, strlen(certificate->path)), "names", names, "until",
        (json_int_t)certificate->not_after, "sha256", certificate->print);
    if (json && source->key)
        json_object_set_new(json, "key", text_json(source->key, strlen(source->key)));
    return json;
}

/* The certificates that were read. */
static json_t *certificates_json(const struct certificate_store *store)
{
    json_t *list = json_array();
    for (size_t i = 0; i < store->count; i++)
        for (size_t j = 0; j < store->items[i]->count; j++)
            json_array_append_new(list,
                                  certificate_json(store->items[i], store->items[i]->list[j]));
    return list;
}

json_t *running_json(const struct generation *generation)
{
    char hash[HASH_TEXT_MAX];
    size_t length;
    char *text = config_text(generation->config, &length);
    char *path = absolute_path(generation->file);
    const char *found = path ? path : generation->file;
    json_t *json =
        text ? json_pack("{s:o, s:o, s:s, s:o}", "file",
                         text_json(generation->file, strlen(generation->file)), "path",
                         text_json(found, strlen(found)), "hash",
                         hash_text(generation->config_hash, hash), "text", text_json(text, length))
             : NULL;
    if (json) {
        json_object_set_new(json, "lists", lists_json(&generation->config->address_files));
        json_object_set_new(json, "certificates",
                            certificates_json(generation->config->certificates));
    }
    free(path);
    free(text);
    return json;
}
