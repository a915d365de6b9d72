/* Attributes of bind and server lines. */
#include "config/options/bind_values.h"
#include "config/options/name_list.h"
#include "config/options/proxy_values.h"
#include "config/options/table.h"

static const char *const send_proxies[] = {"no", "v1", "v2", NULL};

const struct option bind_attributes[] = {
    {.name = "accept",
     .owner = OWNER_BIND,
     .type = OPTION_CUSTOM,
     .custom = &bind_accept,
     .initial = "sharded",
     .shown = true,
     .help = "sharded: each worker has its own listening socket; shared: idle workers take the "
             "connections of one; Unix binds and passed sockets are always shared"},
    {.name = "steer",
     .owner = OWNER_BIND,
     .type = OPTION_CUSTOM,
     .custom = &bind_steer,
     .initial = "hash",
     .shown = true,
     .help = "how the kernel distributes connections to sharded sockets; hash: evenly; cpu: to the "
             "worker of the CPU that took the SYN"},
    {.name = "mode",
     .owner = OWNER_BIND,
     .type = OPTION_CUSTOM,
     .custom = &bind_file_mode,
     .help = "permissions of the file of a Unix bind"},
    {.name = "owner",
     .owner = OWNER_BIND,
     .type = OPTION_CUSTOM,
     .custom = &bind_file_owner,
     .help = "owner of the file of a Unix bind: a name or a number"},
    {.name = "group",
     .owner = OWNER_BIND,
     .type = OPTION_CUSTOM,
     .custom = &bind_file_group,
     .help = "group of the file of a Unix bind: a name or a number"},
    {.name = "accept-proxy",
     OF_BIND(accept_proxy),
     .type = OPTION_CUSTOM,
     .custom = &proxy_senders_value,
     .help = "as the option accept-proxy of the frontend, for this bind alone"},
    {.name = NULL},
};

const struct option server_attributes[] = {
    {.name = "weight",
     OF_SERVER(weight),
     .type = OPTION_UNSIGNED,
     .max = SERVER_WEIGHT_MAX,
     .initial = "1",
     .shown = true,
     .help = "share of the connections; 0: none"},
    {.name = "maxconn",
     OF_SERVER(maxconn),
     .type = OPTION_UNSIGNED,
     .min = 1,
     .max = SESSIONS_MAX,
     .zero = "unlimited",
     .initial = "unlimited",
     .help = "sessions at the same time on this server; further sessions go to another server, or "
             "wait in the queue of the backend"},
    {.name = "send-proxy",
     OF_SERVER(send_proxy),
     .type = OPTION_ENUM,
     .names = send_proxies,
     .initial = "no",
     .help = "connections begin with a PROXY header of this version, which tells the client's "
             "address"},
    {.name = "proxy-tlv",
     OF_SERVER(proxy_tlvs),
     .type = OPTION_CUSTOM,
     .custom = &proxy_tlvs_value,
     .help =
         "what a header of version 2 tells beside the addresses; pass: all that came in by one"},
    {.name = "backup",
     OF_SERVER(backup),
     .type = OPTION_FLAG,
     .help = "serves only while no server without this attribute is usable"},
    {.name = "allow",
     OF_SERVER(allow),
     .type = OPTION_CUSTOM,
     .custom = &name_list_value,
     .help = "names that clients may ask for: needed for a server sni:PORT"},
    {.name = NULL},
};
