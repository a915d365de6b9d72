#include "tests/unit/support/config_text.h"
#include "config/load.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/rpproxy-unit-XXXXXX";

void folder_make(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

void folder_remove(void)
{
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    strcpy(folder + sizeof folder - 7, "XXXXXX");
}

const char *folder_path(const char *name)
{
    static char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

void folder_write(const char *name, const char *bytes, size_t length)
{
    FILE *file = fopen(folder_path(name), "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, length, file), length);
    ck_assert_int_eq(fclose(file), 0);
}

static void append_without_folder(FILE *out, const char *line)
{
    const char *found;
    while ((found = strstr(line, folder))) {
        fwrite(line, 1, (size_t)(found - line), out);
        line = found + sizeof folder; /* skip the slash too */
    }
    fprintf(out, "%s\n", line);
}

struct loaded load_file(const char *name)
{
    struct loaded loaded = {0};
    struct config_errors errors;
    size_t sizes[2];
    FILE *outs[] = {open_memstream(&loaded.errors, &sizes[0]),
                    open_memstream(&loaded.warnings, &sizes[1])};
    ck_assert(outs[0] && outs[1]);
    loaded.config = config_load(folder_path(name), &errors);
    for (size_t i = 0; i < errors.count; i++)
        append_without_folder(outs[loaded.config != NULL], errors.lines[i]);
    fclose(outs[0]);
    fclose(outs[1]);
    loaded.error_count = loaded.config ? 0 : errors.count;
    ck_assert(loaded.config || errors.count > 0);
    config_errors_free(&errors);
    return loaded;
}

struct loaded load_text(const char *text)
{
    folder_write("p.ini", text, strlen(text));
    return load_file("p.ini");
}

struct config *load_good(const char *text)
{
    struct loaded loaded = load_text(text);
    struct config *config = loaded.config;
    ck_assert_str_eq(loaded.errors, "");
    loaded.config = NULL;
    loaded_free(&loaded);
    return config;
}

void loaded_free(struct loaded *loaded)
{
    config_free(loaded->config);
    free(loaded->errors);
    free(loaded->warnings);
}
