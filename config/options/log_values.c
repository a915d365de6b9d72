#include "config/options/log_values.h"

#include "config/base/error_text.h"
#include "config/base/memory.h"
#include "config/base/path.h"
#include "config/model/config.h"
#include "config/syntax/suggest.h"
#include "config/syntax/value.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* --- log -------------------------------------------------------------------------------------- */

static const char log_form[] =
    "stderr, syslog, syslog:unix:/PATH, syslog:udp:HOST:PORT, journal or file:/PATH";

/* What stands behind the prefix, or NULL. */
static const char *behind(const char *value, const char *prefix)
{
    size_t length = strlen(prefix);
    return strncmp(value, prefix, length) == 0 ? value + length : NULL;
}

static const char *check_file(const char *path)
{
    const char *wrong = path_check(path);
    if (wrong)
        return wrong;
    return strlen(path) < PATH_MAX ? NULL : "is longer than a path may be";
}

/* text: as after syslog:. */
static const char *check_unix(const char *text)
{
    struct address address;
    return address_parse(text, &address);
}

static const char *check_host(const char *text)
{
    struct address address;
    char host[ADDRESS_HOST_MAX];
    return address_parse_or_name(text, &address, host);
}

static const char *set_place(struct log_place *place, enum log_target target, const char *where,
                             const char *wrong)
{
    if (wrong)
        return wrong;
    free(place->where);
    *place = (struct log_place){.target = target, .where = where ? memory_copy(where) : NULL};
    return NULL;
}

static const char *read_log(const char *value, void *member, const struct option_context *context)
{
    const char *where;
    (void)context;
    if ((where = behind(value, "file:")))
        return set_place(member, LOG_TO_FILE, where, check_file(where));
    if ((where = behind(value, "syslog:unix:")))
        return set_place(member, LOG_TO_SYSLOG, where, check_unix(where - strlen("unix:")));
    if ((where = behind(value, "syslog:udp:")))
        return set_place(member, LOG_TO_UDP, where, check_host(where));
    if (strcmp(value, "stderr") == 0)
        return set_place(member, LOG_TO_STDERR, NULL, NULL);
    if (strcmp(value, "syslog") == 0)
        return set_place(member, LOG_TO_SYSLOG, NULL, NULL);
    if (strcmp(value, "journal") == 0)
        return set_place(member, LOG_TO_JOURNAL, NULL, NULL);
    return error_text("must be %s", log_form);
}

static bool write_log(const void *member, size_t item, FILE *out)
{
    static const char *const words[] = {
        [LOG_TO_STDERR] = "stderr",   [LOG_TO_SYSLOG] = "syslog", [LOG_TO_UDP] = "syslog:udp:",
        [LOG_TO_JOURNAL] = "journal", [LOG_TO_FILE] = "file:",
    };
    const struct log_place *place = member;
    (void)item;
    fputs(words[place->target], out);
    if (place->where)
        fprintf(out, "%s%s", place->target == LOG_TO_SYSLOG ? ":unix:" : "", place->where);
    return true;
}

static void release_log(void *member)
{
    struct log_place *place = member;
    free(place->where);
    place->where = NULL;
}

const struct option_custom option_log = {
    .form = log_form, .read = read_log, .write = write_log, .release = release_log};

/* --- log-format ------------------------------------------------------------------------------- */

/* Of a field: its number, or -1. */
static int find_field(const char *name)
{
    for (int i = 0; i < ACCESS_FIELD_COUNT; i++)
        if (strcmp(access_field_names[i], name) == 0)
            return i;
    return -1;
}

/* Names of HAProxy and nginx for the same. */
static const char *const foreign_fields[][2] = {
    {"sslv", "tls_version"},
    {"ssl_fc_protocol", "tls_version"},
    {"ssl_protocol", "tls_version"},
    {"sslc", "tls_cipher"},
    {"ssl_fc_cipher", "tls_cipher"},
    {"ssl_cipher", "tls_cipher"},
    {"ssl_fc_is_resumed", "tls_resumed"},
    {"ssl_session_reused", "tls_resumed"},
    {"ssl_c_s_dn", "client_subject"},
    {"ssl_client_s_dn", "client_subject"},
    {"ssl_fc_err_str", "tls_error"},
    {"ssl_fc_sni", "sni"},
    {"ssl_server_name", "sni"},
    {"ssl_bc_protocol", "server_tls_version"},
    {"ssl_bc_cipher", "server_tls_cipher"},
};

/* What is wrong if another product has the field; else NULL. */
static const char *foreign_field(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof foreign_fields / sizeof *foreign_fields; i++)
        if (strlen(foreign_fields[i][0]) == length &&
            strncmp(foreign_fields[i][0], name, length) == 0)
            return error_text("has the unknown field '%s'; it is '%%{%s}' here",
                              foreign_fields[i][0], foreign_fields[i][1]);
    return NULL;
}

