/* The syntax: lines, sections, files and includes. */
#include "config/document.h"
#include "config/load.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- lines --------------------------------------------------------------------------------- */

START_TEST(layout_is_free)
{
    static const char text[] = "\xef\xbb\xbf; first\r\n"
                               "\r\n"
                               "   # indented comment\r\n"
                               " [ listen \t db ]  ; comment\r\n"
                               "\tbind=127.0.0.1:1#not-a-comment\r\n"
                               "bind   =   127.0.0.1:2   # comment\r\n"
                               "    server = a unix:/a;b\t;c\r\n"
                               "      retries = 7\r\n"
                               "[global];comment\r\n"
                               "workers = 3";
    folder_write("p.ini", text, sizeof text - 1);
    struct loaded loaded = load_file("p.ini");
    ck_assert_str_eq(loaded.errors,
                     "p.ini:5: bind: '127.0.0.1:1#not-a-comment': port must be a "
                     "number from 1 to 65535; a comment needs a space before its '#'\n"
                     "p.ini:9: nothing but a comment may follow the section's ']'\n");
    loaded_free(&loaded);
}
END_TEST

START_TEST(windows_file_with_bom_is_read)
{
    struct config *config = load_good("\xef\xbb\xbf[listen db]\r\n"
                                      "bind = 127.0.0.1:1 ; x\r\n"
                                      "server = a unix:/a;b#c\r\n"
                                      "[global]\r\n"
                                      "workers = 3\r\n");
    ck_assert_str_eq(config->backends[0].servers[0].text, "unix:/a;b#c");
    ck_assert_uint_eq(config->workers, 3);
    config_free(config);
}
END_TEST

/* inih alone would read the indented line as a second value of the key. */
START_TEST(indented_line_is_a_line_of_its_own)
{
    struct config *config = load_good("[listen x]\n"
                                      "bind = 127.0.0.1:1\n"
                                      "    server = a 127.0.0.1:2\n"
                                      "\tretries = 9\n");
    ck_assert_uint_eq(config->frontends[0].bind_count, 1);
    ck_assert_uint_eq(config->backends[0].retries, 9);
    config_free(config);

    struct loaded loaded = load_text(VALID "    127.0.0.1:3\n");
    ck_assert_str_eq(loaded.errors, "p.ini:4: expected 'KEY = VALUE', '[SECTION]' or a comment\n");
    loaded_free(&loaded);
}
END_TEST

static const struct {
    const char *text;
    const char *errors;
} mistakes[] = {
    {VALID "retries\n", "p.ini:4: '=' is missing: write 'retries = VALUE'\n"},
    {VALID "retries: 3\n", "p.ini:4: '=' is missing: write 'retries = 3'\n"},
    {VALID "= 3\n", "p.ini:4: a key is missing before '='\n"},
    {VALID "retries = 3 = 4\n", "p.ini:4: retries: '3 = 4' must be 0 to 100\n"},
    {VALID "retries 2 = 4\n", "p.ini:4: unknown key 'retries 2' in [listen ok]; did you mean "
                              "'retries'?\n"},
    {VALID "retries = ;3\n", "p.ini:4: retries: value is missing\n"},
    {VALID "retries = 1\x01\x1b[31m\n", "p.ini:4: retries: '1??[31m' must be 0 to 100\n"},
    {VALID "[global\nworkers = 0\n",
     "p.ini:4: ']' is missing\n"
     "p.ini:5: workers: '0' must be auto or 1 to 256; write 'auto'\n"},
    {VALID "[global] workers = 0\n",
     "p.ini:4: nothing but a comment may follow the section's ']'\n"},
    {"bind = 127.0.0.1:1\n" VALID,
     "p.ini:1: key 'bind' stands before the first section head, such as [global]\n"},
    {VALID "retries = ${RPPROXY_NOT_SET}\n",
     "p.ini:4: retries: variable 'RPPROXY_NOT_SET' is not defined; ${RPPROXY_NOT_SET:-DEFAULT} "
     "gives it a default\n"},
    {VALID "retries = ${RPPROXY_NOT_SET:-}\n", "p.ini:4: retries: value is missing\n"},
    {"[listen x]\nbind = ${RPPROXY_NOT_SET}\nserver = a 127.0.0.1:1\n",
     "p.ini:2: bind: variable 'RPPROXY_NOT_SET' is not defined; ${RPPROXY_NOT_SET:-DEFAULT} gives "
     "it a default\n"},
};

