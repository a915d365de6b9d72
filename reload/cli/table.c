#include "reload/cli/table.h"

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

/* Characters, and not bytes, of UTF-8. */
static int width_of(const char *cell, size_t length)
{
    int width = 0;
    for (size_t i = 0; i < length; i++)
        width += ((unsigned char)cell[i] & 0xc0) != 0x80;
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

/* The bytes of so many characters. */
static size_t bytes_of(const char *text, size_t length, int characters)
{
    size_t i = 0;
    for (; i < length; i++)
        if (((unsigned char)text[i] & 0xc0) != 0x80 && characters-- == 0)
            break;
    return i;
}

/* Of a cell that is too wide, its begin and its end: names often differ there. */
static void print_cell(const char *cell, size_t length, int width, FILE *out)
{
    int all = width_of(cell, length), kept = width - 2;
    if (all <= width) {
        fprintf(out, "%.*s", (int)length, cell);
        return;
    }
    size_t begin = bytes_of(cell, length, kept - kept / 2),
           end = bytes_of(cell, length, all - kept / 2);
    fprintf(out, "%.*s..%.*s", (int)begin, cell, (int)(length - end), cell + end);
}

static void print_line(const char *line, const char *aligns, const int *widths, int width,
                       FILE *out)
{
    size_t i = 0;
    for (; aligns[i]; i++) {
        size_t length = strcspn(line, "\t");
        int blanks = widths[i] - width_of(line, length);
        bool is_last = !line[length];
        if (i > 0)
            fprintf(out, "%*s", GAP, "");
        if (aligns[i] == 'r')
            fprintf(out, "%*s", blanks > 0 ? blanks : 0, "");
        print_cell(line, length, widths[i], out);
        if (is_last)
            break;
        if (aligns[i] == 'l' && (aligns[i + 1] || line[length + 1]))
            fprintf(out, "%*s", blanks > 0 ? blanks : 0, "");
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
