/* The canonical text has the same meaning as the file. */
#include "config/diff.h"
#include "config/document.h"
#include "config/load.h"
#include "config/options/options.h"
#include "config/syntax/value.h"
#include "config/write.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RANDOM_FILES = 300 };

static char *written(const struct config *config)
{
    size_t length;
    char *text = config_text(config, &length);
    ck_assert_ptr_nonnull(text);
    ck_assert_uint_eq(strlen(text), length);
    return text;
}

/* Reads text again: the result has the meaning of config, and is written as the same text. */
static void reads_the_same(const struct config *config, const char *text)
{
    struct config_errors errors;
    struct config_diff diff;
    struct config *again = config_load_text("written", text, strlen(text), &errors);
    ck_assert_msg(again != NULL, "%s\n%s", errors.count ? errors.lines[0] : "", text);
    config_errors_free(&errors);
    config_compare(config, again, &diff);
    ck_assert_uint_eq(diff.count, 0);
    config_diff_free(&diff);
    char *second = written(again);
    ck_assert_str_eq(second, text);
    free(second);
    config_free(again);
}

static void check_text(const char *text, const char *expected)
{
    struct config *config = load_good(text);
    char *found = written(config);
    if (expected)
        ck_assert_str_eq(found, expected);
    reads_the_same(config, found);
    free(found);
    config_free(config);
}

/* Returns the text of the section from its head to its end, which the caller frees. */
static char *section_of(const char *text, const char *head)
{
    const char *start = strstr(text, head);
    ck_assert_msg(start != NULL, "no %s in %s", head, text);
    const char *end = strstr(start, "\n\n");
    return end ? strndup(start, (size_t)(end - start)) : strdup(start);
}

/* --- every option -------------------------------------------------------------------------- */

/* The state of xorshift; the files are the same in each run. */
static uint64_t dice = 88172645463325252;

static uint64_t roll(uint64_t sides)
{
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return dice % sides;
}

static void random_value(const struct option *option, FILE *file)
{
    char duration[DURATION_TEXT_MAX];
    uint64_t number = option->min + roll(option->max - option->min + 1);
    unsigned names = 0;
    switch (option->type) {
    case OPTION_BOOL:
        fputs(roll(2) ? "yes" : "no", file);
        break;
    case OPTION_UNSIGNED:
        if (option->zero && roll(4) == 0)
            fputs(option->zero, file);
        else
            fprintf(file, "%llu", (unsigned long long)number);
        break;
    case OPTION_DURATION:
        fputs(duration_text(number, duration), file);
        break;
    case OPTION_ENUM:
        while (option->names[names])
            names++;
        fputs(option->names[roll(names)], file);
        break;
    case OPTION_NAME:
        fprintf(file, "name-%llu", (unsigned long long)roll(1000));
        break;
    case OPTION_PATH:
        fprintf(file, "/tmp/a path;%s;%llu", option->name,
                (unsigned long long)roll(1000)); /* two options have not one path */
        break;
    case OPTION_CPUS:
        fputs(roll(2) ? "yes" : "no", file);
        break;
    case OPTION_CONGESTION:
        fputs(roll(2) ? "reno" : "system", file);
        break;
    case OPTION_TEXT:
        fprintf(file, "text %llu", (unsigned long long)roll(1000));
        break;
    default:
        ck_abort_msg("a type of option that this test does not know: %s", option->name);
    }
}

/* An option that only some kinds of checks may have. */
static bool is_of_login(const struct option *option)
{
    return strcmp(option->name, "check-user") == 0 || strcmp(option->name, "check-database") == 0;
}

static void random_options(enum section_kind kind, FILE *file)
{
    for (size_t i = 0; i < option_count(); i++) {
        const struct option *option = option_at(i);
        if (!(option->sections & IN(kind)) || option->repeated || option->type == OPTION_BACKEND ||
            option->type == OPTION_CUSTOM || is_of_login(option) || roll(2) == 0)
            continue;
        fprintf(file, "%s = ", option->name);
        random_value(option, file);
        fputs("\n", file);
    }
}

static void random_servers(FILE *file)
{
    unsigned count = (unsigned)roll(4) + 1;
    for (unsigned i = 0; i < count; i++)
        fprintf(file, "server = s%u 127.0.0.1:%u weight=%u\n", i, 1000 + (unsigned)roll(64000),
                1 + (unsigned)roll(256));
}

