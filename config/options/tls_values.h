/* Values of TLS: certificates, authorities, names of protocols and ciphers. */
#ifndef RPPROXY_CONFIG_OPTIONS_TLS_VALUES_H
#define RPPROXY_CONFIG_OPTIONS_TLS_VALUES_H

#include "config/options/options.h"

/* A struct tls_certificates. */
extern const struct option_custom tls_certificate_value;

/* A struct tls_authorities, and a struct tls_revocations. */
extern const struct option_custom tls_client_ca_value, tls_client_crl_value;

/* A struct tls_ticket_keys. */
extern const struct option_custom tls_ticket_keys_value;

/* Lists of OpenSSL: a char *. */
extern const struct option_custom tls_ciphers_value, tls_ciphersuites_value, tls_curves_value;

/* Names of RFC 7301: a struct words. */
extern const struct option_custom tls_alpn_value;

/* Attributes of a server line. The first three are of the whole struct tls_target_conf; the others
 * are a name (char *). */
extern const struct option_custom tls_verify_value, tls_crl_value, tls_cert_value;
extern const struct option_custom tls_sni_value, tls_verify_name_value;

/* Reads the file of revocation lists that the value of `option` names. Returns NULL, or what is
 * wrong; *path is the caller's in either case, and *list belongs to the config. */
const char *tls_read_crl(const char *value, const char *option, char **path,
                         struct stack_st_X509_CRL **list, const struct option_context *context);

/* Reads the certificate, with its key, that the value of `option` names; *source belongs to the
 * config. Returns NULL, or what is wrong; mistakes in the file are reported to the context. */
const char *tls_read_certificate(const char *value, const char *option,
                                 const struct certificate_source **source,
                                 const struct option_context *context);

#endif
