/* What is valid in a configuration, and hardly meant. */
#ifndef RPPROXY_CONFIG_WARNINGS_H
#define RPPROXY_CONFIG_WARNINGS_H

#include "config/document.h"
#include "config/model/config.h"

/* Adds warnings to problems. config was built from document, without an error. */
void warnings_add(const struct config *config, const struct document *document,
                  struct problems *problems);

#endif
