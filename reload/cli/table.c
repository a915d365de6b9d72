#include "reload/cli/table.h"

#include "config/base/utf8.h"
#include "config/syntax/value.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Between columns; and what is left of a column of text at least. */
enum { COLUMNS_MAX = 24, GAP = 2, TEXT_MIN = 8 };

/* Characters that take no column of a terminal, or two, by their codes; all others take one. */
static const struct {
    uint32_t first, last;
    int columns;
} widths_of_codes[] = {
    {0x300, 0x36f, 0},     {0x1100, 0x115f, 2},   {0x200b, 0x200f, 0},   {0x2e80, 0x303e, 2},
    {0x3041, 0xa4cf, 2},   {0xac00, 0xd7a3, 2},   {0xf900, 0xfaff, 2},   {0xfe00, 0xfe0f, 0},
    {0xfe30, 0xfe6f, 2},   {0xff00, 0xff60, 2},   {0xffe0, 0xffe6, 2},   {0x1f300, 0x1f64f, 2},
    {0x1f680, 0x1f6ff, 2}, {0x1f900, 0x1f9ff, 2}, {0x20000, 0x3fffd, 2},
};

static int columns_of(uint32_t code)
{
    for (size_t i = 0; i < sizeof widths_of_codes / sizeof *widths_of_codes; i++)
        if (code >= widths_of_codes[i].first && code <= widths_of_codes[i].last)
            return widths_of_codes[i].columns;
    return 1;
}

/* The bytes of the character that text begins with. A byte that begins none counts as one. */
static size_t character(const char *text, int *columns)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t length = utf8_length(at);
    *columns = 1;
    if (length < 2)
        return 1;
    uint32_t code = at[0] & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++)
        code = code << 6 | (at[i] & 0x3f);
    *columns = columns_of(code);
    return length;
}

/* The bytes at the begin of a text of that length that take at most so many columns; *width: of
 * these. */
static size_t begin_of(const char *text, size_t length, int most, int *width)
{
    size_t i = 0;
    int columns;
    for (*width = 0; i < length; *width += columns) {
        size_t bytes = character(text + i, &columns);
        if (columns > most - *width)
            break;
        i += bytes;
    }
    return i;
}

static int width_of(const char *cell, size_t length)
{
    int width;
    (void)begin_of(cell, length, INT_MAX, &width);
    return width;
}

static void measure(const char *line, size_t columns, int *widths)
{
    for (size_t i = 0; i < columns; i++) {
        size_t length = strcspn(line, "\t");
        int width = width_of(line, length);
        if (width > widths[i])
            widths[i] = width;
        if (!line[length])
            return;
        line += length + 1;
    }
}

/* Of all columns, with what stands between them. */
static int sum_of(const int *widths, size_t columns)
{
    int sum = columns > 0 ? (int)(columns - 1) * GAP : 0;
    for (size_t i = 0; i < columns; i++)
        sum += widths[i];
    return sum;
}

/* Makes the widest column of text narrower, again and again, until the line fits. */
static void fit(int *widths, const char *aligns, size_t columns, int width)
{
    while (width > 0 && sum_of(widths, columns) > width) {
        size_t widest = columns;
        for (size_t i = 0; i < columns; i++)
            if (aligns[i] == 'l' && widths[i] > TEXT_MIN &&
                (widest == columns || widths[i] > widths[widest]))
                widest = i;
        if (widest == columns)
            return;
        widths[widest]--;
    }
}

/* Of a cell that is too wide, its begin and its end: names often differ there. Returns the columns
 * that it takes. */
static int print_cell(const char *cell, size_t length, int width, FILE *out)
{
    int all = width_of(cell, length), kept = width - 2, begin, skipped;
    if (all <= width) {
        fprintf(out, "%.*s", (int)length, cell);
        return all;
    }
    size_t first = begin_of(cell, length, kept - kept / 2, &begin),
           rest = begin_of(cell, length, all - kept / 2, &skipped);
    if (all - skipped > kept / 2) { /* the next character takes two columns */
        int columns;
        rest += character(cell + rest, &columns);
        skipped += columns;
    }
    fprintf(out, "%.*s..%.*s", (int)first, cell, (int)(length - rest), cell + rest);
    return begin + 2 + all - skipped;
}

static void print_line(const char *line, const char *aligns, const int *widths, int width,
                       FILE *out)
{
    size_t i = 0;
    for (; aligns[i]; i++) {
        size_t length = strcspn(line, "\t");
        bool is_last = !line[length];
        if (i > 0)
            fprintf(out, "%*s", GAP, "");
        if (aligns[i] == 'r')
            fprintf(out, "%*s", widths[i] - width_of(line, length), "");
        int blanks = widths[i] - print_cell(line, length, widths[i], out);
        if (is_last)
            break;
        if (aligns[i] == 'l' && (aligns[i + 1] || line[length + 1]))
            fprintf(out, "%*s", blanks, "");
        line += length + 1;
    }
    line += strspn(line, " ");
    bool fits =
        width <= 0 || sum_of(widths, strlen(aligns)) + GAP + width_of(line, strlen(line)) <= width;
    if (!aligns[i] && *line)
        fprintf(out, fits ? "  %s" : "\n    %s", line);
    fputc('\n', out);
}

int table_width(void)
{
    struct winsize size;
    const char *columns = getenv("COLUMNS");
    uint64_t number = 0;
    if (columns && !value_unsigned(columns, &number) && number > 0 && number <= INT_MAX)
        return (int)number;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

void table_print(char *text, const char *aligns, int width, FILE *out)
{
    int widths[COLUMNS_MAX] = {0};
    size_t columns = strlen(aligns);
    for (char *end, *line = text; (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        measure(line, columns < COLUMNS_MAX ? columns : COLUMNS_MAX, widths);
        *end = '\n';
    }
    fit(widths, aligns, columns < COLUMNS_MAX ? columns : COLUMNS_MAX, width);
    for (char *end, *line = text; (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        print_line(line, aligns, widths, width, out);
    }
}

void table_print_cut(const char *text, int width, FILE *out)
{
    while (*text) {
        size_t length = strcspn(text, "\n");
        int columns;
        size_t shown = width > 0 ? begin_of(text, length, width, &columns) : length;
        bool ended = text[length] == '\n';
        fprintf(out, "%.*s%s", (int)shown, text, ended ? "\n" : "");
        text += length + ended;
    }
}
