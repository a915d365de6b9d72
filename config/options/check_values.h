/* Values of the options of checks that need more than one member, or a form of their own. */
#ifndef RPPROXY_CONFIG_OPTIONS_CHECK_VALUES_H
#define RPPROXY_CONFIG_OPTIONS_CHECK_VALUES_H

#include "config/model/check.h"
#include "config/options/options.h"

/* Member: char *; one word of printable ASCII, as it may stand in a line of HTTP. */
extern const struct option_custom check_word;

/* Member: millis; 0: not given. */
extern const struct option_custom check_other_interval;

/* Member: unsigned, percent. */
extern const struct option_custom check_jitter;

/* Member: struct address; a name is resolved when the configuration is read. */
extern const struct option_custom check_address;

/* Member: struct check_status. */
extern const struct option_custom check_status;

/* Member: const struct certificate_source *, which belongs to the config. */
extern const struct option_custom check_cert;

/* Member: struct check_conf. The files of check_verify and check_crl are read with the
 * configuration. */
extern const struct option_custom check_verify, check_crl, check_header, check_body, check_step;

#endif
