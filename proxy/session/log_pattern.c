#include "proxy/session/log_pattern.h"

void log_value_put(struct line *line, const struct log_field *field, bool quotable)
{
    switch (field->value) {
    case LOG_NOTHING:
        (void)line_put(line, "-", 1);
        break;
    case LOG_WORD:
        if (quotable)
            line_put_quotable(line, field->word, line->size - 1);
        else
            line_put_text(line, field->word, false, line->size - 1);
        break;
    case LOG_COUNT:
        (void)line_print(line, "%llu", (unsigned long long)field->number);
        break;
    case LOG_MICROSECONDS:
        (void)line_put_milliseconds(line, field->number);
        break;
    }
}

void log_pattern_put(struct line *line, const struct log_format *format, log_field_of *value_of,
                     void *arg)
{
    for (size_t i = 0; i < format->piece_count; i++) {
        const struct log_piece *piece = &format->pieces[i];
        (void)line_put(line, piece->text, piece->length);
        if (piece->field < 0)
            continue;
        const struct log_field field = value_of(arg, (enum access_field)piece->field);
        log_value_put(line, &field, true);
    }
}
