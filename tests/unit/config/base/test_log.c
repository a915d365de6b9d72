#include "config/base/log.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Check runs each test in its own process, so a test may replace its standard error. */
static FILE *reader;

static void replace_stderr(int with)
{
    ck_assert_int_eq(dup2(with, STDERR_FILENO), STDERR_FILENO);
    close(with);
}

static void read_from(int fd)
{
    reader = fdopen(fd, "r");
    ck_assert_ptr_nonnull(reader);
}

static void capture_by_pipe(void)
{
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    read_from(ends[0]);
    replace_stderr(ends[1]);
}

/* Waits for the next line of the captured standard error, and removes its newline. */
static void read_line(char *line, size_t size)
{
    ck_assert_ptr_nonnull(fgets(line, (int)size, reader));
    size_t length = strlen(line);
    ck_assert_uint_gt(length, 0);
    ck_assert_int_eq(line[length - 1], '\n');
    line[length - 1] = '\0';
}

#define STAMP_LENGTH 24 /* the length of "2026-11-22T20:52:41.123Z" */

static void expect(const char *after_stamp)
{
    char line[4096];
    read_line(line, sizeof line);
    ck_assert_uint_gt(strlen(line), STAMP_LENGTH + 1);
    ck_assert_str_eq(line + STAMP_LENGTH + 1, after_stamp);
}

/* --- lines --------------------------------------------------------------------------------- */

START_TEST(line_has_time_level_and_message)
{
    char line[4096];
    regex_t form;
    capture_by_pipe();
    log_warning("port %d", 80);
    read_line(line, sizeof line);
    ck_assert_int_eq(regcomp(&form,
                             "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z "
                             "WARNING port 80$",
                             REG_EXTENDED | REG_NOSUB),
                     0);
    ck_assert_msg(regexec(&form, line, 0, NULL, 0) == 0, "%s", line);
    regfree(&form);
}
END_TEST

START_TEST(generation_stands_before_the_message)
{
    capture_by_pipe();
    log_set_generation(3);
    log_error("a");
    expect("ERROR [generation 3] a");
    log_set_generation(0);
    log_info("c");
    expect("INFO c");
}
END_TEST

START_TEST(less_important_lines_are_left_out)
{
    capture_by_pipe();
    ck_assert_int_eq(
        log_open(&(struct log_conf){.target = LOG_TO_STDERR, .level = LOG_LEVEL_NOTICE}), 0);
    ck_assert(log_enabled(LOG_LEVEL_NOTICE));
    ck_assert(!log_enabled(LOG_LEVEL_INFO));
    log_info("not this");
    log_notice("this");
    expect("NOTICE this");
    ck_assert_int_eq(
        log_open(&(struct log_conf){.target = LOG_TO_STDERR, .level = LOG_LEVEL_DEBUG}), 0);
    log_debug("and this");
    expect("DEBUG and this");
}
END_TEST

START_TEST(hostile_message_stays_one_line)
{
    capture_by_pipe();
    log_info("%s", "a\nb\r\t\x1b[31m\x7f\x01 \xc3\xa4 \\");
    expect("INFO a\\nb\\r\\t\\x1b[31m\\x7f\\x01 \xc3\xa4 \\");
    log_info("%s", "");
    expect("INFO ");
}
END_TEST

START_TEST(long_line_is_cut_and_marked)
{
    char message[5000];
    char line[4096];
    capture_by_pipe();
    memset(message, 'a', sizeof message - 1);
    message[sizeof message - 1] = '\0';
    log_info("%s", message);
    read_line(line, sizeof line);
    ck_assert_uint_eq(strlen(line), 2047); /* without the newline */
    ck_assert_str_eq(line + 2047 - 5, "aa...");

    memset(message, '\x01', sizeof message - 1); /* four times longer when escaped */
    log_info("%s", message);
    read_line(line, sizeof line);
    ck_assert_uint_le(strlen(line), 2047);
    ck_assert_str_eq(line + strlen(line) - 7, "\\x01...");
}
END_TEST

START_TEST(cut_keeps_characters_whole)
{
    static const char euro[] = "\xe2\x82\xac";
    char message[4001];
    char line[4096];
    capture_by_pipe();
    for (size_t offset = 0; offset < 3; offset++) {
        memset(message, 'a', offset);
        for (size_t i = offset; i + 3 < sizeof message; i += 3)
            memcpy(message + i, euro, sizeof euro);
        log_info("%s", message);
        read_line(line, sizeof line);
        ck_assert_str_eq(line + strlen(line) - 6, "\xe2\x82\xac...");
    }
}
END_TEST

