#include "proxy/stages/logging.h"

#include "config/base/container_of.h"
#include "proxy/session/access_log.h"
#include "proxy/session/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct logging {
    struct stage stage;
    struct access_log log;
};

static enum stage_verdict decide(struct session *session, const struct stage *stage,
                                 enum stage_occasion occasion)
{
    (void)stage;
    (void)occasion;
    access_log_begin(session);
    return STAGE_PASSES;
}

static void release(struct stage *stage)
{
    struct logging *logging = container_of(stage, struct logging, stage);
    free(logging->log.samplers);
    free(logging);
}

int logging_make(const struct service *service, struct frontend *frontend, struct stage **stage)
{
    *stage = NULL;
    if (frontend->conf->access_log.every == 0)
        return 0;
    struct logging *logging = calloc(1, sizeof *logging);
    size_t size = service->workers * sizeof *logging->log.samplers;
    struct access_sampler *samplers = aligned_alloc(_Alignof(struct access_sampler), size);
    if (!logging || !samplers) {
        free(logging);
        free(samplers);
        return ENOMEM;
    }
    memset(samplers, 0, size);
    logging->stage =
        (struct stage){.state = SESSION_ADMISSION, .decide = decide, .release = release};
    logging->log = (struct access_log){.conf = frontend->conf,
                                       .format = &service->config->log_format,
                                       .on_end = access_log_end,
                                       .samplers = samplers};
    frontend->access_log = &logging->log;
    *stage = &logging->stage;
    return 0;
}
