#include "config/options/tls_values.h"

#include "config/base/address.h"
#include "config/base/authorities.h"
#include "config/base/error_text.h"
#include "config/base/memory.h"
#include "config/lists/list_file.h"
#include "config/model/tls.h"
#include "config/syntax/words.h"
#include "config/tls/certificate_store.h"
#include "config/tls/key_copies.h"
#include "config/tls/revocations.h"
#include "config/tls/ticket_file.h"
#include "config/tls/tls_context.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* --- certificates -------------------------------------------------------------------------- */

static const char key_prefix[] = "key=";

static void add_certificate(struct tls_certificates *certificates, const char *name,
                            const char *key, const struct option_context *context)
{
    const struct list_origin origin = {
        .problems = context->problems, .place = context->place, .option = "certificate"};
    char *path = list_file_path(name, context->place.source);
    char *key_path = key ? list_file_path(key, context->place.source) : NULL;
    size_t capacity = certificates->count;
    certificates->list =
        memory_grow(certificates->list, certificates->count, &capacity, sizeof *certificates->list);
    certificates->list[certificates->count++] = (struct tls_certificate_entry){
        .from = certificate_store_get(context->certificates, path, key_path, context->files->closed,
                                      &origin),
        .place = context->place,
    };
    free(path);
    free(key_path);
}

/* Whether the word is key=FILE. */
static bool is_key(const char *word)
{
    return word && strncmp(word, key_prefix, strlen(key_prefix)) == 0;
}

/* Files and folders; key=FILE belongs to the file before it. */
static const char *read_certificates(const char *value, void *member,
                                     const struct option_context *context)
{
    char **words;
    size_t count;
    const char *wrong = words_split(value, &words, &count);
    if (wrong)
        return wrong;
    if (count == 0)
        wrong = "must be a file or a folder";
    for (size_t i = 0; i < count && !wrong; i++) {
        const char *key = is_key(words[i + 1]) ? words[i + 1] + strlen(key_prefix) : NULL;
        if (is_key(words[i]) || !*words[i])
            wrong = "must be FILE, FILE key=FILE or FOLDER";
        else if (key && !*key)
            wrong = "needs a file: key=FILE";
        else
            add_certificate(member, words[i], key, context);
        i += key != NULL;
    }
    words_free(words);
    return wrong;
}

/* In quotes, if it would be several words. */
static void write_word(const char *word, FILE *out)
{
    if (!strpbrk(word, " \t\"")) {
        fputs(word, out);
        return;
    }
    fputc('"', out);
    for (; *word; word++)
        fprintf(out, *word == '"' || *word == '\\' ? "\\%c" : "%c", *word);
    fputc('"', out);
}

static bool write_certificate(const void *member, size_t item, FILE *out)
{
    const struct tls_certificates *certificates = member;
    if (item >= certificates->count)
        return false;
    const struct certificate_source *source = certificates->list[item].from;
    write_word(source->path, out);
    if (source->key) {
        char *key = memory_print("%s%s", key_prefix, source->key);
        fputc(' ', out);
        write_word(key, out);
        free(key);
    }
    return true;
}

static void release_certificates(void *member)
{
    struct tls_certificates *certificates = member;
    free(certificates->list);
    *certificates = (struct tls_certificates){0};
}

const struct option_custom tls_certificate_value = {.form = "FILE [key=FILE] or FOLDER",
                                                    .read = read_certificates,
                                                    .write = write_certificate,
                                                    .release = release_certificates};

/* --- clients' certificates ----------------------------------------------------------------- */

static void release_client_ca(void *member)
{
    struct tls_authorities *authorities = member;
    authorities_free(authorities->store);
    free(authorities->path);
    *authorities = (struct tls_authorities){0};
}

