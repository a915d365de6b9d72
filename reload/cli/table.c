#include "reload/cli/table.h"

#include <stdbool.h>
#include <string.h>

enum { COLUMNS_MAX = 24 };

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

static void print_line(const char *line, const char *aligns, const int *widths, FILE *out)
{
    size_t i = 0;
    for (; aligns[i]; i++) {
        size_t length = strcspn(line, "\t");
        int blanks = widths[i] - width_of(line, length);
        bool is_last = !line[length];
        if (i > 0)
            fputs("  ", out);
        if (aligns[i] == 'r')
            fprintf(out, "%*s", blanks, "");
        fprintf(out, "%.*s", (int)length, line);
        if (is_last)
            break;
        if (aligns[i] == 'l' && (aligns[i + 1] || line[length + 1]))
            fprintf(out, "%*s", blanks, "");
        line += length + 1;
    }
    line += strspn(line, " ");
    if (!aligns[i] && *line)
        fprintf(out, "  %s", line);
    fputc('\n', out);
}

void table_print(char *text, const char *aligns, FILE *out)
{
    int widths[COLUMNS_MAX] = {0};
    size_t columns = strlen(aligns);
    for (char *end, *line = text; (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        measure(line, columns < COLUMNS_MAX ? columns : COLUMNS_MAX, widths);
        *end = '\n';
    }
    for (char *end, *line = text; (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        print_line(line, aligns, widths, out);
    }
}
