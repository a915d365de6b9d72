/* Where lines go, and how they look there. */
#include "config/base/log.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_MS 60000

static void matches(const char *text, const char *pattern)
{
    regex_t form;
    ck_assert_int_eq(regcomp(&form, pattern, REG_EXTENDED | REG_NOSUB), 0);
    ck_assert_msg(regexec(&form, text, 0, NULL, 0) == 0, "'%s' is not '%s'", text, pattern);
    regfree(&form);
}

#define STAMP "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z"

/* Check runs each test in its own process, so a test may replace its standard error. */
static FILE *capture_stderr(void)
{
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    ck_assert_int_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    close(ends[1]);
    FILE *reader = fdopen(ends[0], "r");
    ck_assert_ptr_nonnull(reader);
    return reader;
}

static const char *line_from(FILE *reader)
{
    static char line[8192];
    ck_assert_ptr_nonnull(fgets(line, sizeof line, reader));
    line[strcspn(line, "\n")] = '\0';
    return line;
}

/* --- stderr of a unit ---------------------------------------------------------------------- */

static void say_journal_stream(bool same)
{
    struct stat status;
    char text[64];
    ck_assert_int_eq(fstat(STDERR_FILENO, &status), 0);
    snprintf(text, sizeof text, "%llu:%llu", (unsigned long long)status.st_dev,
             (unsigned long long)status.st_ino + (same ? 0 : 1));
    setenv("JOURNAL_STREAM", text, 1);
}

START_TEST(lines_of_a_unit_begin_with_their_priority)
{
    FILE *reader = capture_stderr();
    say_journal_stream(true);
    if (_i == 1)
        ck_assert_int_eq(log_open(&(struct log_conf){.level = LOG_LEVEL_DEBUG}), 0);
    log_set_generation(2);
    log_error("a");
    ck_assert_str_eq(line_from(reader), "<3>[generation 2] a");
    log_warning("b");
    ck_assert_str_eq(line_from(reader), "<4>[generation 2] b");
    log_notice("c");
    ck_assert_str_eq(line_from(reader), "<5>[generation 2] c");
    log_info("d");
    ck_assert_str_eq(line_from(reader), "<6>[generation 2] d");
    if (_i == 1) {
        log_debug("e");
        ck_assert_str_eq(line_from(reader), "<7>[generation 2] e");
    }
}
END_TEST

/* A unit's stderr that was led elsewhere. */
START_TEST(journal_stream_of_another_descriptor_does_not_count)
{
    FILE *reader = capture_stderr();
    say_journal_stream(false);
    log_error("a");
    matches(line_from(reader), "^" STAMP " ERROR a$");
    setenv("JOURNAL_STREAM", "nonsense", 1);
    ck_assert_int_eq(log_open(&(struct log_conf){.level = LOG_LEVEL_INFO}), 0);
    log_error("b");
    matches(line_from(reader), "^" STAMP " ERROR b$");
}
END_TEST

/* --- JSON ----------------------------------------------------------------------------------- */

static json_t *object_of(const char *text)
{
    json_error_t error;
    json_t *object = json_loads(text, 0, &error);
    ck_assert_msg(json_is_object(object), "%s: %s", error.text, text);
    return object;
}

static const char *word(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));
    return value ? value : "";
}

START_TEST(each_line_is_an_object)
{
    FILE *reader = capture_stderr();
    ck_assert_int_eq(log_open(&(struct log_conf){.level = LOG_LEVEL_INFO, .json = true}), 0);
    log_warning("a \"quoted\" \\ word,\nand \x01 \xff");
    json_t *object = object_of(line_from(reader));
    matches(word(object, "time"), "^" STAMP "$");
    ck_assert_str_eq(word(object, "level"), "warning");
    ck_assert_str_eq(word(object, "message"), "a \"quoted\" \\ word,\nand \x01 \xef\xbf\xbd");
    ck_assert_int_eq((int)json_integer_value(json_object_get(object, "pid")), getpid());
    ck_assert_ptr_null(json_object_get(object, "generation"));
    json_decref(object);
    log_set_generation(7);
    log_info("b");
    object = object_of(line_from(reader));
    ck_assert_int_eq((int)json_integer_value(json_object_get(object, "generation")), 7);
    json_decref(object);
}
END_TEST

