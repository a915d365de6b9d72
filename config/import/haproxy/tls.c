#include "config/import/haproxy/tls.h"

#include "config/import/text.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where Debian and its kin have the authorities of the system. */
#define SYSTEM_AUTHORITIES "/etc/ssl/certs/ca-certificates.crt"

enum tls_action {
    TLS_NOTHING,
    TLS_CERTIFICATE,
    TLS_LIST, /* of certificates, in a file */
    TLS_VALUE,
    TLS_ALPN,
    TLS_MIN,   /* the lowest version follows */
    TLS_MAX,   /* the highest one */
    TLS_FIXED, /* the option has this value */
    TLS_ONLY,  /* no other version */
    TLS_NOTED,
    TLS_LOST
};

static const struct tls_word {
    const char *name;
    enum tls_action action;
    unsigned follows;
    const char *key;
    const char *text; /* a value, or what a person should know */
} table[] = {
    {"ssl", TLS_NOTHING, 0, NULL, NULL},
    {"crt", TLS_CERTIFICATE, 1, NULL, NULL},
    {"default-crt", TLS_CERTIFICATE, 1, NULL, NULL},
    {"crt-list", TLS_LIST, 1, NULL, NULL},
    {"alpn", TLS_ALPN, 1, "tls-alpn", NULL},
    {"no-alpn", TLS_NOTHING, 0, NULL, NULL},
    {"npn", TLS_NOTHING, 1, NULL, NULL},
    {"ciphers", TLS_VALUE, 1, "tls-ciphers", NULL},
    {"ciphersuites", TLS_VALUE, 1, "tls-ciphersuites", NULL},
    {"curves", TLS_VALUE, 1, "tls-curves", NULL},
    {"ecdhe", TLS_VALUE, 1, "tls-curves", NULL},
    {"verify", TLS_NOTHING, 1, NULL, NULL}, /* write_clients() */
    {"ca-file", TLS_NOTHING, 1, NULL, NULL},
    {"crl-file", TLS_NOTHING, 1, NULL, NULL},
    {"ca-verify-file", TLS_NOTED, 1, NULL, "its authorities must stand in client-ca as well"},
    {"ssl-min-ver", TLS_MIN, 1, NULL, NULL},
    {"ssl-max-ver", TLS_MAX, 1, NULL, NULL},
    {"force-tlsv12", TLS_ONLY, 0, NULL, "1.2"},
    {"force-tlsv13", TLS_ONLY, 0, NULL, "1.3"},
    {"no-tlsv12", TLS_FIXED, 0, "tls-min", "1.3"},
    {"no-tlsv13", TLS_FIXED, 0, "tls-max", "1.2"},
    {"force-sslv3", TLS_LOST, 0, NULL, "TLS 1.2 is the lowest version"},
    {"force-tlsv10", TLS_LOST, 0, NULL, "TLS 1.2 is the lowest version"},
    {"force-tlsv11", TLS_LOST, 0, NULL, "TLS 1.2 is the lowest version"},
    {"no-sslv3", TLS_NOTHING, 0, NULL, NULL},
    {"no-tlsv10", TLS_NOTHING, 0, NULL, NULL},
    {"no-tlsv11", TLS_NOTHING, 0, NULL, NULL},
    {"strict-sni", TLS_FIXED, 0, "tls-unknown-name", "reject"},
    {"no-strict-sni", TLS_NOTHING, 0, NULL, NULL},
    {"no-tls-tickets", TLS_FIXED, 0, "tls-tickets", "no"},
    {"tls-tickets", TLS_NOTHING, 0, NULL, NULL},
    {"tls-ticket-keys", TLS_VALUE, 1, "tls-ticket-keys", NULL},
    {"prefer-client-ciphers", TLS_NOTHING, 0, NULL, NULL},
    {"allow-0rtt", TLS_NOTED, 0, NULL, "there is no early data"},
    {"no-ca-names", TLS_NOTED, 0, NULL, "clients are told the names of the authorities"},
    {"sigalgs", TLS_NOTED, 1, NULL, "the algorithms of signatures are those of OpenSSL"},
    {"client-sigalgs", TLS_NOTED, 1, NULL, "the algorithms of signatures are those of OpenSSL"},
    {"ocsp-update", TLS_NOTED, 1, NULL, "responses of OCSP are read from files, FILE.ocsp"},
    {"ktls", TLS_NOTHING, 1, NULL, NULL},
    {"generate-certificates", TLS_LOST, 0, NULL, "certificates are not made for names"},
    {"ca-sign-file", TLS_NOTHING, 1, NULL, NULL},
    {"ca-sign-pass", TLS_NOTHING, 1, NULL, NULL},
    {"ca-ignore-err", TLS_LOST, 1, NULL, "clients whose certificate is wrong are refused"},
    {"crt-ignore-err", TLS_LOST, 1, NULL, "clients whose certificate is wrong are refused"},
};

