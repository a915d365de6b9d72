/* The servers of a backend, each with what default-server says. */
#ifndef RPPROXY_CONFIG_IMPORT_HAPROXY_SERVERS_H
#define RPPROXY_CONFIG_IMPORT_HAPROXY_SERVERS_H

#include "config/import/haproxy/model.h"
#include "config/import/haproxy/server_words.h"

struct hap_server {
    struct origin origin;
    const struct hap_section *section;
    const char *name;    /* as in the file */
    const char *out;     /* its name in proxy.ini */
    const char *address; /* as in proxy.ini; NULL: the server cannot be carried over */
    const char *host;    /* NULL: the address is no name */
    unsigned slots;      /* of server-template; 0: one server */
    bool is_target;      /* the address is that which the client asks for (0.0.0.0) */
    const char *port;    /* of such an address; "": none */
    const char *family;  /* of the name that a client asks for; NULL: the address is another */
    struct hap_param_value params[HAP_PARAMS];
};

struct hap_servers {
    struct hap_server *items;
    size_t count, capacity;
};

/* Reads the lines of the section, finds what is lost of them, and leaves out the servers to which
 * nothing can be sent (UDP). */
struct hap_servers hap_servers_read(struct import *import,
                                    const struct hap_environment *environment,
                                    const struct hap_section *section);

#endif