START_TEST(bad_line_is_reported)
{
    struct loaded loaded = load_text(mistakes[_i].text);
    ck_assert_str_eq(loaded.errors, mistakes[_i].errors);
    loaded_free(&loaded);
}
END_TEST

START_TEST(variable_adds_no_line_and_no_comment)
{
    setenv("RPPROXY_TEST_SERVER", "a 127.0.0.1:2 ; weight=0", 1);
    struct loaded loaded = load_text("[listen x]\nbind = 127.0.0.1:${RPPROXY_TEST_PORT:-81}\n"
                                     "server = ${RPPROXY_TEST_SERVER}\n");
    ck_assert_str_eq(
        loaded.errors,
        "p.ini:3: server: unknown attribute ';'; see SERVER ATTRIBUTES in proxy.ini(5)\n");
    loaded_free(&loaded);
}
END_TEST

START_TEST(nul_byte_is_reported)
{
    static const char text[] = VALID "retries = 1\0002\n[glo\0bal]\nworkers = 9\n";
    folder_write("p.ini", text, sizeof text - 1);
    struct loaded loaded = load_file("p.ini");
    ck_assert_str_eq(loaded.errors, "p.ini:4: line contains a NUL byte\n"
                                    "p.ini:5: line contains a NUL byte\n");
    loaded_free(&loaded);
}
END_TEST

/* Loads a text whose line 4 has this length. If the line were split, its second part would be a
 * valid key. */
static struct loaded load_with_line_of(size_t length)
{
    char text[8192] = VALID;
    size_t at = strlen(text);
    int head = snprintf(text + at, sizeof text - at, "server = b unix:/");
    memset(text + at + head, 'a', 100);
    memset(text + at + head + 100, ' ', length - (size_t)head - 100);
    memcpy(text + at + length - 8, "weight=9\n[globa]\n", sizeof "weight=9\n[globa]\n");
    return load_text(text);
}

START_TEST(line_that_is_too_long_is_reported_and_not_cut)
{
    struct loaded loaded = load_with_line_of(LINE_BYTES_MAX);
    ck_assert_str_eq(loaded.errors, "p.ini:5: unknown section 'globa'; did you mean 'global'?\n");
    loaded_free(&loaded);
    loaded = load_with_line_of(LINE_BYTES_MAX + 1);
    ck_assert_str_eq(loaded.errors, "p.ini:4: line is too long: 4097 bytes without its comment, at "
                                    "most 4096 are possible\n"
                                    "p.ini:5: unknown section 'globa'; did you mean 'global'?\n");
    loaded_free(&loaded);
}
END_TEST

START_TEST(longest_line_arrives_whole)
{
    char text[8192];
    char value[LINE_BYTES_MAX + 1];
    int head = snprintf(text, sizeof text, VALID "[global]\n");
    memset(value, 'a', sizeof value);
    value[LINE_BYTES_MAX - strlen("pidfile = /")] = '\0';
    snprintf(text + head, sizeof text - (size_t)head, "pidfile = /%s\n", value);
    struct config *config = load_good(text);
    ck_assert_str_eq(config->pidfile + 1, value);
    config_free(config);
}
END_TEST

START_TEST(comment_may_be_long)
{
    char text[8192] = VALID "retries = 4 ;";
    memset(text + strlen(text), 'x', 5000);
    struct config *config = load_good(text);
    ck_assert_uint_eq(config->backends[0].retries, 4);
    config_free(config);
}
END_TEST

START_TEST(long_section_name_is_kept)
{
    /* inih cuts the name after 49 bytes, and would merge these two sections. */
    struct config *config = load_good(
        "[listen aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1]\n"
        "bind = 127.0.0.1:1\nserver = a 127.0.0.1:9\n"
        "[listen aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa2]\n"
        "bind = 127.0.0.1:2\nserver = a 127.0.0.1:9\n");
    ck_assert_uint_eq(config->frontend_count, 2);
    config_free(config);
}
END_TEST

/* --- files --------------------------------------------------------------------------------- */

