/* The documentation agrees with the program: the option table, proxy.ini(5), the sample, and the
 * markup of the manuals. The working directory is the root of the repository. */
#include "config/load.h"
#include "config/model/access_log.h"
#include "config/options/options.h"
#include "proxy/session/states.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"
#include "tests/unit/support/issued.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define MANUAL "man/proxy.ini.5"
#define SAMPLE "scripts/proxy.ini"

enum { LINE_BYTES = 1024, OPTIONS_MAX = 256 };

static FILE *open_paper(const char *path)
{
    FILE *file = fopen(path, "re");
    ck_assert_msg(file != NULL, "%s: %s (tests run from the repository's root)", path,
                  strerror(errno));
    return file;
}

/* Reads a line, and removes its newline. */
static bool read_line(FILE *file, char line[static LINE_BYTES])
{
    if (!fgets(line, LINE_BYTES, file))
        return false;
    line[strcspn(line, "\n")] = '\0';
    return true;
}

/* --- the manual ---------------------------------------------------------------------------- */

/* ".It Ic log-level = Cm error , warning No or Cm info" as it reads: "log-level = error, warning
 * or info". */
static void read_head(char *line, char text[static LINE_BYTES])
{
    static const char *const macros[] = {".It", "Ic", "Cm", "No", "Ar"};
    size_t length = 0;
    text[0] = '\0';
    for (char *rest, *word = strtok_r(line, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        bool is_macro = false;
        for (size_t i = 0; i < sizeof macros / sizeof macros[0]; i++)
            is_macro |= strcmp(word, macros[i]) == 0;
        if (is_macro)
            continue;
        bool glued = length == 0 || strcmp(word, ",") == 0;
        length +=
            (size_t)snprintf(text + length, LINE_BYTES - length, "%s%s", glued ? "" : " ", word);
        ck_assert_uint_lt(length, LINE_BYTES);
    }
}

/* Removes the places where a long value may be broken into lines. */
static void remove_breaks(char *text)
{
    for (char *at; (at = strstr(text, "\\:"));)
        memmove(at, at + 2, strlen(at + 2) + 1);
}

struct documented {
    char head[LINE_BYTES];
    char initial[LINE_BYTES]; /* "": the item has no "Default:" */
};

/* Reads all items of the manual that begin with ".It Ic": only options do. */
static size_t read_manual(struct documented options[static OPTIONS_MAX])
{
    char line[LINE_BYTES];
    bool default_follows = false;
    size_t count = 0;
    FILE *file = open_paper(MANUAL);
    while (read_line(file, line)) {
        if (strncmp(line, ".It Ic ", 7) == 0) {
            ck_assert_uint_lt(count, OPTIONS_MAX);
            options[count].initial[0] = '\0';
            read_head(line, options[count++].head);
        } else if (default_follows) {
            ck_assert_msg(strncmp(line, ".Cm ", 4) == 0, "a default is '.Cm VALUE', not '%s'",
                          line);
            snprintf(options[count - 1].initial, sizeof options->initial, "%s", line + 4);
            remove_breaks(options[count - 1].initial);
        }
        default_follows = strcmp(line, "Default:") == 0;
        ck_assert(count > 0 || !default_follows);
    }
    fclose(file);
    return count;
}

static void agrees(const struct documented *documented, const struct option *option)
{
    char values[OPTION_TEXT_MAX];
    char head[LINE_BYTES];
    if (option->type == OPTION_FLAG)
        snprintf(head, sizeof head, "%s", option->name);
    else
        snprintf(head, sizeof head, "%s = %s", option->name, option_values(option, values));
    ck_assert_str_eq(documented->head, head);
    const char *initial = option->initial ? option->initial : "";
    ck_assert_msg(strcmp(documented->initial, initial) == 0,
                  "%s: default '%s' in the manual, '%s' in the table", head, documented->initial,
                  initial);
}

/* The options, then the attributes of bind lines, then those of server lines. */
START_TEST(manual_and_option_table_agree)
{
    static const enum option_owner lines[] = {OWNER_BIND, OWNER_SERVER};
    static struct documented documented[OPTIONS_MAX];
    size_t found = read_manual(documented);
    size_t at = 0;
    for (size_t i = 0; i < option_count() && at < found; i++)
        agrees(&documented[at++], option_at(i));
    size_t count = option_count();
    for (size_t i = 0; i < 2; i++)
        for (const struct option *row = attribute_table(lines[i]); row->name; row++, count++)
            if (at < found)
                agrees(&documented[at++], row);
    ck_assert_msg(found == count, "%zu options in the manual, %zu in the table", found, count);
}
END_TEST

/* --- the access log ------------------------------------------------------------------------ */

/* How often the name is an item ".It MACRO ..." of the section. */
static unsigned items(const char *section, const char *macro, const char *name)
{
    char line[LINE_BYTES], head[16];
    bool inside = false;
    unsigned count = 0;
    FILE *file = open_paper(MANUAL);
    snprintf(head, sizeof head, ".It %s ", macro);
    while (read_line(file, line)) {
        if (strncmp(line, ".Sh ", 4) == 0 || strncmp(line, ".Ss ", 4) == 0)
            inside = strcmp(line + 4, section) == 0;
        else if (inside && strncmp(line, head, strlen(head)) == 0)
            for (char *rest, *word = strtok_r(line, " ", &rest); word;
                 word = strtok_r(NULL, " ", &rest))
                count += strcmp(word, name) == 0;
    }
    fclose(file);
    return count;
}

START_TEST(manual_has_each_field_and_each_end_once)
{
    for (int i = 0; i < ACCESS_FIELD_COUNT; i++)
        ck_assert_msg(items("Fields", "Li", access_field_names[i]) == 1, "field %s",
                      access_field_names[i]);
    for (enum session_end i = SESSION_DONE; i < SESSION_ENDS; i++) {
        const char *name = session_end_name(i);
        ck_assert_msg(items("Ends", "Cm", name) == 1, "end %s", name);
    }
}
END_TEST

/* --- the sample ---------------------------------------------------------------------------- */

/* Reads "KEY = VALUE ; comment", also after a ';' without a space. Splits line in place. */
static bool read_pair(char *line, char **key, char **value)
{
    *key = *line == ';' ? line + 1 : line;
    size_t length = strspn(*key, "abcdefghijklmnopqrstuvwxyz-");
    if (length == 0 || strncmp(*key + length, " = ", 3) != 0)
        return false;
    *value = *key + length + 3;
    (*key)[length] = '\0';
    char *comment = strstr(*value, " ;");
    size_t end = comment ? (size_t)(comment - *value) : strlen(*value);
    while (end > 0 && (*value)[end - 1] == ' ')
        end--;
    (*value)[end] = '\0';
    return true;
}

static bool read_section(const char *line, enum section_kind *kind)
{
    if (line[0] != '[')
        return false;
    size_t length = strcspn(line + 1, " ]");
    for (*kind = 0; *kind < SECTION_KINDS; (*kind)++)
        if (strlen(section_kind_name(*kind)) == length &&
            strncmp(section_kind_name(*kind), line + 1, length) == 0)
            return true;
    ck_abort_msg("%s: %s", SAMPLE, line);
}

START_TEST(the_sample_shows_every_option_with_its_default)
{
    static bool shown[OPTIONS_MAX];
    char line[LINE_BYTES];
    char *key, *value;
    enum section_kind kind = SECTION_KINDS;
    FILE *file = open_paper(SAMPLE);
    ck_assert_uint_le(option_count(), OPTIONS_MAX);
    while (read_line(file, line)) {
        if (read_section(line, &kind) || !read_pair(line, &key, &value))
            continue;
        const struct option *option = option_find(kind, key);
        ck_assert_msg(option != NULL, "%s: %s is not an option of [%s]", SAMPLE, key,
                      section_kind_name(kind));
        ck_assert_msg(!option->initial || strcmp(option->initial, value) == 0,
                      "%s: %s = %s, but %s is the default", SAMPLE, key, value, option->initial);
        for (size_t i = 0; i < option_count(); i++)
            shown[i] |= option_at(i) == option;
    }
    fclose(file);
    for (size_t i = 0; i < option_count(); i++)
        ck_assert_msg(shown[i], "%s does not show %s (%s)", SAMPLE, option_at(i)->name,
                      option_at(i)->help);
}
END_TEST

START_TEST(the_sample_is_valid)
{
    struct config_errors errors;
    struct config *config = config_load(SAMPLE, &errors);
    ck_assert_msg(config && errors.count == 0, "%s", errors.count ? errors.lines[0] : "");
    config_errors_free(&errors);
    config_free(config);
}
END_TEST

/* --- names of other products ------------------------------------------------------------------ */

#define COMING_FROM "man/guide/coming-from.md"

static bool is_option(const char *name)
{
    static const enum option_owner lines[] = {OWNER_BIND, OWNER_SERVER};
    for (enum section_kind kind = 0; kind < SECTION_KINDS; kind++)
        if (option_find(kind, name))
            return true;
    for (size_t i = 0; i < 2; i++)
        for (const struct option *row = attribute_table(lines[i]); row->name; row++)
            if (strcmp(row->name, name) == 0)
                return true;
    return false;
}

/* Each option in the last column of a table. Returns how many there are. */
static unsigned check_row(char *line)
{
    unsigned count = 0;
    char *end = strrchr(line, '|');
    *end = '\0';
    char *cell = strrchr(line, '|');
    ck_assert_ptr_nonnull(cell);
    for (char *at = cell; (at = strchr(at, '`')); at++) {
        char name[64];
        size_t length = strspn(++at, "abcdefghijklmnopqrstuvwxyz-");
        length += length ? strspn(at + length, "abcdefghijklmnopqrstuvwxyz0123456789-") : 0;
        snprintf(name, sizeof name, "%.*s", (int)length, at);
        at = strchr(at, '`');
        ck_assert_msg(at != NULL, "%s: %s", COMING_FROM, cell);
        if (length == 0 || strcmp(name, "rpproxy") == 0)
            continue;
        ck_assert_msg(is_option(name), "%s: there is no option '%s'", COMING_FROM, name);
        count++;
    }
    return count;
}

START_TEST(names_of_others_lead_to_options)
{
    char line[LINE_BYTES];
    unsigned count = 0;
    FILE *file = open_paper(COMING_FROM);
    while (read_line(file, line))
        if (line[0] == '|')
            count += check_row(line);
    fclose(file);
    ck_assert_uint_gt(count, 50);
}
END_TEST

/* --- the examples -------------------------------------------------------------------------- */

/* Writes a copy to the folder of the test, which stands for /etc/rpproxy. */
static void copy_example(const char *path)
{
    static const char place[] = "/etc/rpproxy/";
    char line[LINE_BYTES], *copy = NULL;
    size_t length;
    FILE *file = open_paper(path), *out = open_memstream(&copy, &length);
    while (fgets(line, LINE_BYTES, file)) {
        const char *rest = line;
        for (const char *at; (at = strstr(rest, place)); rest = at + strlen(place))
            fprintf(out, "%.*s%s", (int)(at - rest), rest, folder_path(""));
        fputs(rest, out);
    }
    fclose(file);
    fclose(out);
    folder_write(strrchr(path, '/') + 1, copy, length);
    free(copy);
}

/* The files that the examples of TLS name. */
static void write_certificates(void)
{
    struct issued authority = issue((struct request){.name = "authority", .authority = true});
    char *list = pem_of_revocations(&authority, NULL, 3600);
    ck_assert_int_eq(mkdir(folder_path("certs"), 0700), 0);
    issued_write_new("certs/a.pem", "DNS:a.example.org");
    issued_write("ca.pem", &authority);
    issued_write("devices-ca.pem", &authority);
    text_write("devices-crl.pem", list);
    free(list);
    issued_free(&authority);
}

START_TEST(examples_are_valid)
{
    glob_t found;
    write_certificates();
    ck_assert_int_eq(glob("scripts/examples/*.*", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++)
        copy_example(found.gl_pathv[i]);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *name = strrchr(found.gl_pathv[i], '/') + 1;
        if (strcmp(strchr(name, '.'), ".ini") != 0)
            continue;
        struct loaded loaded = load_file(name);
        ck_assert_msg(loaded.config && loaded.error_count == 0 && !*loaded.warnings, "%s: %s%s",
                      name, loaded.errors, loaded.config ? loaded.warnings : "");
        loaded_free(&loaded);
    }
    globfree(&found);
}
END_TEST

static bool file_has(const char *path, const char *text)
{
    char line[LINE_BYTES];
    bool has = false;
    FILE *file = open_paper(path);
    while (!has && fgets(line, sizeof line, file))
        has = strstr(line, text) != NULL;
    fclose(file);
    return has;
}

/* Each is started as it is. */
START_TEST(examples_have_scenarios)
{
    glob_t examples, scenarios;
    ck_assert_int_eq(glob("scripts/examples/*.ini", 0, NULL, &examples), 0);
    ck_assert_int_eq(glob("tests/system/*/test_*.c", 0, NULL, &scenarios), 0);
    for (size_t i = 0; i < examples.gl_pathc; i++) {
        char name[LINE_BYTES];
        bool tested = false;
        snprintf(name, sizeof name, "\"%s\"", strrchr(examples.gl_pathv[i], '/') + 1);
        for (size_t j = 0; !tested && j < scenarios.gl_pathc; j++)
            tested = file_has(scenarios.gl_pathv[j], name);
        ck_assert_msg(tested, "no scenario starts %s", examples.gl_pathv[i]);
    }
    globfree(&examples);
    globfree(&scenarios);
}
END_TEST

/* --- markup -------------------------------------------------------------------------------- */

START_TEST(manuals_are_valid_mdoc)
{
    int status = system("command -v mandoc >/dev/null || exit 127\n"
                        "mandoc -Tlint -Wwarning man/rpproxy.8 man/rpproxy-metrics.7 " MANUAL);
    ck_assert(WIFEXITED(status));
    if (WEXITSTATUS(status) == 127) {
        unit_skip("no mandoc");
        return;
    }
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

Suite *docs_suite(void)
{
    Suite *suite = suite_create("docs");
    TCase *options = tcase_create("options");
    tcase_add_test(options, manual_and_option_table_agree);
    tcase_add_test(options, manual_has_each_field_and_each_end_once);
    tcase_add_test(options, the_sample_shows_every_option_with_its_default);
    tcase_add_test(options, the_sample_is_valid);
    tcase_add_test(options, examples_have_scenarios);
    tcase_add_test(options, names_of_others_lead_to_options);
    suite_add_tcase(suite, options);
    TCase *examples = tcase_create("examples");
    tcase_add_checked_fixture(examples, folder_make, folder_remove);
    tcase_add_test(examples, examples_are_valid);
    suite_add_tcase(suite, examples);
    TCase *markup = tcase_create("markup");
    tcase_add_test(markup, manuals_are_valid_mdoc);
    suite_add_tcase(suite, markup);
    return suite;
}
