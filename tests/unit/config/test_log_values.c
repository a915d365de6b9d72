/* The options of the log whose values are more than a word. */
#include "config/base/memory.h"
#include "config/load.h"
#include "config/options/options.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *line, *wrong;
} mistakes[] = {
    {"access-log = on", "access-log: 'on' must be yes, no, errors or 1/N with N from 1 to 1000000"},
    {"access-log = 1/0",
     "access-log: '1/0' must be yes, no, errors or 1/N with N from 1 to 1000000"},
    {"access-log = 2/3",
     "access-log: '2/3' must be yes, no, errors or 1/N with N from 1 to 1000000"},
    {"access-log = 1/1000001",
     "access-log: '1/1000001' must be yes, no, errors or 1/N with N from 1 to 1000000"},
    {"[global]\nlog-format = jsn", "log-format: 'jsn' must be text, json or a pattern of %{FIELD}"},
    {"[global]\nlog-format = %{client} %{sever}",
     "log-format: '%{client} %{sever}' has the unknown field 'sever'; did you mean 'server'?"},
    {"[global]\nlog-format = %{client} %{sslv}",
     "log-format: '%{client} %{sslv}' has the unknown field 'sslv'; it is '%{tls_version}' here"},
    {"[global]\nlog-format = %ci:%cp %sslc/%sslv",
     "log-format: '%ci:%cp %sslc/%sslv' has the unknown field 'sslv'; it is '%{tls_version}' here"},
    {"[global]\nlog-format = $remote_addr $ssl_cipher",
     "log-format: '$remote_addr $ssl_cipher' has the unknown field 'ssl_cipher'; it is "
     "'%{tls_cipher}' here; a variable is written ${remote_addr}"},
    {"[global]\nlog-format = %{client} %{server",
     "log-format: '%{client} %{server' has a %{ without its }"},
    {"[global]\nlog-format = %{}", "log-format: '%{}' has the unknown field ''"},
    {"[global]\nlog = syslog:udp:10.0.0.1",
     "log: 'syslog:udp:10.0.0.1' port is missing: HOST:PORT"},
    {"[global]\nlog = syslog:udp:a b:514",
     "log: 'syslog:udp:a b:514' not a host name: letters, digits, '-', '_' and '.'"},
    {"[global]\nlog = syslog:unix:log",
     "log: 'syslog:unix:log' path of a Unix socket must be absolute: unix:/PATH"},
};

START_TEST(a_mistake_is_an_error_of_its_line)
{
    char expected[512], text[512];
    bool global = strncmp(mistakes[_i].line, "[global]", 8) == 0;
    snprintf(text, sizeof text, VALID "%s\n", mistakes[_i].line);
    snprintf(expected, sizeof expected, "p.ini:%d: %s\n", global ? 5 : 4, mistakes[_i].wrong);
    struct loaded loaded = load_text(text);
    ck_assert_str_eq(loaded.errors, expected);
    loaded_free(&loaded);
}
END_TEST

static const struct {
    const char *value;
    enum log_target target;
    const char *where;
} places[] = {
    {"stderr", LOG_TO_STDERR, NULL},
    {"journal", LOG_TO_JOURNAL, NULL},
    {"syslog", LOG_TO_SYSLOG, NULL},
    {"syslog:unix:/run/log", LOG_TO_SYSLOG, "/run/log"},
    {"syslog:unix:@log", LOG_TO_SYSLOG, "@log"},
    {"syslog:udp:log.example:514", LOG_TO_UDP, "log.example:514"},
    {"syslog:udp:[::1]:514", LOG_TO_UDP, "[::1]:514"},
    {"file:/l", LOG_TO_FILE, "/l"},
};

START_TEST(a_place_is_read_and_written)
{
    char text[512];
    snprintf(text, sizeof text, VALID "[global]\nlog = %s\n", places[_i].value);
    struct loaded loaded = load_text(text);
    ck_assert_str_eq(loaded.errors, "");
    ck_assert_int_eq(loaded.config->log.target, places[_i].target);
    if (places[_i].where)
        ck_assert_str_eq(loaded.config->log.where, places[_i].where);
    else
        ck_assert_ptr_null(loaded.config->log.where);
    struct memory_stream written;
    memory_stream_begin(&written);
    option_write(option_find(SECTION_GLOBAL, "log"), loaded.config, written.stream);
    char *value = memory_stream_end(&written);
    ck_assert_str_eq(value, places[_i].value);
    free(value);
    loaded_free(&loaded);
}
END_TEST

/* Text before each field, and text behind the last one. */
START_TEST(a_pattern_is_split_once)
{
    struct loaded loaded = load_text(VALID "[global]\nlog-format = <%{client}>%{end}%{time} 5%!\n");
    ck_assert_str_eq(loaded.errors, "");
    const struct log_format *format = &loaded.config->log_format;
    static const struct {
        const char *text;
        int field;
    } pieces[] = {{"<", ACCESS_CLIENT}, {">", ACCESS_END}, {"", ACCESS_TIME}, {" 5%!", -1}};
    ck_assert_int_eq(format->form, LOG_AS_PATTERN);
    ck_assert_uint_eq(format->piece_count, 4);
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_int_eq(format->pieces[i].field, pieces[i].field);
        ck_assert_uint_eq(format->pieces[i].length, strlen(pieces[i].text));
        ck_assert_int_eq(strncmp(format->pieces[i].text, pieces[i].text, format->pieces[i].length),
                         0);
    }
    loaded_free(&loaded);
}
END_TEST

Suite *log_values_suite(void)
{
    Suite *suite = suite_create("log_values");
    TCase *tcase = tcase_create("values");
    tcase_add_checked_fixture(tcase, folder_make, folder_remove);
    tcase_add_loop_test(tcase, a_mistake_is_an_error_of_its_line, 0,
                        sizeof mistakes / sizeof mistakes[0]);
    tcase_add_loop_test(tcase, a_place_is_read_and_written, 0, sizeof places / sizeof places[0]);
    tcase_add_test(tcase, a_pattern_is_split_once);
    suite_add_tcase(suite, tcase);
    return suite;
}
