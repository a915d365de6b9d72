/* Whether the process turns, and whether it serves: answers to load balancers and supervisors. */
#ifndef RPPROXY_RELOAD_HTTP_READINESS_H
#define RPPROXY_RELOAD_HTTP_READINESS_H

#include <stdbool.h>

struct generation;

struct readiness {
    bool ready;
    char text[1024]; /* "ready", and a line for each paused frontend; or one for each reason why
                        not */
};

/* Main thread. */
void readiness_look(const struct generation *generation, struct readiness *readiness);

#endif
