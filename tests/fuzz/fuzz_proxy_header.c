/* A header of the PROXY protocol: what was read is written, and read again, and says the same. */
#include "proxy/wire/proxy_header_write.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length);

/* The result of a beginning is that of the whole, or it needs more. */
static void read_beginning(const unsigned char *bytes, size_t length,
                           enum proxy_header_result whole)
{
    struct proxy_header header;
    unsigned char *copy = malloc(length ? length : 1);
    memcpy(copy, bytes, length);
    enum proxy_header_result result = proxy_header_read(copy, length, &header);
    if (result != PROXY_HEADER_NEED_MORE && result != whole)
        abort();
    free(copy);
}

static void write_and_read(const struct proxy_header *header, unsigned version)
{
    static unsigned char bytes[2 * PROXY_HEADER_MAX];
    static struct proxy_tlv tlvs[PROXY_HEADER_MAX / PROXY_TLV_HEAD];
    const unsigned char *at = header->tlvs;
    size_t left = header->tlvs_length, count = 0;
    while (proxy_tlv_next(&at, &left, &tlvs[count]))
        count += tlvs[count].type != PROXY_TLV_CRC32C;
    const struct proxy_header_text text = {.version = version,
                                           .local = header->local,
                                           .source = &header->source,
                                           .destination = &header->destination,
                                           .tlvs = tlvs,
                                           .tlv_count = count,
                                           .checksum = true};
    struct proxy_header again;
    size_t written = proxy_header_write(&text, bytes, sizeof bytes);
    if (written == 0 && header->length + PROXY_HEADER_LEAST < PROXY_HEADER_MAX)
        abort();
    if (written == 0)
        return;
    if (proxy_header_read(bytes, written, &again) != PROXY_HEADER_DONE || again.length != written)
        abort();
    if (version == 1 && again.source.length == 0)
        return; /* a Unix address has no place there */
    if (!address_equal(&header->source, &again.source) ||
        !address_equal(&header->destination, &again.destination))
        abort();
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length)
{
    struct proxy_header header;
    enum proxy_header_result result = proxy_header_read(bytes, length, &header);
    for (size_t i = 0; i < length && i < 130; i++)
        read_beginning(bytes, i, result);
    if (result != PROXY_HEADER_DONE)
        return 0;
    if (header.length > length)
        abort();
    write_and_read(&header, 1);
    write_and_read(&header, 2);
    return 0;
}
