#include "config/options/remedy.h"

#include "config/syntax/suggest.h"
#include "config/syntax/value.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

__attribute__((format(printf, 2, 3))) static bool say(char text[static REMEDY_TEXT_MAX],
                                                      const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, REMEDY_TEXT_MAX, format, arguments);
    va_end(arguments);
    return true;
}

/* --- what may be wrong with any value ------------------------------------------------------ */

static bool of_quotes(const char *value, char text[static REMEDY_TEXT_MAX])
{
    if (value[0] != '"' && value[0] != '\'')
        return false;
    return say(text, "; values are written without quotes");
}

/* "2;two" and, as in a file of nginx, "2;". */
static bool of_comment(const char *value, char text[static REMEDY_TEXT_MAX])
{
    const char *mark = strpbrk(value, ";#");
    if (!mark || mark == value)
        return false;
    if (!mark[1])
        return say(text, "; remove the '%c' at its end", *mark);
    return say(text, "; a comment needs a space before its '%c'", *mark);
}

static bool of_variable(const char *value, char text[static REMEDY_TEXT_MAX])
{
    const char *dollar = strchr(value, '$');
    if (!dollar || !(isalpha((unsigned char)dollar[1]) || dollar[1] == '_'))
        return false;
    size_t length = strspn(dollar + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
                                       "0123456789");
    return say(text, "; a variable is written ${%.*s}", (int)(length > 64 ? 64 : length),
               dollar + 1);
}

static bool of_equals_sign(const char *value, char text[static REMEDY_TEXT_MAX])
{
    return (value[0] == '=' || (value[0] == ':' && value[1] == ' ')) &&
           say(text, "; write one '=' between the key and the value");
}

/* --- numbers and times --------------------------------------------------------------------- */

static bool is_in_range(const struct option *option, uint64_t number)
{
    return number >= option->min && number <= option->max;
}

/* "10k": returns the factor, or 0. */
static uint64_t factor_of(const char *unit)
{
    static const struct {
        const char *name;
        uint64_t factor;
    } units[] = {{"k", 1000}, {"m", 1000000}, {"g", 1000000000}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcasecmp(unit, units[i].name) == 0)
            return units[i].factor;
    return 0;
}

static bool of_number(const struct option *option, const char *value,
                      char text[static REMEDY_TEXT_MAX])
{
    uint64_t number = 0, factor;
    const char *c = value;
    unsigned digits = 0;
    bool separated = false;
    for (; digits < 18 && (isdigit((unsigned char)*c) || strchr(",._' ", *c)) && *c; c++) {
        if (!isdigit((unsigned char)*c)) {
            separated = true;
            continue;
        }
        number = number * 10 + (uint64_t)(*c - '0');
        digits++;
    }
    if (digits == 0)
        return false;
    if (!*c && separated && is_in_range(option, number))
        return say(text, "; write it without separators: %" PRIu64, number);
    if (!*c && number == 0 && option->zero)
        return say(text, "; write '%s'", option->zero);
    factor = separated ? 0 : factor_of(c);
    if (factor && number <= UINT64_MAX / factor && is_in_range(option, number * factor))
        return say(text, "; numbers have no unit: write %" PRIu64, number * factor);
    return false;
}

static bool of_time(const struct option *option, const char *value,
                    char text[static REMEDY_TEXT_MAX])
{
    static const struct {
        const char *name;
        const char *unit;
        unsigned factor;
    } words[] = {
        {"d", "h", 24},      {"day", "h", 24},  {"days", "h", 24},  {"w", "h", 168},
        {"sec", "s", 1},     {"secs", "s", 1},  {"second", "s", 1}, {"seconds", "s", 1},
        {"min", "m", 1},     {"mins", "m", 1},  {"minute", "m", 1}, {"minutes", "m", 1},
        {"hour", "h", 1},    {"hours", "h", 1}, {"hr", "h", 1},     {"msec", "ms", 1},
        {"millis", "ms", 1}, {"us", "ms", 0},   {"s", "s", 1},      {"ms", "ms", 1},
        {"m", "m", 1},       {"h", "h", 1},
    };
    millis length;
    if (!value_duration(value, &length))
        return false; /* its form is right */
    size_t digits = strspn(value, "0123456789");
    const char *unit = value + digits + strspn(value + digits, " \t");
    if (option->min == 0 && (strcasecmp(value, "no") == 0 || strcasecmp(value, "off") == 0 ||
                             strcasecmp(value, "none") == 0 || strcmp(value, "-1") == 0))
        return say(text, "; write 0s for none");
    if (digits == 0 || digits > 9)
        return false;
    unsigned long number = strtoul(value, NULL, 10);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(unit, words[i].name) == 0 && words[i].factor)
            return say(text, "; write %lu%s", number * words[i].factor, words[i].unit);
    return false;
}

/* --- words --------------------------------------------------------------------------------- */

static bool is_yes(const char *value)
{
    static const char *const words[] = {"true", "on", "1", "enable", "enabled", "y", "yes"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(value, words[i]) == 0)
            return true;
    return false;
}

