#include "config/base/authorities.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

static const char *complain(const char *format, ...)
{
    static _Thread_local char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ERR_clear_error();
    return text;
}

/* Not blocked by a FIFO. -1: *wrong says why. */
static int open_regular(const char *path, const char **wrong)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &status)) {
        *wrong = complain("cannot be read: %s", strerror(errno));
    } else if (!S_ISREG(status.st_mode)) {
        *wrong = complain("is not a regular file");
    } else if (status.st_size > AUTHORITIES_BYTES_MAX) {
        *wrong = complain("is larger than %d MiB", AUTHORITIES_BYTES_MAX / 1024 / 1024);
    } else {
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

static const char *add_all(BIO *bio, X509_STORE *store)
{
    for (unsigned count = 0;; count++) {
        X509 *certificate = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
        unsigned long error = ERR_peek_last_error();
        if (!certificate && ERR_GET_LIB(error) == ERR_LIB_PEM &&
            ERR_GET_REASON(error) == PEM_R_NO_START_LINE)
            return count ? NULL : complain("has no certificate (PEM)");
        if (!certificate)
            return complain("certificate %u: %s", count + 1, ERR_reason_error_string(error));
        bool added = X509_STORE_add_cert(store, certificate);
        X509_free(certificate);
        if (!added)
            return complain("certificate %u: %s", count + 1,
                            ERR_reason_error_string(ERR_peek_last_error()));
    }
}

const char *authorities_read(const char *path, struct x509_store_st **store)
{
    const char *wrong = NULL;
    int fd = open_regular(path, &wrong);
    if (fd < 0)
        return wrong;
    FILE *file = fdopen(fd, "re");
    if (!file) {
        close(fd);
        return complain("cannot be read: %s", strerror(errno));
    }
    BIO *bio = BIO_new_fp(file, BIO_CLOSE);
    X509_STORE *made = X509_STORE_new();
    wrong = bio && made ? add_all(bio, made) : complain("out of memory");
    if (bio)
        BIO_free(bio);
    else
        fclose(file);
    ERR_clear_error();
    if (wrong)
        X509_STORE_free(made);
    else
        *store = made;
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
    return complain("the system has no certificates");
}

void authorities_free(struct x509_store_st *store)
{
    X509_STORE_free(store);
}
