#include "config/options/steps.h"

#include "config/base/memory.h"
#include "config/base/pattern.h"

#include <stdlib.h>
#include <string.h>

static const char must_be[] =
    "must begin with send, send-hex, expect, expect-hex or expect-regex, and a text follows";

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Two hexadecimal digits. */
static bool read_byte(const char *text, unsigned char *byte)
{
    int high = hex_digit(text[0]);
    int low = high < 0 ? -1 : hex_digit(text[1]);
    *byte = (unsigned char)(high << 4 | low);
    return low >= 0;
}

const char *escapes_read(const char *text, unsigned char *bytes, size_t *length)
{
    static const char from[] = "rnt\\;#", to[] = "\r\n\t\\;#";
    *length = 0;
    for (; *text; text++) {
        const char *found;
        if (*text != '\\') {
            bytes[(*length)++] = (unsigned char)*text;
        } else if (*++text == 'x') {
            if (!read_byte(text + 1, &bytes[(*length)++]))
                return "has a \\x without two hexadecimal digits";
            text += 2;
        } else if (*text && (found = strchr(from, *text))) {
            bytes[(*length)++] = (unsigned char)to[found - from];
        } else {
            return "has a \\ before something else than r, n, t, \\, ;, # or xNN";
        }
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
        if (!read_byte(text, &bytes[(*length)++]))
            return "must have two hexadecimal digits for each byte";
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
    {"send", CHECK_SEND, escapes_read},
    {"send-hex", CHECK_SEND, read_hex},
    {"expect", CHECK_EXPECT, escapes_read},
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