static const unsigned char fillings[] = {'x', '"', '\\', 1, 0x7f, 0x80, 0xc3, 0xff};

START_TEST(a_long_object_is_whole)
{
    static char message[5000];
    FILE *reader = capture_stderr();
    ck_assert_int_eq(log_open(&(struct log_conf){.level = LOG_LEVEL_INFO, .json = true}), 0);
    memset(message, fillings[_i], sizeof message - 1);
    log_info("%s", message);
    const char *line = line_from(reader);
    ck_assert_uint_lt(strlen(line), 4096);
    json_t *object = object_of(line);
    size_t length = strlen(word(object, "message"));
    ck_assert_uint_gt(length, 600);
    ck_assert_str_eq(word(object, "message") + length - 3, "...");
    json_decref(object);
}
END_TEST

static const struct log_field fields[] = {
    {.name = "word", .value = LOG_WORD, .word = "a \"b\""},
    {.name = "count", .value = LOG_COUNT, .number = UINT64_MAX},
    {.name = "took_ms", .value = LOG_MICROSECONDS, .number = 1500},
    {.name = "absent", .value = LOG_NOTHING},
};
static const struct log_event event = {
    .level = LOG_LEVEL_INFO,
    .kind = "session",
    .message = "word=a count=1",
    .fields = fields,
    .field_count = sizeof fields / sizeof fields[0],
};

START_TEST(fields_are_members)
{
    FILE *reader = capture_stderr();
    ck_assert_int_eq(log_open(&(struct log_conf){.level = LOG_LEVEL_INFO, .json = true}), 0);
    ck_assert(log_wants_fields() && !log_wants_message());
    log_event(&event);
    const char *line = line_from(reader);
    ck_assert_ptr_nonnull(strstr(line, ",\"word\":\"a \\\"b\\\"\",\"count\":18446744073709551615,"
                                       "\"took_ms\":1.500,\"absent\":null}"));
    ck_assert_ptr_null(strstr(line, "message"));
}
END_TEST

/* Of words that are too many, the last are missing, and the object is whole. */
START_TEST(fields_that_do_not_fit_are_left_out)
{
    enum { FIELDS = 40 };
    static char text[400];
    struct log_field many[FIELDS];
    struct log_event long_event = event;
    FILE *reader = capture_stderr();
    memset(text, 'x', sizeof text - 1);
    for (unsigned i = 0; i < FIELDS; i++)
        many[i] = (struct log_field){.name = "word", .value = LOG_WORD, .word = text};
    long_event.fields = many;
    long_event.field_count = FIELDS;
    ck_assert_int_eq(log_open(&(struct log_conf){.level = LOG_LEVEL_INFO, .json = true}), 0);
    log_event(&long_event);
    const char *line = line_from(reader);
    ck_assert_uint_lt(strlen(line), 4096);
    json_decref(object_of(line));
}
END_TEST

START_TEST(text_has_the_message_alone)
{
    struct log_event bare = event;
    bare.bare = true;
    FILE *reader = capture_stderr();
    log_set_generation(3);
    ck_assert_int_eq(log_open(&(struct log_conf){.level = LOG_LEVEL_INFO}), 0);
    ck_assert(!log_wants_fields() && log_wants_message());
    log_event(&event);
    matches(line_from(reader), "^" STAMP " INFO \\[generation 3\\] word=a count=1$");
    log_event(&bare);
    ck_assert_str_eq(line_from(reader), "word=a count=1");
}
END_TEST

/* --- syslog --------------------------------------------------------------------------------- */

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static const char *datagram_from(int fd)
{
    static char text[8192];
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    ck_assert_int_eq(poll(&ready, 1, PATIENCE_MS), 1);
    ssize_t length = recv(fd, text, sizeof text - 1, 0);
    ck_assert_int_ge(length, 0);
    text[length] = '\0';
    return text;
}

static struct log_conf to_socket(const char *path)
{
    return (struct log_conf){
        .target = LOG_TO_SYSLOG, .where = path, .level = LOG_LEVEL_INFO, .facility = 16};
}