START_TEST(unreadable_files_are_reported)
{
    struct loaded loaded = load_file("absent.ini");
    ck_assert_str_eq(loaded.errors, "absent.ini: No such file or directory\n");
    loaded_free(&loaded);

    ck_assert_int_eq(mkdir(folder_path("folder"), 0700), 0);
    loaded = load_file("folder");
    ck_assert_str_eq(loaded.errors, "folder: Is a directory\n");
    loaded_free(&loaded);

    ck_assert_int_eq(mkfifo(folder_path("fifo"), 0600), 0);
    loaded = load_file("fifo"); /* no process writes to the FIFO: must not wait */
    ck_assert_str_eq(loaded.errors, "fifo: not a regular file\n");
    loaded_free(&loaded);
}
END_TEST

START_TEST(forbidden_file_is_reported)
{
    folder_write("p.ini", VALID, strlen(VALID));
    ck_assert_int_eq(chmod(folder_path("p.ini"), 0), 0);
    if (geteuid() == 0) {
        char folder[256];
        snprintf(folder, sizeof folder, "%s", folder_path("."));
        ck_assert_int_eq(chmod(folder, 0755), 0);
        ck_assert_int_eq(seteuid(65534), 0);
    }
    struct loaded loaded = load_file("p.ini");
    (void)!seteuid(getuid());
    ck_assert_str_eq(loaded.errors, "p.ini: Permission denied\n");
    loaded_free(&loaded);
}
END_TEST

START_TEST(huge_file_is_read)
{
    enum { SERVERS = 100000 };
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(out);
    fputs("[listen big]\nbind = 127.0.0.1:1\n", out);
    for (unsigned i = 0; i < SERVERS; i++)
        fprintf(out, "server = server-%u 10.%u.%u.%u:9000 weight=1 ; %040u\n", i, i >> 16,
                i >> 8 & 255, i & 255, i);
    fclose(out);
    struct config *config = load_good(text);
    ck_assert_uint_eq(config->backends[0].server_count, SERVERS);
    ck_assert_str_eq(config->backends[0].servers[SERVERS - 1].name, "server-99999");
    config_free(config);
    free(text);
}
END_TEST

START_TEST(errors_are_bounded)
{
    enum { LINES = 100000 };
    char *text = malloc(LINES * 2 + 1);
    ck_assert_ptr_nonnull(text);
    for (size_t i = 0; i < LINES; i++)
        memcpy(text + i * 2, "x\n", 2);
    text[LINES * 2] = '\0';
    struct loaded loaded = load_text(text);
    ck_assert_uint_eq(loaded.error_count, 1001);
    ck_assert_ptr_nonnull(
        strstr(loaded.errors, "\np.ini: too many errors; the rest is not shown\n"));
    loaded_free(&loaded);
    free(text);
}
END_TEST

/* --- includes ------------------------------------------------------------------------------ */

static void write_text(const char *name, const char *text)
{
    folder_write(name, text, strlen(text));
}

static void make_parts(void)
{
    ck_assert_int_eq(mkdir(folder_path("parts"), 0700), 0);
}

START_TEST(includes_are_read_sorted_and_relative)
{
    make_parts();
    write_text("parts/20.ini", "[listen second]\nbind = 127.0.0.1:2\nserver = a 127.0.0.1:9\n");
    write_text("parts/10.ini", "[global]\ninclude = deep/x.ini\n"
                               "[listen first]\nbind = 127.0.0.1:1\nserver = a 127.0.0.1:9\n");
    write_text("parts/skipped.txt", "nonsense\n");
    ck_assert_int_eq(mkdir(folder_path("parts/deep"), 0700), 0);
    write_text("parts/deep/x.ini",
               "[backend deep]\nserver = a 127.0.0.1:9\n[global]\nworkers = 2\n");
    struct config *config = load_good("[global]\ninclude = parts/*.ini\ninclude = parts/*.no\n"
                                      "max-generations = 3\n"
                                      "[frontend x]\nbind = 127.0.0.1:3\nbackend = deep\n");
    ck_assert_uint_eq(config->frontend_count, 3);
    ck_assert_str_eq(config->frontends[0].name, "first");
    ck_assert_str_eq(config->frontends[1].name, "second");
    ck_assert_str_eq(config->frontends[2].backend->name, "deep");
    ck_assert_uint_eq(config->workers, 2);
    ck_assert_uint_eq(config->max_generations, 3);
    config_free(config);
}
END_TEST

