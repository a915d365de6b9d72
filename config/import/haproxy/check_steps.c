/* Lines tcp-check and http-check. */
#include "config/base/pattern.h"
#include "config/import/haproxy/convert.h"
#include "config/import/text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* An "expect" line: words that say how, and what is expected. */
struct expectation {
    bool negated;
    const char *match; /* "string", "rstatus", ... */
    const char *pattern;
};

static bool read_expectation(const struct hap_line *line, struct expectation *expectation)
{
    static const char *const options[] = {"min-recv",    "comment",    "ok-status", "error-status",
                                          "tout-status", "on-success", "on-error",  "status-code"};
    *expectation = (struct expectation){0};
    for (size_t i = 2; i < line->count; i++) {
        bool option = false;
        for (size_t j = 0; j < sizeof options / sizeof *options; j++)
            option |= strcmp(line->words[i], options[j]) == 0;
        if (option) {
            i++;
        } else if (strcmp(line->words[i], "!") == 0) {
            expectation->negated = true;
        } else {
            expectation->match = line->words[i];
            if (*expectation->match == '!') {
                expectation->negated = true;
                expectation->match++;
            }
            expectation->pattern = i + 1 < line->count ? line->words[i + 1] : "";
            return *expectation->pattern != '\0';
        }
    }
    return false;
}

bool hap_connect_says(const struct hap_section *section, const char *word)
{
    const struct hap_value *kind = &section->values[HAP_CHECK_KIND];
    const struct hap_lines *lines = &section->lists[HAP_STEPS];
    if (!kind->set || !kind->number)
        return false;
    const char *verb = strcmp(kind->line->words[0], "httpchk") == 0 ? "http-check" : "tcp-check";
    for (size_t i = 0; i < lines->count; i++) {
        const struct hap_line *line = &lines->items[i];
        if (strcmp(line->words[0], verb) != 0 || line->count < 2 ||
            strcmp(line->words[1], "connect") != 0)
            continue;
        for (size_t j = 2; j < line->count; j++)
            if (strcmp(line->words[j], word) == 0)
                return true;
        return false;
    }
    return false;
}

/* "connect port 8008 ssl": what it says about the connection. Returns whether it asks for TLS. */
static bool write_connect(struct hap_conversion *conversion, const struct hap_line *line,
                          struct ini_section *out)
{
    struct ini *ini = &conversion->import->ini;
    bool tls = false;
    for (size_t i = 2; i < line->count; i++) {
        const char *word = line->words[i];
        const char *value = i + 1 < line->count ? line->words[i + 1] : "";
        bool has_value = strcmp(word, "default") != 0 && strcmp(word, "ssl") != 0 &&
                         strcmp(word, "send-proxy") != 0 && strcmp(word, "linger") != 0 &&
                         strcmp(word, "via-socks4") != 0;
        if (strcmp(word, "ssl") == 0)
            tls = true;
        else if (strcmp(word, "port") == 0 && !ini_has(out, "check-port"))
            ini_set(ini, out, line->origin, "check-port", "%s", value);
        else if (strcmp(word, "addr") == 0)
            ini_set(ini, out, line->origin, "check-address", "%s", value);
        else if (strcmp(word, "sni") == 0)
            ini_set(ini, out, line->origin, "check-sni", "%s", value);
        else if (strcmp(word, "send-proxy") == 0)
            ini_set(ini, out, line->origin, "check-proxy", "yes");
        else if (strcmp(word, "linger") == 0)
            ini_set(ini, out, line->origin, "check-close", "fin");
        else if (strcmp(word, "default") != 0 && strcmp(word, "comment") != 0)
            imported_differently(conversion->import, line->origin,
                                 "check: connect %s is passed over", word);
        i += has_value;
    }
    if (tls)
        ini_set(ini, out, line->origin, "check-tls", "yes");
    return tls;
}

/* --- tcp-check ----------------------------------------------------------------------------- */

static void write_expect(struct hap_conversion *conversion, const struct hap_line *line,
                         bool after_send, struct ini_section *out)
{
    struct arena *arena = &conversion->import->arena;
    struct ini *ini = &conversion->import->ini;
    struct expectation expectation;
    bool good = read_expectation(line, &expectation);
    const char *match = good && !expectation.negated ? expectation.match : "";
    if (strcmp(match, "string") == 0)
        ini_set(ini, out, line->origin, "check-step", "expect %s",
                text_escape(arena, expectation.pattern, strlen(expectation.pattern), false));
    else if (strcmp(match, "rstring") == 0)
        ini_set(ini, out, line->origin, "check-step", "expect-regex %s", expectation.pattern);
    else if (strcmp(match, "binary") == 0)
        ini_set(ini, out, line->origin, "check-step", "expect-hex %s", expectation.pattern);
    else
        not_imported(conversion->import, line->origin,
                     "tcp-check: this kind of expect has no counterpart: the step is left out");
    if (!after_send)
        imported_differently(
            conversion->import, line->origin,
            "tcp-check: what is expected after another expect has to come behind it");
}