static const char *read_client_ca(const char *value, void *member,
                                  const struct option_context *context)
{
    struct tls_authorities *authorities = member;
    if (!*value)
        return "must be a file";
    release_client_ca(member);
    authorities->path = list_file_path(value, context->place.source);
    if (context->files->closed)
        return NULL;
    address_files_add_plain(context->files, authorities->path);
    return authorities_read(authorities->path, &authorities->store);
}

static bool write_client_ca(const void *member, size_t item, FILE *out)
{
    const struct tls_authorities *authorities = member;
    if (item > 0 || !authorities->path)
        return false;
    fputs(authorities->path, out);
    return true;
}

const struct option_custom tls_client_ca_value = {
    .form = "FILE", .read = read_client_ca, .write = write_client_ca, .release = release_client_ca};

static void release_client_crl(void *member)
{
    struct tls_revocations *revocations = member;
    revocations_free(revocations->list);
    free(revocations->path);
    *revocations = (struct tls_revocations){0};
}

static const char *read_client_crl(const char *value, void *member,
                                   const struct option_context *context)
{
    struct tls_revocations *revocations = member;
    if (!*value)
        return "must be a file";
    release_client_crl(member);
    revocations->path = list_file_path(value, context->place.source);
    if (context->files->closed)
        return NULL;
    address_files_add_plain(context->files, revocations->path);
    const char *wrong = revocations_read(revocations->path, &revocations->list);
    const char *warning =
        wrong ? NULL : revocations_warning(revocations->list, "client", time(NULL));
    if (warning)
        problem_warn(context->problems, context->place, "client-crl: %s: %s", revocations->path,
                     warning);
    return wrong;
}

static bool write_client_crl(const void *member, size_t item, FILE *out)
{
    const struct tls_revocations *revocations = member;
    if (item > 0 || !revocations->path)
        return false;
    fputs(revocations->path, out);
    return true;
}

const struct option_custom tls_client_crl_value = {.form = "FILE",
                                                   .read = read_client_crl,
                                                   .write = write_client_crl,
                                                   .release = release_client_crl};

/* --- tickets ------------------------------------------------------------------------------- */

static void release_ticket_keys(void *member)
{
    struct tls_ticket_keys *keys = member;
    ticket_file_free(keys->file);
    free(keys->path);
    *keys = (struct tls_ticket_keys){0};
}

static const char *read_ticket_keys(const char *value, void *member,
                                    const struct option_context *context)
{
    struct tls_ticket_keys *keys = member;
    const char *warning;
    if (!*value)
        return "must be a file";
    release_ticket_keys(member);
    keys->path = list_file_path(value, context->place.source);
    if (context->files->closed)
        return NULL;
    address_files_add_plain(context->files, keys->path);
    struct key_copies *copies = context->certificates->copies;
    const char *wrong = ticket_file_read(keys->path, copies, &keys->file, &warning);
    if (wrong)
        problem_add(context->problems, context->place, "tls-ticket-keys: %s", wrong);
    else if (warning)
        problem_warn(context->problems, context->place, "tls-ticket-keys: %s", warning);
    key_copies_warn(copies, context->problems, context->place, "tls-ticket-keys");
    return NULL;
}

static bool write_ticket_keys(const void *member, size_t item, FILE *out)
{
    const struct tls_ticket_keys *keys = member;
    if (item > 0 || !keys->path)
        return false;
    fputs(keys->path, out);
    return true;
}

const struct option_custom tls_ticket_keys_value = {.form = "FILE",
                                                    .read = read_ticket_keys,
                                                    .write = write_ticket_keys,
                                                    .release = release_ticket_keys};

/* --- texts --------------------------------------------------------------------------------- */

static bool write_text(const void *member, size_t item, FILE *out)
{
    const char *text = *(const char *const *)member;
    if (item > 0 || !text)
        return false;
    fputs(text, out);
    return true;
}

static void release_text(void *member)
{
    char **text = member;
    free(*text);
    *text = NULL;
}