static void random_file(FILE *file)
{
    unsigned backends = (unsigned)roll(3) + 1;
    unsigned frontends = (unsigned)roll(3) + 1;
    fputs("[global]\n", file);
    random_options(SECTION_GLOBAL, file);
    fputs("[defaults]\n", file);
    random_options(SECTION_DEFAULTS, file);
    /* Which some kinds of checks need. */
    fputs("check-step = expect x\ncheck-user = x\ncheck-password = y\n"
          "check-database = z\n"
          "check-command = /bin/true\n",
          file);
    for (unsigned i = 0; i < backends; i++) {
        fprintf(file, "[backend b%u]\n", i);
        random_servers(file);
        random_options(SECTION_BACKEND, file);
    }
    for (unsigned i = 0; i < frontends; i++) {
        fprintf(file,
                "[frontend f%u]\nbind = 127.0.0.1:%u steer=cpu\nbind = [::1]:%u "
                "accept=shared\nbackend = b%u\n",
                i, i + 1, i + 1, (unsigned)roll(backends));
        random_options(SECTION_FRONTEND, file);
    }
    fputs("[listen both]\nbind = unix:/tmp/both.sock\nbind = fd:both\n", file);
    random_servers(file);
    random_options(SECTION_LISTEN, file);
}

START_TEST(written_config_has_the_same_meaning)
{
    for (unsigned i = 0; i < RANDOM_FILES; i++) {
        char *text;
        size_t length;
        FILE *file = open_memstream(&text, &length);
        random_file(file);
        fclose(file);
        check_text(text, NULL);
        free(text);
    }
}
END_TEST

START_TEST(written_sample_has_the_same_meaning)
{
    struct config_errors errors;
    struct config *config = config_load("scripts/proxy.ini", &errors);
    ck_assert_ptr_nonnull(config);
    config_errors_free(&errors);
    char *text = written(config);
    reads_the_same(config, text);
    free(text);
    config_free(config);
}
END_TEST

START_TEST(options_that_are_not_set_are_written)
{
    struct config *config = load_good(VALID);
    char *text = written(config);
    for (size_t i = 0; i < option_count(); i++) {
        const struct option *option = option_at(i);
        char line[128];
        snprintf(line, sizeof line, "\n%s = ", option->name);
        if (option->initial || option->type == OPTION_BIND || option->type == OPTION_SERVER)
            ck_assert_msg(strstr(text, line) != NULL, "no %s in %s", option->name, text);
    }
    free(text);
    config_free(config);
}
END_TEST

/* --- what differs from the file ------------------------------------------------------------ */

START_TEST(attributes_of_unix_and_passed_binds_are_written)
{
    struct config *config = load_good("[listen db]\nbind = fd:db accept=shared\n"
                                      "bind = unix:/tmp/db.sock\n"
                                      "bind = unix:/tmp/2 group=7 mode=660 owner=root\n"
                                      "server = a 127.0.0.1:2\n");
    char *text = written(config);
    ck_assert_ptr_nonnull(strstr(text, "\nbind = fd:db\nbind = unix:/tmp/db.sock\n"
                                       "bind = unix:/tmp/2 mode=0660 owner=root group=7\n"));
    reads_the_same(config, text);
    free(text);
    config_free(config);
}
END_TEST

START_TEST(defaults_and_listen_are_expanded)
{
    struct config *config = load_good("[defaults]\nretries = 7\nidle-timeout = 90s\n"
                                      "[listen db]\nbind = 127.0.0.1:1\nserver = a 127.0.0.1:2\n");
    char *text = written(config);
    char *frontend = section_of(text, "[frontend db]\n");
    char *backend = section_of(text, "[backend db]\n");
    ck_assert_ptr_nonnull(
        strstr(frontend, "\nbind = 127.0.0.1:1 accept=sharded steer=hash\nbackend = db\n"));
    ck_assert_ptr_nonnull(strstr(frontend, "\nidle-timeout = 90s"));
    ck_assert_ptr_nonnull(strstr(backend, "\nserver = a 127.0.0.1:2 weight=1"));
    ck_assert_ptr_nonnull(strstr(backend, "\nretries = 7"));
    ck_assert_ptr_null(strstr(text, "[listen"));
    ck_assert_ptr_null(strstr(text, "[defaults"));
    free(frontend);
    free(backend);
    free(text);
    config_free(config);
}
END_TEST

/* The value of a variable may contain characters that a line cannot: the value is written in a
 * comment, and the file has no other meaning then. */
START_TEST(value_that_fits_in_no_line_becomes_a_comment)
{
    static const char *const values[] = {"/tmp/a ;b", "/tmp/a\nworkers = 3", "/tmp/${b}", "/tmp/a ",
                                         NULL};
    char long_path[LINE_BYTES_MAX] = "/tmp/";
    memset(long_path + 5, 'x', LINE_BYTES_MAX - 6);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        setenv("ODD", values[i] ? values[i] : long_path, 1);
        struct config *config = load_good("[global]\nworkers = 2\npidfile = ${ODD}\n" VALID);
        char *text = written(config);
        ck_assert_ptr_null(strstr(text, "\npidfile"));
        ck_assert_ptr_nonnull(strstr(text, "; does not fit in a line: pidfile = /tmp/"));
        struct config_errors errors;
        struct config *again = config_load_text("written", text, strlen(text), &errors);
        ck_assert_ptr_nonnull(again);
        ck_assert_uint_eq(again->workers, 2);
        config_errors_free(&errors);
        config_free(again);
        free(text);
        config_free(config);
    }
    unsetenv("ODD");
}
END_TEST

