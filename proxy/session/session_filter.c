#include "proxy/session/session_filter.h"

#include "config/syntax/value.h"
#include "proxy/session/session.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *session_id_text(const struct session_id *id, char text[static SESSION_ID_TEXT_MAX])
{
    snprintf(text, SESSION_ID_TEXT_MAX, "%u.%u.%" PRIu64, id->generation, id->worker, id->number);
    return text;
}

/* Reads a number and the byte behind it. NULL: it is none, or is followed by something else. */
static const char *read_part(const char *text, char end, uint64_t most, uint64_t *value)
{
    char digits[24];
    size_t length = strspn(text, "0123456789");
    if (length == 0 || length >= sizeof digits || text[length] != end)
        return NULL;
    memcpy(digits, text, length);
    digits[length] = '\0';
    return value_unsigned(digits, value) || *value > most ? NULL : text + length + (end != '\0');
}

static const char *read_id(const char *text, struct session_filter_word *word)
{
    uint64_t generation, worker, number;
    const char *rest = read_part(text, '.', UINT_MAX, &generation);
    if (rest)
        rest = read_part(rest, '.', UINT_MAX, &worker);
    if (rest)
        rest = read_part(rest, '\0', UINT64_MAX, &number);
    if (!rest)
        return "is neither the id of a session (3.0.1742) nor a filter; filters are frontend=, "
               "backend=, server=, source=, state=, idle=, age= and bytes=";
    word->id = (struct session_id){(unsigned)generation, (unsigned)worker, number};
    return NULL;
}

static const char *read_name(const char *text, struct session_filter_word *word)
{
    if (!is_name(text))
        return "is not a name: a name has " NAME_RULE;
    word->name = strdup(text);
    return word->name ? NULL : "cannot be kept: out of memory";
}

static const char *read_server(const char *text, struct session_filter_word *word)
{
    char *slash;
    word->name = strdup(text);
    if (!word->name)
        return "cannot be kept: out of memory";
    slash = strchr(word->name, '/');
    if (slash)
        *slash = '\0';
    if (slash && is_name(word->name) && is_name(slash + 1)) {
        word->server = slash + 1;
        return NULL;
    }
    free(word->name);
    return "is not a server: write server=BACKEND/SERVER";
}

static const char *read_source(const char *text, struct session_filter_word *word)
{
    word->is_unix = strcmp(text, "unix") == 0;
    return word->is_unix ? NULL : prefix_parse(text, &word->prefix);
}

static const char *read_state(const char *text, struct session_filter_word *word)
{
    for (word->state = SESSION_ADMISSION; word->state < SESSION_CLOSED; word->state++)
        if (strcmp(text, session_state_name(word->state)) == 0)
            return NULL;
    return "is not a state; states are admission, first-bytes, routing, queued, connecting, "
           "waiting, established, moving and delivering";
}

static const char *read_time(const char *text, struct session_filter_word *word)
{
    const char *wrong = value_duration(text, &word->least);
    if (wrong)
        return wrong;
    return __builtin_mul_overflow(word->least, UINT64_C(1000), &word->least) ? "is too large"
                                                                             : NULL;
}

static const char *read_bytes(const char *text, struct session_filter_word *word)
{
    static const struct {
        char unit;
        uint64_t factor;
    } units[] = {{'k', UINT64_C(1) << 10}, {'m', UINT64_C(1) << 20}, {'g', UINT64_C(1) << 30}};
    char unit = text[0] ? text[strlen(text) - 1] : '\0';
    uint64_t factor = 1;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if ((unit | 32) == units[i].unit)
            factor = units[i].factor;
    if (!read_part(text, factor > 1 ? unit : '\0', UINT64_MAX, &word->least) ||
        (factor > 1 && text[strspn(text, "0123456789") + 1] != '\0'))
        return "is not a number of bytes; write 4096, 64k, 10m or 2g";
    return __builtin_mul_overflow(word->least, factor, &word->least) ? "is too large" : NULL;
}