static const char *set_text(char **member, const char *value)
{
    free(*member);
    *member = memory_copy(value);
    return NULL;
}

/* A value without a line is the default of the table, which is right. */
static const char *read_checked(const char *value, char **member,
                                const struct option_context *context,
                                const char *(*check)(const char *value))
{
    const char *wrong = context->problems ? check(value) : NULL;
    return wrong ? wrong : set_text(member, value);
}

static const char *read_ciphers(const char *value, void *member,
                                const struct option_context *context)
{
    return read_checked(value, member, context, tls_check_ciphers);
}

static const char *read_ciphersuites(const char *value, void *member,
                                     const struct option_context *context)
{
    return read_checked(value, member, context, tls_check_ciphersuites);
}

static const char *read_curves(const char *value, void *member,
                               const struct option_context *context)
{
    return read_checked(value, member, context, tls_check_curves);
}

#define LIST_OF_OPENSSL(reader)                                                                    \
    {                                                                                              \
        .form = "NAME[:NAME ...]", .read = (reader), .write = write_text, .release = release_text  \
    }

const struct option_custom tls_ciphers_value = LIST_OF_OPENSSL(read_ciphers);
const struct option_custom tls_ciphersuites_value = LIST_OF_OPENSSL(read_ciphersuites);
const struct option_custom tls_curves_value = LIST_OF_OPENSSL(read_curves);

static const char *read_host(const char *value, void *member, const struct option_context *context)
{
    (void)context;
    if (!address_is_host_name(value))
        return "must be the name of a host, in ASCII (xn--... for other letters)";
    return set_text(member, value);
}

const struct option_custom tls_sni_value = {
    .form = "NAME", .read = read_host, .write = write_text, .release = release_text};

static const char *read_verify_name(const char *value, void *member,
                                    const struct option_context *context)
{
    unsigned char address[sizeof(struct in6_addr)];
    if (inet_pton(AF_INET, value, address) == 1 || inet_pton(AF_INET6, value, address) == 1)
        return set_text(member, value);
    return read_host(value, member, context);
}

const struct option_custom tls_verify_name_value = {.form = "NAME or ADDRESS",
                                                    .read = read_verify_name,
                                                    .write = write_text,
                                                    .release = release_text};

/* --- ALPN ---------------------------------------------------------------------------------- */

static void release_alpn(void *member)
{
    struct words *names = member;
    for (size_t i = 0; i < names->count; i++)
        free(names->list[i]);
    free(names->list);
    *names = (struct words){0};
}

static const char *add_protocol(struct words *names, const char *name)
{
    for (const char *c = name; *c; c++)
        if (*c <= ' ' || *c > '~')
            return "must be names of protocols in ASCII: h2,http/1.1";
    if (strlen(name) > UINT8_MAX)
        return "has a name of more than 255 bytes";
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->list[i], name) == 0)
            return error_text("has '%.64s' twice", name);
    size_t capacity = names->count;
    names->list = memory_grow(names->list, names->count, &capacity, sizeof *names->list);
    names->list[names->count++] = memory_copy(name);
    return NULL;
}

/* All names together fit the extension: a line is not longer than that. */
static const char *read_alpn(const char *value, void *member, const struct option_context *context)
{
    struct words *names = member;
    const char *wrong = NULL;
    (void)context;
    char *words = memory_copy(value), *rest;
    for (char *word = strtok_r(words, ", \t", &rest); word && !wrong;
         word = strtok_r(NULL, ", \t", &rest))
        wrong = add_protocol(names, word);
    free(words);
    return wrong || names->count > 0 ? wrong : "must be names of protocols: h2,http/1.1";
}

static bool write_alpn(const void *member, size_t item, FILE *out)
{
    const struct words *names = member;
    if (item > 0 || names->count == 0)
        return false;
    for (size_t i = 0; i < names->count; i++)
        fprintf(out, "%s%s", i > 0 ? "," : "", names->list[i]);
    return true;
}

