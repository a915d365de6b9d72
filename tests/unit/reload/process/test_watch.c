/* Files that come while a generation reads its configuration. */
#include "reload/process/watch.h"
#include "tests/unit/suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A generation has told that it finds no list; the list is there at the next look. */
static bool comes_meanwhile(bool absent)
{
    char directory[] = "/tmp/rpproxy-unit-XXXXXX", file[PATH_MAX], list[PATH_MAX];
    struct watch watch;
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(file, sizeof file, "%s/proxy.ini", directory);
    snprintf(list, sizeof list, "%s/list", directory);
    ck_assert_int_eq(watch_open(&watch, file), 0);
    watch_add(&watch, list, 0, 1);
    if (absent)
        watch_absent(&watch);
    FILE *stream = fopen(list, "w");
    ck_assert_ptr_nonnull(stream);
    fclose(stream);
    bool changed = watch_look(&watch, 1);
    watch_add(&watch, list, 0, 1); /* told again: it is as it was */
    ck_assert(!watch_look(&watch, 1));
    watch_close(&watch);
    unlink(list);
    rmdir(directory);
    return changed;
}

START_TEST(a_file_that_was_absent_has_come)
{
    ck_assert(comes_meanwhile(true));
    ck_assert(!comes_meanwhile(false)); /* it may have been there, but for others */
}
END_TEST

Suite *watch_suite(void)
{
    Suite *suite = suite_create("watch");
    TCase *tcase = tcase_create("watch");
    tcase_add_test(tcase, a_file_that_was_absent_has_come);
    suite_add_tcase(suite, tcase);
    return suite;
}
