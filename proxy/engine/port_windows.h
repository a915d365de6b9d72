/* The local ports of this machine, in windows of a few ports that follow each other: arithmetic.
 * Reserved ports are in no window, and each other port of the range is in exactly one. */
#ifndef RPPROXY_PROXY_ENGINE_PORT_WINDOWS_H
#define RPPROXY_PROXY_ENGINE_PORT_WINDOWS_H

#include <stddef.h>
#include <stdint.h>

/* Ports of a window at most. In a smaller one a port that another connection holds would cost a
 * system call; in a larger one the kernel would take ports that were released only just now. */
#define PORT_WINDOW 8u

struct port_window {
    uint16_t first, last;
};

/* Ports without a reserved one between them. */
struct port_run {
    uint16_t first, last;
    unsigned windows_before; /* in the runs before it */
};

struct port_windows {
    struct port_run *runs;
    size_t count;     /* of the runs */
    unsigned windows; /* 0: none were made yet, or all ports are reserved */
    unsigned ports;
};

/* Makes the windows of the ports first to last. reserved: ports and ranges in ascending order, as
 * in net.ipv4.ip_local_reserved_ports ("8080,9148-9150"); what makes no sense is passed over. What
 * was made before is freed. Returns 0, or ENOMEM: nothing has changed. */
int port_windows_make(struct port_windows *windows, unsigned first, unsigned last,
                      const char *reserved) __attribute__((warn_unused_result));
void port_windows_free(struct port_windows *windows);

/* The window of that number, below windows->windows. */
struct port_window port_windows_get(const struct port_windows *windows, unsigned number);

/* The number of the window that has the port; of the next one, or the first, where none has. */
unsigned port_windows_find(const struct port_windows *windows, unsigned port);

#endif
