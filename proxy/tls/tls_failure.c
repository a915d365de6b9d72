#include "proxy/tls/tls_failure.h"

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

const char *tls_failure_name(enum tls_failure failure)
{
    static const char *const names[TLS_FAILURES] = {
        [TLS_FAILED_OTHERWISE] = "other",
        [TLS_FAILED_TIMEOUT] = "timeout",
        [TLS_FAILED_LIMIT] = "limit",
        [TLS_FAILED_ENDED] = "ended",
        [TLS_FAILED_ALERT] = "alert",
        [TLS_FAILED_NOT_TLS] = "not-tls",
        [TLS_FAILED_VERSION] = "version",
        [TLS_FAILED_CIPHER] = "cipher",
        [TLS_FAILED_NAME] = "name",
        [TLS_FAILED_ALPN] = "alpn",
        [TLS_FAILED_NO_CERT] = "no-certificate",
        [TLS_FAILED_EXPIRED] = "expired",
        [TLS_FAILED_REVOKED] = "revoked",
        [TLS_FAILED_AUTHORITY] = "authority",
        [TLS_FAILED_WRONG_NAME] = "wrong-name",
        [TLS_FAILED_CERTIFICATE] = "certificate",
    };
    return names[failure];
}

static enum tls_failure of_verification(long verified)
{
    switch (verified) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return TLS_FAILED_EXPIRED;
    case X509_V_ERR_CERT_REVOKED:
        return TLS_FAILED_REVOKED;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        return TLS_FAILED_AUTHORITY;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return TLS_FAILED_WRONG_NAME;
    default:
        return TLS_FAILED_CERTIFICATE;
    }
}

enum tls_failure tls_failure_of(int reason, long verified)
{
    if (verified != X509_V_OK)
        return of_verification(verified);
    if (reason > SSL_AD_REASON_OFFSET) /* that the other side has sent */
        return TLS_FAILED_ALERT;
    switch (reason) {
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_BAD_RECORD_TYPE:
    case SSL_R_UNEXPECTED_MESSAGE:
        return TLS_FAILED_NOT_TLS;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_UNSUPPORTED_SSL_VERSION:
    case SSL_R_UNKNOWN_PROTOCOL:
        return TLS_FAILED_VERSION;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SHARED_GROUPS:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SUITABLE_GROUPS:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
        return TLS_FAILED_CIPHER;
    case SSL_R_CALLBACK_FAILED: /* that of the server name */
        return TLS_FAILED_NAME;
    case SSL_R_NO_APPLICATION_PROTOCOL:
        return TLS_FAILED_ALPN;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return TLS_FAILED_NO_CERT;
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
        return TLS_FAILED_ENDED;
    default:
        return TLS_FAILED_OTHERWISE;
    }
}
