#include "proxy/stages/proxy_in.h"

#include "config/base/log.h"
#include "proxy/session/session.h"
#include "proxy/wire/proxy_header.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct proxy_in {
    struct stage stage; /* first */
    const struct frontend_conf *conf;
    struct address_matcher *frontend;
    struct address_matcher *binds[]; /* of each bind that has its own; NULL: the frontend's */
};

static bool may_send(const struct proxy_in *in, const struct session *session)
{
    const struct address_matcher *own = in->binds[session->bind - in->conf->binds];
    return address_matcher_find(own ? own : in->frontend, &session->peer.any) != PREFIX_NO_VALUE;
}

/* A checksum holds for the header it came in; padding and an empty id are of no use. NULL: there is
 * nothing to keep, or (*failed) no memory. */
static struct tlvs *keep_tlvs(const struct proxy_header *header, bool *failed)
{
    const unsigned char *at = header->tlvs;
    size_t left = header->tlvs_length, length = 0;
    struct proxy_tlv tlv;
    struct tlvs *kept = left > 0 ? malloc(sizeof *kept + left) : NULL;
    *failed = left > 0 && !kept;
    while (kept && proxy_tlv_next(&at, &left, &tlv)) {
        if (tlv.type == PROXY_TLV_CRC32C || tlv.type == PROXY_TLV_NOOP ||
            (tlv.type == PROXY_TLV_UNIQUE_ID && tlv.length == 0))
            continue;
        memcpy(kept->bytes + length, tlv.value - PROXY_TLV_HEAD, PROXY_TLV_HEAD + tlv.length);
        length += PROXY_TLV_HEAD + tlv.length;
    }
    if (length == 0) {
        free(kept);
        return NULL;
    }
    kept->length = length;
    return kept;
}

/* As it is if it is a word; else in hexadecimal. NULL: there is none, or (*failed) no memory. */
static char *unique_id_text(const struct tlvs *tlvs, bool *failed)
{
    struct proxy_tlv tlv;
    if (!tlvs || !proxy_tlv_find(tlvs->bytes, tlvs->length, PROXY_TLV_UNIQUE_ID, &tlv) ||
        tlv.length == 0)
        return NULL;
    bool word = true;
    for (size_t i = 0; i < tlv.length; i++)
        word &= tlv.value[i] > ' ' && tlv.value[i] <= '~';
    char *text = malloc(FACTS_UNIQUE_ID_MAX);
    *failed |= !text;
    if (!text)
        return NULL;
    if (word) {
        snprintf(text, FACTS_UNIQUE_ID_MAX, "%.*s", (int)tlv.length, (const char *)tlv.value);
        return text;
    }
    char *at = stpcpy(text, "0x");
    for (size_t i = 0; i < tlv.length; i++)
        at += snprintf(at, 3, "%02x", tlv.value[i]);
    return text;
}

/* False: out of memory. */
static bool note(struct session *session, const struct proxy_header *header)
{
    if (header->source.length == 0 && header->tlvs_length == 0)
        return true;
    struct facts *facts = session_facts(session);
    bool failed;
    if (!facts)
        return false;
    facts->source = header->source;
    facts->destination = header->destination;
    facts->tlvs = keep_tlvs(header, &failed);
    facts->unique_id = unique_id_text(facts->tlvs, &failed);
    return !failed;
}

/* What is left are the first bytes of the client. */
static void drop(struct session *session, size_t header_length)
{
    struct unsent *bytes = session->first_bytes;
    if (bytes->length == header_length) {
        free(bytes);
        session->first_bytes = NULL;
        return;
    }
    bytes->length -= header_length;
    memmove(bytes->bytes, bytes->bytes + header_length, bytes->length);
}

static enum stage_verdict refuse(const struct session *session, const char *wrong)
{
    char text[ADDRESS_TEXT_MAX];
    stats_count_refusal(session->frontend->record, REFUSED_HEADER);
    const struct address peer = session_peer_address(session);
    log_debug("frontend %s: %s: PROXY header: %s", session->frontend->conf->name,
              address_format(&peer, text), wrong);
    return STAGE_REFUSES;
}

static enum stage_verdict decide(struct session *session, const struct stage *stage,
                                 enum stage_occasion occasion)
{
    struct proxy_header header;
    if (occasion == STAGE_BEGINS)
        return may_send((const struct proxy_in *)stage, session) ? STAGE_WAITS : STAGE_PASSES;
    const struct unsent *bytes = session->first_bytes;
    switch (proxy_header_read(bytes ? bytes->bytes : NULL, bytes ? bytes->length : 0, &header)) {
    case PROXY_HEADER_NEED_MORE:
        if (occasion == STAGE_OVERDUE || occasion == STAGE_ENDED)
            return refuse(session, occasion == STAGE_ENDED ? "the client has ended before it"
                                                           : "it did not come in time");
        return STAGE_WAITS;
    case PROXY_HEADER_NONE:
        return refuse(session, "there is none");
    case PROXY_HEADER_BAD:
        return refuse(session, header.wrong);
    case PROXY_HEADER_DONE:
        break;
    }
    if (!note(session, &header)) {
        session->outcome = SESSION_NO_RESOURCES;
        return STAGE_REFUSES;
    }
    drop(session, header.length);
    return STAGE_PASSES;
}

static void release(struct stage *stage)
{
    struct proxy_in *in = (struct proxy_in *)stage;
    address_matcher_free(in->frontend);
    for (size_t i = 0; i < in->conf->bind_count; i++)
        address_matcher_free(in->binds[i]);
    free(in);
}

int proxy_in_make(const struct service *service, struct frontend *frontend, struct stage **stage)
{
    const struct frontend_conf *conf = frontend->conf;
    bool wanted = conf->accept_proxy.rules.count > 0;
    (void)service;
    for (size_t i = 0; i < conf->bind_count; i++)
        wanted |= conf->binds[i].accept_proxy.rules.count > 0;
    *stage = NULL;
    if (!wanted)
        return 0;
    struct proxy_in *in = calloc(1, sizeof *in + conf->bind_count * sizeof in->binds[0]);
    if (!in)
        return ENOMEM;
    in->conf = conf;
    in->stage = (struct stage){
        .state = SESSION_FIRST_BYTES,
        .refused = SESSION_BAD_PROXY_HEADER,
        .overdue = SESSION_BAD_PROXY_HEADER,
        .deadline = (uint32_t)conf->inspect_timeout,
        .reads = true,
        .decide = decide,
        .release = release,
    };
    in->frontend = address_matcher_make(&conf->accept_proxy.rules);
    for (size_t i = 0; i < conf->bind_count; i++)
        if (conf->binds[i].accept_proxy.given)
            in->binds[i] = address_matcher_make(&conf->binds[i].accept_proxy.rules);
    *stage = &in->stage;
    return 0;
}
