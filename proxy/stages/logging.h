/* The first stage, of frontends with an access log: the session gets notes for its line. It also
 * makes frontend->access_log (access_log.h). */
#ifndef RPPROXY_PROXY_STAGES_LOGGING_H
#define RPPROXY_PROXY_STAGES_LOGGING_H

#include "proxy/session/stage.h"

stage_maker logging_make;

#endif
