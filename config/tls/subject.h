/* The subject of a certificate. */
#ifndef RPPROXY_CONFIG_TLS_SUBJECT_H
#define RPPROXY_CONFIG_TLS_SUBJECT_H

#include <openssl/types.h>

/* Its common name, the last one if there are several; NULL: it has none. The certificate's. */
const ASN1_STRING *subject_common_name(const X509 *certificate);

/* All of it, as RFC 2253 writes it, but in UTF-8: "CN=device-7,OU=North,O=Example". Returns a
 * memory BIO, the caller's, which is empty for an empty subject. NULL: memory is out, or the
 * subject cannot be written; OpenSSL's queue of errors has the reason. */
BIO *subject_print(const X509 *certificate) __attribute__((warn_unused_result));

#endif
