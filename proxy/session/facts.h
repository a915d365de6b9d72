/* What is known of a session beyond its two connections, where the configuration asks for it: what
 * a PROXY header told, what the first bytes said, what counts for the client's source, ...
 *
 * A plain session has no facts. A module that has something to note calls
 * session_facts() (session.h); whatever
 * a member points to belongs to the facts. The worker's thread. */
#ifndef RPPROXY_PROXY_SESSION_FACTS_H
#define RPPROXY_PROXY_SESSION_FACTS_H

#include "config/base/address.h"

struct facts {
    /* Told by a PROXY header; length 0: nothing was told. */
    struct address source, destination;
    /* Of the first bytes; NULL: not known. In lower case, without a dot at the end. */
    char *server_name, *host;
};

/* NULL is fine. */
void facts_free(struct facts *facts);

#endif
