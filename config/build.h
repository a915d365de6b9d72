/* Makes a config from a document. */
#ifndef RPPROXY_CONFIG_BUILD_H
#define RPPROXY_CONFIG_BUILD_H

#include "config/document.h"
#include "config/model/config.h"

/* Checks every value, name and reference, and fills config, which must be zeroed. Mistakes are
 * added to problems; config may then be incomplete, but config_free() can free it. */
void config_build(struct config *config, const struct document *document,
                  struct problems *problems);

#endif
