#include "reload/cli/import.h"

#include "config/base/memory.h"
#include "config/import/import.h"
#include "reload/base/exit_status.h"
#include "reload/cli/settle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_findings(struct import *import)
{
    for (size_t i = 0; i < import->finding_count; i++) {
        const struct finding *finding = &import->findings[i];
        const char *kind = finding->kind == FINDING_LOST ? "lost" : "note";
        if (finding->origin.file && finding->origin.line)
            fprintf(stderr, "%s:%u: %s: ", finding->origin.file, finding->origin.line, kind);
        else if (finding->origin.file)
            fprintf(stderr, "%s: %s: ", finding->origin.file, kind);
        else
            fprintf(stderr, "%s: ", kind);
        for (const char *at = import_finding_text(import, finding); *at; at++)
            fputc((unsigned char)*at < ' ' ? '?' : *at, stderr);
        fputc('\n', stderr);
    }
}

/* What is said in the end, after all messages. */
static int print_import(struct import *import, const char *title)
{
    char *wrong;
    char *text = import_settle(import, title, &wrong);
    if (!text) {
        fprintf(stderr,
                "rpproxy: the imported configuration is not valid, which is a mistake of rpproxy: "
                "%s\n",
                wrong);
        free(wrong);
        return EXIT_OTHER;
    }
    bool serves = ini_serves(&import->ini);
    if (serves)
        fputs(text, stdout);
    free(text);
    (void)fflush(stdout);
    print_findings(import);
    size_t notes = 0;
    for (size_t i = 0; i < import->finding_count; i++)
        notes += import->findings[i].kind == FINDING_NOTE;
    if (!serves)
        fputs("rpproxy: nothing is left that accepts clients: no configuration was printed\n",
              stderr);
    if (import->finding_count > 0)
        fprintf(stderr, "rpproxy: import: %zu lost (no counterpart), %zu noted (works otherwise)\n",
                import->lost, notes);
    return import->lost > 0 || !serves ? EXIT_REFUSED : EXIT_DONE;
}

int command_import(const struct command *command)
{
    struct import import;
    const char *product = command->words[0];
    bool haproxy = strcmp(product, "haproxy") == 0;
    if (!haproxy && strcmp(product, "nginx") != 0) {
        fprintf(stderr, "rpproxy: import: '%s' must be haproxy or nginx\n", product);
        return EXIT_OTHER;
    }
    if (!haproxy && command->word_count > 2) {
        fprintf(stderr, "rpproxy: import nginx reads one file, and what it includes; not %s\n",
                command->words[2]);
        return EXIT_OTHER;
    }
    bool read = haproxy ? import_haproxy(&import, command->words + 1, command->word_count - 1)
                        : import_nginx(&import, command->words[1]);
    int status = EXIT_OTHER;
    if (!read) {
        fprintf(stderr, "rpproxy: %s\n", import.error);
    } else {
        char *title = memory_print("Imported from %s, %s, by rpproxy " RPPROXY_VERSION ".",
                                   command->words[1], product);
        status = print_import(&import, title);
        free(title);
    }
    import_free(&import);
    return status;
}
