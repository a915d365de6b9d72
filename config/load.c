#include "config/load.h"

#include "config/base/memory.h"
#include "config/build.h"
#include "config/document.h"

/* Takes ownership of the document and the problems. */
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
