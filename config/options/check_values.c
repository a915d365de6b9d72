#include "config/options/check_values.h"

#include "config/base/authorities.h"
#include "config/base/memory.h"
#include "config/base/pattern.h"
#include "config/lists/list_file.h"
#include "config/options/steps.h"
#include "config/options/tls_values.h"
#include "config/syntax/value.h"
#include "config/tls/certificate_store.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

/* --- words --------------------------------------------------------------------------------- */

static const char *read_word(const char *value, void *member, const struct option_context *context)
{
    char **word = member;
    (void)context;
    for (const char *c = value; *c; c++)
        if (*c <= ' ' || *c > '~')
            return "must be one word of ASCII characters";
    if (!*value)
        return "must not be empty";
    free(*word);
    *word = memory_copy(value);
    return NULL;
}

static bool write_word(const void *member, size_t item, FILE *out)
{
    const char *word = *(const char *const *)member;
    if (item > 0 || !word)
        return false;
    fputs(word, out);
    return true;
}

static void release_word(void *member)
{
    char **word = member;
    free(*word);
    *word = NULL;
}

const struct option_custom check_word = {
    .form = "WORD", .read = read_word, .write = write_word, .release = release_word};

/* --- times --------------------------------------------------------------------------------- */

#define INTERVAL_LEAST 10u
#define INTERVAL_MOST  (24ull * 3600 * 1000)

static const char *read_interval(const char *value, void *member,
                                 const struct option_context *context)
{
    millis interval;
    (void)context;
    const char *wrong = value_duration(value, &interval);
    if (wrong)
        return wrong;
    if (interval < INTERVAL_LEAST || interval > INTERVAL_MOST)
        return "must be 10ms to 24h";
    *(millis *)member = interval;
    return NULL;
}

static bool write_interval(const void *member, size_t item, FILE *out)
{
    char text[DURATION_TEXT_MAX];
    millis interval = *(const millis *)member;
    if (item > 0 || interval == 0)
        return false;
    fputs(duration_text(interval, text), out);
    return true;
}

static void release_interval(void *member)
{
    *(millis *)member = 0;
}

const struct option_custom check_other_interval = {.form = "10ms to 24h",
                                                   .read = read_interval,
                                                   .write = write_interval,
                                                   .release = release_interval};

static const char *read_jitter(const char *value, void *member,
                               const struct option_context *context)
{
    uint64_t percent;
    (void)context;
    size_t length = strlen(value);
    char *number = memory_copy_n(value, length > 0 ? length - 1 : 0);
    bool good = length > 1 && value[length - 1] == '%' && !value_unsigned(number, &percent) &&
                percent <= 50;
    free(number);
    if (!good)
        return "must be 0% to 50%";
    *(unsigned *)member = (unsigned)percent;
    return NULL;
}

static bool write_jitter(const void *member, size_t item, FILE *out)
{
    if (item == 0)
        fprintf(out, "%u%%", *(const unsigned *)member);
    return item == 0;
}

const struct option_custom check_jitter = {
    .form = "0% to 50%", .read = read_jitter, .write = write_jitter};

/* --- addresses ----------------------------------------------------------------------------- */

/* Port 1 stands in the member; nobody looks at it. */
static const char *read_address(const char *value, void *member,
                                const struct option_context *context)
{
    struct address address;
    (void)context;
    if (strncmp(value, "unix:", 5) == 0)
        return "must be an IP address or a name";
    bool bare = value[0] != '[' && strchr(value, ':');
    char *text = memory_print(bare ? "[%s]:1" : "%s:1", value);
    const char *wrong = address_parse(text, &address);
    free(text);
    if (wrong)
        return bare ? "must be an IP address or a name, without a port" : wrong;
    *(struct address *)member = address;
    return NULL;
}

static bool write_address(const void *member, size_t item, FILE *out)
{
    const struct address *address = member;
    char text[ADDRESS_TEXT_MAX];
    if (item > 0 || address->length == 0)
        return false;
    address_format(address, text);
    *strrchr(text, ':') = '\0';
    fputs(text, out);
    return true;
}

static void release_address(void *member)
{
    *(struct address *)member = (struct address){0};
}