START_TEST(syslog_by_a_unix_socket)
{
    char path[128], expected[256];
    snprintf(path, sizeof path, "%s", folder_path("log.sock"));
    int reader = listen_at(path);
    struct log_conf conf = to_socket(path);
    ck_assert_int_eq(log_open(&conf), 0);
    log_set_generation(4);
    log_warning("hello");
    snprintf(expected, sizeof expected,
             "^<132>1 " STAMP " [^ ]+ rpproxy %d - - \\[generation 4\\] hello$", (int)getpid());
    matches(datagram_from(reader), expected);
    log_event(&event);
    matches(datagram_from(reader), "^<134>1 [^ ]+ [^ ]+ rpproxy [0-9]+ session - ");

    conf.syslog_form = LOG_SYSLOG_RFC3164;
    ck_assert_int_eq(log_open(&conf), 0);
    log_warning("hello");
    snprintf(expected, sizeof expected,
             "^<132>[A-Z][a-z]{2} [ 0-9]{2} [0-9:]{8} rpproxy\\[%d\\]: \\[generation 4\\] hello$",
             (int)getpid());
    matches(datagram_from(reader), expected);
}
END_TEST

START_TEST(syslog_in_json)
{
    char path[128];
    snprintf(path, sizeof path, "%s", folder_path("log.sock"));
    int reader = listen_at(path);
    struct log_conf conf = to_socket(path);
    conf.json = true;
    ck_assert_int_eq(log_open(&conf), 0);
    log_warning("hello");
    const char *text = datagram_from(reader);
    json_t *object = object_of(strchr(text, '{'));
    ck_assert_str_eq(word(object, "message"), "hello");
    json_decref(object);
}
END_TEST

/* The older form, since nothing else is understood there. */
START_TEST(a_socket_of_journald_gets_the_older_form)
{
    char path[128], link[128];
    ck_assert_int_eq(mkdir(folder_path("systemd"), 0700), 0);
    ck_assert_int_eq(mkdir(folder_path("systemd/journal"), 0700), 0);
    snprintf(path, sizeof path, "%s", folder_path("systemd/journal/dev-log"));
    snprintf(link, sizeof link, "%s", folder_path("log"));
    int reader = listen_at(path);
    ck_assert_int_eq(symlink(path, link), 0);
    struct log_conf conf = to_socket(_i ? path : link);
    ck_assert_int_eq(log_open(&conf), 0);
    log_info("hello");
    matches(datagram_from(reader), "^<134>[A-Z][a-z]{2} .* rpproxy\\[[0-9]+\\]: hello$");
}
END_TEST

/* The daemon is started later, and restarted: lines without a reader are counted. */
START_TEST(a_syslog_daemon_may_come_and_go)
{
    char path[128];
    snprintf(path, sizeof path, "%s", folder_path("log.sock"));
    const struct log_conf conf = to_socket(path);
    ck_assert_int_eq(log_open(&conf), 0);
    log_info("lost");
    ck_assert_uint_eq(log_dropped(), 1);
    for (unsigned i = 0; i < 3; i++) {
        int reader = listen_at(path);
        log_info("seen");
        matches(datagram_from(reader), " seen$");
        close(reader);
        if (i == 1)
            ck_assert_int_eq(log_start(), 0);
        log_info("lost");
        if (i == 1)
            log_stop();
        ck_assert_uint_eq(log_dropped(), 2 + i);
        ck_assert_int_eq(unlink(path), 0);
    }
}
END_TEST

/* Lines are lost, counted and reported; no thread waits. */
START_TEST(a_full_socket_blocks_nobody)
{
    enum { LINES = 3000 };
    char path[128], message[1000];
    unsigned long seen = 0, lost = 0, more;
    snprintf(path, sizeof path, "%s", folder_path("log.sock"));
    int reader = listen_at(path);
    const struct log_conf conf = to_socket(path);
    ck_assert_int_eq(log_open(&conf), 0);
    ck_assert_int_eq(log_start(), 0);
    memset(message, 'x', sizeof message - 1);
    message[sizeof message - 1] = '\0';
    for (unsigned i = 0; i < LINES; i++)
        log_info("%s", message);
    while (seen + lost < LINES) {
        const char *report = strstr(datagram_from(reader), " log: ");
        if (report && sscanf(report, " log: %lu lines dropped", &more) == 1)
            lost += more;
        else
            seen++;
    }
    ck_assert_uint_gt(lost, 0);
    ck_assert_uint_eq(log_dropped(), lost);
    log_stop();
}
END_TEST

