#include "tests/system/support/case.h"

#include "tests/system/support/harness.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NAMES_MAX = 128, TAIL_BYTES = 6000, SKIP_MAX = 512, PARENT_MAX = 32 };

static const char *case_names[NAMES_MAX];
static size_t case_name_count;

static char directory[64];

/* Shared memory: the test's process can otherwise report only passed or failed. */
static char *skip_reason;

const char *test_directory(void)
{
    return directory;
}

void cases_init(void)
{
    skip_reason = mmap(NULL, SKIP_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (skip_reason == MAP_FAILED || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
        perror("system-tests");
        exit(EXIT_FAILURE);
    }
}

void skip_report(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(skip_reason, SKIP_MAX, format, arguments);
    va_end(arguments);
}

/* When a process is killed, its children become ours. So killing goes on until no child is left. */
static void kill_children(void)
{
    for (;;) {
        char path[] = "/proc/self/task/4294967295/children";
        snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)gettid());
        FILE *children = fopen(path, "re");
        long pid;
        while (children != NULL && fscanf(children, "%ld", &pid) == 1) {
            kill((pid_t)pid, SIGKILL);
        }
        if (children != NULL) {
            fclose(children);
        }
        if (waitpid(-1, NULL, 0) < 0 && errno == ECHILD) {
            return;
        }
    }
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status, (void)kind, (void)where;
    return remove(path);
}

static void enter_test(void)
{
    ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
}

/* Regular files only: opening a FIFO would wait for its other side. */
static void for_each_file(void (*visit)(const char *path))
{
    DIR *folder = opendir(directory);
    const struct dirent *entry;
    struct stat status;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        char path[sizeof directory + sizeof entry->d_name + 1];
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        if (stat(path, &status) == 0 && S_ISREG(status.st_mode)) {
            visit(path);
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
}

static bool ends_in(const char *path, const char *suffix)
{
    const char *dot = strrchr(path, '.');
    return dot != NULL && strcmp(dot, suffix) == 0;
}

static void judge_log(const char *path)
{
    if (ends_in(path, ".log")) {
        expect_clean_log(path);
    }
}

/* Check calls this only when the test has not failed. */
static void leave_test(void)
{
    kill_children();
    for_each_file(judge_log);
    nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void scenario_add(Suite *suite, const TTest *test, unsigned seconds)
{
    TCase *one = tcase_create(test->name);
    tcase_add_checked_fixture(one, enter_test, leave_test);
    tcase_set_timeout(one, seconds);
    tcase_add_test(one, test);
    suite_add_tcase(suite, one);
    if (case_name_count < NAMES_MAX) {
        case_names[case_name_count++] = test->name;
    }
}

size_t cases_take_names(const char *names[], size_t most)
{
    size_t count = case_name_count < most ? case_name_count : most;
    if (names != NULL && count > 0) {
        memcpy(names, case_names, count * sizeof *names);
    }
    case_name_count = 0;
    return count;
}

void case_begin(void)
{
    skip_reason[0] = '\0';
    const char *parent = getenv("TMPDIR");
    if (parent == NULL || parent[0] != '/' || strlen(parent) > PARENT_MAX) {
        parent = "/tmp"; /* the full path of a Unix socket must fit */
    }
    snprintf(directory, sizeof directory, "%s/rpproxy-test-XXXXXX", parent);
    if (mkdtemp(directory) == NULL || chmod(directory, 0755) != 0) {
        perror(directory);
        exit(EXIT_FAILURE);
    }
}

static void print_tail(const char *path)
{
    if (!ends_in(path, ".log") && !ends_in(path, ".out") && !ends_in(path, ".err") &&
        !ends_in(path, ".ini")) {
        return;
    }
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return;
    }
    char text[TAIL_BYTES];
    if (fseek(file, -TAIL_BYTES, SEEK_END) != 0) {
        rewind(file);
    }
    size_t length = fread(text, 1, sizeof text, file);
    fclose(file);
    if (length > 0) {
        printf("--- the end of %s\n%.*s\n", path, (int)length, text);
    }
}

const char *case_end(void)
{
    kill_children();
    if (access(directory, F_OK) == 0) {
        for_each_file(print_tail);
        printf("--- kept: %s\n", directory);
    }
    return skip_reason[0] != '\0' ? skip_reason : NULL;
}