START_TEST(proxy_protocol_is_written)
{
    struct config *config = load_good(
        "[defaults]\naccept-proxy = any\n[listen x]\naccept-proxy = 10.1.2.3/8 2001:DB8::/32,::1\n"
        "bind = 127.0.0.1:1 accept-proxy=no\nbind = 127.0.0.1:2\n"
        "bind = 127.0.0.1:3 accept-proxy=192.168.0.0/255.255.0.0,any\n"
        "server = a 127.0.0.1:4 send-proxy=v1\n"
        "server = b 127.0.0.1:4 proxy-tlv=pass,unique-id send-proxy=v2\n"
        "[listen y]\nbind = 127.0.0.1:5\nserver = a 127.0.0.1:4 send-proxy=no\n");
    char *text = written(config);
    char *x = section_of(text, "[frontend x]"), *servers = section_of(text, "[backend x]");
    char *y = section_of(text, "[frontend y]"), *plain = section_of(text, "[backend y]");
    ck_assert_ptr_nonnull(strstr(x, "accept-proxy = 10.0.0.0/8,2001:db8::/32,::1\n"));
    ck_assert_ptr_nonnull(strstr(x, "127.0.0.1:1 accept=sharded steer=hash accept-proxy=no\n"));
    ck_assert_ptr_nonnull(strstr(x, "127.0.0.1:2 accept=sharded steer=hash\n"));
    ck_assert_ptr_nonnull(strstr(x, " accept-proxy=192.168.0.0/16,any\n"));
    ck_assert_ptr_nonnull(strstr(servers, " send-proxy=v1\n"));
    ck_assert_ptr_nonnull(strstr(servers, " send-proxy=v2 proxy-tlv=unique-id,pass\n"));
    ck_assert_ptr_nonnull(strstr(y, "accept-proxy = any\n"));
    ck_assert_ptr_null(strstr(plain, "send-proxy"));
    reads_the_same(config, text);
    free(x);
    free(servers);
    free(y);
    free(plain);
    free(text);
    config_free(config);
}
END_TEST

START_TEST(same_meaning_has_the_same_hash)
{
    static const char *const texts[] = {
        VALID,
        ("; a comment\n[defaults]\nretries = 3\n[listen ok]\n  bind=127.0.0.1:1\n"
         "server = a 127.0.0.1:2 weight=1\n"),
        "[listen ok]\nbind = 127.0.0.1:1\nserver = a 127.0.0.1:2 weight=2\n",
    };
    uint64_t hashes[3];
    for (size_t i = 0; i < 3; i++) {
        struct config *config = load_good(texts[i]);
        char *text = written(config);
        hashes[i] = config_text_hash(text, strlen(text));
        free(text);
        config_free(config);
    }
    ck_assert_uint_eq(hashes[0], hashes[1]);
    ck_assert_uint_ne(hashes[0], hashes[2]);
}
END_TEST

START_TEST(errors_of_a_text_are_reported)
{
    static const char text[] = "[global]\nworkers = many\n";
    struct config_errors errors;
    ck_assert_ptr_null(config_load_text("the text", text, strlen(text), &errors));
    ck_assert_uint_eq(errors.count, 2);
    ck_assert_str_eq(errors.lines[1], "the text:2: workers: 'many' must be auto or 1 to 256");
    config_errors_free(&errors);
}
END_TEST

Suite *write_suite(void)
{
    Suite *suite = suite_create("write");
    TCase *same = tcase_create("same");
    tcase_set_timeout(same, 120);
    tcase_add_checked_fixture(same, folder_make, folder_remove);
    tcase_add_test(same, written_config_has_the_same_meaning);
    tcase_add_test(same, written_sample_has_the_same_meaning);
    tcase_add_test(same, options_that_are_not_set_are_written);
    suite_add_tcase(suite, same);
    TCase *form = tcase_create("form");
    tcase_add_checked_fixture(form, folder_make, folder_remove);
    tcase_add_test(form, attributes_of_unix_and_passed_binds_are_written);
    tcase_add_test(form, defaults_and_listen_are_expanded);
    tcase_add_test(form, value_that_fits_in_no_line_becomes_a_comment);
    tcase_add_test(form, proxy_protocol_is_written);
    tcase_add_test(form, same_meaning_has_the_same_hash);
    tcase_add_test(form, errors_of_a_text_are_reported);
    suite_add_tcase(suite, form);
    return suite;
}
