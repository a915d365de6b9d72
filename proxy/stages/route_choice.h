/* Which route a session takes, by what is known of it so far. Values in, values out: no session and
 * no socket. */
#ifndef RPPROXY_PROXY_STAGES_ROUTE_CHOICE_H
#define RPPROXY_PROXY_STAGES_ROUTE_CHOICE_H

#include "config/model/route.h"
#include "proxy/wire/client_hello.h"
#include "proxy/wire/http_head.h"

#include <sys/socket.h>

/* What is known of a session. */
struct evidence {
    const unsigned char *bytes; /* all that the client has said */
    size_t length;
    bool is_all;                      /* and nothing more is waited for */
    const struct client_hello *hello; /* of the same bytes; NULL where no route needs it */
    const struct http_head *head;     /* the same */
    bool certified;                   /* the client has shown a certificate */
    const char *client_name;          /* the common name in it; NULL: it has none */
    const struct sockaddr *source;
    unsigned port; /* that the client came to; 0: it has none */
    bool (*is_usable)(uint32_t backend, const void *arg);
    const void *arg;
};

enum choice_verdict {
    CHOICE_OPEN, /* more has to be known */
    CHOICE_MADE, /* route and backend are set */
    CHOICE_NONE, /* no route matches */
};

/* Where the choice stands; zero at first. */
struct route_choice {
    size_t route;     /* those before it cannot match any more */
    uint32_t backend; /* or ROUTE_REJECTS */
};

/* A condition of which it is not known whether it holds keeps the choice open, but not where
 * another condition of its route does not hold. Once evidence.is_all is set, the choice is not
 * open: what is not known then is false, and so `!` before it is true. */
enum choice_verdict route_choose(const struct route_list *routes, const struct evidence *evidence,
                                 struct route_choice *choice);

#endif
