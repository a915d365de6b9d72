/* Answers of name servers: the first byte chooses the type of the question. */
#include "config/names/dns.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool on_record(const struct dns_record *record, void *arg)
{
    size_t *count = arg;
    ++*count;
    if (strnlen(record->target, sizeof record->target) == sizeof record->target)
        abort();
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned types[] = {DNS_A, DNS_AAAA, DNS_SRV};
    struct dns_answer answer;
    size_t count = 0;
    if (size < 1)
        return 0;
    bool good = dns_read(data + 1, size - 1, types[data[0] % 3], on_record, &count, &answer);
    if (good && (count != answer.count || count > DNS_RECORDS_MOST || answer.ttl > INT32_MAX))
        abort();
    return 0;
}
