#include "config/names/dns.h"

#include <string.h>
#include <strings.h>

#define CLASS_IN   1
#define TYPE_CNAME 5
#define TYPE_SOA   6

#define HEAD 12
/* A chain that is longer is a circle, or somebody's joke. */
#define ALIASES_MOST 16
/* RFC 2181 section 8: a TTL with the highest bit set is 0. */
#define TTL_MAX  INT32_MAX
#define TTL_NONE UINT32_MAX

struct message {
    const unsigned char *bytes;
    size_t length;
};

/* Where a record is, and what its head says. */
struct record {
    char owner[DNS_NAME_MAX];
    unsigned type, class;
    uint32_t ttl;
    size_t data, data_length;
    size_t end;
};

static unsigned read16(const unsigned char *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static uint32_t read32(const unsigned char *at)
{
    return (uint32_t)read16(at) << 16 | read16(at + 2);
}

/* A byte that no host name has: names with dots or NUL bytes in a label would be mistaken for
 * others. */
static bool is_plain(unsigned char c)
{
    return c > ' ' && c < 127 && c != '.' && c != '\\';
}

/* Reads the name at *at, which may be NULL-filled text "" for the root, and moves *at behind it.
 * *plain: it can be written as text without escapes. False: malformed. */
static bool read_name(const struct message *message, size_t *at, char name[DNS_NAME_MAX],
                      bool *plain)
{
    size_t from = *at, length = 0, least = from;
    bool jumped = false;
    *plain = true;
    for (;;) {
        if (from >= message->length)
            return false;
        unsigned size = message->bytes[from];
        if ((size & 0xc0) == 0xc0) {
            if (from + 2 > message->length)
                return false;
            size_t to = read16(message->bytes + from) & 0x3fff;
            if (!jumped)
                *at = from + 2;
            if (to >= least) /* each jump goes further back, so there is no circle */
                return false;
            jumped = true;
            from = least = to;
            continue;
        }
        if (size & 0xc0)
            return false;
        from++;
        if (size == 0)
            break;
        if (from + size > message->length || length + size + 1 >= DNS_NAME_MAX)
            return false;
        if (length > 0)
            name[length++] = '.';
        for (unsigned i = 0; i < size; i++) {
            *plain &= is_plain(message->bytes[from + i]);
            name[length++] = (char)message->bytes[from + i];
        }
        from += size;
    }
    if (!jumped)
        *at = from;
    name[length] = '\0';
    return true;
}

static bool read_record(const struct message *message, size_t at, struct record *record)
{
    bool plain;
    if (!read_name(message, &at, record->owner, &plain) || message->length - at < 10)
        return false;
    if (!plain)
        record->owner[0] = '\0'; /* nobody's: it was not asked for */
    const unsigned char *head = message->bytes + at;
    record->type = read16(head);
    record->class = read16(head + 2);
    record->ttl = read32(head + 4) > TTL_MAX ? 0 : read32(head + 4);
    record->data_length = read16(head + 8);
    record->data = at + 10;
    record->end = record->data + record->data_length;
    return record->end <= message->length;
}

/* Reads an SRV record's data. *wanted: its target is a name that can be asked for. */
static bool read_srv(const struct message *message, const struct record *record,
                     struct dns_record *found, bool *wanted)
{
    size_t at = record->data + 6;
    if (record->data_length < 7)
        return false;
    const unsigned char *data = message->bytes + record->data;
    found->priority = (uint16_t)read16(data);
    found->weight = (uint16_t)read16(data + 2);
    found->port = (uint16_t)read16(data + 4);
    return read_name(message, &at, found->target, wanted) && at <= record->end;
}

/* Reads the data of a record of that type. False: malformed. */
static bool read_data(const struct message *message, const struct record *record,
                      struct dns_record *found, bool *wanted)
{
    size_t size = record->type == DNS_A ? 4 : 16;
    *found = (struct dns_record){0};
    *wanted = true;
    if (record->type == DNS_SRV)
        return read_srv(message, record, found, wanted);
    if (record->data_length != size)
        return false;
    memcpy(found->address, message->bytes + record->data, size);
    return true;
}

static void lower(uint32_t *ttl, uint32_t other)
{
    if (other < *ttl)
        *ttl = other;
}

/* Follows one alias of name. True: there was one, and name is what it leads to. *at is behind the
 * answer section. */
static bool follow_alias(const struct message *message, size_t at, unsigned count,
                         char name[DNS_NAME_MAX], uint32_t *ttl, bool *good)
{
    struct record record;
    for (unsigned i = 0; i < count; i++, at = record.end) {
        if (!read_record(message, at, &record)) {
            *good = false;
            return false;
        }
        if (record.type != TYPE_CNAME || record.class != CLASS_IN ||
            strcasecmp(record.owner, name) != 0)
            continue;
        char target[DNS_NAME_MAX];
        size_t data = record.data;
        bool plain;
        *good = read_name(message, &data, target, &plain) && data <= record.end && plain;
        if (*good) {
            strcpy(name, target);
            lower(ttl, record.ttl);
        }
        return *good;
    }
    return false;
}

/* The SOA record in the section of authorities, which begins at `at` (RFC 2308 section 5). */
static bool read_negative(const struct message *message, size_t at, unsigned count, uint32_t *ttl)
{
    struct record record;
    for (unsigned i = 0; i < count; i++, at = record.end) {
        if (!read_record(message, at, &record))
            return false;
        if (record.type != TYPE_SOA || record.class != CLASS_IN)
            continue;
        char name[DNS_NAME_MAX];
        size_t data = record.data;
        bool plain;
        if (!read_name(message, &data, name, &plain) || !read_name(message, &data, name, &plain) ||
            data + 20 != record.end)
            return false;
        uint32_t least = read32(message->bytes + data + 16);
        lower(ttl, record.ttl);
        lower(ttl, least > TTL_MAX ? 0 : least);
        return true;
    }
    return true;
}

/* Reports the records of that name and type. *at is moved behind the answer section. */
static bool read_answers(const struct message *message, size_t *at, unsigned count,
                         const char *name, unsigned type, dns_found *found, void *arg,
                         struct dns_answer *answer)
{
    struct record record;
    for (unsigned i = 0; i < count; i++, *at = record.end) {
        struct dns_record data;
        bool wanted;
        if (!read_record(message, *at, &record))
            return false;
        if (record.type != type || record.class != CLASS_IN || strcasecmp(record.owner, name) != 0)
            continue;
        if (!read_data(message, &record, &data, &wanted))
            return false;
        if (!wanted || answer->count == DNS_RECORDS_MOST)
            continue;
        lower(&answer->ttl, record.ttl);
        answer->count++;
        if (found && !found(&data, arg))
            found = NULL;
    }
    return true;
}

bool dns_read(const unsigned char *message, size_t length, unsigned type, dns_found *found,
              void *arg, struct dns_answer *answer)
{
    const struct message whole = {message, length};
    char name[DNS_NAME_MAX];
    bool good = true;
    *answer = (struct dns_answer){.ttl = TTL_NONE};
    if (length < HEAD)
        return false;
    answer->code = message[3] & 0x0f;
    answer->truncated = message[2] & 0x02;
    unsigned questions = read16(message + 4), answers = read16(message + 6),
             authorities = read16(message + 8);
    size_t at = HEAD;
    if (!(message[2] & 0x80) || questions != 1 || !read_name(&whole, &at, name, &good) || !good ||
        length - at < 4 || read16(message + at) != type)
        return false;
    at += 4;
    for (unsigned i = 0; i < ALIASES_MOST; i++)
        if (!follow_alias(&whole, at, answers, name, &answer->ttl, &good))
            break;
    if (!good || !read_answers(&whole, &at, answers, name, type, found, arg, answer))
        return false;
    if (answer->count == 0 && !read_negative(&whole, at, authorities, &answer->ttl))
        return false;
    if (answer->ttl == TTL_NONE)
        answer->ttl = 0;
    return true;
}
