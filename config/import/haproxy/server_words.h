/* The words of a server line: one table. */
#ifndef RPPROXY_CONFIG_IMPORT_HAPROXY_SERVER_WORDS_H
#define RPPROXY_CONFIG_IMPORT_HAPROXY_SERVER_WORDS_H

#include "config/import/import.h"

#include <stdbool.h>
#include <stdint.h>

enum hap_param {
    HAP_P_CHECK,
    HAP_P_INTER,
    HAP_P_FASTINTER,
    HAP_P_DOWNINTER,
    HAP_P_RISE,
    HAP_P_FALL,
    HAP_P_PORT,
    HAP_P_ADDR,
    HAP_P_CHECK_SSL,
    HAP_P_CHECK_SNI,
    HAP_P_CHECK_ALPN,
    HAP_P_CHECK_PROXY,
    HAP_P_PROXY_V1,
    HAP_P_PROXY_V2,
    HAP_P_PROXY_SSL, /* with HAP_P_PROXY_V2 */
    HAP_P_PROXY_OPTIONS,
    HAP_P_BACKUP,
    HAP_P_WEIGHT,
    HAP_P_MAXCONN,
    HAP_P_MINCONN,
    HAP_P_MAXQUEUE,
    HAP_P_SLOWSTART,
    HAP_P_MARKED_DOWN,
    HAP_P_OBSERVE,
    HAP_P_ERROR_LIMIT,
    HAP_P_TRACK,
    HAP_P_RESOLVERS,
    HAP_P_PREFER,
    HAP_P_INIT_ADDR,
    HAP_P_INIT_STATE,
    HAP_P_SSL,
    HAP_P_VERIFY,
    HAP_P_SOCKS,
    HAP_P_CA_FILE,
    HAP_P_CRL_FILE,
    HAP_P_SNI,
    HAP_P_VERIFY_HOST,
    HAP_P_ALPN,
    HAP_P_CRT,
    HAP_P_DISABLED,
    HAP_P_SOURCE,
    HAP_P_USESRC,
    HAP_P_AGENT,
    HAP_P_AGENT_PORT,
    HAP_P_AGENT_INTER,
    HAP_P_AGENT_ADDR,
    HAP_P_AGENT_SEND,
    HAP_P_TCP_UT,
    HAP_PARAMS
};

struct hap_param_value {
    bool set;
    struct origin origin;
    uint64_t number;
    const char *text;
};

/* Reads the words into params, from the first one that is no name or address. */
void hap_server_words(struct import *import, struct origin origin, char *const *words,
                      struct hap_param_value params[static HAP_PARAMS]);

#endif
