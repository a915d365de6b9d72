#include "tests/unit/config/import/importing.h"

#include "reload/cli/settle.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The lines in use, without their origins. */
static char *lines_of(const struct import *import)
{
    char *text;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    fputc('\n', out);
    for (size_t i = 0; i < import->ini.count; i++) {
        const struct ini_section *section = import->ini.sections[i];
        if (section->off)
            continue;
        fprintf(out, "[%s%s%s]\n", section_kind_name(section->kind), *section->name ? " " : "",
                section->name);
        for (size_t j = 0; j < section->count; j++)
            if (section->lines[j].key && !section->lines[j].off)
                fprintf(out, "%s = %s\n", section->lines[j].key, section->lines[j].value);
    }
    fclose(out);
    return text;
}

static char *findings_of(struct import *import)
{
    char *text;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    for (size_t i = 0; i < import->finding_count; i++)
        fprintf(out, "%u %s: %s\n", import->findings[i].origin.line,
                import->findings[i].kind == FINDING_LOST ? "lost" : "note",
                import_finding_text(import, &import->findings[i]));
    fclose(out);
    return text;
}

static void expect_lines(const char *what, const char *text, const char *wanted)
{
    char *copy = strdup(wanted), *rest = copy, *line;
    while ((line = strsep(&rest, "\n"))) {
        char whole[4096];
        bool absent = *line == '-';
        if (!*line)
            continue;
        snprintf(whole, sizeof whole, "\n%s%s", line + absent, absent ? "" : "\n");
        if ((strstr(text, whole) != NULL) == absent)
            ck_abort_msg("%s: '%s' is %s in:%s", what, line + absent, absent ? "" : "not", text);
    }
    free(copy);
}

static void expect_findings(const char *what, const char *text, const char *wanted)
{
    const char *at = text;
    char *copy = strdup(wanted), *rest = copy, *line;
    while ((line = strsep(&rest, "\n"))) {
        if (!*line)
            continue;
        if (strncmp(at, line, strlen(line)) != 0)
            ck_abort_msg("%s: '%s' is not next in:\n%s", what, line, at);
        at += strcspn(at, "\n") + 1;
    }
    free(copy);
    if (*at)
        ck_abort_msg("%s: found as well:\n%s", what, at);
}

void expect_imported(import_function *function, const struct import_case *expected)
{
    struct import import;
    char *wrong;
    function(&import, "a.cfg", expected->text, strlen(expected->text));
    char *lines = lines_of(&import), *findings = findings_of(&import);
    expect_lines(expected->what, lines, expected->lines);
    if (expected->findings)
        expect_findings(expected->what, findings, expected->findings);
    size_t lost = import.lost;
    char *text = import_settle(&import, "a test", &wrong);
    if (!text)
        ck_abort_msg("%s: %s in:\n%s", expected->what, wrong, lines);
    if (import.lost != lost) {
        char *after = findings_of(&import);
        ck_abort_msg("%s: the parser refuses lines:\n%s\n%s", expected->what, after, text);
    }
    free(text);
    free(lines);
    free(findings);
    import_free(&import);
}
