/* Why handshakes fail, in classes that can be counted: OpenSSL has hundreds of reasons. Any thread.
 */
#ifndef RPPROXY_PROXY_TLS_TLS_FAILURE_H
#define RPPROXY_PROXY_TLS_TLS_FAILURE_H

/* Their numbers stand in figures that other processes read: new ones are added at the end. */
enum tls_failure {
    TLS_FAILED_OTHERWISE,
    TLS_FAILED_TIMEOUT,     /* of the time for handshakes */
    TLS_FAILED_LIMIT,       /* of handshakes at the same time */
    TLS_FAILED_ENDED,       /* the other side has ended the connection */
    TLS_FAILED_ALERT,       /* ... or has refused by an alert, most often what it was shown */
    TLS_FAILED_NOT_TLS,     /* what it said is not TLS */
    TLS_FAILED_VERSION,     /* no version in common */
    TLS_FAILED_CIPHER,      /* no cipher, group or signature in common */
    TLS_FAILED_NAME,        /* it asked for a name that no certificate has */
    TLS_FAILED_ALPN,        /* no protocol in common */
    TLS_FAILED_NO_CERT,     /* it has shown no certificate */
    TLS_FAILED_EXPIRED,     /* its certificate has expired, or is not valid yet */
    TLS_FAILED_REVOKED,     /* its certificate was revoked */
    TLS_FAILED_AUTHORITY,   /* its certificate comes from no authority that is known */
    TLS_FAILED_WRONG_NAME,  /* its certificate has another name */
    TLS_FAILED_CERTIFICATE, /* what else is wrong with it */
    TLS_FAILURES,
};

/* "timeout", "not-tls", ...; of the first: "other". */
const char *tls_failure_name(enum tls_failure failure);

/* Of a reason as ERR_GET_REASON() has it, of OpenSSL's library for SSL, and of the result of a
 * verification (X509_V_OK: nothing was wrong, or nothing was verified). */
enum tls_failure tls_failure_of(int reason, long verified);

#endif
