#include "config/model/config.h"

#include "config/base/memory.h"
#include "config/build.h"
#include "config/document.h"
#include "config/syntax/problems.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

/* Takes the document over, and what was wrong with it. */
static struct config *build(const char *name, struct document *document, struct problems *problems,
                            struct config_errors *errors)
{
    struct config *config = memory_new(1, sizeof *config);
    *errors = (struct config_errors){0};
    config->file = memory_copy(name);
    config_build(config, document, problems);
    if (problems_any(problems)) {
        config_free(config);
        config = NULL;
    }
    problems_move(problems, errors);
    document_free(document);
    return config;
}

struct config *config_load(const char *file, struct config_errors *errors)
{
    struct problems problems = {0};
    struct document document;
    document_read(&document, file, &problems);
    return build(file, &document, &problems, errors);
}

struct config *config_load_text(const char *name, const char *text, size_t length,
                                struct config_errors *errors)
{
    struct problems problems = {0};
    struct document document;
    document_read_text(&document, name, text, length, &problems);
    return build(name, &document, &problems, errors);
}

char *config_control(const char *file)
{
    const struct option *option = option_find(SECTION_GLOBAL, "control");
    struct problems problems = {0};
    struct config_errors errors = {0};
    struct document document;
    const struct entry *entry = NULL;
    document_read(&document, file, &problems);
    for (size_t i = 0; i < document.section_count && !entry; i++)
        if (document.sections[i]->kind == SECTION_GLOBAL)
            entry = section_setting(document.sections[i], option);
    char *path = memory_copy(entry ? entry->value : config_default_control());
    problems_move(&problems, &errors);
    config_errors_free(&errors);
    document_free(&document);
    return path;
}

void config_free(struct config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < config->frontend_count; i++) {
        free(config->frontends[i].name);
        free(config->frontends[i].binds);
    }
    for (size_t i = 0; i < config->backend_count; i++) {
        struct backend_conf *backend = &config->backends[i];
        for (size_t j = 0; j < backend->server_count; j++)
            free(backend->servers[j].name);
        free(backend->servers);
        free(backend->name);
    }
    free(config->frontends);
    free(config->backends);
    free(config->file);
    free(config->user);
    free(config->control);
    free(config->pidfile);
    free(config->log_path);
    free(config);
}

void config_errors_free(struct config_errors *errors)
{
    for (size_t i = 0; i < errors->count; i++)
        free(errors->lines[i]);
    free(errors->lines);
    *errors = (struct config_errors){0};
}

const char *config_default_control(void)
{
    static char path[sizeof((struct sockaddr_un *)NULL)->sun_path];
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    if (geteuid() == 0)
        return "/run/rpproxy/control.sock";
    if (!runtime || runtime[0] != '/' ||
        snprintf(path, sizeof path, "%s/rpproxy/control.sock", runtime) >= (int)sizeof path)
        snprintf(path, sizeof path, "/tmp/rpproxy-%u/control.sock", geteuid());
    return path;
}
