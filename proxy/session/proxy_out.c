#include "proxy/session/proxy_out.h"

#include "proxy/session/delivery.h"
#include "proxy/session/endpoints.h"
#include "proxy/session/sealed.h"
#include "proxy/tls/tls_shown.h"
#include "proxy/wire/proxy_header_write.h"
#include "proxy/wire/proxy_ssl.h"

#include <stdio.h>
#include <string.h>

/* The most that is received to be sent with the header. */
#define TOGETHER_MAX (64u * 1024)

/* TLVs that the proxy makes: unique id, authority, ALPN, TLS. */
#define OWN_TLVS 4

/* A header that is being put together. */
struct draft {
    const struct facts *facts; /* NULL: there are none */
    bool passes;               /* all TLVs that came in are passed on */
    struct proxy_tlv tlvs[OWN_TLVS];
    size_t count;
    unsigned char ssl[PROXY_SSL_MAX];
};

/* Adds a TLV: of what came in, or else what is known here (NULL: nothing). */
static void add(struct draft *draft, unsigned char type, const void *own, size_t length)
{
    const struct tlvs *came = draft->facts ? draft->facts->tlvs : NULL;
    struct proxy_tlv *tlv = &draft->tlvs[draft->count];
    if (came && proxy_tlv_find(came->bytes, came->length, type, tlv)) {
        draft->count += !draft->passes;
        return;
    }
    if (!own)
        return;
    *tlv = (struct proxy_tlv){.type = type, .length = (uint16_t)length, .value = own};
    draft->count++;
}

static void add_text(struct draft *draft, unsigned char type, const char *own)
{
    add(draft, type, own, own ? strlen(own) : 0);
}

static void add_ssl(struct draft *draft, const struct tls *tls)
{
    char name[TLS_CLIENT_MAX], key[TLS_KEY_MAX];
    struct proxy_ssl ssl = {.client = PROXY_SSL_SPOKEN};
    if (!tls) {
        add(draft, PROXY_TLV_SSL, NULL, 0);
        return;
    }
    if (tls_shown_certificate(tls)) {
        ssl.verified = true;
        ssl.client |= PROXY_SSL_KNOWN | (tls_shown_resumed(tls) ? 0 : PROXY_SSL_CERTIFIED);
        ssl.name = tls_shown_name(tls, name);
    }
    ssl.version = tls_shown_version(tls);
    ssl.cipher = tls_shown_cipher(tls);
    ssl.signature = tls_shown_own_signature(tls);
    ssl.key = tls_shown_own_key(tls, key);
    add(draft, PROXY_TLV_SSL, draft->ssl, proxy_ssl_write(&ssl, draft->ssl));
}

/* What names the session in the logs of all proxies that it passes; made once. NULL: out of memory.
 */
static const char *unique_id(struct session *session)
{
    char text[64];
    struct facts *facts = session_facts(session);
    if (!facts)
        return NULL;
    if (!facts->unique_id) {
        snprintf(text, sizeof text, "%016llx-%u.%u.%llu",
                 (unsigned long long)session->set->service->instance, session->generation,
                 session->entry.accepted_by, (unsigned long long)session->number);
        facts->unique_id = strdup(text);
    }
    return facts->unique_id;
}

/* False: out of memory. */
static bool collect_tlvs(struct session *session, const struct server_conf *conf,
                         struct draft *draft)
{
    if ((conf->proxy_tlvs & PROXY_TLVS_UNIQUE_ID) && !unique_id(session))
        return false;
    const struct facts *facts = session->facts;
    draft->facts = facts;
    draft->passes = conf->proxy_tlvs & PROXY_TLVS_PASS;
    if (conf->proxy_tlvs & PROXY_TLVS_UNIQUE_ID)
        add_text(draft, PROXY_TLV_UNIQUE_ID, facts->unique_id);
    if (conf->proxy_tlvs & PROXY_TLVS_AUTHORITY)
        add_text(draft, PROXY_TLV_AUTHORITY, facts ? facts->server_name : NULL);
    if (conf->proxy_tlvs & PROXY_TLVS_ALPN)
        add_text(draft, PROXY_TLV_ALPN, facts ? facts->alpn : NULL);
    if (conf->proxy_tlvs & PROXY_TLVS_SSL)
        add_ssl(draft, facts ? facts->client_tls : NULL);
    return true;
}

/* What is to be sent behind the header. False: the client's side has failed. */
static bool receive_first(struct session *session, const unsigned char **bytes, size_t *length)
{
    struct stream *client = &session->client.stream;
    *length = 0;
    if (session->server.unsent) {
        *bytes = session->server.unsent->bytes + session->server.unsent->offset;
        *length = session->server.unsent->length;
    } else if (client->readable && !client->ended) {
        ssize_t got =
            sealed_receive(&session->client, &session->set->loop.engine, TOGETHER_MAX, bytes);
        if (got < 0)
            return false;
        session_set_count(session->set, &session->client, (size_t)got);
        *length = (size_t)got;
    }
    return true;
}

/* 0: out of memory. */
static size_t write_header(struct session *session, unsigned char header[static PROXY_HEADER_MAX])
{
    const struct server_conf *conf = session->chosen->conf;
    const struct address source = session_source_address(session);
    const struct address destination = session_destination(session);
    struct draft draft = {0};
    if (!collect_tlvs(session, conf, &draft))
        return 0;
    struct proxy_header_text text = {.version = conf->send_proxy,
                                     .source = &source,
                                     .destination = &destination,
                                     .tlvs = draft.tlvs,
                                     .tlv_count = draft.count,
                                     .checksum = conf->proxy_tlvs & PROXY_TLVS_CRC32C};
    if (draft.passes && draft.facts && draft.facts->tlvs) {
        text.passed = draft.facts->tlvs->bytes;
        text.passed_length = draft.facts->tlvs->length;
    }
    size_t length = proxy_header_write(&text, header, PROXY_HEADER_MAX);
    if (length > 0)
        return length;
    text.passed_length =
        0; /* with the TLVs of the proxy what came in is too long to be passed on */
    return proxy_header_write(&text, header, PROXY_HEADER_MAX);
}

bool proxy_out_alone(struct session *session)
{
    unsigned char header[PROXY_HEADER_MAX];
    size_t length = write_header(session, header);
    return length > 0 && sealed_send_raw(&session->server, &session->set->loop.engine, header,
                                         length) != SEALED_NO_MEMORY;
}

bool proxy_out_begin(struct session *session)
{
    unsigned char header[PROXY_HEADER_MAX];
    size_t header_length = write_header(session, header);
    if (header_length == 0) {
        session_close(session, SESSION_NO_RESOURCES);
        return false;
    }
    const unsigned char *bytes = NULL;
    size_t length;
    bool good = receive_first(session, &bytes, &length);
    struct unsent *whole = malloc(sizeof *whole + header_length + length);
    if (!whole) {
        session_close(session, SESSION_NO_RESOURCES);
        return false;
    }
    *whole = (struct unsent){.length = header_length + length};
    memcpy(whole->bytes, header, header_length);
    if (length > 0)
        memcpy(whole->bytes + header_length, bytes, length);
    conn_forget_unsent(&session->server);
    session->server.unsent = whole;
    if (!good)
        delivery_lose_received(session, &session->client);
    return good;
}
