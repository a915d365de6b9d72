/* CRC32c, the checksum of Castagnoli, as RFC 9260 (SCTP) appendix A and RFC 3720 (iSCSI) use it. */
#ifndef RPPROXY_PROXY_WIRE_CRC32C_H
#define RPPROXY_PROXY_WIRE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Of a whole text: crc32c(0, ...). Of a text in parts: the result of one part is the `before` of
 * the next. Made for texts of some hundred bytes: about 5 ns for each byte. */
uint32_t crc32c(uint32_t before, const void *bytes, size_t length);

#endif
