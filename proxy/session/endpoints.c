#include "proxy/session/endpoints.h"

struct address session_destination(const struct session *session)
{
    const struct facts *facts = session->facts;
    const struct bind_conf *bind = session->bind;
    if (facts && facts->destination.length > 0)
        return facts->destination;
    if (bind && !bind_is_activated(bind) && !address_is_wildcard(&bind->at.address))
        return bind->at.address;
    struct address address = engine_own_address(&session->client.stream);
    address_unmap(&address);
    return address;
}

unsigned session_destination_port(const struct session *session)
{
    const struct facts *facts = session->facts;
    const struct bind_conf *bind = session->bind;
    bool is_told = facts && facts->destination.length > 0;
    if (!is_told && bind && !bind_is_activated(bind))
        return address_port(&bind->at.address);
    const struct address address = session_destination(session);
    return address_port(&address);
}