static const struct tls_word *find(const char *name)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}

bool hap_tls_word(const char *word, unsigned *follows)
{
    const struct tls_word *row = find(word);
    *follows = row ? row->follows : 0;
    return row != NULL;
}

bool hap_ends_tls(const struct hap_line *bind)
{
    for (size_t i = 2; i < bind->count; i++)
        if (strcmp(bind->words[i], "ssl") == 0)
            return true;
    return false;
}

enum hap_tls_binds hap_tls_binds(const struct hap_section *section)
{
    const struct hap_lines *binds = &section->lists[HAP_BINDS];
    size_t count = 0;
    for (size_t i = 0; i < binds->count; i++)
        count += hap_ends_tls(&binds->items[i]);
    return count == 0 ? HAP_NO_TLS : count < binds->count ? HAP_SOME_TLS : HAP_ONLY_TLS;
}

bool hap_is_server_name(const char *expression)
{
    static const char *const names[] = {"req.ssl_sni", "req_ssl_sni", "ssl_fc_sni"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const size_t length = strlen(names[i]);
        if (strncmp(expression, names[i], length) == 0 &&
            (expression[length] == '\0' || expression[length] == ','))
            return true;
    }
    return false;
}

/* --- paths --------------------------------------------------------------------------------- */

const char *hap_tls_path(struct hap_conversion *conversion, enum hap_slot base, const char *path)
{
    const struct hap_value *value = &conversion->model->global.values[base];
    const char *folder = value->set && value->line->count > 1 ? value->line->words[1] : NULL;
    return text_absolute(&conversion->import->arena, folder, path);
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* --- options of the frontend --------------------------------------------------------------- */

static const struct ini_line *find_line(const struct ini_section *out, const char *key)
{
    for (size_t i = 0; i < out->count; i++)
        if (out->lines[i].key && strcmp(out->lines[i].key, key) == 0)
            return &out->lines[i];
    return NULL;
}

/* Sets the option, which all binds of the frontend share. */
static void set(struct hap_conversion *conversion, struct ini_section *out, struct origin origin,
                const char *key, const char *value)
{
    const struct ini_line *line = find_line(out, key);
    value = text_value(&conversion->import->arena, value);
    if (!line)
        ini_set(&conversion->import->ini, out, origin, key, "%s", value);
    else if (strcmp(line->value, value) != 0)
        not_imported(conversion->import, origin,
                     "bind: %s = %s: all binds of a frontend have one value, which is %s here", key,
                     value, line->value);
}

static bool has_certificate(const struct ini_section *out, const char *value)
{
    for (size_t i = 0; i < out->count; i++)
        if (out->lines[i].key && strcmp(out->lines[i].key, "certificate") == 0 &&
            strcmp(out->lines[i].value, value) == 0)
            return true;
    return false;
}

static void add_certificate(struct hap_conversion *conversion, struct ini_section *out,
                            struct origin origin, const char *path)
{
    path = text_value(&conversion->import->arena, path);
    if (strpbrk(path, " \t"))
        path = arena_print(&conversion->import->arena, "\"%s\"", path);
    if (!has_certificate(out, path))
        ini_set(&conversion->import->ini, out, origin, "certificate", "%s", path);
}

/* "site.pem" may stand for site.pem.rsa, site.pem.ecdsa and site.pem.dsa. */
static void write_certificate(struct hap_conversion *conversion, struct ini_section *out,
                              struct origin origin, const char *text)
{
    static const char *const types[] = {"ecdsa", "rsa"};
    const char *path = hap_tls_path(conversion, HAP_CRT_BASE, text);
    bool found = false;
    if (*text == '@') {
        not_imported(conversion->import, origin, "crt %s: stores of certificates", text);
        return;
    }
    for (size_t i = 0; i < 2 && !exists(path); i++) {
        const char *one = arena_print(&conversion->import->arena, "%s.%s", path, types[i]);
        if (!exists(one))
            continue;
        found = true;
        add_certificate(conversion, out, origin, one);
    }
    if (!found)
        add_certificate(conversion, out, origin, path);
}

/* A line is "FILE [OPTIONS] NAMES ...". */
static void write_list_line(struct hap_conversion *conversion, struct ini_section *out,
                            struct origin origin, char *line)
{
    char *rest, *word = strtok_r(line, " \t\r", &rest);
    if (!word || *word == '#')
        return;
    write_certificate(conversion, out, origin, word);
    word = strtok_r(NULL, "", &rest);
    if (word && word[strspn(word, " \t\r")])
        imported_differently(conversion->import, origin,
                             "crt-list: '%.100s' behind %.100s: the names in the certificate count",
                             word + strspn(word, " \t\r"), line);
}

static void write_list(struct hap_conversion *conversion, struct ini_section *out,
                       struct origin origin, const char *path)
{
    char *text;
    size_t length;
    const char *wrong = import_read(conversion->import, path, &text, &length);
    if (wrong) {
        not_imported(conversion->import, origin, "crt-list %s: %s", path, wrong);
        return;
    }
    for (char *line; (line = strsep(&text, "\n"));)
        write_list_line(conversion, out, origin, line);
}

/* A default that nothing contradicts is not written. */
static bool is_default(const struct ini_section *out, const char *key, const char *version)
{
    return strcmp(version, strcmp(key, "tls-min") == 0 ? "TLSv1.2" : "TLSv1.3") == 0 &&
           !find_line(out, key);
}

static void write_version(struct hap_conversion *conversion, struct ini_section *out,
                          struct origin origin, const char *key, const char *version)
{
    if (is_default(out, key, version))
        return;
    if (strcmp(version, "TLSv1.2") == 0 || strcmp(version, "TLSv1.3") == 0)
        set(conversion, out, origin, key, version + 4);
    else if (strcmp(key, "tls-max") == 0)
        not_imported(conversion->import, origin, "ssl-max-ver %s: TLS 1.2 is the lowest version",
                     version);
    else
        imported_differently(conversion->import, origin,
                             "ssl-min-ver %s: TLS 1.2 is the lowest version", version);
}

static void write_word(struct hap_conversion *conversion, struct ini_section *out,
                       struct origin origin, const struct tls_word *word, const char *value)
{
    switch (word->action) {
    case TLS_NOTHING:
        break;
    case TLS_CERTIFICATE:
        write_certificate(conversion, out, origin, value);
        break;
    case TLS_LIST:
        write_list(conversion, out, origin, value);
        break;
    case TLS_VALUE:
    case TLS_ALPN:
        set(conversion, out, origin, word->key, value);
        break;
    case TLS_MIN:
        write_version(conversion, out, origin, "tls-min", value);
        break;
    case TLS_MAX:
        write_version(conversion, out, origin, "tls-max", value);
        break;
    case TLS_FIXED:
        set(conversion, out, origin, word->key, word->text);
        break;
    case TLS_ONLY:
        set(conversion, out, origin, "tls-min", word->text);
        set(conversion, out, origin, "tls-max", word->text);
        break;
    case TLS_NOTED:
        imported_differently(conversion->import, origin, "bind: %s: %s", word->name, word->text);
        break;
    case TLS_LOST:
        not_imported(conversion->import, origin, "bind: %s: %s", word->name, word->text);
        break;
    }
}

/* What follows the word in the line; NULL: it is not there. */
static const char *value_of(const struct hap_line *line, const char *word)
{
    for (size_t i = 2; i + 1 < line->count; i++)
        if (strcmp(line->words[i], word) == 0)
            return line->words[i + 1];
    return NULL;
}

/* Without verify, or with "none", clients are not asked for a certificate. */
static void write_clients(struct hap_conversion *conversion, const struct hap_line *line,
                          struct ini_section *out)
{
    const char *verify = value_of(line, "verify"), *file = value_of(line, "ca-file");
    const char *list = value_of(line, "crl-file");
    if (!verify || strcmp(verify, "none") == 0)
        return;
    if (file && strcmp(file, "@system-ca") == 0)
        file = SYSTEM_AUTHORITIES;
    if (!file) {
        not_imported(conversion->import, line->origin,
                     "bind: verify %s without a ca-file: clients are not asked for a certificate",
                     verify);
        return;
    }
    set(conversion, out, line->origin, "client-ca", hap_tls_path(conversion, HAP_CA_BASE, file));
    if (strcmp(verify, "optional") == 0)
        set(conversion, out, line->origin, "client-verify", "optional");
    if (list)
        set(conversion, out, line->origin, "client-crl",
            hap_tls_path(conversion, HAP_CA_BASE, list));
}

/* Of global, where the binds say nothing else. */
static void write_defaults(struct hap_conversion *conversion, struct ini_section *out)
{
    static const struct {
        enum hap_slot slot;
        const char *key;
    } rows[] = {{HAP_TLS_CIPHERS, "tls-ciphers"},
                {HAP_TLS_SUITES, "tls-ciphersuites"},
                {HAP_TLS_CURVES, "tls-curves"}};
    const struct hap_value *values = conversion->model->global.values;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct hap_value *value = &values[rows[i].slot];
        if (value->set && value->line->count > 1 && !find_line(out, rows[i].key))
            set(conversion, out, value->origin, rows[i].key, value->line->words[1]);
    }
    const struct hap_value *options = &values[HAP_TLS_OPTIONS];
    for (size_t i = 1; options->set && i < options->line->count; i++) {
        const struct tls_word *word = find(options->line->words[i]);
        const char *key = !word                     ? NULL
                          : word->action == TLS_MIN ? "tls-min"
                          : word->action == TLS_MAX ? "tls-max"
                                                    : word->key;
        if (!word || i + word->follows >= options->line->count)
            continue;
        if (!key || !find_line(out, key))
            write_word(conversion, out, options->origin, word,
                       options->line->words[i + word->follows]);
        i += word->follows;
    }
}

