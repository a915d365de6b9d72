/* Reads answers of name servers (RFC 1035, RFC 2782, RFC 2308). c-ares sends the questions and
 * receives the answers, but its functions for reading SRV records give no TTL, and those for
 * addresses none of an answer without addresses. Values in, values out; any thread. */
#ifndef RPPROXY_CONFIG_NAMES_DNS_H
#define RPPROXY_CONFIG_NAMES_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_A    1
#define DNS_AAAA 28
#define DNS_SRV  33

/* Longest name as text, its NUL included: 253 bytes without escapes. */
#define DNS_NAME_MAX 254

#define DNS_RECORDS_MOST 1024

struct dns_record {
    unsigned char address[16]; /* A: the first 4 bytes; AAAA */
    uint16_t priority, weight, port;
    char target[DNS_NAME_MAX]; /* SRV, without the final dot; "": there is no such service */
};

/* Called for each record; false: no more are wanted. */
typedef bool dns_found(const struct dns_record *record, void *arg);

struct dns_answer {
    unsigned code;  /* RCODE */
    bool truncated; /* TC */
    size_t count;   /* records of the type, DNS_RECORDS_MOST at most */
    uint32_t ttl;   /* seconds: the least of these records and of the aliases to them; of an answer
                     * without records what its SOA record says of such answers, or 0 */
};

/* Reads a message that answers a question of that type; reports its records by found (may be
 * NULL), which belong to the name in the question or to what that is an alias of. An SRV target
 * that is no host name is left out. False: the message is malformed; some of its records may have
 * been reported. */
bool dns_read(const unsigned char *message, size_t length, unsigned type, dns_found *found,
              void *arg, struct dns_answer *answer) __attribute__((warn_unused_result));

#endif