static void write_step(struct hap_conversion *conversion, const struct hap_line *line,
                       bool after_send, struct ini_section *out)
{
    struct arena *arena = &conversion->import->arena;
    struct ini *ini = &conversion->import->ini;
    const char *verb = line->words[1], *text = line->count > 2 ? line->words[2] : "";
    if (strcmp(verb, "send") == 0)
        ini_set(ini, out, line->origin, "check-step", "send %s",
                text_escape(arena, text, strlen(text), false));
    else if (strcmp(verb, "send-binary") == 0)
        ini_set(ini, out, line->origin, "check-step", "send-hex %s", text);
    else if (strcmp(verb, "expect") == 0)
        write_expect(conversion, line, after_send, out);
    else if (strcmp(verb, "comment") != 0)
        not_imported(conversion->import, line->origin, "tcp-check %s", verb);
}

void hap_tcp_check_write(struct hap_conversion *conversion, const struct hap_section *section,
                         bool tls, struct ini_section *out)
{
    const struct hap_lines *lines = &section->lists[HAP_STEPS];
    struct origin origin = section->values[HAP_CHECK_KIND].origin;
    size_t connects = 0, steps = 0;
    bool after_send = true;
    for (size_t i = 0; i < lines->count; i++)
        if (strcmp(lines->items[i].words[0], "tcp-check") == 0 && lines->items[i].count > 1)
            steps += strncmp(lines->items[i].words[1], "send", 4) == 0 ||
                     strcmp(lines->items[i].words[1], "expect") == 0;
    size_t check = out->count;
    ini_set(&conversion->import->ini, out, origin, "check", "%s", steps > 0 ? "steps" : "tcp");
    for (size_t i = 0; i < lines->count; i++) {
        const struct hap_line *line = &lines->items[i];
        if (strcmp(line->words[0], "tcp-check") != 0 || line->count < 2)
            continue;
        if (strcmp(line->words[1], "connect") != 0) {
            write_step(conversion, line, after_send, out);
            after_send = strcmp(line->words[1], "expect") != 0;
        } else if (++connects > 1) {
            not_imported(
                conversion->import, line->origin,
                "tcp-check: a check has one connection; what follows this line is left out");
            break;
        } else {
            tls |= write_connect(conversion, line, out);
        }
    }
    if (!ini_has(out, "check-step"))
        out->lines[check].value = tls ? "tls" : "tcp";
}

/* --- http-check ---------------------------------------------------------------------------- */

struct request {
    const char *method, *path, *host;
    struct origin origin;
};

/* "NAME: VALUE". */
static void write_header(struct hap_conversion *conversion, struct origin origin, const char *name,
                         const char *value, struct request *request, struct ini_section *out)
{
    if (strcasecmp(name, "host") == 0)
        request->host = value;
    else if (strcasecmp(name, "connection") != 0)
        ini_set(&conversion->import->ini, out, origin, "check-header", "%s: %s", name, value);
}

/* "HTTP/1.1\r\nHost: a": headers that were smuggled into the version. */
static void read_version(struct hap_conversion *conversion, struct origin origin,
                         const char *version, struct request *request, struct ini_section *out)
{
    struct arena *arena = &conversion->import->arena;
    const char *line = strchr(version, '\n');
    while (line) {
        line++;
        size_t length = strcspn(line, "\r\n"), name = strcspn(line, ":");
        if (name < length) {
            const char *value = line + name + 1;
            value += strspn(value, " \t");
            write_header(conversion, origin, arena_copy_n(arena, line, name),
                         arena_copy_n(arena, value, (size_t)(line + length - value)), request, out);
        }
        line = strchr(line, '\n');
    }
}

static void read_option(struct hap_conversion *conversion, const struct hap_value *value,
                        struct request *request, struct ini_section *out)
{
    char *const *words = value->line->words;
    size_t count = value->line->count;
    *request = (struct request){.method = "OPTIONS", .path = "/", .origin = value->origin};
    if (count == 2) {
        request->path = words[1];
    } else if (count > 2) {
        request->method = words[1];
        request->path = words[2];
    }
    for (size_t i = 3; i < count; i++)
        read_version(conversion, value->origin, words[i], request, out);
}

static void read_send(struct hap_conversion *conversion, const struct hap_line *line,
                      struct request *request, struct ini_section *out)
{
    request->origin = line->origin;
    for (size_t i = 2; i + 1 < line->count; i += 2) {
        const char *word = line->words[i], *value = line->words[i + 1];
        if (strcmp(word, "meth") == 0) {
            request->method = value;
        } else if (strcmp(word, "uri") == 0) {
            request->path = value;
        } else if (strcmp(word, "ver") == 0) {
            read_version(conversion, line->origin, value, request, out);
        } else if (strcmp(word, "hdr") == 0 && i + 2 < line->count) {
            write_header(conversion, line->origin, value, line->words[i + 2], request, out);
            i++;
        } else if (strcmp(word, "comment") != 0) {
            not_imported(conversion->import, line->origin, "http-check send %s", word);
        }
    }
}

