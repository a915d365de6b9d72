#include "config/lists/address_rules.h"
#include "config/lists/list_file.h"
#include "tests/unit/suites.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char main_file[] = "/nowhere/proxy.ini";
static struct source source = {.path = main_file};
static struct problems problems;
static struct list_origin origin;
static char taken[65536];
static char folder[] = "/tmp/rpproxy-lists-XXXXXX";

static void setup(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    problems = (struct problems){0};
    origin = (struct list_origin){.problems = &problems, .place = {&source, 12}, .option = "deny"};
    taken[0] = '\0';
}

static void teardown(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

/* Appends the entry and a '|'. */
static const char *take(void *arg, char *entry)
{
    (void)arg;
    if (strncmp(entry, "bad", 3) == 0) {
        memset(entry, 'x', strlen(entry));
        return "is bad";
    }
    if (strlen(taken) + strlen(entry) + 2 < sizeof taken)
        strcat(strcat(taken, entry), "|");
    return NULL;
}

static const char *error(size_t i)
{
    static struct config_errors errors;
    if (problems.count > 0) {
        config_errors_free(&errors);
        problems_move(&problems, &errors);
    }
    return i < errors.count ? errors.lines[i] : NULL;
}

static bool read_text(const char *text, size_t length)
{
    return list_text_read(text, length, "a/list", &origin, take, NULL);
}

START_TEST(entries_are_lines)
{
    static const char text[] = "\xef\xbb\xbf"
                               "one\r\n"
                               "\n"
                               "  two words \t; a comment\n"
                               "# a comment\n"
                               "\t;another\n"
                               "three;four#five\r\n"
                               "six # seven ; eight\n"
                               "last";
    ck_assert(read_text(text, sizeof text - 1));
    ck_assert_str_eq(taken, "one|two words|three;four#five|six|last|");
    ck_assert_ptr_null(error(0));
}
END_TEST

START_TEST(an_empty_text_has_no_entries)
{
    ck_assert(read_text("", 0));
    ck_assert(read_text("\n\n", 2));
    ck_assert(read_text("\xef\xbb\xbf", 3));
    ck_assert(read_text("#", 1));
    ck_assert_str_eq(taken, "");
}
END_TEST

START_TEST(mistakes_have_the_lines_of_both_files)
{
    static const char text[] = "good\nbad one # x\n\0\nbad\n";
    ck_assert(!read_text(text, sizeof text - 1));
    ck_assert_str_eq(error(0), "/nowhere/proxy.ini:12: deny: a/list:2: 'bad one' is bad");
    ck_assert_str_eq(error(1), "/nowhere/proxy.ini:12: deny: a/list:3: line contains a NUL byte");
    ck_assert_str_eq(error(2), "/nowhere/proxy.ini:12: deny: a/list:4: 'bad' is bad");
    ck_assert_ptr_null(error(3));
}
END_TEST

static const char *refuse_all(void *arg, char *entry)
{
    (void)arg;
    (void)entry;
    return "is wrong";
}

START_TEST(secrets_are_not_quoted)
{
    static const char text[] = "ann:secret\nsecret\n:secret\n";
    origin.secret = true;
    ck_assert(!list_text_read(text, sizeof text - 1, "/f", &origin, refuse_all, NULL));
    ck_assert_str_eq(error(0), "/nowhere/proxy.ini:12: deny: /f:1: 'ann' is wrong");
    ck_assert_str_eq(error(1), "/nowhere/proxy.ini:12: deny: /f:2: is wrong");
    ck_assert_str_eq(error(2), "/nowhere/proxy.ini:12: deny: /f:3: '' is wrong");
}
END_TEST

START_TEST(only_the_first_mistakes_are_listed)
{
    char text[4 * 100 + 1] = "";
    for (int i = 0; i < 100; i++)
        strcat(text, "bad\n");
    ck_assert(!read_text(text, sizeof text - 1));
    ck_assert_str_eq(error(9), "/nowhere/proxy.ini:12: deny: a/list:10: 'bad' is bad");
    ck_assert_str_eq(error(10), "/nowhere/proxy.ini:12: deny: a/list: 90 more lines are wrong");
    ck_assert_ptr_null(error(11));
}
END_TEST

START_TEST(long_lines_are_refused_and_long_entries_are_cut_in_messages)
{
    static char text[6000];
    memset(text, 'b', sizeof text);
    memcpy(text, "bad", 3);
    text[4096] = '\n';
    text[4097 + 200] = '\n';
    memcpy(text + 4097, "bad", 3);
    text[4298] = '#';
    text[4298 + 1000] = '\n';
    ck_assert(!read_text(text, 4298 + 1001));
    ck_assert_ptr_nonnull(strstr(error(0), "a/list:1: 'badbb"));
    ck_assert_ptr_nonnull(strstr(error(0), "bb...' is bad"));
    ck_assert_uint_lt(strlen(error(0)), 200);
    ck_assert_ptr_nonnull(strstr(error(1), "a/list:2: 'badbb"));
    ck_assert_ptr_null(error(2));
    static char longer[4097];
    memset(longer, '#', sizeof longer);
    ck_assert(!read_text(longer, sizeof longer));
    ck_assert_ptr_nonnull(strstr(error(0), "a/list:1: line is too long"));
}
END_TEST

START_TEST(too_many_entries_are_refused)
{
    size_t length = 2 * ((size_t)LIST_ENTRIES_MAX + 5);
    char *text = malloc(length);
    for (size_t i = 0; i < length; i++)
        text[i] = i % 2 ? '\n' : 'a';
    ck_assert(!read_text(text, length));
    ck_assert_str_eq(error(0),
                     "/nowhere/proxy.ini:12: deny: a/list:1000001: more than 1000000 entries");
    ck_assert_ptr_null(error(1));
    free(text);
}
END_TEST

START_TEST(a_path_is_relative_to_the_file_that_names_it)
{
    static char names[2][16] = {"proxy.ini", "conf/x.ini"};
    const struct source here = {.path = names[0]};
    const struct source there = {.path = names[1]};
    char *paths[] = {list_file_path("a/b", &source), list_file_path("/a/b", &source),
                     list_file_path("a/b", &here), list_file_path("../b", &there)};
    ck_assert_str_eq(paths[0], "/nowhere/a/b");
    ck_assert_str_eq(paths[1], "/a/b");
    char folder_here[PATH_MAX], whole[PATH_MAX + 16];
    ck_assert_ptr_nonnull(getcwd(folder_here, sizeof folder_here));
    snprintf(whole, sizeof whole, "%s/a/b", folder_here);
    ck_assert_str_eq(paths[2], whole);
    snprintf(whole, sizeof whole, "%s/conf/../b", folder_here);
    ck_assert_str_eq(paths[3], whole);
    for (int i = 0; i < 4; i++)
        free(paths[i]);
}
END_TEST

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(what_is_no_readable_file_is_refused)
{
    static const char *const wrongs[] = {"No such file or directory", "Is a directory",
                                         "not a regular file", "not a regular file",
                                         "larger than 64 MiB"};
    char paths[5][64];
    for (int i = 0; i < 5; i++)
        snprintf(paths[i], sizeof paths[i], "%s/%d", folder, i);
    ck_assert_int_eq(mkdir(paths[1], 0700), 0);
    ck_assert_int_eq(mkfifo(paths[2], 0600), 0);
    ck_assert_int_eq(symlink("/dev/zero", paths[3]), 0);
    put(paths[4], "");
    ck_assert_int_eq(truncate(paths[4], (off_t)LIST_BYTES_MAX + 1), 0);
    for (int i = 0; i < 5; i++) {
        char line[512];
        ck_assert(!list_file_read(paths[i], &origin, take, NULL, NULL));
        snprintf(line, sizeof line, "/nowhere/proxy.ini:12: deny: %s: %s", paths[i], wrongs[i]);
        ck_assert_str_eq(error(0), line);
        ck_assert_ptr_null(error(1));
    }
    ck_assert_str_eq(taken, "");
}
END_TEST

/* --- addresses ----------------------------------------------------------------------------- */

static uint32_t find(const struct address_matcher *matcher, const char *text)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    const struct sockaddr_storage local = {.ss_family = AF_UNIX};
    if (!text)
        return address_matcher_find(matcher, (const struct sockaddr *)&local);
    if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
        return address_matcher_find(matcher, (const struct sockaddr *)&in);
    ck_assert_int_eq(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
    return address_matcher_find(matcher, (const struct sockaddr *)&in6);
}

START_TEST(the_first_rule_that_contains_the_address_decides)
{
    char path[64];
    char word[128];
    char main_path[64];
    struct address_files files = {0};
    struct address_rules rules = {0};
    snprintf(path, sizeof path, "%s/list", folder);
    snprintf(main_path, sizeof main_path, "%s/proxy.ini", folder);
    source.path = main_path;
    put(path, "10.1.0.0/16\n10.9.9.9 # x\n2001:db8::/32\n");
    const struct {
        const char *word;
        uint32_t value;
    } lines[] = {{"10.1.1.1", 1},   {"10.1.1.0/24", 2},         {"@list", 3},
                 {"10.0.0.0/8", 4}, {"::ffff:11.0.0.0/104", 5}, {"@list", 6},
                 {"127.0.0.0/8", 7}};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        ck_assert_ptr_null(
            address_rules_add(&rules, lines[i].word, lines[i].value, &files, &origin));
    ck_assert_ptr_null(error(0));
    ck_assert_uint_eq(files.count, 1);
    ck_assert_uint_eq(files.items[0]->count, 3);
    struct address_matcher *matcher = address_matcher_make(&rules);
    ck_assert_uint_eq(find(matcher, "10.1.1.1"), 1);
    ck_assert_uint_eq(find(matcher, "10.1.1.2"), 2);
    ck_assert_uint_eq(find(matcher, "10.1.2.1"), 3);
    ck_assert_uint_eq(find(matcher, "10.9.9.9"), 3);
    ck_assert_uint_eq(find(matcher, "10.9.9.8"), 4);
    ck_assert_uint_eq(find(matcher, "::ffff:10.9.9.9"), 3);
    ck_assert_uint_eq(find(matcher, "11.1.2.3"), 5);
    ck_assert_uint_eq(find(matcher, "2001:db8::77"), 3);
    ck_assert_uint_eq(find(matcher, "127.0.0.1"), 7);
    ck_assert_uint_eq(find(matcher, "128.0.0.1"), PREFIX_NO_VALUE);
    ck_assert_uint_eq(find(matcher, NULL), PREFIX_NO_VALUE);
    address_matcher_free(matcher);
    ck_assert_ptr_null(address_rules_add(&rules, "any", 8, &files, &origin));
    matcher = address_matcher_make(&rules);
    ck_assert_uint_eq(find(matcher, "128.0.0.1"), 8);
    ck_assert_uint_eq(find(matcher, "::"), 8);
    ck_assert_uint_eq(find(matcher, NULL), 8);
    address_matcher_free(matcher);

    char text[128] = "";
    FILE *out = fmemopen(text, sizeof text, "w");
    for (size_t i = 3; i < 6; i++) {
        address_rule_write(&rules.items[i], out);
        fputc('|', out);
    }
    address_rule_write(&rules.items[7], out);
    fclose(out);
    snprintf(word, sizeof word, "10.0.0.0/8|11.0.0.0/8|@%s|any", path);
    ck_assert_str_eq(text, word);
    free(rules.items);
    address_files_free(&files);
}
END_TEST

START_TEST(a_wrong_file_is_reported_once)
{
    char path[64];
    char main_path[64];
    char line[512];
    struct address_files files = {0};
    struct address_rules rules = {0};
    snprintf(path, sizeof path, "%s/list", folder);
    snprintf(main_path, sizeof main_path, "%s/proxy.ini", folder);
    source.path = main_path;
    put(path, "any\n10.0.0/8\n");
    ck_assert_ptr_null(address_rules_add(&rules, "@list", 1, &files, &origin));
    ck_assert_ptr_null(address_rules_add(&rules, "@list", 1, &files, &origin));
    snprintf(line, sizeof line,
             "%s:12: deny: %s:2: '10.0.0/8' is not an IP address or ADDRESS/BITS", main_path, path);
    ck_assert_str_eq(error(0), line);
    ck_assert_ptr_null(error(1));
    ck_assert_str_eq(address_rules_add(&rules, "@", 1, &files, &origin),
                     "needs the name of a file: @FILE");
    ck_assert_ptr_nonnull(address_rules_add(&rules, "10.0.0.0/33", 1, &files, &origin));
    free(rules.items);
    address_files_free(&files);
}
END_TEST

START_TEST(a_closed_set_of_files_opens_none)
{
    struct address_files files = {.closed = true};
    struct address_rules rules = {0};
    ck_assert_ptr_null(address_rules_add(&rules, "@/nowhere/list", 1, &files, &origin));
    ck_assert_ptr_null(error(0));
    struct address_matcher *matcher = address_matcher_make(&rules);
    ck_assert_uint_eq(find(matcher, "10.0.0.1"), PREFIX_NO_VALUE);
    address_matcher_free(matcher);
    free(rules.items);
    address_files_free(&files);
}
END_TEST

Suite *list_file_suite(void)
{
    Suite *suite = suite_create("list_file");
    TCase *tcase = tcase_create("list_file");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, entries_are_lines);
    tcase_add_test(tcase, an_empty_text_has_no_entries);
    tcase_add_test(tcase, mistakes_have_the_lines_of_both_files);
    tcase_add_test(tcase, secrets_are_not_quoted);
    tcase_add_test(tcase, only_the_first_mistakes_are_listed);
    tcase_add_test(tcase, long_lines_are_refused_and_long_entries_are_cut_in_messages);
    tcase_add_test(tcase, too_many_entries_are_refused);
    tcase_add_test(tcase, a_path_is_relative_to_the_file_that_names_it);
    tcase_add_test(tcase, what_is_no_readable_file_is_refused);
    tcase_add_test(tcase, the_first_rule_that_contains_the_address_decides);
    tcase_add_test(tcase, a_wrong_file_is_reported_once);
    tcase_add_test(tcase, a_closed_set_of_files_opens_none);
    suite_add_tcase(suite, tcase);
    return suite;
}
