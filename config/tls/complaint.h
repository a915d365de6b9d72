/* Texts about what is wrong with a file of certificates or a setting of TLS. */
#ifndef RPPROXY_CONFIG_TLS_COMPLAINT_H
#define RPPROXY_CONFIG_TLS_COMPLAINT_H

/* Makes a thread-local text that is valid until the next call; its arguments may be of an earlier
 * one. Forgets the errors of OpenSSL. */
const char *tls_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The reason of OpenSSL's last error; "out of memory" where it has none. */
const char *tls_reason(void);

#endif
