/* Files under paths that others know: long paths, and every way there and back. */
#include "reload/base/published_path.h"

#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SUN_PATH_MAX 107

static struct published_path published;

/* A path in the folder, of so many bytes. */
static void long_path(size_t length, char path[static SUN_PATH_MAX + 1])
{
    snprintf(path, SUN_PATH_MAX + 1, "%s", folder_path(""));
    size_t used = strlen(path);
    ck_assert_uint_lt(used, length);
    memset(path + used, 'n', length - used);
    path[length] = '\0';
}

static void prepare_and_write(const char *path, const char *text)
{
    int fd = published_prepare_file(&published, path, 0644);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void expect_content(const char *path, const char *text)
{
    char content[64] = "";
    int fd = open(path, O_RDONLY);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_ge(read(fd, content, sizeof content - 1), 0);
    close(fd);
    ck_assert_str_eq(content, text);
}

START_TEST(every_path_that_fits_an_address_can_be_bound)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[SUN_PATH_MAX + 1];
    long_path((size_t)_i, path);
    int fd = published_prepare_socket(&published, path, 0600);
    ck_assert_msg(fd >= 0, "%s", strerror(-fd));
    ck_assert_int_eq(listen(fd, 1), 0);
    ck_assert_int_eq(published_publish(&published), 0);
    ck_assert(published_is_ours(&published));
    memcpy(address.sun_path, path, (size_t)_i + 1);
    int client = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    close(client);
    close(fd);
    published_end(&published, true);
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(a_withdrawn_file_gives_back_what_was_there)
{
    const char *path = folder_path("file");
    folder_write("file", "old", 3);
    prepare_and_write(path, "new");
    expect_content(path, "old");
    ck_assert_int_eq(published_publish(&published), 0);
    expect_content(path, "new");
    ck_assert_int_eq(published_withdraw(&published), 0);
    expect_content(path, "old");
    ck_assert_int_eq(published_publish(&published), 0);
    published_settle(&published);
    expect_content(path, "new");
    published_end(&published, false);
    expect_content(path, "new");
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rmdir(folder_path("")), 0); /* nothing else is left */
    ck_assert_int_eq(mkdir(folder_path(""), 0700), 0);
}
END_TEST

/* As a process whose successor has published, and is dead; here both are this one. */
START_TEST(what_another_process_displaced_is_reclaimed)
{
    const char *path = folder_path("file");
    prepare_and_write(path, "first");
    ck_assert_int_eq(published_publish(&published), 0);
    struct published_path first = published;
    prepare_and_write(path, "second");
    ck_assert_int_eq(published_publish(&published), 0);
    ck_assert(!published_is_ours(&first));
    ck_assert_int_eq(published_reclaim(&first, getpid() + 1), ENOENT);
    ck_assert_int_eq(published_reclaim(&first, getpid()), 0);
    ck_assert(published_is_ours(&first));
    expect_content(path, "first");
    published_end(&first, true);
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(a_file_aside_is_not_found_and_comes_back)
{
    const char *path = folder_path("file");
    prepare_and_write(path, "text");
    ck_assert_int_eq(published_publish(&published), 0);
    ck_assert_int_eq(published_set_aside(&published), 0);
    ck_assert_int_ne(access(path, F_OK), 0);
    ck_assert_int_eq(published_put_back(&published), 0);
    expect_content(path, "text");
    ck_assert_int_eq(published_set_aside(&published), 0);
    folder_write("file", "another's", 9);
    published_end(&published, true);
    expect_content(path, "another's");
}
END_TEST

START_TEST(problems_of_a_path_are_reported_before)
{
    const char *path = folder_path("there");
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(published_prepare_file(&published, path, 0600), -EISDIR);
    ck_assert_int_eq(rmdir(path), 0);
    folder_write("there", "", 0);
    ck_assert_int_eq(published_prepare_socket(&published, path, 0600), -EEXIST);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(published_prepare_file(&published, folder_path("no/there"), 0600), -ENOENT);
    if (geteuid() != 0)
        return;
    /* Another user's file in a sticky directory of a third. */
    folder_write("there", "", 0);
    ck_assert_int_eq(chmod(folder_path(""), 01777), 0);
    ck_assert_int_eq(seteuid(65534), 0);
    int fd = published_prepare_file(&published, folder_path("there"), 0600);
    ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(fd, -EPERM);
}
END_TEST

/* "a" and characters of two bytes: the beginning that is kept must not end within one. */
START_TEST(a_temporary_name_is_valid_utf_8)
{
    const char *name =
        "a\u0436\u0436\u0436\u0436\u0436\u0436\u0436\u0436\u0436\u0436\u0436\u0436\u0436";
    const char *found = NULL;
    const struct dirent *entry;
    char *path = strdup(folder_path(name));
    prepare_and_write(path, "1");
    DIR *folder = opendir(folder_path(""));
    ck_assert_ptr_nonnull(folder);
    while (!found && (entry = readdir(folder)))
        found = entry->d_name[0] == 'a' ? entry->d_name : NULL;
    ck_assert_ptr_nonnull(found);
    ck_assert_uint_eq(strcspn(found, "-"), 23);
    ck_assert_int_eq(strncmp(found, name, 23), 0);
    closedir(folder);
    published_end(&published, false);
    free(path);
}
END_TEST

Suite *published_path_suite(void)
{
    Suite *suite = suite_create("published_path");
    TCase *tcase = tcase_create("published_path");
    tcase_add_checked_fixture(tcase, folder_make, folder_remove);
    tcase_add_loop_test(tcase, every_path_that_fits_an_address_can_be_bound, 80, SUN_PATH_MAX + 1);
    tcase_add_test(tcase, a_temporary_name_is_valid_utf_8);
    tcase_add_test(tcase, a_withdrawn_file_gives_back_what_was_there);
    tcase_add_test(tcase, what_another_process_displaced_is_reclaimed);
    tcase_add_test(tcase, a_file_aside_is_not_found_and_comes_back);
    tcase_add_test(tcase, problems_of_a_path_are_reported_before);
    suite_add_tcase(suite, tcase);
    return suite;
}
