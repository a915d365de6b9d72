/* The first line is a value of log-format; the others are what a session may have in its fields,
 * some of which clients choose. A pattern reads back as it is written, and a line of the log is one
 * line, for each target, whatever stands in the fields. */
#include "config/base/log_layout.h"
#include "config/options/log_values.h"
#include "config/options/options.h"
#include "proxy/session/log_pattern.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length);

enum { WORDS_MAX = 8 };

struct words_of_session {
    const char *words[WORDS_MAX];
    size_t count;
};

static struct log_field value_of(void *arg, enum access_field which)
{
    const struct words_of_session *session = arg;
    const size_t i = (size_t)which;
    struct log_field field = {.name = access_field_names[which], .number = i * 977777777777u};
    field.value = session->count == 0 ? LOG_NOTHING : (enum log_value)(i % 4);
    if (field.value == LOG_WORD)
        field.word = session->words[i % session->count];
    return field;
}

static void must(bool so)
{
    if (!so)
        abort();
}

static bool has_control_bytes(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            return true;
    return false;
}

/* Journald's native protocol: lines of "NAME=value". */
static void check_fields(const char *text, size_t length)
{
    for (const char *at = text, *end; at < text + length; at = end + 1) {
        end = memchr(at, '\n', (size_t)(text + length - at));
        must(end != NULL);
        size_t name = strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
        must(name > 0 && at[name] == '=' && !has_control_bytes(at, (size_t)(end - at)));
    }
}

static void check_line(const struct log_conf *conf, const struct log_event *event)
{
    char bytes[LOG_LINE_MAX];
    struct line line = {.bytes = bytes, .size = sizeof bytes};
    const struct timespec now = {.tv_sec = 1795799942, .tv_nsec = 5};
    log_layout_set(conf);
    log_layout(&line, &now, event, false);
    must(line.length > 0 && line.length <= sizeof bytes && bytes[line.length - 1] == '\n');
    if (conf->target == LOG_TO_JOURNAL)
        check_fields(bytes, line.length);
    else
        must(!has_control_bytes(bytes, line.length - 1));
    if (conf->target == LOG_TO_FILE && conf->json) {
        json_t *object = json_loadb(bytes, line.length, JSON_REJECT_DUPLICATES, NULL);
        must(json_is_object(object));
        json_decref(object);
    }
}

static void check_lines(const struct log_format *format, struct words_of_session *session)
{
    char bytes[LOG_TEXT_MAX], quoted[LOG_TEXT_MAX];
    struct line line = {.bytes = bytes, .size = sizeof bytes - 1};
    struct log_field fields[ACCESS_FIELD_COUNT];
    size_t count = 0;
    if (format->form == LOG_AS_PATTERN)
        log_pattern_put(&line, format, value_of, session);
    bytes[line.length] = '\0';
    must(strlen(bytes) == line.length);
    for (size_t i = 0; i < session->count; i++) {
        struct line value = {.bytes = quoted, .size = sizeof quoted - 1};
        const struct log_field field = {.value = LOG_WORD, .word = session->words[i]};
        log_value_put(&value, &field, true);
        must(!has_control_bytes(quoted, value.length) && !memchr(quoted, '"', value.length));
    }
    for (int i = ACCESS_EVENT; i < ACCESS_FIELD_COUNT; i++)
        fields[count++] = value_of(session, (enum access_field)i);
    static const struct log_conf confs[] = {
        {.target = LOG_TO_FILE},
        {.target = LOG_TO_FILE, .json = true},
        {.target = LOG_TO_JOURNAL},
        {.target = LOG_TO_JOURNAL, .json = true},
        {.target = LOG_TO_UDP, .facility = 23},
        {.target = LOG_TO_UDP, .syslog_form = LOG_SYSLOG_RFC3164},
    };
    for (size_t i = 0; i < sizeof confs / sizeof confs[0]; i++)
        check_line(&confs[i], &(struct log_event){.level = LOG_LEVEL_INFO,
                                                  .kind = "session",
                                                  .message = bytes,
                                                  .bare = format->form == LOG_AS_PATTERN,
                                                  .fields = fields,
                                                  .field_count = count});
    check_line(&confs[1], &(struct log_event){.level = LOG_LEVEL_ERROR, .message = bytes});
}

static void check_round_trip(const struct log_format *format)
{
    char *text = NULL;
    size_t length;
    struct log_format again = {.form = LOG_AS_TEXT};
    const struct option_context context = {.files = NULL};
    FILE *out = open_memstream(&text, &length);
    must(out && option_log_format.write(format, 0, out));
    fclose(out);
    must(!option_log_format.read(text, &again, &context));
    must(again.form == format->form && again.piece_count == format->piece_count);
    option_log_format.release(&again);
    free(text);
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length)
{
    struct log_format format = {.form = LOG_AS_TEXT};
    const struct option_context context = {.files = NULL};
    struct words_of_session session = {.count = 0};
    char *copy = strndup((const char *)bytes, length), *rest = copy, *word;
    const char *pattern = strsep(&rest, "\n");
    while (session.count < WORDS_MAX && (word = strsep(&rest, "\n")))
        session.words[session.count++] = word;
    /* As a line of a file has it: without control bytes, which the reader of the file refuses. */
    if (!has_control_bytes(pattern, strlen(pattern)) &&
        !option_log_format.read(pattern, &format, &context)) {
        check_round_trip(&format);
        check_lines(&format, &session);
    }
    option_log_format.release(&format);
    free(copy);
    return 0;
}