START_TEST(logging_keeps_errno)
{
    capture_by_pipe();
    errno = ENOENT;
    log_info("x");
    ck_assert_int_eq(errno, ENOENT);
}
END_TEST

/* --- the writer ---------------------------------------------------------------------------- */

START_TEST(queued_lines_are_written_by_stop)
{
    char expected[32];
    capture_by_pipe();
    ck_assert_int_eq(log_start(), 0);
    for (int i = 0; i < 100; i++)
        log_info("line %d", i);
    log_stop();
    log_info("after");
    for (int i = 0; i < 100; i++) {
        snprintf(expected, sizeof expected, "INFO line %d", i);
        expect(expected);
    }
    expect("INFO after");
    log_stop(); /* a second call has no effect */
}
END_TEST

START_TEST(log_can_start_again)
{
    capture_by_pipe();
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(log_start(), 0);
        log_info("x");
        log_stop();
        expect("INFO x");
    }
}
END_TEST

enum { THREADS = 4, LINES = 300 };

static void *log_many(void *text)
{
    for (int i = 0; i < LINES; i++) {
        log_info("%s", (const char *)text);
        if (i % 50 == 0)
            log_set_generation(i % 100 ? 1 : 2);
    }
    return NULL;
}

static void *count_lines(void *counts)
{
    static const char kinds[] = "abcd";
    unsigned *count = counts;
    char line[4096];
    for (int i = 0; i < THREADS * LINES; i++) {
        if (!fgets(line, sizeof line, reader))
            break;
        line[strcspn(line, "\n")] = '\0';
        const char *message = strrchr(line, ' ');
        if (!message || strlen(message + 1) != 100)
            continue;
        const char *kind = strchr(kinds, message[1]);
        if (kind && strspn(message + 1, (const char[]){*kind, '\0'}) == 100)
            count[kind - kinds]++;
    }
    return NULL;
}

