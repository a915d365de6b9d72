#include "proxy/session/session_key.h"

#include "proxy/backend/balance/key.h"

static uint64_t destination_key(const struct session *session)
{
    const struct facts *facts = session->facts;
    if (facts && facts->destination.length > 0)
        return key_of_destination(&facts->destination.any);
    const struct address address = engine_own_address(&session->client.stream);
    return address.length > 0 ? key_of_destination(&address.any) : 0;
}

uint64_t session_key(const struct session *session)
{
    const struct backend_conf *conf = session->backend->conf;
    const struct facts *facts = session->facts;
    enum hash hash = conf->balance == BALANCE_SOURCE ? HASH_SOURCE : conf->hash;
    switch (hash) {
    case HASH_SOURCE:
        return key_of_source(session_source(session), conf->hash_prefix);
    case HASH_DESTINATION:
        return destination_key(session);
    case HASH_SNI:
        return facts && facts->server_name ? key_of_name(facts->server_name) : 0;
    }
    return 0;
}
