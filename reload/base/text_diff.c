#include "reload/base/text_diff.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHANGES_MAX 2000
#define CONTEXT     3
/* Comparisons of lines, when one has many lines that are alike. */
#define WORK_MAX 20000000u

struct line {
    const char *text;
    size_t length; /* with its newline */
};

/* The lines of one text. Those before `begin` and from `end` on are the same in both texts. */
struct side {
    struct line *lines;
    bool *changed; /* for each line: it is not in the other text */
    size_t count, begin, end;
};

/* --- lines --------------------------------------------------------------------------------- */

static int split(struct side *side, const char *text)
{
    size_t count = 1;
    for (const char *at = text; (at = strchr(at, '\n')); at++)
        count++;
    side->lines = calloc(count, sizeof *side->lines);
    side->changed = calloc(count, sizeof *side->changed);
    if (!side->lines || !side->changed)
        return ENOMEM;
    for (const char *at = text; *at;) {
        const char *newline = strchr(at, '\n');
        size_t length = newline ? (size_t)(newline + 1 - at) : strlen(at);
        side->lines[side->count++] = (struct line){at, length};
        at += length;
    }
    return 0;
}

static bool is_same(const struct side *from, size_t i, const struct side *to, size_t j)
{
    const struct line *a = &from->lines[i], *b = &to->lines[j];
    return a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
}

static void find_middle(struct side *from, struct side *to)
{
    size_t begin = 0;
    from->end = from->count;
    to->end = to->count;
    while (begin < from->end && begin < to->end && is_same(from, begin, to, begin))
        begin++;
    while (from->end > begin && to->end > begin && is_same(from, from->end - 1, to, to->end - 1)) {
        from->end--;
        to->end--;
    }
    from->begin = to->begin = begin;
}

static void mark_all(struct side *side)
{
    for (size_t i = side->begin; i < side->end; i++)
        side->changed[i] = true;
}

/* --- the shortest way from one to the other --------------------------------------------------- */

/* A point (x, y): the first x lines of `from` are the first y lines of `to`, after some changes. A
 * diagonal k has the points with x - y = k. Row d has the largest x that d changes can reach on
 * each of its diagonals, which are -d, -d + 2, ..., d. */
struct search {
    struct side *from, *to;
    int32_t *rows[CHANGES_MAX + 1];
    unsigned work;
};

static int32_t *cell(const struct search *search, int32_t d, int32_t k)
{
    return &search->rows[d][(k + d) / 2];
}

/* The best way to diagonal k by d changes ends with a line that is added, and not with one that is
 * removed. */
static bool comes_by_addition(const struct search *search, int32_t d, int32_t k)
{
    return k == -d || (k != d && *cell(search, d - 1, k - 1) < *cell(search, d - 1, k + 1));
}

/* From there on lines are the same. */
static int32_t slide(struct search *search, int32_t x, int32_t k)
{
    const struct side *from = search->from, *to = search->to;
    for (int64_t y = (int64_t)x - k; x >= 0 && y >= 0; x++, y++) {
        size_t i = from->begin + (size_t)x, j = to->begin + (size_t)y;
        if (i >= from->end || j >= to->end || !is_same(from, i, to, j))
            break;
        search->work++;
    }
    return x;
}

/* Returns the number of changes; -1: that is too much work, or memory is out. */
static int32_t search_forward(struct search *search)
{
    const int64_t last_x = (int64_t)(search->from->end - search->from->begin),
                  last_k = last_x - (int64_t)(search->to->end - search->to->begin);
    for (int32_t d = 0; d <= CHANGES_MAX; d++) {
        search->rows[d] = malloc(((size_t)d + 1) * sizeof **search->rows);
        if (!search->rows[d] || search->work > WORK_MAX)
            return -1;
        for (int32_t k = -d; k <= d; k += 2) {
            int32_t x = 0;
            if (d > 0)
                x = comes_by_addition(search, d, k) ? *cell(search, d - 1, k + 1)
                                                    : *cell(search, d - 1, k - 1) + 1;
            *cell(search, d, k) = x = slide(search, x, k);
            if (k == last_k && x >= last_x)
                return d;
        }
    }
    return -1;
}

static void mark(struct side *side, int64_t line)
{
    if (line >= 0 && side->begin + (size_t)line < side->end)
        side->changed[side->begin + (size_t)line] = true;
}