const struct option_custom tls_alpn_value = {
    .form = "NAME,...", .read = read_alpn, .write = write_alpn, .release = release_alpn};

/* --- attributes of servers ----------------------------------------------------------------- */

const char *tls_read_crl(const char *value, const char *option, char **path,
                         struct stack_st_X509_CRL **list, const struct option_context *context)
{
    if (!*value)
        return "must be a file";
    *path = list_file_path(value, context->place.source);
    if (context->files->closed)
        return NULL;
    address_files_add_plain(context->files, *path);
    const char *wrong = certificate_store_revocations(context->certificates, *path, list);
    const char *warning = wrong ? NULL : revocations_warning(*list, "server", time(NULL));
    if (warning)
        problem_warn(context->problems, context->place, "%s: %s: %s", option, *path, warning);
    return wrong;
}

static void release_verify(void *member)
{
    struct tls_target_conf *target = member;
    free(target->verify);
    target->verify = NULL;
    target->authorities = NULL;
}

static const char *read_verify(const char *value, void *member,
                               const struct option_context *context)
{
    struct tls_target_conf *target = member;
    if (!*value)
        return "must be a file, system or none";
    release_verify(member);
    if (strcmp(value, "none") == 0 || strcmp(value, "system") == 0)
        target->verify = memory_copy(value);
    else
        target->verify = list_file_path(value, context->place.source);
    if (strcmp(value, "none") == 0 || context->files->closed)
        return NULL;
    if (strcmp(value, "system") != 0)
        address_files_add_plain(context->files, target->verify);
    return certificate_store_authorities(context->certificates, target->verify,
                                         &target->authorities);
}

static bool write_verify(const void *member, size_t item, FILE *out)
{
    const struct tls_target_conf *target = member;
    if (item > 0 || !target->verify)
        return false;
    fputs(target->verify, out);
    return true;
}

const struct option_custom tls_verify_value = {.form = "FILE, system or none",
                                               .read = read_verify,
                                               .write = write_verify,
                                               .release = release_verify};

static void release_crl(void *member)
{
    struct tls_target_conf *target = member;
    free(target->crl);
    target->crl = NULL;
    target->revocations = NULL;
}

static const char *read_crl(const char *value, void *member, const struct option_context *context)
{
    struct tls_target_conf *target = member;
    release_crl(member);
    return tls_read_crl(value, "server: crl", &target->crl, &target->revocations, context);
}

static bool write_crl(const void *member, size_t item, FILE *out)
{
    const struct tls_target_conf *target = member;
    return write_text(&target->crl, item, out);
}

const struct option_custom tls_crl_value = {
    .form = "FILE", .read = read_crl, .write = write_crl, .release = release_crl};

static void release_cert(void *member)
{
    ((struct tls_target_conf *)member)->certificate = NULL;
}

const char *tls_read_certificate(const char *value, const char *option,
                                 const struct certificate_source **source,
                                 const struct option_context *context)
{
    const struct list_origin origin = {
        .problems = context->problems, .place = context->place, .option = option};
    if (!*value)
        return "must be a file";
    char *path = list_file_path(value, context->place.source);
    *source =
        certificate_store_get(context->certificates, path, NULL, context->files->closed, &origin);
    free(path);
    return (*source)->count > 1 ? "must be a file, and not a folder of them" : NULL;
}

static const char *read_cert(const char *value, void *member, const struct option_context *context)
{
    struct tls_target_conf *target = member;
    return tls_read_certificate(value, "server: cert", &target->certificate, context);
}

static bool write_cert(const void *member, size_t item, FILE *out)
{
    const struct tls_target_conf *target = member;
    if (item > 0 || !target->certificate)
        return false;
    fputs(target->certificate->path, out);
    return true;
}

const struct option_custom tls_cert_value = {
    .form = "FILE", .read = read_cert, .write = write_cert, .release = release_cert};
