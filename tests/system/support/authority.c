#include "tests/system/support/authority.h"

#include "tests/system/support/harness.h"

#include <stdarg.h>
#include <stdio.h>

/* Runs a command of the shell in the test's directory. */
static void command(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void command(const char *format, ...)
{
    char text[2048], whole[PATH_MAX + 2048];
    struct outcome outcome;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ck_assert_int_lt(length, (int)sizeof text);
    snprintf(whole, sizeof whole, "cd %s && %s", test_directory(), text);
    run(&outcome, "sh", "-c", whole, NULL);
    ck_assert_msg(outcome.code == 0, "%s: %s", text, outcome.err);
}

#define NEW_KEY "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"

void authority_make(const char *name)
{
    char path[PATH_MAX], file[64];
    snprintf(file, sizeof file, "%s.conf", name);
    write_file(test_path(path, file), 0644,
               "[ca]\ndefault_ca = this\n[this]\ndatabase = %s.db\nserial = %s.serial\n"
               "new_certs_dir = .\ncertificate = %s.pem\nprivate_key = %s.pem.key\n"
               "default_md = sha256\ndefault_days = 2\ndefault_crl_days = 2\npolicy = any\n"
               "copy_extensions = copy\nunique_subject = no\n[any]\ncommonName = supplied\n",
               name, name, name, name);
    command("openssl req -x509 " NEW_KEY " -days 2 -subj /CN=%s -keyout %s.pem.key -out %s.pem && "
            ": >%s.db && echo 01 >%s.serial",
            name, name, name, name, name);
}

static void issue(const char *authority, const char *file, const char *common_name,
                  const char *names, const char *dates)
{
    command("mkdir -p $(dirname %s) && openssl req -new " NEW_KEY " -subj /CN=%s -addext "
            "subjectAltName=%s -keyout %s.key -out request && openssl ca -batch -notext -config "
            "%s.conf %s -in request -out %s",
            file, common_name, names, file, authority, dates, file);
}

void authority_issue(const char *authority, const char *file, const char *common_name,
                     const char *names, bool expired)
{
    if (expired)
        authority_issue_between(authority, file, common_name, names, "20200101000000Z",
                                "20200102000000Z");
    else
        issue(authority, file, common_name, names, "");
}

void authority_issue_between(const char *authority, const char *file, const char *common_name,
                             const char *names, const char *begin, const char *end)
{
    char dates[80];
    snprintf(dates, sizeof dates, "-startdate %s -enddate %s", begin, end);
    issue(authority, file, common_name, names, dates);
}

/* Not by openssl-ca(1), which keeps one name of a kind only. */
void authority_issue_subject(const char *authority, const char *file, const char *subject,
                             bool expired)
{
    struct outcome outcome;
    char path[PATH_MAX], key[PATH_MAX], request[PATH_MAX];
    snprintf(key, sizeof key, "%s.key", test_path(path, file));
    test_path(request, "request");
    run(&outcome, "openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
        "-nodes", "-utf8", "-subj", subject, "-keyout", key, "-out", request, NULL);
    ck_assert_msg(outcome.code == 0, "openssl: %s", outcome.err);
    command("openssl x509 -req -in request -CA %s.pem -CAkey %s.pem.key -set_serial 7 -days %d "
            "-out %s",
            authority, authority, expired ? -1 : 2, file);
}

void authority_revoke(const char *authority, const char *file)
{
    command("openssl ca -config %s.conf -revoke %s", authority, file);
}

void authority_list(const char *authority, const char *file)
{
    command("openssl ca -config %s.conf -gencrl -out %s", authority, file);
}
