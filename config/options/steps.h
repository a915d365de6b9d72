/* The lines of check-step: "send TEXT", "send-hex HEX", "expect TEXT", "expect-hex HEX" and
 * "expect-regex REGEX". */
#ifndef RPPROXY_CONFIG_OPTIONS_STEPS_H
#define RPPROXY_CONFIG_OPTIONS_STEPS_H

#include "config/model/check.h"

/* Returns NULL, and *step is the caller's; or what is wrong, in a text that is valid until the next
 * call. */
const char *step_read(const char *line, struct check_step *step)
    __attribute__((warn_unused_result));
void step_release(struct check_step *step);

#endif
