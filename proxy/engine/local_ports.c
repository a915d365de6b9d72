#include "proxy/engine/local_ports.h"

#include <stdio.h>

struct local_ports socket_local_ports(void)
{
    struct local_ports ports;
    FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
    if (!file || fscanf(file, "%u %u", &ports.first, &ports.last) != 2)
        ports = (struct local_ports){.first = 1, .last = 65535};
    if (file)
        fclose(file);
    return ports;
}
