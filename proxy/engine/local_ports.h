/* The system's range of local ports. */
#ifndef RPPROXY_PROXY_ENGINE_LOCAL_PORTS_H
#define RPPROXY_PROXY_ENGINE_LOCAL_PORTS_H

#include <stdbool.h>

/* The range from which the kernel takes the local port of a connection, for both IP versions. */
struct local_ports {
    unsigned first, last;
};

/* Reads net.ipv4.ip_local_port_range of this network namespace; 1 to 65535 where that is not
 * possible. */
struct local_ports socket_local_ports(void);

static inline unsigned local_ports_count(const struct local_ports *ports)
{
    return ports->last - ports->first + 1;
}

/* False, also for 0: no socket that connects to such a port can be connected to itself, because the
 * kernel takes no local port with that number. */
static inline bool local_ports_include(const struct local_ports *ports, unsigned port)
{
    return port >= ports->first && port <= ports->last;
}

#endif
