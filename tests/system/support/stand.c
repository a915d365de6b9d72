#include "tests/system/support/stand.h"

#include <string.h>
#include <unistd.h>

const char *const server_names[SERVERS] = {"one", "two", "three"};

void stand_init(struct stand *stand)
{
    stand->port = port_reserve(getuid());
    stand->front = endpoint_loopback(stand->port);
    for (int i = 0; i < SERVERS; i++) {
        stand->servers[i] = listen_loopback(&stand->server_ports[i]);
    }
    proxy_init(&stand->proxy, "proxy");
}

void stand_configure(const struct stand *stand, const char *routes)
{
    const uint16_t *ports = stand->server_ports;
    proxy_configure(&stand->proxy,
                    "workers = 2\n[frontend main]\nbind = 127.0.0.1:%u\naccess-log = yes\n%s"
                    "[backend one]\nserver = a 127.0.0.1:%u\n"
                    "[backend two]\nserver = a 127.0.0.1:%u\n"
                    "[backend three]\nserver = a 127.0.0.1:%u\n",
                    stand->port, routes, ports[0], ports[1], ports[2]);
}

void stand_start(struct stand *stand, const char *routes)
{
    stand_init(stand);
    stand_configure(stand, routes);
    proxy_start(&stand->proxy);
}

void arrives(const struct stand *stand, int server, int client, const void *bytes, size_t length)
{
    char got[8192];
    struct session session = {.client = client, .server = accept_from(stand->servers[server])};
    receive_exactly(session.server, got, length);
    ck_assert_mem_eq(got, bytes, length);
    session_works(&session);
    session_close(&session);
}