static void write_own(struct hap_conversion *conversion, const struct hap_line *line,
                      struct ini_section *own)
{
    for (size_t i = 2; i < line->count; i++) {
        const struct tls_word *word = find(line->words[i]);
        if (!word || i + word->follows >= line->count)
            continue;
        write_word(conversion, own, line->origin, word, line->words[i + word->follows]);
        i += word->follows;
    }
    write_clients(conversion, line, own);
    write_defaults(conversion, own);
}

/* What one bind says and the other one does not holds for both in rpproxy. at: the second one. */
static void tell_apart(struct hap_conversion *conversion, const struct ini_section *says,
                       const struct ini_section *lacks, struct origin at, const char *which)
{
    for (size_t i = 0; i < says->count; i++) {
        const char *key = says->lines[i].key, *value = says->lines[i].value;
        const bool of_tls =
            key && (strncmp(key, "tls-", 4) == 0 || strncmp(key, "client-", 7) == 0);
        if (key && strcmp(key, "certificate") == 0 && !has_certificate(lacks, value))
            imported_differently(
                conversion->import, at,
                "bind: certificate %s of %s: all binds of a frontend have the same "
                "certificates",
                value, which);
        else if (of_tls && strcmp(key, "client-verify") != 0 && !find_line(lacks, key))
            not_imported(conversion->import, at,
                         "bind: %s = %s of %s: it holds for all binds of a frontend", key, value,
                         which);
    }
}

