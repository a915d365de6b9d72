#include "proxy/session/facts.h"

#include "proxy/tls/tls.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* In messages between versions of the program: these numbers do not change. */
enum fact {
    FACT_SOURCE = 1,
    FACT_DESTINATION = 2,
    FACT_UNIQUE_ID = 3,
    FACT_SERVER_NAME = 4,
    FACT_HOST = 5,
    FACT_ALPN = 6,
    FACT_LOG = 7,
    FACT_FAILED = 8
};

/* Of FACT_LOG. A later version may add members at the end. */
struct log_record {
    uint64_t first_byte_at, queued_for;
    uint32_t queue_position;
    uint16_t local_port;
    uint16_t sampled;
};

/* Before each of them. */
struct fact_head {
    uint32_t fact, length;
};

struct packing {
    unsigned char *bytes;
    size_t length, room;
};

static void pack(struct packing *packing, enum fact fact, const void *bytes, size_t length)
{
    const struct fact_head head = {.fact = fact, .length = (uint32_t)length};
    size_t at = packing->length;
    if (length == 0)
        return;
    packing->length += sizeof head + length;
    if (packing->length > packing->room)
        return;
    memcpy(packing->bytes + at, &head, sizeof head);
    memcpy(packing->bytes + at + sizeof head, bytes, length);
}

static void pack_text(struct packing *packing, enum fact fact, const char *text)
{
    if (text)
        pack(packing, fact, text, strlen(text));
}

static void pack_log(struct packing *packing, const struct log_notes *log)
{
    const struct log_record record = {.first_byte_at = log->first_byte_at,
                                      .queued_for = log->queued_for,
                                      .queue_position = log->queue_position,
                                      .local_port = log->local_port,
                                      .sampled = log->sampled};
    pack(packing, FACT_LOG, &record, sizeof record);
    pack_text(packing, FACT_FAILED, log->failed);
}

size_t facts_pack(const struct facts *facts, unsigned char *bytes, size_t room)
{
    struct packing packing = {.bytes = bytes, .room = room};
    if (!facts)
        return 0;
    pack(&packing, FACT_SOURCE, &facts->source.any, facts->source.length);
    pack(&packing, FACT_DESTINATION, &facts->destination.any, facts->destination.length);
    pack_text(&packing, FACT_UNIQUE_ID, facts->unique_id);
    pack_text(&packing, FACT_SERVER_NAME, facts->server_name);
    pack_text(&packing, FACT_HOST, facts->host);
    pack_text(&packing, FACT_ALPN, facts->alpn);
    if (facts->log)
        pack_log(&packing, facts->log);
    return packing.length;
}

static bool unpack_address(struct address *address, const unsigned char *bytes, size_t length)
{
    *address = (struct address){0};
    if (length < sizeof address->any.sa_family || length > sizeof address->un)
        return false;
    memcpy(&address->any, bytes, length);
    address->length = (socklen_t)length;
    switch (address->any.sa_family) {
    case AF_INET:
        return length == sizeof address->in;
    case AF_INET6:
        return length == sizeof address->in6;
    default:
        return address->any.sa_family == AF_UNIX;
    }
}

static bool unpack_text(char **text, const unsigned char *bytes, size_t length)
{
    free(*text);
    *text = memchr(bytes, '\0', length) ? NULL : strndup((const char *)bytes, length);
    return *text;
}

static bool unpack_log(struct facts *facts, const unsigned char *bytes, size_t length)
{
    struct log_record record = {0};
    struct log_notes *log = facts_log(facts);
    memcpy(&record, bytes, length < sizeof record ? length : sizeof record);
    if (!log)
        return false;
    log->first_byte_at = record.first_byte_at;
    log->queued_for = record.queued_for;
    log->queue_position = record.queue_position;
    log->local_port = record.local_port;
    log->sampled = record.sampled;
    return true;
}

static bool unpack_failed(struct facts *facts, const unsigned char *bytes, size_t length)
{
    struct log_notes *log = facts_log(facts);
    return log && length < FACTS_FAILED_MAX && unpack_text(&log->failed, bytes, length);
}

static bool unpack(struct facts *facts, uint32_t fact, const unsigned char *bytes, size_t length)
{
    switch (fact) {
    case FACT_SOURCE:
        return unpack_address(&facts->source, bytes, length);
    case FACT_DESTINATION:
        return unpack_address(&facts->destination, bytes, length);
    case FACT_UNIQUE_ID:
        return length < FACTS_UNIQUE_ID_MAX && unpack_text(&facts->unique_id, bytes, length);
    case FACT_SERVER_NAME:
        return length <= FACTS_NAME_MAX && unpack_text(&facts->server_name, bytes, length);
    case FACT_HOST:
        return length <= FACTS_NAME_MAX && unpack_text(&facts->host, bytes, length);
    case FACT_ALPN:
        return length <= FACTS_NAME_MAX && unpack_text(&facts->alpn, bytes, length);
    case FACT_LOG:
        return unpack_log(facts, bytes, length);
    case FACT_FAILED:
        return unpack_failed(facts, bytes, length);
    default:
        return true;
    }
}

bool facts_unpack(struct facts *facts, const unsigned char *bytes, size_t length)
{
    while (length > 0) {
        struct fact_head head;
        if (length < sizeof head)
            return false;
        memcpy(&head, bytes, sizeof head);
        bytes += sizeof head;
        length -= sizeof head;
        if (head.length > length || !unpack(facts, head.fact, bytes, head.length))
            return false;
        bytes += head.length;
        length -= head.length;
    }
    return true;
}

struct log_notes *facts_log(struct facts *facts)
{
    if (!facts->log)
        facts->log = calloc(1, sizeof *facts->log);
    return facts->log;
}

void facts_free(struct facts *facts)
{
    if (!facts)
        return;
    if (facts->log)
        free(facts->log->failed);
    free(facts->log);
    free(facts->tlvs);
    free(facts->unique_id);
    free(facts->server_name);
    free(facts->host);
    free(facts->alpn);
    free(facts->hello);
    free(facts->look);
    free(facts->forward);
    free(facts->turn);
    tls_free(facts->client_tls);
    tls_free(facts->server_tls);
    free(facts);
}