static int receive_udp(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

START_TEST(syslog_by_udp)
{
    char where[64];
    uint16_t port;
    int reader = receive_udp(&port);
    snprintf(where, sizeof where, "127.0.0.1:%u", port);
    struct log_conf conf = {.target = LOG_TO_UDP, .where = where, .level = LOG_LEVEL_INFO};
    ck_assert_int_eq(log_open(&conf), 0);
    log_info("hello");
    matches(datagram_from(reader), "^<6>1 " STAMP " [^ ]+ rpproxy [0-9]+ - - hello$");
    conf.syslog_form = LOG_SYSLOG_RFC3164;
    ck_assert_int_eq(log_open(&conf), 0);
    log_info("hello");
    matches(datagram_from(reader),
            "^<6>[A-Z][a-z]{2} [ 0-9]{2} [0-9:]{8} [^ ]+ rpproxy\\[[0-9]+\\]: hello$");
}
END_TEST

/* What is logged before the name has an address is sent then. */
START_TEST(a_name_is_looked_up_meanwhile)
{
    char where[64];
    uint16_t port;
    int reader = receive_udp(&port);
    snprintf(where, sizeof where, "localhost:%u", port);
    const struct log_conf conf = {.target = LOG_TO_UDP, .where = where, .level = LOG_LEVEL_INFO};
    ck_assert_int_eq(log_open(&conf), 0);
    ck_assert_int_eq(log_start(), 0);
    log_info("first");
    log_info("second");
    matches(datagram_from(reader), " first$");
    matches(datagram_from(reader), " second$");
    log_stop();
    ck_assert_uint_eq(log_dropped(), 0);
}
END_TEST

/* RFC 6761: invalid. has no hosts. */
START_TEST(lines_for_a_name_without_address_are_counted)
{
    const struct log_conf conf = {
        .target = LOG_TO_UDP, .where = "log.invalid:514", .level = LOG_LEVEL_INFO};
    ck_assert_int_eq(log_open(&conf), 0);
    ck_assert_int_eq(log_start(), 0);
    log_info("one");
    log_info("two");
    log_stop();
    ck_assert_uint_eq(log_dropped(), 2);
}
END_TEST

Suite *log_targets_suite(void)
{
    Suite *suite = suite_create("log_targets");
    TCase *stderr_case = tcase_create("stderr");
    tcase_add_loop_test(stderr_case, lines_of_a_unit_begin_with_their_priority, 0, 2);
    tcase_add_test(stderr_case, journal_stream_of_another_descriptor_does_not_count);
    suite_add_tcase(suite, stderr_case);
    TCase *json = tcase_create("json");
    tcase_add_test(json, each_line_is_an_object);
    tcase_add_loop_test(json, a_long_object_is_whole, 0, sizeof fillings);
    tcase_add_test(json, fields_are_members);
    tcase_add_test(json, fields_that_do_not_fit_are_left_out);
    tcase_add_test(json, text_has_the_message_alone);
    suite_add_tcase(suite, json);
    TCase *syslog_case = tcase_create("syslog");
    tcase_set_timeout(syslog_case, 120);
    tcase_add_checked_fixture(syslog_case, folder_make, folder_remove);
    tcase_add_test(syslog_case, syslog_by_a_unix_socket);
    tcase_add_test(syslog_case, syslog_in_json);
    tcase_add_loop_test(syslog_case, a_socket_of_journald_gets_the_older_form, 0, 2);
    tcase_add_test(syslog_case, a_syslog_daemon_may_come_and_go);
    tcase_add_test(syslog_case, a_full_socket_blocks_nobody);
    tcase_add_test(syslog_case, syslog_by_udp);
    tcase_add_test(syslog_case, a_name_is_looked_up_meanwhile);
    tcase_add_test(syslog_case, lines_for_a_name_without_address_are_counted);
    suite_add_tcase(suite, syslog_case);
    return suite;
}