static bool requires(const struct ini_section *section)
{
    return find_line(section, "client-ca") && !find_line(section, "client-verify");
}

/* Where one bind demands certificates of clients and another one only asks for them all demand. */
static void demand(struct hap_conversion *conversion, struct ini_section *one,
                   const struct ini_section *other, struct origin at)
{
    if (!requires(other))
        return;
    for (size_t i = 0; i < one->count; i++) {
        struct ini_line *line = &one->lines[i];
        if (!line->key || strcmp(line->key, "client-verify") != 0)
            continue;
        line->value = "required";
        not_imported(conversion->import, at,
                     "bind: verify optional of one bind, and required of another one: all binds of "
                     "a frontend have one value, which is required here");
    }
}

static void join(struct hap_conversion *conversion, struct ini_section *own,
                 struct ini_section *out, struct origin at)
{
    if (find_line(out, "certificate")) {
        tell_apart(conversion, own, out, at, "this bind");
        tell_apart(conversion, out, own, at, "another bind");
        demand(conversion, own, out, at);
        demand(conversion, out, own, at);
    }
    for (size_t i = 0; i < own->count; i++) {
        const struct ini_line *line = &own->lines[i];
        if (strcmp(line->key, "certificate") != 0)
            set(conversion, out, line->origin, line->key, line->value);
        else if (!has_certificate(out, line->value))
            ini_set(&conversion->import->ini, out, line->origin, line->key, "%s", line->value);
    }
}

