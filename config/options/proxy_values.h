/* Values of the PROXY protocol: the clients that send a header, and what a header to a server has.
 */
#ifndef RPPROXY_CONFIG_OPTIONS_PROXY_VALUES_H
#define RPPROXY_CONFIG_OPTIONS_PROXY_VALUES_H

#include "config/options/options.h"

/* Words separated by spaces or commas: "any", ADDRESS, ADDRESS/BITS, @FILE; or only "no". The
 * member is a struct proxy_senders. */
extern const struct option_custom proxy_senders_value;

/* Words separated by commas. The member is unsigned: PROXY_TLVS_ bits. */
extern const struct option_custom proxy_tlvs_value;

#endif