START_TEST(mistakes_of_included_files_have_the_name_of_the_file)
{
    make_parts();
    write_text("parts/a.ini", "[listen ok]\nbind = 127.0.0.1:1\nserver = a 127.0.0.1:9\n"
                              "[global]\nworkers = 4\n[defaults]\nretries = x\n");
    struct loaded loaded = load_text(VALID "[defaults]\n[global]\nworkers = 0\n"
                                           "include = parts/a.ini\nworkerss = 1\n");
    ck_assert_str_eq(loaded.errors,
                     "p.ini:6: workers: '0' must be auto or 1 to 256; write 'auto'\n"
                     "p.ini:8: unknown key 'workerss' in [global]; did you mean 'workers'?\n"
                     "p.ini:8: key 'workers' is given twice; first in line 6\n"
                     "parts/a.ini:1: section [listen ok] is given twice; first in p.ini:1\n"
                     "parts/a.ini:2: bind '127.0.0.1:1' is given twice; first in p.ini:2\n"
                     "parts/a.ini:5: key 'workers' is given twice; first in p.ini:6\n"
                     "parts/a.ini:6: section [defaults] is given twice; first in p.ini:4\n"
                     "parts/a.ini:7: retries: 'x' must be 0 to 100\n");
    loaded_free(&loaded);
}
END_TEST

START_TEST(missing_include_is_reported)
{
    struct loaded loaded = load_text("[global]\ninclude = absent.ini\ninclude = absent/*.ini\n"
                                     "[frontend x]\nbind = 127.0.0.1:1\nbackend = there\n");
    ck_assert_str_eq(loaded.errors,
                     "p.ini:2: include: absent.ini: No such file or directory\n"
                     "p.ini:3: include: 'absent/*.ini' cannot be searched: No such file or "
                     "directory\n");
    loaded_free(&loaded);
}
END_TEST

/* Names of folders that contain characters of patterns; the names in the second column match as
 * patterns. */
static const char *const folders[][2] = {
    {"v[12]", "v1"}, {"v*", "vx"}, {"v?", "vx"}, {"v\\1", "v1"}, {"[v", "[v"},
};

static void make_folder(const char *name, const char *listen)
{
    char file[64], text[96];
    (void)mkdir(folder_path(name), 0700);
    snprintf(file, sizeof file, "%s/x.ini", name);
    snprintf(text, sizeof text, "[listen %s]\nbind = 127.0.0.1:2\nserver = a 127.0.0.1:9\n",
             listen);
    write_text(file, text);
}

/* Such a folder contains the including file, is the value of a variable, or is part of a plain
 * path. */
START_TEST(values_of_variables_are_no_patterns)
{
    static const char *const includes[] = {"*.ini", "x.ini", "${FOLDER}/*.ini",
                                           "${NO_FOLDER:-${FOLDER}}/[x].ini"};
    const char *const *pair = folders[_i];
    char file[64], text[160];
    make_folder(pair[1], "stranger");
    make_folder(pair[0], "mine");
    setenv("FOLDER", folder_path(pair[0]), 1);
    unsetenv("NO_FOLDER");
    for (size_t i = 0; i < sizeof includes / sizeof *includes; i++) {
        snprintf(file, sizeof file, "%s/p", pair[0]);
        snprintf(text, sizeof text, VALID "[global]\ninclude = %s\n", includes[i]);
        write_text(file, text);
        struct loaded loaded = load_file(file);
        ck_assert_str_eq(loaded.errors, "");
        ck_assert_uint_eq(loaded.config->frontend_count, 2);
        ck_assert_str_eq(loaded.config->frontends[1].name, "mine");
        loaded_free(&loaded);
    }
}
END_TEST

START_TEST(a_file_may_have_the_name_of_a_pattern)
{
    write_text("a[1].ini", "[global]\nworkers = 3\n");
    write_text("b[1].ini", "[defaults]\nretries = 7\n");
    struct config *config = load_good(VALID "[global]\ninclude = a[1].ini\ninclude = b\\[1].ini\n");
    ck_assert_uint_eq(config->workers, 3);
    ck_assert_uint_eq(config->backends[0].retries, 7);
    config_free(config);
}
END_TEST

START_TEST(include_loop_is_reported)
{
    write_text("b.ini", "[global]\ninclude = ./p.ini\n");
    struct loaded loaded = load_text(VALID "[global]\ninclude = b.ini\ninclude = p.ini\n");
    ck_assert_str_eq(loaded.errors, "p.ini:6: include: p.ini: the file would include itself\n"
                                    "b.ini:2: include: ./p.ini: the file would include itself\n");
    loaded_free(&loaded);
}
END_TEST

