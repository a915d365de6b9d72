/* What a process knows of the files that its configuration names before it reads them. */
#include "config/syntax/named_files.h"
#include "tests/unit/suites.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NOBODY 65534

static char directory[] = "/tmp/rpproxy-unit-XXXXXX";

static void make_folder(const char *name, mode_t mode)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    ck_assert_int_eq(mkdir(path, 0755), 0);
    snprintf(path, sizeof path, "%s/%s/file", directory, name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fclose(file);
    snprintf(path, sizeof path, "%s/%s", directory, name);
    ck_assert_int_eq(chmod(path, mode), 0);
}

static void remove_folders(void)
{
    char command[PATH_MAX];
    ck_assert_int_eq(seteuid(getuid()), 0);
    snprintf(command, sizeof command, "chmod -R u+rwx %s && rm -r %s", directory, directory);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(a_file_that_is_hidden_is_not_absent)
{
    static const struct {
        const char *pattern;
        bool found, absent;
    } cases[] = {
        {"open/file", true, false},        {"open/f*", true, false},
        {"open/other", false, true},       {"open/o*", false, true},
        {"new/folder/file", false, true},  {"closed/file", false, false},
        {"closed/other", false, false},    {"closed/folder/file", false, false},
        {"closed/*", false, false},        {"*/other", false, false},
        {"unlisted/other", false, true},   {"unlisted/o*", false, false},
        {"unlisted/a/b/c/*", false, true},
    };
    struct named_files files = {0};
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(chmod(directory, 0755), 0);
    make_folder("open", 0755);
    make_folder("closed", 0600);
    make_folder("unlisted", 0311);
    if (getuid() == 0)
        ck_assert_int_eq(seteuid(NOBODY), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char pattern[PATH_MAX];
        snprintf(pattern, sizeof pattern, "%s/%s", directory, cases[i].pattern);
        named_files_add(&files, pattern);
        const struct named_file *file = &files.items[i];
        ck_assert_msg((file->mark != 0) == cases[i].found, "%s: mark", pattern);
        ck_assert_msg(file->absent == cases[i].absent, "%s: absent", pattern);
    }
    named_files_free(&files);
    remove_folders();
}
END_TEST

Suite *named_files_suite(void)
{
    Suite *suite = suite_create("named_files");
    TCase *tcase = tcase_create("named_files");
    tcase_add_test(tcase, a_file_that_is_hidden_is_not_absent);
    suite_add_tcase(suite, tcase);
    return suite;
}
