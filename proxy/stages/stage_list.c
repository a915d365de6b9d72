#include "proxy/stages/stage_list.h"

#include "proxy/stages/admission.h"
#include "proxy/stages/forwarding.h"
#include "proxy/stages/logging.h"
#include "proxy/stages/proxy_in.h"
#include "proxy/stages/routing.h"
#include "proxy/stages/tls_in.h"

#include <errno.h>
#include <stdlib.h>

/* In the order in which sessions pass them; NULL at the end. */
static stage_maker *const makers[] = {logging_make,    proxy_in_make, admission_make,
                                      tls_in_make,     routing_make,  tls_in_make_routed,
                                      forwarding_make, NULL};

#define STAGES_MAX (sizeof makers / sizeof makers[0])

static void free_stages(struct stage **list)
{
    for (struct stage **stage = list; *stage; stage++)
        if ((*stage)->release)
            (*stage)->release(*stage);
        else
            free(*stage);
    free(list);
}

int stage_list_open(const struct service *service, struct frontend *frontend)
{
    struct stage **list = calloc(STAGES_MAX, sizeof *list);
    if (!list)
        return ENOMEM;
    size_t count = 0;
    for (size_t i = 0; makers[i]; i++) {
        int error = makers[i](service, frontend, &list[count]);
        if (error) {
            free_stages(list);
            return error;
        }
        count += list[count] != NULL;
    }
    if (count == 0)
        free_stages(list);
    else
        frontend->stages = list;
    return 0;
}

void stage_list_close(struct frontend *frontend)
{
    if (frontend->stages)
        free_stages(frontend->stages);
    frontend->stages = NULL;
    frontend->access_log = NULL; /* a stage had it */
}
