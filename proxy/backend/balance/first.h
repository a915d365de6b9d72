/* first: the first server in the order of the configuration that can take the session. So the
 * servers behind it stay idle until those before are full, and may be switched off. */
#ifndef RPPROXY_PROXY_BACKEND_BALANCE_FIRST_H
#define RPPROXY_PROXY_BACKEND_BALANCE_FIRST_H

#include "proxy/backend/balance/algorithm.h"

extern const struct balance_algorithm balance_first;

#endif