START_TEST(include_depth_is_bounded)
{
    char name[16];
    char text[64];
    for (unsigned i = 1; i <= 9; i++) {
        snprintf(name, sizeof name, "%u.ini", i);
        snprintf(text, sizeof text, "[global]\ninclude = %u.ini\n", i + 1);
        write_text(name, i < 9 ? text : "");
    }
    struct loaded loaded = load_text(VALID "[global]\ninclude = 2.ini\n");
    ck_assert_str_eq(loaded.errors, "");
    loaded_free(&loaded);
    loaded = load_text(VALID "[global]\ninclude = 1.ini\n");
    ck_assert_str_eq(loaded.errors,
                     "8.ini:2: include: 9.ini: too many nested includes; at most 8 are "
                     "possible\n");
    loaded_free(&loaded);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

START_TEST(source_is_an_address_of_the_family_of_the_servers)
{
    struct loaded loaded = load_text("[listen x]\nbind = 127.0.0.1:1\nserver = a 127.0.0.1:80\n"
                                     "source = 10.0.0.1:5\n");
    ck_assert_str_eq(loaded.errors,
                     "p.ini:4: source: '10.0.0.1:5' must be an IPv4 or IPv6 address without a "
                     "port, ADDRESS-ADDRESS, or client\n");
    loaded_free(&loaded);
    loaded = load_text("[listen x]\nbind = 127.0.0.1:1\nserver = a 127.0.0.1:80\n"
                       "server = b unix:/b\nsource = ::1\n");
    ck_assert_str_eq(loaded.errors,
                     "p.ini:1: [listen x]: source and server a are not both IPv4 or both IPv6\n");
    loaded_free(&loaded);
    loaded = load_text("[listen x]\nbind = 127.0.0.1:1\nserver = a 127.0.0.1:80\n"
                       "server = b unix:/b\nserver = c n.example:1\nserver = d [::1]:80\n"
                       "source = client\n");
    ck_assert_str_eq(loaded.errors, "p.ini:1: [listen x]: with 'source = client' servers a and d "
                                    "must be both IPv4 or both IPv6\n");
    loaded_free(&loaded);
}
END_TEST

Suite *config_file_suite(void)
{
    Suite *suite = suite_create("config_file");
    TCase *lines = tcase_create("lines");
    tcase_add_checked_fixture(lines, folder_make, folder_remove);
    tcase_add_test(lines, layout_is_free);
    tcase_add_test(lines, windows_file_with_bom_is_read);
    tcase_add_test(lines, indented_line_is_a_line_of_its_own);
    tcase_add_loop_test(lines, bad_line_is_reported, 0, COUNT(mistakes));
    tcase_add_test(lines, variable_adds_no_line_and_no_comment);
    tcase_add_test(lines, nul_byte_is_reported);
    tcase_add_test(lines, line_that_is_too_long_is_reported_and_not_cut);
    tcase_add_test(lines, longest_line_arrives_whole);
    tcase_add_test(lines, source_is_an_address_of_the_family_of_the_servers);
    tcase_add_test(lines, comment_may_be_long);
    tcase_add_test(lines, long_section_name_is_kept);
    suite_add_tcase(suite, lines);
    TCase *files = tcase_create("files");
    tcase_add_checked_fixture(files, folder_make, folder_remove);
    tcase_set_timeout(files, 120);
    tcase_add_test(files, unreadable_files_are_reported);
    tcase_add_test(files, forbidden_file_is_reported);
    tcase_add_test(files, huge_file_is_read);
    tcase_add_test(files, errors_are_bounded);
    suite_add_tcase(suite, files);
    TCase *includes = tcase_create("includes");
    tcase_add_checked_fixture(includes, folder_make, folder_remove);
    tcase_add_test(includes, includes_are_read_sorted_and_relative);
    tcase_add_test(includes, mistakes_of_included_files_have_the_name_of_the_file);
    tcase_add_test(includes, missing_include_is_reported);
    tcase_add_loop_test(includes, values_of_variables_are_no_patterns, 0, COUNT(folders));
    tcase_add_test(includes, a_file_may_have_the_name_of_a_pattern);
    tcase_add_test(includes, include_loop_is_reported);
    tcase_add_test(includes, include_depth_is_bounded);
    suite_add_tcase(suite, includes);
    return suite;
}
