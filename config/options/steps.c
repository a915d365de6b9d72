#include "config/options/steps.h"

#include "config/base/memory.h"
#include "config/base/pattern.h"
#include "config/syntax/bytes.h"

#include <stdlib.h>
#include <string.h>

static const char must_be[] =
    "must begin with send, send-hex, expect, expect-hex or expect-regex, and a text follows";

static const char *read_escapes(const char *text, unsigned char *bytes, size_t *length)
{
    for (*length = 0; *text; ++*length) {
        int byte = (unsigned char)*text++;
        if (byte == '\\') {
            bool is_hex = *text == 'x';
            byte = bytes_escape(&text);
            if (byte < 0)
                return is_hex ? "has a \\x without two hexadecimal digits"
                              : "has a \\ before something else than r, n, t, \\, ;, # or xNN";
        }
        bytes[*length] = (unsigned char)byte;
    }
    return NULL;
}

static const char *read_hex(const char *text, unsigned char *bytes, size_t *length)
{
    *length = 0;
    for (;; text += 2) {
        text += strspn(text, " \t");
        if (!*text)
            return NULL;
        int byte = bytes_hex_pair(text);
        if (byte < 0)
            return "must have two hexadecimal digits for each byte";
        bytes[(*length)++] = (unsigned char)byte;
    }
}

static const char *read_plain(const char *text, unsigned char *bytes, size_t *length)
{
    *length = strlen(text);
    memcpy(bytes, text, *length);
    return NULL;
}

static const struct {
    const char *name;
    enum check_step_kind kind;
    const char *(*read)(const char *text, unsigned char *bytes, size_t *length);
} forms[] = {
    {"send", CHECK_SEND, read_escapes},
    {"send-hex", CHECK_SEND, read_hex},
    {"expect", CHECK_EXPECT, read_escapes},
    {"expect-hex", CHECK_EXPECT, read_hex},
    {"expect-regex", CHECK_EXPECT_REGEX, read_plain},
};

static const char *read_text(const char *text, size_t form, struct check_step *step)
{
    step->kind = forms[form].kind;
    step->text = memory_new(strlen(text) + 1, 1);
    const char *wrong = forms[form].read(text, step->text, &step->length);
    if (wrong)
        return wrong;
    step->text[step->length] = '\0';
    if (step->length == 0)
        return must_be;
    if (step->kind == CHECK_EXPECT_REGEX)
        return pattern_new((const char *)step->text, &step->pattern);
    return NULL;
}

const char *step_read(const char *line, struct check_step *step)
{
    size_t length = strcspn(line, " \t");
    *step = (struct check_step){0};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (strlen(forms[i].name) != length || strncmp(forms[i].name, line, length) != 0)
            continue;
        const char *wrong = read_text(line + length + strspn(line + length, " \t"), i, step);
        if (wrong)
            step_release(step);
        else
            step->line = memory_copy(line);
        return wrong;
    }
    return must_be;
}

void step_release(struct check_step *step)
{
    pattern_free(step->pattern);
    free(step->text);
    free(step->line);
    *step = (struct check_step){0};
}