static const char *unknown_field(const char *name)
{
    char text[SUGGEST_TEXT_MAX];
    const char *wrong = foreign_field(name, strlen(name));
    if (wrong)
        return wrong;
    struct suggestion suggestion = suggest_begin(name);
    for (int i = 0; i < ACCESS_FIELD_COUNT; i++)
        suggest_offer(&suggestion, access_field_names[i]);
    return error_text("has the unknown field '%.60s'%s", name, suggest_text(&suggestion, text));
}

static void add_piece(struct log_format *format, size_t *capacity, const char *text, size_t length,
                      int field)
{
    format->pieces =
        memory_grow(format->pieces, format->piece_count, capacity, sizeof *format->pieces);
    format->pieces[format->piece_count++] =
        (struct log_piece){.text = text, .length = length, .field = field};
}

/* A pattern that has nothing of ours. HAProxy writes %NAME, nginx $NAME. */
static const char *no_pattern(const char *text)
{
    const char *wrong = NULL;
    for (const char *at = text; !wrong && *(at += strcspn(at, "%$"));) {
        size_t length = strcspn(++at, " %$[](){}\"'");
        wrong = foreign_field(at, length);
    }
    return wrong ? wrong : "must be text, json or a pattern of %{FIELD}";
}

/* Splits format->text. Returns NULL, or what is wrong. */
static const char *split_pattern(struct log_format *format)
{
    size_t capacity = 0;
    const char *at = format->text, *open;
    while ((open = strstr(at, "%{"))) {
        size_t length = strcspn(open + 2, "}");
        if (open[2 + length] == '\0')
            return "has a %{ without its }";
        char *name = memory_copy_n(open + 2, length);
        int field = find_field(name);
        const char *wrong = field < 0 ? unknown_field(name) : NULL;
        free(name);
        if (wrong)
            return wrong;
        add_piece(format, &capacity, at, (size_t)(open - at), field);
        at = open + 2 + length + 1;
    }
    if (format->piece_count == 0)
        return no_pattern(format->text);
    add_piece(format, &capacity, at, strlen(at), -1);
    return NULL;
}

static void release_format(void *member)
{
    struct log_format *format = member;
    free(format->text);
    free(format->pieces);
    *format = (struct log_format){.form = LOG_AS_TEXT};
}

static const char *read_format(const char *value, void *member,
                               const struct option_context *context)
{
    struct log_format format = {.form = LOG_AS_PATTERN};
    const char *wrong = NULL;
    (void)context;
    if (strcmp(value, "text") == 0) {
        format.form = LOG_AS_TEXT;
    } else if (strcmp(value, "json") == 0) {
        format.form = LOG_AS_JSON;
    } else {
        format.text = memory_copy(value);
        wrong = split_pattern(&format);
    }
    if (wrong) {
        release_format(&format);
        return wrong;
    }
    release_format(member);
    *(struct log_format *)member = format;
    return NULL;
}

static bool write_format(const void *member, size_t item, FILE *out)
{
    static const char *const words[] = {[LOG_AS_TEXT] = "text", [LOG_AS_JSON] = "json"};
    const struct log_format *format = member;
    (void)item;
    fputs(format->form == LOG_AS_PATTERN ? format->text : words[format->form], out);
    return true;
}

const struct option_custom option_log_format = {.form = "text, json or PATTERN with %{FIELD}",
                                                .read = read_format,
                                                .write = write_format,
                                                .release = release_format};

/* --- access-log ------------------------------------------------------------------------------- */

#define EVERY_MAX 1000000

static const char access_form[] = "yes, no, errors or 1/N with N from 1 to 1000000";

static const char *read_access(const char *value, void *member,
                               const struct option_context *context)
{
    struct access_log_conf *conf = member;
    const char *divisor = behind(value, "1/");
    uint64_t every = 1;
    (void)context;
    if (divisor) {
        if (value_unsigned(divisor, &every) || every < 1 || every > EVERY_MAX)
            return error_text("must be %s", access_form);
    } else if (strcmp(value, "no") == 0) {
        every = 0;
    } else if (strcmp(value, "yes") != 0 && strcmp(value, "errors") != 0) {
        return error_text("must be %s", access_form);
    }
    *conf = (struct access_log_conf){.every = (unsigned)every,
                                     .errors_only = strcmp(value, "errors") == 0};
    return NULL;
}

static bool write_access(const void *member, size_t item, FILE *out)
{
    const struct access_log_conf *conf = member;
    (void)item;
    if (conf->every > 1)
        fprintf(out, "1/%u", conf->every);
    else
        fputs(conf->every == 0 ? "no" : conf->errors_only ? "errors" : "yes", out);
    return true;
}

const struct option_custom option_access_log = {
    .form = "yes, no, errors or 1/N", .read = read_access, .write = write_access};