static const struct {
    const char *name; /* with its '=' */
    bool once;        /* several of them say nothing that one does not say */
    const char *(*read)(const char *text, struct session_filter_word *word);
} keys[FILTER_KEYS] = {
    [FILTER_ID] = {"", false, read_id},
    [FILTER_FRONTEND] = {"frontend=", false, read_name},
    [FILTER_BACKEND] = {"backend=", false, read_name},
    [FILTER_SERVER] = {"server=", false, read_server},
    [FILTER_SOURCE] = {"source=", false, read_source},
    [FILTER_STATE] = {"state=", false, read_state},
    [FILTER_IDLE] = {"idle=", true, read_time},
    [FILTER_AGE] = {"age=", true, read_time},
    [FILTER_BYTES] = {"bytes=", true, read_bytes},
};

const char *session_filter_add(struct session_filter *filter, const char *word)
{
    struct session_filter_word read = {.key = FILTER_KEYS - 1};
    while (read.key > FILTER_ID && strncmp(word, keys[read.key].name, strlen(keys[read.key].name)))
        read.key--;
    if (filter->count == SESSION_FILTER_MAX)
        return "is one filter too many: 32 are the most";
    if (keys[read.key].once && (filter->keys >> read.key & 1))
        return "is given twice";
    const char *wrong = keys[read.key].read(word + strlen(keys[read.key].name), &read);
    if (wrong)
        return wrong;
    filter->words[filter->count++] = read;
    filter->keys |= 1u << read.key;
    return NULL;
}

void session_filter_free(struct session_filter *filter)
{
    while (filter->count > 0)
        free(filter->words[--filter->count].name);
    filter->keys = 0;
}

static bool is_within(const struct prefix *prefix, const struct sockaddr *address)
{
    struct address_bits bits;
    bool is_ipv6;
    if (!address_bits_of(address, &bits, &is_ipv6) || is_ipv6 != prefix->is_ipv6)
        return false;
    bits = address_bits_mask(bits, prefix->bits);
    return bits.high == prefix->first.high && bits.low == prefix->first.low;
}

static uint64_t since(uint64_t then, uint64_t now)
{
    return now > then ? now - then : 0;
}

static bool holds(const struct session_filter_word *word, const struct session *session,
                  uint64_t now)
{
    const char *names[SESSION_NAMES];
    switch (word->key) {
    case FILTER_ID:
        return session->number == word->id.number &&
               session->entry.accepted_by == word->id.worker &&
               session->generation == word->id.generation;
    case FILTER_FRONTEND:
        session_names(session, names);
        return strcmp(names[0], word->name) == 0;
    case FILTER_BACKEND:
        session_names(session, names);
        return strcmp(names[2], word->name) == 0;
    case FILTER_SERVER:
        session_names(session, names);
        return strcmp(names[2], word->name) == 0 && strcmp(names[3], word->server) == 0;
    case FILTER_SOURCE:
        return word->is_unix ? session_source(session)->sa_family == AF_UNIX
                             : is_within(&word->prefix, session_source(session));
    case FILTER_STATE:
        return session->state == word->state;
    case FILTER_IDLE:
        return since(session->active_at, now) >= word->least;
    case FILTER_AGE:
        return since(session->entry.accepted_at, now) >= word->least;
    case FILTER_BYTES:
        return session->client.stream.received + session->server.stream.received >= word->least;
    case FILTER_KEYS:
        break;
    }
    return false;
}

bool session_filter_matches(const struct session_filter *filter, const struct session *session,
                            uint64_t now)
{
    unsigned held = 0;
    for (unsigned i = 0; i < filter->count; i++)
        if (!(held >> filter->words[i].key & 1) && holds(&filter->words[i], session, now))
            held |= 1u << filter->words[i].key;
    return held == filter->keys;
}