static void mark_way_back(const struct search *search, int32_t d)
{
    int32_t k = (int32_t)((int64_t)(search->from->end - search->from->begin) -
                          (int64_t)(search->to->end - search->to->begin));
    for (; d > 0; d--) {
        bool added = comes_by_addition(search, d, k);
        k += added ? 1 : -1;
        const int64_t x = *cell(search, d - 1, k);
        mark(added ? search->to : search->from, added ? x - k : x);
    }
}

static int compare(struct side *from, struct side *to)
{
    struct search *search = calloc(1, sizeof *search);
    if (!search)
        return ENOMEM;
    search->from = from;
    search->to = to;
    int32_t changes = search_forward(search);
    if (changes >= 0) {
        mark_way_back(search, changes);
    } else {
        mark_all(from);
        mark_all(to);
    }
    for (size_t i = 0; i <= CHANGES_MAX; i++)
        free(search->rows[i]);
    free(search);
    return 0;
}

/* --- writing --------------------------------------------------------------------------------- */

/* Where the walk through both texts is. */
struct place {
    size_t from, to;
};

static bool is_change(const struct side *from, const struct side *to, struct place at)
{
    return (at.from < from->count && from->changed[at.from]) ||
           (at.to < to->count && to->changed[at.to]);
}

static struct place skip_change(const struct side *from, const struct side *to, struct place at)
{
    while (at.from < from->count && from->changed[at.from])
        at.from++;
    while (at.to < to->count && to->changed[at.to])
        at.to++;
    return at;
}

/* Goes over lines that are the same to the next change, or to the end. */
static struct place skip_same(const struct side *from, const struct side *to, struct place at)
{
    while (at.from < from->count && !is_change(from, to, at)) {
        at.from++;
        at.to++;
    }
    return at;
}

static void put_line(char mark, const struct line *line, FILE *out)
{
    fputc(mark, out);
    fwrite(line->text, 1, line->length, out);
    if (line->text[line->length - 1] != '\n')
        fputs("\n\\ No newline at end of file\n", out);
}

static void put_range(char mark, size_t begin, size_t end, FILE *out)
{
    fprintf(out, "%c%zu", mark, end > begin ? begin + 1 : begin);
    if (end - begin != 1)
        fprintf(out, ",%zu", end - begin);
}

/* Lines from `at` to `end`, changes and what is around them. */
static void put_hunk(const struct side *from, const struct side *to, struct place at,
                     struct place end, FILE *out)
{
    fputs("@@ ", out);
    put_range('-', at.from, end.from, out);
    fputc(' ', out);
    put_range('+', at.to, end.to, out);
    fputs(" @@\n", out);
    while (at.from < end.from || at.to < end.to) {
        const struct place next = skip_change(from, to, at);
        for (; at.from < next.from; at.from++)
            put_line('-', &from->lines[at.from], out);
        for (; at.to < next.to; at.to++)
            put_line('+', &to->lines[at.to], out);
        for (; at.from < end.from && !is_change(from, to, at); at.from++, at.to++)
            put_line(' ', &from->lines[at.from], out);
    }
}

static void put_hunks(const struct side *from, const struct side *to, FILE *out)
{
    struct place at = skip_same(from, to, (struct place){0, 0});
    while (is_change(from, to, at)) {
        const size_t before = at.from < CONTEXT ? at.from : CONTEXT;
        const struct place begin = {at.from - before, at.to - before};
        struct place end = skip_change(from, to, at);
        for (at = skip_same(from, to, end);
             at.from - end.from <= 2 * CONTEXT && is_change(from, to, at);
             at = skip_same(from, to, end))
            end = skip_change(from, to, at);
        const size_t after = at.from - end.from < CONTEXT ? at.from - end.from : CONTEXT;
        put_hunk(from, to, begin, (struct place){end.from + after, end.to + after}, out);
    }
}

int text_diff(const struct diff_text *from, const struct diff_text *to, FILE *out)
{
    struct side old = {0}, new = {0};
    int error = split(&old, from->text);
    if (!error)
        error = split(&new, to->text);
    if (!error) {
        find_middle(&old, &new);
        error = compare(&old, &new);
    }
    if (!error && (old.begin < old.end || new.begin < new.end)) {
        fprintf(out, "--- %s\n+++ %s\n", from->label, to->label);
        put_hunks(&old, &new, out);
    }
    free(old.lines);
    free(old.changed);
    free(new.lines);
    free(new.changed);
    return error;
}