START_TEST(threads_do_not_mix_their_lines)
{
    char texts[THREADS][101];
    unsigned counts[THREADS] = {0};
    pthread_t threads[THREADS];
    pthread_t counter;
    capture_by_pipe();
    ck_assert_int_eq(log_start(), 0);
    ck_assert_int_eq(pthread_create(&counter, NULL, count_lines, counts), 0);
    for (int i = 0; i < THREADS; i++) {
        memset(texts[i], 'a' + i, 100);
        texts[i][100] = '\0';
        ck_assert_int_eq(pthread_create(&threads[i], NULL, log_many, texts[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_join(counter, NULL);
    log_stop();
    for (int i = 0; i < THREADS; i++)
        ck_assert_uint_eq(counts[i], LINES);
}
END_TEST

enum { NUMBERS = UNIT_SANITIZED ? 4000 : 20000 };

static void *log_numbers(void *name)
{
    for (unsigned i = 1; i <= NUMBERS; i++)
        log_info("%s counts %u", (const char *)name, i);
    return NULL;
}

/* The threads are faster than the writer: lines may be dropped, but must not be mixed, doubled or
 * out of order. What a slow writer still has when its time to stop is over is lost as well, and
 * only counted. */
START_TEST(threads_keep_their_order)
{
    char names[THREADS][2], line[4096], path[256], name;
    unsigned last[THREADS] = {0}, seen = 0, number;
    unsigned long lost = 0, more;
    pthread_t threads[THREADS];
    snprintf(path, sizeof path, "%s", folder_path("log"));
    ck_assert_int_eq(
        log_open(&(struct log_conf){.target = LOG_TO_FILE, .where = path, .level = LOG_LEVEL_INFO}),
        0);
    log_set_generation(7);
    ck_assert_int_eq(log_start(), 0);
    for (int i = 0; i < THREADS; i++) {
        names[i][0] = (char)('a' + i);
        names[i][1] = '\0';
        ck_assert_int_eq(pthread_create(&threads[i], NULL, log_numbers, names[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    log_stop();
    FILE *file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file)) {
        const char *message = line + STAMP_LENGTH;
        if (sscanf(message, " WARNING [generation 7] log: %lu lines dropped\n", &more) == 1) {
            lost += more;
            continue;
        }
        ck_assert_msg(sscanf(message, " INFO [generation 7] %c counts %u\n", &name, &number) == 2,
                      "%s", line);
        ck_assert_int_lt(name - 'a', THREADS);
        ck_assert_uint_gt(number, last[name - 'a']);
        last[name - 'a'] = number;
        seen++;
    }
    fclose(file);
    ck_assert_uint_le(lost, log_dropped());
    ck_assert_uint_eq(seen + log_dropped(), THREADS * NUMBERS);
}
END_TEST

/* Reads a line; returns the number of lost lines if the line reports one, or 0. */
static unsigned long read_loss(void)
{
    char line[4096];
    unsigned long lost = 0;
    read_line(line, sizeof line);
    (void)sscanf(line + STAMP_LENGTH, " WARNING log: %lu lines dropped", &lost);
    return lost;
}

/* The reader is slower than the test logs: each time the reader has read, there is room for a
 * report. */
START_TEST(loss_is_reported_once_a_second)
{
    enum { WIDTH = 1000, FILLING = 3000, TURNS = 100, READ = 8, LOGGED = 50 };
    char message[WIDTH + 1];
    unsigned reports = 0, seen = 0;
    unsigned long lost = 0;
    memset(message, 'x', WIDTH);
    message[WIDTH] = '\0';
    capture_by_pipe();
    ck_assert_int_eq(log_start(), 0);
    const time_t began = time(NULL);
    for (unsigned i = 0; i < FILLING + TURNS * LOGGED; i++) {
        log_info("%s", message);
        for (unsigned j = 0; i >= FILLING && i % LOGGED == 0 && j < READ; j++) {
            unsigned long more = read_loss();
            lost += more;
            reports += more > 0;
            seen += more == 0;
        }
    }
    while (seen + lost < FILLING + TURNS * LOGGED) {
        unsigned long more = read_loss();
        lost += more;
        reports += more > 0;
        seen += more == 0;
    }
    /* At most one report in each second of the clock, and one at the end. */
    ck_assert_uint_le(reports, (unsigned)(time(NULL) - began) + 2);
    log_stop();
}
END_TEST

/* Logs more than the queue and the pipe can take: returns only if logging never waits for the
 * reader. */
static unsigned flood(void)
{
    enum { FLOOD = 3000 };
    char message[1000];
    memset(message, 'x', sizeof message - 1);
    message[sizeof message - 1] = '\0';
    for (int i = 0; i < FLOOD; i++)
        log_info("%s", message);
    return FLOOD;
}

static void expect_flood_and_loss(void)
{
    char line[4096];
    unsigned long lost = 0;
    unsigned long seen = 0;
    unsigned sent = flood();
    while (seen + lost < sent) {
        unsigned long more;
        read_line(line, sizeof line);
        if (sscanf(line + STAMP_LENGTH, " WARNING log: %lu lines dropped", &more) == 1)
            lost += more;
        else
            seen++;
    }
    ck_assert_uint_eq(seen + lost, sent);
    ck_assert_uint_gt(lost, 0);
    log_info("works again");
    expect("INFO works again");
    log_stop();
}

START_TEST(stopped_reader_blocks_no_thread)
{
    capture_by_pipe();
    ck_assert_int_eq(log_start(), 0);
    expect_flood_and_loss();
}
END_TEST

/* Under systemd standard error is a stream socket. There poll() may report a socket as writable
 * that has room for a part of the line only. */
START_TEST(stopped_socket_reader_blocks_no_thread)
{
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    read_from(ends[0]);
    replace_stderr(ends[1]);
    ck_assert_int_eq(log_start(), 0);
    expect_flood_and_loss();
}
END_TEST

START_TEST(stop_gives_up_on_a_stopped_reader)
{
    capture_by_pipe();
    ck_assert_int_eq(log_start(), 0);
    (void)flood();
    log_stop(); /* returns, although no process reads */
}
END_TEST

START_TEST(lost_reader_does_not_end_the_process)
{
    capture_by_pipe();
    signal(SIGPIPE, SIG_IGN);
    fclose(reader);
    log_info("direct");
    ck_assert_int_eq(log_start(), 0);
    log_info("queued");
    log_stop();
}
END_TEST

START_TEST(writer_takes_no_signal)
{
    sigset_t set;
    capture_by_pipe();
    ck_assert_int_eq(log_start(), 0);
    log_info("x");
    expect("INFO x"); /* the thread runs */
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGTERM);
    ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    /* Each of these signals would kill the process if one of its threads had not blocked them. */
    ck_assert_int_eq(kill(getpid(), SIGUSR1), 0);
    ck_assert_int_eq(kill(getpid(), SIGTERM), 0);
    ck_assert_int_gt(sigwaitinfo(&set, NULL), 0);
    ck_assert_int_gt(sigwaitinfo(&set, NULL), 0);
    log_stop();
}
END_TEST

/* --- files --------------------------------------------------------------------------------- */

static void expect_in_file(const char *name, const char *messages)
{
    char found[4096] = "";
    char line[4096];
    FILE *file = fopen(folder_path(name), "re");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file))
        strncat(found, line + STAMP_LENGTH + 1, sizeof found - strlen(found) - 1);
    fclose(file);
    ck_assert_str_eq(found, messages);
}

START_TEST(file_is_written_and_reopened)
{
    char path[256];
    char old[256];
    snprintf(path, sizeof path, "%s", folder_path("log"));
    snprintf(old, sizeof old, "%s", folder_path("log.1"));
    if (_i == 1)
        ck_assert_int_eq(log_start(), 0);
    ck_assert_int_eq(
        log_open(&(struct log_conf){.target = LOG_TO_FILE, .where = path, .level = LOG_LEVEL_INFO}),
        0);
    log_info("one");
    log_stop();
    ck_assert_int_eq(rename(path, old), 0);
    if (_i == 1)
        ck_assert_int_eq(log_start(), 0);
    log_reopen();
    log_info("two");
    log_stop();
    expect_in_file("log.1", "INFO one\n");
    expect_in_file("log", "INFO two\n");
}
END_TEST

START_TEST(file_is_appended_to)
{
    folder_write("log", "2026-11-22T20:52:41.123Z INFO zero\n", 35);
    ck_assert_int_eq(log_open(&(struct log_conf){.target = LOG_TO_FILE,
                                                 .where = folder_path("log"),
                                                 .level = LOG_LEVEL_INFO}),
                     0);
    log_info("one");
    expect_in_file("log", "INFO zero\nINFO one\n");
}
END_TEST

START_TEST(old_target_stays_when_a_file_cannot_be_opened)
{
    capture_by_pipe();
    ck_assert_int_eq(log_open(&(struct log_conf){.target = LOG_TO_FILE,
                                                 .where = folder_path("absent/log"),
                                                 .level = LOG_LEVEL_DEBUG}),
                     ENOENT);
    ck_assert(!log_enabled(LOG_LEVEL_DEBUG));
    log_info("still here");
    expect("INFO still here");
    log_reopen(); /* no effect */
    log_info("and still");
    expect("INFO and still");
}
END_TEST

START_TEST(old_file_stays_when_it_cannot_be_reopened)
{
    char path[256];
    char file[256];
    ck_assert_int_eq(mkdir(folder_path("d"), 0700), 0);
    snprintf(file, sizeof file, "%s", folder_path("d/log"));
    ck_assert_int_eq(
        log_open(&(struct log_conf){.target = LOG_TO_FILE, .where = file, .level = LOG_LEVEL_INFO}),
        0);
    snprintf(path, sizeof path, "%s", folder_path("d"));
    ck_assert_int_eq(rename(path, folder_path("e")), 0);
    log_reopen();
    log_info("one");
    expect_in_file("e/log",
                   "ERROR log: the file cannot be opened again, the old file stays in use: No "
                   "such file or directory\nINFO one\n");
}
END_TEST

enum { SENT = 100 };

struct line_counts {
    unsigned long lost; /* the sum of all reports of lost lines */
    unsigned long seen; /* "queued" */
};

/* Reads the whole file, since a loss may also be reported after the last line. */
static struct line_counts read_counts(void)
{
    char line[4096];
    struct line_counts counts = {0};
    unsigned long lost;
    unsigned again = 0;
    read_from(open(folder_path("log"), O_RDONLY | O_CLOEXEC));
    while (fgets(line, sizeof line, reader)) {
        if (sscanf(line + STAMP_LENGTH, " WARNING log: %lu lines dropped", &lost) == 1)
            counts.lost += lost;
        else if (strstr(line, "INFO queued"))
            counts.seen++;
        else if (strstr(line, "INFO works again"))
            again++;
    }
    ck_assert_uint_eq(again, 1);
    return counts;
}

static void fill_full_disk(void)
{
    ck_assert_int_eq(log_open(&(struct log_conf){
                         .target = LOG_TO_FILE, .where = "/dev/full", .level = LOG_LEVEL_INFO}),
                     0);
    ck_assert_int_eq(log_start(), 0);
    for (int i = 0; i < SENT; i++)
        log_info("queued");
}

/* log_stop() returns when the writer has tried all lines. */
START_TEST(lines_lost_on_a_full_disk_are_counted)
{
    fill_full_disk();
    log_stop();
    ck_assert_int_eq(log_open(&(struct log_conf){.target = LOG_TO_FILE,
                                                 .where = folder_path("log"),
                                                 .level = LOG_LEVEL_INFO}),
                     0);
    ck_assert_int_eq(log_start(), 0);
    log_info("works again");
    log_stop();
    ck_assert_uint_eq(read_counts().lost, SENT);
}
END_TEST

/* How many lines the writer has tried before the file changes depends on the scheduler. */
START_TEST(each_line_is_written_or_counted_when_the_file_changes)
{
    fill_full_disk();
    ck_assert_int_eq(log_open(&(struct log_conf){.target = LOG_TO_FILE,
                                                 .where = folder_path("log"),
                                                 .level = LOG_LEVEL_INFO}),
                     0);
    log_info("works again");
    log_stop();
    const struct line_counts counts = read_counts();
    ck_assert_uint_eq(counts.seen + counts.lost, SENT);
}
END_TEST

START_TEST(fifo_without_a_reader_blocks_no_thread)
{
    char path[256];
    char old[256];
    snprintf(path, sizeof path, "%s", folder_path("log"));
    snprintf(old, sizeof old, "%s", folder_path("log.1"));
    ck_assert_int_eq(
        log_open(&(struct log_conf){.target = LOG_TO_FILE, .where = path, .level = LOG_LEVEL_INFO}),
        0);
    ck_assert_int_eq(rename(path, old), 0);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(
        log_open(&(struct log_conf){.target = LOG_TO_FILE, .where = path, .level = LOG_LEVEL_INFO}),
        ENXIO);
    log_reopen();
    log_info("one");
    expect_in_file("log.1",
                   "ERROR log: the file cannot be opened again, the old file stays in use: No "
                   "such device or address\nINFO one\n");
}
END_TEST

Suite *log_suite(void)
{
    Suite *suite = suite_create("log");
    TCase *lines = tcase_create("lines");
    tcase_add_test(lines, line_has_time_level_and_message);
    tcase_add_test(lines, generation_stands_before_the_message);
    tcase_add_test(lines, less_important_lines_are_left_out);
    tcase_add_test(lines, hostile_message_stays_one_line);
    tcase_add_test(lines, long_line_is_cut_and_marked);
    tcase_add_test(lines, cut_keeps_characters_whole);
    tcase_add_test(lines, logging_keeps_errno);
    suite_add_tcase(suite, lines);
    TCase *writer = tcase_create("writer");
    tcase_set_timeout(writer, 120);
    tcase_add_test(writer, queued_lines_are_written_by_stop);
    tcase_add_test(writer, log_can_start_again);
    tcase_add_test(writer, threads_do_not_mix_their_lines);
    tcase_add_test(writer, loss_is_reported_once_a_second);
    tcase_add_test(writer, stopped_reader_blocks_no_thread);
    tcase_add_test(writer, stopped_socket_reader_blocks_no_thread);
    tcase_add_test(writer, stop_gives_up_on_a_stopped_reader);
    tcase_add_test(writer, lost_reader_does_not_end_the_process);
    tcase_add_test(writer, writer_takes_no_signal);
    suite_add_tcase(suite, writer);
    TCase *files = tcase_create("files");
    tcase_add_checked_fixture(files, folder_make, folder_remove);
    tcase_add_test(files, threads_keep_their_order);
    tcase_add_loop_test(files, file_is_written_and_reopened, 0, 2);
    tcase_add_test(files, file_is_appended_to);
    tcase_add_test(files, old_target_stays_when_a_file_cannot_be_opened);
    tcase_add_test(files, old_file_stays_when_it_cannot_be_reopened);
    tcase_add_test(files, fifo_without_a_reader_blocks_no_thread);
    tcase_add_test(files, lines_lost_on_a_full_disk_are_counted);
    tcase_add_test(files, each_line_is_written_or_counted_when_the_file_changes);
    suite_add_tcase(suite, files);
    return suite;
}
