/* Texts about what is wrong with a file of certificates or a setting of TLS. */
#ifndef RPPROXY_CONFIG_TLS_COMPLAINT_H
#define RPPROXY_CONFIG_TLS_COMPLAINT_H

/* As error_text(); forgets the errors of OpenSSL, too. */
const char *tls_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The reason of OpenSSL's last error; "out of memory" where it has none. */
const char *tls_reason(void);

#endif