const struct option_custom check_address = {
    .form = "ADDRESS", .read = read_address, .write = write_address, .release = release_address};

/* --- TLS ----------------------------------------------------------------------------------- */

static void release_verify(void *member)
{
    struct check_conf *check = member;
    authorities_free(check->authorities);
    free(check->verify);
    check->authorities = NULL;
    check->verify = NULL;
    check->verify_none = false;
}

static const char *read_verify(const char *value, void *member,
                               const struct option_context *context)
{
    struct check_conf *check = member;
    bool of_system = strcmp(value, "system") == 0;
    const char *wrong = NULL;
    check->verify_none = strcmp(value, "none") == 0;
    if (check->verify_none)
        return NULL;
    char *path = of_system ? memory_copy(value) : list_file_path(value, context->place.source);
    if (of_system)
        wrong = authorities_of_system(&check->authorities);
    else if (!context->files->closed)
        wrong = authorities_read(path, &check->authorities);
    if (wrong) {
        free(path);
        return wrong;
    }
    if (!of_system)
        address_files_add_plain(context->files, path);
    check->verify = path;
    return NULL;
}

static bool write_verify(const void *member, size_t item, FILE *out)
{
    const struct check_conf *check = member;
    if (item > 0 || (!check->verify && !check->verify_none))
        return false;
    fputs(check->verify ? check->verify : "none", out);
    return true;
}

const struct option_custom check_verify = {.form = "none, system or FILE",
                                           .read = read_verify,
                                           .write = write_verify,
                                           .release = release_verify};

static void release_crl(void *member)
{
    struct check_conf *check = member;
    free(check->crl);
    check->crl = NULL;
    check->revocations = NULL;
}

static const char *read_crl(const char *value, void *member, const struct option_context *context)
{
    struct check_conf *check = member;
    release_crl(member);
    return tls_read_crl(value, "check-crl", &check->crl, &check->revocations, context);
}

static bool write_crl(const void *member, size_t item, FILE *out)
{
    const struct check_conf *check = member;
    if (item > 0 || !check->crl)
        return false;
    fputs(check->crl, out);
    return true;
}

const struct option_custom check_crl = {
    .form = "FILE", .read = read_crl, .write = write_crl, .release = release_crl};

static void release_cert(void *member)
{
    *(const struct certificate_source **)member = NULL;
}

static const char *read_cert(const char *value, void *member, const struct option_context *context)
{
    return tls_read_certificate(value, "check-cert", member, context);
}

static bool write_cert(const void *member, size_t item, FILE *out)
{
    const struct certificate_source *source = *(const struct certificate_source *const *)member;
    if (item > 0 || !source)
        return false;
    fputs(source->path, out);
    return true;
}

const struct option_custom check_cert = {
    .form = "FILE", .read = read_cert, .write = write_cert, .release = release_cert};

/* --- HTTP ---------------------------------------------------------------------------------- */

static bool read_code(const char **at, unsigned *code)
{
    *code = 0;
    size_t digits = strspn(*at, "0123456789");
    if (digits != 3)
        return false;
    for (size_t i = 0; i < digits; i++)
        *code = 10 * *code + (unsigned)(*(*at)++ - '0');
    return *code >= CHECK_STATUS_FIRST && *code <= CHECK_STATUS_LAST;
}

static const char *read_status(const char *value, void *member,
                               const struct option_context *context)
{
    static const char form[] = "must be codes of 100 to 599, as 200-299,503";
    struct check_status status = {0};
    (void)context;
    for (const char *at = value;; at++) {
        unsigned first, last;
        at += strspn(at, " \t");
        if (!read_code(&at, &first))
            return form;
        last = first;
        if (*at == '-' && (at++, !read_code(&at, &last) || last < first))
            return form;
        for (unsigned code = first; code <= last; code++)
            check_status_add(&status, code);
        at += strspn(at, " \t");
        if (*at == '\0')
            break;
        if (*at != ',')
            return form;
    }
    *(struct check_status *)member = status;
    return NULL;
}