static bool is_no(const char *value)
{
    static const char *const words[] = {"false",    "off", "0",    "disable",
                                        "disabled", "n",   "none", "no"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(value, words[i]) == 0)
            return true;
    return false;
}

static bool has_word(const struct option *option, const char *word)
{
    for (size_t i = 0; option->names && option->names[i]; i++)
        if (strcmp(option->names[i], word) == 0)
            return true;
    return false;
}

static bool of_bool(const char *value, char text[static REMEDY_TEXT_MAX])
{
    if (is_yes(value))
        return say(text, "; write yes");
    return is_no(value) && say(text, "; write no");
}

/* Words without '-' and '_', as "round-robin". */
static bool is_same_word(const char *one, const char *other)
{
    while (*one || *other) {
        one += strspn(one, "-_ ");
        other += strspn(other, "-_ ");
        if (tolower((unsigned char)*one) != tolower((unsigned char)*other))
            return false;
        one += *one != '\0';
        other += *other != '\0';
    }
    return true;
}

/* Words of other products for a value. */
static bool of_foreign_word(const struct option *option, const char *value,
                            char text[static REMEDY_TEXT_MAX])
{
    static const struct {
        const char *option, *words, *ours;
    } rows[] = {
        {"check", " httpchk ", "http"},
        {"check", " https ", "http, and check-tls = yes"},
        {"check", " tcp-check send-expect ", "steps"},
        {"check", " redis-check ", "redis"},
        {"check", " pgsql-check postgres postgresql ", "pgsql"},
        {"check", " mysql-check mariadb ", "mysql"},
        {"check", " smtpchk ", "smtp"},
        {"check", " ssl ssl-hello-chk ", "tls"},
        {"check", " agent-check ", "agent"},
        {"check", " external external-check script program command ", "exec"},
        {"balance", " static-rr rr wrr ", "roundrobin"},
        {"balance", " lc wlc least_request ", "leastconn"},
        {"balance", " ip_hash ", "source"},
        {"balance", " hash ring_hash consistent ", "source or maglev"},
        {"on-down", " shutdown-sessions ", "close"},
    };
    char word[64];
    if (strchr(value, ' ') || snprintf(word, sizeof word, " %s ", value) >= (int)sizeof word)
        return false;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].option, option->name) == 0 && strstr(rows[i].words, word))
            return say(text, "; write %s", rows[i].ours);
    return false;
}

static bool of_enum(const struct option *option, const char *value,
                    char text[static REMEDY_TEXT_MAX])
{
    char hint[SUGGEST_TEXT_MAX];
    struct suggestion suggestion = suggest_begin(value);
    if (is_no(value) && has_word(option, "off"))
        return say(text, "; write off");
    if (is_yes(value) && has_word(option, "tcp") && has_word(option, "http"))
        return say(text, "; write tcp for a check by a connection");
    if (of_foreign_word(option, value, text))
        return true;
    for (size_t i = 0; option->names[i]; i++) {
        if (is_same_word(value, option->names[i]))
            return say(text, "; write %s", option->names[i]);
        if (strlen(value) >= 3 && strncasecmp(option->names[i], value, strlen(value)) == 0)
            return say(text, "; did you mean '%s'?", option->names[i]);
        suggest_offer(&suggestion, option->names[i]);
    }
    return suggestion.best && strlen(value) >= 3 &&
           say(text, "%.180s", suggest_text(&suggestion, hint));
}

/* An option that takes addresses, and "any" or "no"; or a target of the log. */
static bool of_custom(const struct option *option, const char *value,
                      char text[static REMEDY_TEXT_MAX])
{
    const char *form = option->custom ? option->custom->form : NULL;
    if (form && strstr(form, "file:/") && value[0] == '/')
        return say(text, "; write file:%.150s", value);
    if (!form || !strstr(form, "any") || !(strstr(form, "ADDRESS") || strstr(form, "CIDR")))
        return false;
    if (strcasecmp(value, "all") == 0 || is_yes(value) || strcmp(value, "*") == 0)
        return say(text, "; write any for all addresses");
    if (is_no(value) && strstr(form, "no"))
        return say(text, "; write no");
    if (strchr(value, '-') && strchr(value, '.'))
        return say(text, "; ranges are written ADDRESS/BITS");
    return false;
}

static bool of_type(const struct option *option, const char *value,
                    char text[static REMEDY_TEXT_MAX])
{
    switch (option->type) {
    case OPTION_UNSIGNED:
        return of_number(option, value, text);
    case OPTION_DURATION:
        return of_time(option, value, text);
    case OPTION_BOOL:
        return of_bool(value, text);
    case OPTION_ENUM:
        return of_enum(option, value, text);
    case OPTION_CUSTOM:
        return of_custom(option, value, text);
    default:
        return false;
    }
}

const char *remedy_of_text(const char *value, char text[static REMEDY_TEXT_MAX])
{
    text[0] = '\0';
    (void)(of_quotes(value, text) || of_variable(value, text) || of_equals_sign(value, text) ||
           of_comment(value, text));
    return text;
}

const char *remedy(const struct option *option, const char *value,
                   char text[static REMEDY_TEXT_MAX])
{
    if (!*remedy_of_text(value, text))
        (void)of_type(option, value, text);
    return text;
}