void hap_tls_bind_write(struct hap_conversion *conversion, const struct hap_line *line,
                        struct ini_section *out)
{
    struct ini_section own = {.kind = out->kind, .name = out->name};
    write_own(conversion, line, &own);
    join(conversion, &own, out, line->origin);
}

/* --- servers ------------------------------------------------------------------------------- */

/* The name in "str(NAME)"; NULL: another expression. */
static const char *plain_name(struct arena *arena, const char *text)
{
    const char *end = strchr(text, ')');
    if (strncmp(text, "str(", 4) != 0 || !end || end[1])
        return NULL;
    text = arena_copy_n(arena, text + 4, (size_t)(end - text - 4));
    return text_is_host(text) && !text_is_ipv4(text) ? text : NULL;
}

static bool verifies(const struct hap_conversion *conversion, const struct hap_server *server)
{
    const struct hap_param_value *verify = &server->params[HAP_P_VERIFY];
    const struct hap_value *global = &conversion->model->global.values[HAP_SERVER_VERIFY];
    if (verify->set)
        return strcmp(verify->text, "none") != 0;
    return !(global->set && global->line->count > 1 && strcmp(global->line->words[1], "none") == 0);
}

/* " verify=..."; where HAProxy looks at no name this proxy looks at that of the address. */
static const char *verify_of(struct hap_conversion *conversion, const struct hap_server *server,
                             bool named)
{
    const struct hap_param_value *file = &server->params[HAP_P_CA_FILE];
    if (!verifies(conversion, server))
        return " verify=none";
    const char *colon = server->host ? NULL : strrchr(server->address, ':');
    if (!named)
        server_imported_differently(
            conversion->import, server->section, server->origin, server->name,
            arena_print(&conversion->import->arena, "%.*s",
                        colon ? (int)(colon - server->address) : INT_MAX,
                        server->host ? server->host : server->address),
            "a certificate must name the address, which HAProxy does not look at; say another name "
            "in verify-name");
    if (!file->set || *file->text == '@')
        return " verify=system";
    return arena_print(&conversion->import->arena, " verify=%s",
                       hap_tls_path(conversion, HAP_CA_BASE, file->text));
}

const char *hap_tls_server(struct hap_conversion *conversion, const struct hap_server *server)
{
    struct import *import = conversion->import;
    struct arena *arena = &import->arena;
    const struct hap_param_value *params = server->params;
    const struct hap_param_value *sni = &params[HAP_P_SNI], *host = &params[HAP_P_VERIFY_HOST];
    if (!params[HAP_P_SSL].set)
        return "";
    const char *name = sni->set ? plain_name(arena, sni->text) : NULL;
    if (sni->set && !name)
        not_imported(import, sni->origin, "server %s: sni %s: the name is one for all sessions",
                     server->name, sni->text);
    const char *text =
        arena_print(arena, " tls=yes%s", verify_of(conversion, server, name != NULL || host->set));
    if (params[HAP_P_CRL_FILE].set && verifies(conversion, server))
        text = arena_print(arena, "%s crl=%s", text,
                           hap_tls_path(conversion, HAP_CA_BASE, params[HAP_P_CRL_FILE].text));
    if (name)
        text = arena_print(arena, "%s sni=%s", text, name);
    if (host->set && verifies(conversion, server))
        text = arena_print(arena, "%s verify-name=%s", text, host->text);
    if (params[HAP_P_ALPN].set)
        text = arena_print(arena, "%s alpn=%s", text, params[HAP_P_ALPN].text);
    if (params[HAP_P_CRT].set)
        text = arena_print(arena, "%s cert=%s", text,
                           hap_tls_path(conversion, HAP_CRT_BASE, params[HAP_P_CRT].text));
    return text;
}