/* Whether a status passes: "200", "200-399,404", and for rstatus an expression. */
static bool passes(const struct expectation *expectation, const struct pattern *pattern,
                   unsigned status)
{
    char text[8];
    size_t end;
    int length = snprintf(text, sizeof text, "%u", status);
    if (pattern)
        return pattern_find(pattern, text, (size_t)length, &end) != expectation->negated;
    bool found = false;
    for (const char *at = expectation->pattern; *at;) {
        char *next;
        unsigned long first = strtoul(at, &next, 10);
        unsigned long last = *next == '-' ? strtoul(next + 1, &next, 10) : first;
        found |= status >= first && status <= last;
        if (next == at)
            break;
        at = next + (*next == ',');
    }
    return found != expectation->negated;
}

static void write_status(struct hap_conversion *conversion, struct origin origin,
                         const struct expectation *expectation, struct ini_section *out)
{
    struct arena *arena = &conversion->import->arena;
    struct pattern *pattern = NULL;
    const char *list = "";
    if (strcmp(expectation->match, "rstatus") == 0 && pattern_new(expectation->pattern, &pattern)) {
        not_imported(conversion->import, origin, "rstatus '%.60s' is no expression",
                     expectation->pattern);
        return;
    }
    for (unsigned first = 100; first < 600; first++) {
        unsigned last = first;
        if (!passes(expectation, pattern, first))
            continue;
        while (last + 1 < 600 && passes(expectation, pattern, last + 1))
            last++;
        list = arena_print(arena, first == last ? "%s%s%u" : "%s%s%u-%u", list, *list ? "," : "",
                           first, last);
        first = last;
    }
    pattern_free(pattern);
    if (*list)
        ini_set(&conversion->import->ini, out, origin, "check-status", "%s", list);
    else
        not_imported(conversion->import, origin, "no status is '%.60s'", expectation->pattern);
}

static void write_http_expect(struct hap_conversion *conversion, const struct hap_line *line,
                              struct ini_section *out)
{
    struct ini *ini = &conversion->import->ini;
    struct expectation expectation;
    bool good = read_expectation(line, &expectation);
    bool of_status = good && strstr(expectation.match, "status");
    bool of_body =
        good && !expectation.negated &&
        (strcmp(expectation.match, "string") == 0 || strcmp(expectation.match, "rstring") == 0);
    if (ini_has(out, of_status ? "check-status" : "check-body") && (of_status || of_body)) {
        not_imported(conversion->import, line->origin, "http-check: a second expect of its kind");
    } else if (of_status) {
        write_status(conversion, line->origin, &expectation, out);
    } else if (of_body) {
        ini_set(ini, out, line->origin, "check-body", *expectation.match == 'r' ? "~%s" : "%s",
                expectation.pattern);
    } else {
        not_imported(conversion->import, line->origin,
                     "http-check: this kind of expect has no counterpart");
    }
}

void hap_http_check_write(struct hap_conversion *conversion, const struct hap_section *section,
                          struct ini_section *out)
{
    struct ini *ini = &conversion->import->ini;
    const struct hap_lines *lines = &section->lists[HAP_STEPS];
    struct request request;
    size_t connects = 0;
    read_option(conversion, &section->values[HAP_CHECK_KIND], &request, out);
    for (size_t i = 0; i < lines->count; i++) {
        const struct hap_line *line = &lines->items[i];
        const char *verb = line->count > 1 ? line->words[1] : "";
        if (strcmp(line->words[0], "http-check") != 0)
            continue;
        if (strcmp(verb, "send") == 0)
            read_send(conversion, line, &request, out);
        else if (strcmp(verb, "expect") == 0)
            write_http_expect(conversion, line, out);
        else if (strcmp(verb, "connect") == 0 && connects++ == 0)
            (void)write_connect(conversion, line, out);
        else if (strcmp(verb, "connect") == 0)
            not_imported(conversion->import, line->origin,
                         "http-check: a check has one connection");
        else if (strcmp(verb, "send-state") == 0)
            ini_comment(ini, out, line->origin,
                        "http-check send-state: checks do not tell the "
                        "state of the server");
        else if (strcmp(verb, "disable-on-404") == 0)
            not_imported(conversion->import, line->origin,
                         "http-check disable-on-404: a server is down with status 404; a drain is "
                         "said by an agent or by \"rpproxy server\"");
        else if (strcmp(verb, "comment") != 0)
            not_imported(conversion->import, line->origin, "http-check %s", verb);
    }
    if (strcmp(request.method, "GET") != 0)
        ini_set(ini, out, request.origin, "check-method", "%s", request.method);
    if (strcmp(request.path, "/") != 0)
        ini_set(ini, out, request.origin, "check-path", "%s", request.path);
    if (request.host)
        ini_set(ini, out, request.origin, "check-host", "%s", request.host);
    if (ini_has(out, "check-body") && !ini_has(out, "check-status"))
        ini_set_why(ini, out, section->values[HAP_CHECK_KIND].origin,
                    "with a text to look for, HAProxy does not look at the status", "check-status",
                    "100-599");
}
