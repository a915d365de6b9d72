#include "config/base/authorities.h"

#include "config/base/error_text.h"
#include "config/base/regular_file.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *add_all(BIO *bio, X509_STORE *store)
{
    for (unsigned count = 0;; count++) {
        X509 *certificate = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
        unsigned long error = ERR_peek_last_error();
        if (!certificate && ERR_GET_LIB(error) == ERR_LIB_PEM &&
            ERR_GET_REASON(error) == PEM_R_NO_START_LINE)
            return count ? NULL : error_text("has no certificate (PEM)");
        if (!certificate)
            return error_text("certificate %u: %s", count + 1, ERR_reason_error_string(error));
        bool added = X509_STORE_add_cert(store, certificate);
        X509_free(certificate);
        if (!added)
            return error_text("certificate %u: %s", count + 1,
                              ERR_reason_error_string(ERR_peek_last_error()));
    }
}

static const char *make_store(const char *text, size_t length, struct x509_store_st **store)
{
    BIO *bio = BIO_new_mem_buf(text, (int)length);
    X509_STORE *made = X509_STORE_new();
    const char *wrong = bio && made ? add_all(bio, made) : error_text("out of memory");
    BIO_free(bio);
    ERR_clear_error();
    if (wrong)
        X509_STORE_free(made);
    else
        *store = made;
    return wrong;
}

const char *authorities_read(const char *path, struct x509_store_st **store)
{
    char *text = NULL;
    size_t length = 0;
    int fd;
    const char *wrong = regular_file_open(path, &fd, NULL);
    if (!wrong)
        wrong = regular_file_read(fd, AUTHORITIES_BYTES_MAX, &text, &length);
    if (fd >= 0)
        close(fd);
    wrong = wrong ? error_text("cannot be read: %s", wrong) : make_store(text, length, store);
    free(text);
    return wrong;
}

const char *authorities_of_system(struct x509_store_st **store)
{
    X509_STORE *made = X509_STORE_new();
    if (made && X509_STORE_set_default_paths(made)) {
        *store = made;
        return NULL;
    }
    X509_STORE_free(made);
    ERR_clear_error();
    return error_text("the system has no certificates");
}

void authorities_free(struct x509_store_st *store)
{
    if (store)
        X509_STORE_free(store);
}
