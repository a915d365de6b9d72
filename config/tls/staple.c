#include "config/tls/staple.h"

#include "config/tls/complaint.h"

#include <openssl/ocsp.h>
#include <openssl/x509.h>
#include <stdbool.h>

/* A response without an end of its own is taken for one that was just made. */
#define WITHOUT_END (24L * 3600)

static bool is_about(OCSP_SINGLERESP *single, X509 *certificate)
{
    ASN1_INTEGER *serial = NULL;
    const OCSP_CERTID *id = OCSP_SINGLERESP_get0_id(single);
    OCSP_id_get0_info(NULL, NULL, NULL, &serial, (OCSP_CERTID *)(uintptr_t)id);
    return serial && ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(certificate)) == 0;
}

static const char *check_single(OCSP_BASICRESP *basic, X509 *certificate, time_t *until)
{
    for (int i = 0; i < OCSP_resp_count(basic); i++) {
        ASN1_GENERALIZEDTIME *next = NULL, *made = NULL;
        struct tm parts;
        OCSP_SINGLERESP *single = OCSP_resp_get0(basic, i);
        if (!is_about(single, certificate))
            continue;
        OCSP_single_get0_status(single, NULL, NULL, &made, &next);
        if (!ASN1_TIME_to_tm(next ? next : made, &parts))
            return "the OCSP response has no time";
        *until = timegm(&parts) + (next ? 0 : WITHOUT_END);
        return NULL;
    }
    return "the OCSP response is not about the certificate";
}

const char *staple_check(const unsigned char *bytes, size_t length, X509 *certificate,
                         time_t *until)
{
    OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &bytes, (long)length);
    if (!response)
        return "is no OCSP response (DER)";
    int status = OCSP_response_status(response);
    OCSP_BASICRESP *basic =
        status == OCSP_RESPONSE_STATUS_SUCCESSFUL ? OCSP_response_get1_basic(response) : NULL;
    const char *wrong =
        basic ? check_single(basic, certificate, until)
              : tls_complain("the OCSP responder answered: %s", OCSP_response_status_str(status));
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
    return wrong;
}
