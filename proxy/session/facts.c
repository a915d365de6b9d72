#include "proxy/session/facts.h"

#include <stdlib.h>

void facts_free(struct facts *facts)
{
    if (!facts)
        return;
    free(facts->server_name);
    free(facts->host);
    free(facts);
}
