#include "config/load.h"

#include "config/base/memory.h"
#include "config/build.h"
#include "config/document.h"
#include "config/tls/certificate_store.h"
#include "config/tls/tls_server.h"
#include "config/tls/tls_target.h"
#include "config/warnings.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

void config_free(struct config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < config->frontend_count; i++) {
        struct frontend_conf *frontend = &config->frontends[i];
        for (size_t j = 0; j < frontend->bind_count; j++)
            options_release(OWNER_BIND, &frontend->binds[j]);
        free(frontend->binds);
        free(frontend->name);
        tls_server_free(frontend->tls_server);
        options_release(OWNER_FRONTEND, frontend);
    }
    for (size_t i = 0; i < config->backend_count; i++) {
        struct backend_conf *backend = &config->backends[i];
        for (size_t j = 0; j < backend->server_count; j++) {
            free(backend->servers[j].name);
            free(backend->servers[j].host);
            free(backend->servers[j].where);
            tls_target_free(backend->servers[j].tls);
            options_release(OWNER_SERVER, &backend->servers[j]);
        }
        free(backend->servers);
        free(backend->name);
        options_release(OWNER_BACKEND, backend);
    }
    free(config->frontends);
    free(config->backends);
    for (size_t i = 0; i < config->line_count; i++)
        free(config->lines[i].where);
    free(config->lines);
    free(config->file);
    options_release(OWNER_CONFIG, config);
    address_files_free(&config->address_files);
    certificate_store_free(config->certificates);
    free(config);
}

/* Takes ownership of the document and the problems. closed: of struct address_files;
 * there are no warnings then, since the text was not written by a person. */
static struct config *build(const char *name, struct document *document, struct problems *problems,
                            bool closed, struct key_copies *copies, struct config_errors *errors)
{
    struct config *config = memory_new(1, sizeof *config);
    config->address_files.closed = closed;
    config->certificates = certificate_store_new(copies);
    *errors = (struct config_errors){0};
    config->file = memory_copy(name);
    config_build(config, document, problems);
    if (!closed && !problems_any(problems))
        warnings_add(config, document, problems);
    if (problems_any(problems)) {
        config_free(config);
        config = NULL;
    }
    problems_move(problems, errors);
    errors->named = document->named;
    document->named = (struct named_files){0};
    document_free(document);
    return config;
}

struct config *config_load(const char *file, struct config_errors *errors)
{
    return config_load_with(file, NULL, errors);
}

struct config *config_load_with(const char *file, struct key_copies *copies,
                                struct config_errors *errors)
{
    struct problems problems = {0};
    struct document document;
    document_read(&document, file, &problems);
    return build(file, &document, &problems, false, copies, errors);
}

struct config *config_load_text(const char *name, const char *text, size_t length,
                                struct config_errors *errors)
{
    struct problems problems = {0};
    struct document document;
    document_read_text(&document, name, text, length, &problems);
    return build(name, &document, &problems, true, NULL, errors);
}

struct config *config_load_draft(const char *name, const char *text, size_t length,
                                 struct config_errors *errors)
{
    struct problems problems = {0};
    struct document document;
    document_read_text(&document, name, text, length, &problems);
    return build(name, &document, &problems, false, NULL, errors);
}

/* The value that the file sets, checked; or NULL, with the reason in problems where a line that may
 * set it is not understood. */
static char *find_control(const struct document *document, struct problems *problems)
{
    const struct option *option = option_find(SECTION_GLOBAL, "control");
    bool unread = document->unread || document->misplaced;
    for (size_t i = 0; i < document->section_count; i++) {
        const struct section *section = document->sections[i];
        if (section->kind != SECTION_GLOBAL)
            continue;
        const struct entry *entry = section_setting(section, option);
        unread |= section->unread;
        if (!entry)
            continue;
        struct config scratch = {0};
        const struct option_context context = {.place = entry->place, .problems = problems};
        const char *wrong = option_set(option, entry->value, &scratch, &context);
        if (wrong)
            problem_add(problems, entry->place, "%s: '%s' %s", option->name, entry->value, wrong);
        return scratch.control;
    }
    return unread ? NULL : memory_copy(config_default_control());
}

char *config_control(const char *file, struct config_errors *errors)
{
    struct problems problems = {0};
    struct document document;
    *errors = (struct config_errors){0};
    if (access(file, F_OK) && errno == ENOENT)
        return memory_copy(config_default_control());
    document_read(&document, file, &problems);
    char *path = find_control(&document, &problems);
    problems_move(&problems, errors);
    document_free(&document);
    return path;
}