static bool write_status(const void *member, size_t item, FILE *out)
{
    const struct check_status *status = member;
    const char *comma = "";
    if (item > 0 || check_status_is_default(status))
        return false;
    for (unsigned code = CHECK_STATUS_FIRST; code <= CHECK_STATUS_LAST; code++) {
        unsigned first = code;
        if (!check_status_has(status, code))
            continue;
        while (code < CHECK_STATUS_LAST && check_status_has(status, code + 1))
            code++;
        fprintf(out, first == code ? "%s%u" : "%s%u-%u", comma, first, code);
        comma = ",";
    }
    return true;
}

static void release_status(void *member)
{
    *(struct check_status *)member = (struct check_status){0};
}

const struct option_custom check_status = {.form = "CODE[-CODE],...",
                                           .read = read_status,
                                           .write = write_status,
                                           .release = release_status};

static bool is_token(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] <= ' ' || text[i] > '~' || strchr("\"(),/:;<=>?@[\\]{}", text[i]))
            return false;
    return length > 0;
}

static bool is_printable(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == '\x7f')
            return false;
    return true;
}

static const char *read_header(const char *value, void *member,
                               const struct option_context *context)
{
    struct check_conf *check = member;
    size_t name = strcspn(value, ":");
    (void)context;
    if (value[name] != ':' || !is_token(value, name) || !is_printable(value))
        return "must be NAME: VALUE";
    char **headers = memory_new(check->header_count + 1, sizeof *headers);
    for (size_t i = 0; i < check->header_count; i++)
        headers[i] = check->headers[i];
    headers[check->header_count++] = memory_copy(value);
    free(check->headers);
    check->headers = headers;
    return NULL;
}

static bool write_header(const void *member, size_t item, FILE *out)
{
    const struct check_conf *check = member;
    if (item >= check->header_count)
        return false;
    fputs(check->headers[item], out);
    return true;
}

static void release_headers(void *member)
{
    struct check_conf *check = member;
    for (size_t i = 0; i < check->header_count; i++)
        free(check->headers[i]);
    free(check->headers);
    check->headers = NULL;
    check->header_count = 0;
}

const struct option_custom check_header = {
    .form = "NAME: VALUE", .read = read_header, .write = write_header, .release = release_headers};

static void release_body(void *member)
{
    struct check_conf *check = member;
    pattern_free(check->body_pattern);
    free(check->body);
    check->body_pattern = NULL;
    check->body = NULL;
}

static const char *read_body(const char *value, void *member, const struct option_context *context)
{
    struct check_conf *check = member;
    (void)context;
    if (value[0] == '\0' || strcmp(value, "~") == 0)
        return "must not be empty";
    const char *wrong = value[0] == '~' ? pattern_new(value + 1, &check->body_pattern) : NULL;
    if (!wrong)
        check->body = memory_copy(value);
    return wrong;
}

static bool write_body(const void *member, size_t item, FILE *out)
{
    const struct check_conf *check = member;
    if (item > 0 || !check->body)
        return false;
    fputs(check->body, out);
    return true;
}

const struct option_custom check_body = {
    .form = "TEXT or ~REGEX", .read = read_body, .write = write_body, .release = release_body};

/* --- steps --------------------------------------------------------------------------------- */

static const char *add_step(const char *value, void *member, const struct option_context *context)
{
    struct check_conf *check = member;
    struct check_step step = {0};
    (void)context;
    const char *wrong = step_read(value, &step);
    if (wrong)
        return wrong;
    struct check_step *steps = memory_new(check->step_count + 1, sizeof *steps);
    for (size_t i = 0; i < check->step_count; i++)
        steps[i] = check->steps[i];
    steps[check->step_count++] = step;
    free(check->steps);
    check->steps = steps;
    return NULL;
}

static bool write_step(const void *member, size_t item, FILE *out)
{
    const struct check_conf *check = member;
    if (item >= check->step_count)
        return false;
    fputs(check->steps[item].line, out);
    return true;
}

static void release_steps(void *member)
{
    struct check_conf *check = member;
    for (size_t i = 0; i < check->step_count; i++)
        step_release(&check->steps[i]);
    free(check->steps);
    check->steps = NULL;
    check->step_count = 0;
}

const struct option_custom check_step = {
    .form = "KIND TEXT", .read = add_step, .write = write_step, .release = release_steps};
