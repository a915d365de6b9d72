/* A file that an option of the configuration names: the first byte says which option, and whether
 * the file begins with a certificate and its key; the rest is the file. It is accepted, or there is
 * an error of the line that names it; and what was read without a mistake is released without one.
 */
#include "config/load.h"
#include "config/write.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

#define BACKEND "[backend b]\nserver = a 127.0.0.1:2"
#define PLAIN   "[frontend f]\nbind = 127.0.0.1:1\nbackend = b\n"
#define TLS     "[frontend f]\nbind = 127.0.0.1:1 tls=yes\nbackend = b\n"

/* What stands before the path, and behind it. */
static const char *const forms[][2] = {
    {PLAIN "allow = 10.0.0.1 @", "\n" BACKEND "\n"},
    {PLAIN "deny = @", "\n" BACKEND "\n"},
    {PLAIN "accept-proxy = @", "\n" BACKEND "\n"},
    {PLAIN "route = src:@", " b\n" BACKEND "\n"},
    {PLAIN "route = sni-map:", "\n" BACKEND "\n"},
    {PLAIN "route = host-map:", "\n" BACKEND "\n"},
    {PLAIN "route = sni:a.test,@", " b\n" BACKEND "\n"},
    {PLAIN "[backend b]\nserver = any sni:443 allow=@", "\n"},
    {PLAIN BACKEND "\ncheck = redis\ncheck-password = @", "\n"},
    {"[global]\nmetrics = 127.0.0.1:3\nmetrics-auth = ", "\n" PLAIN BACKEND "\n"},
    {PLAIN BACKEND " tls=yes verify=", "\n"},
    {PLAIN BACKEND " tls=yes verify=none cert=", "\n"},
    {PLAIN BACKEND "\ncheck = tls\ncheck-verify = ", "\n"},
    {PLAIN BACKEND "\ncheck = tls\ncheck-cert = ", "\n"},
    {TLS "certificate = ", "\n" BACKEND "\n"},
    {TLS "certificate = %s\nclient-ca = ", "\n" BACKEND "\n"},
    {TLS "certificate = %s\ntls-ticket-keys = ", "\n" BACKEND "\n"},
    {TLS "certificate = %s\nclient-ca = %s\nclient-crl = ", "\n" BACKEND "\n"},
};

enum { WITH_CERTIFICATE = 0x80, SIZE_MOST = 65536 };

static char file[64], certificate[64]; /* paths */
static int file_fd, certificate_fd;

static void must(bool so)
{
    if (!so)
        abort();
}

/* A file in memory. */
static int make_file(char path[static 64])
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    must(fd >= 0);
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x509 = X509_new();
    (void)argc;
    (void)argv;
    file_fd = make_file(file);
    certificate_fd = make_file(certificate);
    FILE *pem = fdopen(certificate_fd, "w");
    must(key && x509 && pem && X509_set_version(x509, 2) &&
         X509_gmtime_adj(X509_getm_notBefore(x509), -60) &&
         X509_gmtime_adj(X509_getm_notAfter(x509), 86400) && X509_set_pubkey(x509, key) &&
         X509_sign(x509, key, EVP_sha256()) > 0 && PEM_write_X509(pem, x509) &&
         PEM_write_PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL) && fflush(pem) == 0);
    X509_free(x509);
    EVP_PKEY_free(key);
    return 0; /* pem stays open for its descriptor */
}

static void write_file(bool with_certificate, const unsigned char *bytes, size_t length)
{
    char pem[4096];
    ssize_t before = with_certificate ? pread(certificate_fd, pem, sizeof pem, 0) : 0;
    must(before >= 0 && ftruncate(file_fd, 0) == 0 &&
         pwrite(file_fd, pem, (size_t)before, 0) == before &&
         pwrite(file_fd, bytes, length, before) == (ssize_t)length);
}

static size_t write_form(const char *const form[2], char text[static 1024])
{
    size_t length = 0;
    for (const char *at = form[0]; *at; at++)
        if (strncmp(at, "%s", 2) == 0)
            length += (size_t)snprintf(text + length, 128, "%s", certificate), at++;
        else
            text[length++] = *at;
    return length + (size_t)snprintf(text + length, 256, "%s%s", file, form[1]);
}

static void expect_errors(const struct config_errors *errors)
{
    must(errors->count > 0);
    for (size_t i = 0; i < errors->count; i++)
        must(strncmp(errors->lines[i], "fuzz.ini:", 9) == 0 && !strchr(errors->lines[i], '\n'));
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    char text[1024];
    struct config_errors errors;
    if (size < 1 || size > SIZE_MOST)
        return 0;
    write_file(data[0] & WITH_CERTIFICATE, data + 1, size - 1);
    size_t length =
        write_form(forms[(data[0] & ~WITH_CERTIFICATE) % (sizeof forms / sizeof *forms)], text);
    struct config *config = config_load_draft("fuzz.ini", text, length, &errors);
    if (config) {
        size_t written;
        free(config_text(config, &written));
    } else {
        expect_errors(&errors);
    }
    config_errors_free(&errors);
    config_free(config);
    return 0;
}
