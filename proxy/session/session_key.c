#include "proxy/session/session_key.h"

#include "proxy/backend/balance/key.h"
#include "proxy/session/endpoints.h"

static uint64_t destination_key(const struct session *session)
{
    const struct address address = session_destination(session);
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
