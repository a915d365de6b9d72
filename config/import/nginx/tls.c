#include "config/import/nginx/tls.h"

#include "config/import/nginx/directives.h"

#include <stdlib.h>
#include <string.h>

static bool is_on(const struct ngx_directive *directive)
{
    return directive && strcmp(ngx_word(directive, 1), "on") == 0;
}

bool ngx_tls_listens(const struct ngx_conversion *conversion, const struct ngx_list *server,
                     const struct ngx_directive *listen)
{
    return ngx_has(listen, "ssl") || is_on(ngx_setting(conversion, server, "ssl"));
}

/* A relative path begins at the folder of the configuration. */
static const char *path_of(struct import *import, const struct ngx_directive *line)
{
    const char *slash = strrchr(line->origin.file, '/');
    const char *folder =
        slash ? arena_copy_n(&import->arena, line->origin.file, (size_t)(slash - line->origin.file))
              : NULL;
    return text_value(&import->arena, text_absolute(&import->arena, folder, ngx_word(line, 1)));
}

/* A path that is made for each session, or no path. */
static bool is_special(const char *text)
{
    return strchr(text, '$') || strncmp(text, "data:", 5) == 0 ||
           strncmp(text, "engine:", 7) == 0 || strncmp(text, "store:", 6) == 0;
}

/* Directives of the server, or, where it has none of this name, of the stream. */
static const struct ngx_list *list_with(const struct ngx_conversion *conversion,
                                        const struct ngx_list *server, const char *name)
{
    return ngx_find(server, name) ? server : conversion->stream;
}

static const struct ngx_directive *find_nth(const struct ngx_list *list, const char *name, size_t n)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].words[0], name) == 0 && n-- == 0)
            return &list->items[i];
    return NULL;
}

/* Each ssl_certificate has the ssl_certificate_key of the same number. */
static void write_certificates(struct ngx_conversion *conversion, const struct ngx_list *server,
                               struct ini_section *out)
{
    struct import *import = conversion->import;
    const struct ngx_list *files = list_with(conversion, server, "ssl_certificate");
    const struct ngx_list *keys = list_with(conversion, server, "ssl_certificate_key");
    const struct ngx_directive *file, *key;
    for (size_t i = 0; (file = find_nth(files, "ssl_certificate", i)); i++) {
        key = find_nth(keys, "ssl_certificate_key", i);
        if (is_special(ngx_word(file, 1)) || !key || is_special(ngx_word(key, 1))) {
            not_imported(import, file->origin, "ssl_certificate %s: no file with a key in a file",
                         ngx_word(file, 1));
            continue;
        }
        const char *path = path_of(import, file), *key_path = path_of(import, key);
        if (strcmp(path, key_path) == 0)
            ini_set(&import->ini, out, file->origin, "certificate", "%s", path);
        else
            ini_set(&import->ini, out, file->origin, "certificate", "%s key=%s", path, key_path);
    }
}

static void write_versions(struct ngx_conversion *conversion, const struct ngx_list *server,
                           struct ini_section *out)
{
    struct import *import = conversion->import;
    const struct ngx_directive *line = ngx_setting(conversion, server, "ssl_protocols");
    if (!line)
        return;
    const bool two = ngx_has(line, "TLSv1.2"), three = ngx_has(line, "TLSv1.3");
    if (ngx_has(line, "TLSv1") || ngx_has(line, "TLSv1.1") || ngx_has(line, "SSLv3"))
        imported_differently(import, line->origin, "ssl_protocols: TLS 1.2 is the lowest version");
    if (!two && three)
        ini_set(&import->ini, out, line->origin, "tls-min", "1.3");
    if (!three)
        ini_set(&import->ini, out, line->origin, "tls-max", "1.2");
}

static void write_clients(struct ngx_conversion *conversion, const struct ngx_list *server,
                          struct ini_section *out)
{
    struct import *import = conversion->import;
    const struct ngx_directive *verify = ngx_setting(conversion, server, "ssl_verify_client");
    const struct ngx_directive *file = ngx_setting(conversion, server, "ssl_client_certificate");
    const struct ngx_directive *trusted =
        ngx_setting(conversion, server, "ssl_trusted_certificate");
    const struct ngx_directive *depth = ngx_setting(conversion, server, "ssl_verify_depth");
    const struct ngx_directive *list = ngx_setting(conversion, server, "ssl_crl");
    const char *word = verify ? ngx_word(verify, 1) : "off";
    file = file ? file : trusted;
    if (strcmp(word, "off") == 0)
        return;
    if (strcmp(word, "optional_no_ca") == 0 || !file) {
        not_imported(import, verify->origin,
                     "ssl_verify_client %s: clients are not asked for a certificate", word);
        return;
    }
    ini_set(&import->ini, out, file->origin, "client-ca", "%s", path_of(import, file));
    if (strcmp(word, "optional") == 0)
        ini_set(&import->ini, out, verify->origin, "client-verify", "optional");
    if (list)
        ini_set(&import->ini, out, list->origin, "client-crl", "%s", path_of(import, list));
    ini_set_why(&import->ini, out, depth ? depth->origin : (struct origin){0},
                depth ? NULL : "the default of ssl_verify_depth", "client-depth", "%s",
                depth ? ngx_word(depth, 1) : "1");
}

/* "h2 http/1.1" as a list. */
static const char *comma_list(struct arena *arena, const struct ngx_directive *line)
{
    const char *list = ngx_word(line, 1);
    for (size_t i = 2; i < line->count; i++)
        list = arena_print(arena, "%s,%s", list, line->words[i]);
    return list;
}

void ngx_tls_front_write(struct ngx_conversion *conversion, const struct ngx_list *server,
                         struct ini_section *out)
{
    struct import *import = conversion->import;
    struct ini *ini = &import->ini;
    const struct ngx_directive *ciphers = ngx_setting(conversion, server, "ssl_ciphers");
    const struct ngx_directive *command = ngx_setting(conversion, server, "ssl_conf_command");
    const struct ngx_directive *curves = ngx_setting(conversion, server, "ssl_ecdh_curve");
    const struct ngx_directive *alpn = ngx_setting(conversion, server, "ssl_alpn");
    const struct ngx_directive *tickets = ngx_setting(conversion, server, "ssl_session_tickets");
    const struct ngx_directive *timeout = ngx_setting(conversion, server, "ssl_handshake_timeout");
    const struct ngx_directive *order =
        ngx_setting(conversion, server, "ssl_prefer_server_ciphers");
    const struct ngx_directive *password = ngx_setting(conversion, server, "ssl_password_file");
    const struct ngx_directive *staple = ngx_setting(conversion, server, "ssl_stapling");
    uint64_t time = 60000;
    write_certificates(conversion, server, out);
    write_versions(conversion, server, out);
    if (ciphers)
        ini_set(ini, out, ciphers->origin, "tls-ciphers", "%s", ngx_word(ciphers, 1));
    if (command && strcmp(ngx_word(command, 1), "Ciphersuites") == 0)
        ini_set(ini, out, command->origin, "tls-ciphersuites", "%s", ngx_word(command, 2));
    else if (command)
        imported_differently(import, command->origin, "ssl_conf_command %s", ngx_word(command, 1));
    if (curves && strcmp(ngx_word(curves, 1), "auto") != 0)
        ini_set(ini, out, curves->origin, "tls-curves", "%s", ngx_word(curves, 1));
    if (alpn)
        ini_set(ini, out, alpn->origin, "tls-alpn", "%s", comma_list(&import->arena, alpn));
    if (tickets && !is_on(tickets))
        ini_set(ini, out, tickets->origin, "tls-tickets", "no");
    if (timeout && !ngx_time(ngx_word(timeout, 1), &time))
        time = 60000;
    ini_set_why(ini, out, timeout ? timeout->origin : (struct origin){0},
                timeout ? NULL : "the default of ssl_handshake_timeout", "tls-timeout", "%s",
                text_duration(&import->arena, time < 1         ? 1
                                              : time > 3600000 ? 3600000
                                                               : time));
    write_clients(conversion, server, out);
    if (is_on(order))
        imported_differently(import, order->origin,
                             "ssl_prefer_server_ciphers: the client's order decides");
    if (password)
        not_imported(import, password->origin,
                     "ssl_password_file: write the keys without a password");
    if (is_on(staple))
        imported_differently(import, staple->origin,
                             "ssl_stapling: responses of OCSP are read from files, FILE.ocsp");
}

/* --- servers ------------------------------------------------------------------------------- */

/* The name that nginx verifies and asks for: that of proxy_pass, if nothing else is said. */
static const char *name_of(struct ngx_conversion *conversion, const struct ngx_directive *line,
                           const char *target)
{
    struct arena *arena = &conversion->import->arena;
    const char *name = line ? ngx_word(line, 1) : arena_copy_n(arena, target, strcspn(target, ":"));
    return text_is_host(name) && !text_is_ipv4(name) ? name : NULL;
}

static const char *certificate_of(struct ngx_conversion *conversion, const struct ngx_list *server)
{
    struct import *import = conversion->import;
    const struct ngx_directive *file = ngx_setting(conversion, server, "proxy_ssl_certificate");
    const struct ngx_directive *key = ngx_setting(conversion, server, "proxy_ssl_certificate_key");
    if (!file)
        return "";
    const char *path = path_of(import, file);
    if (is_special(ngx_word(file, 1))) {
        not_imported(import, file->origin, "proxy_ssl_certificate %s: no file", ngx_word(file, 1));
        return "";
    }
    if (key && strcmp(ngx_word(key, 1), ngx_word(file, 1)) != 0)
        imported_differently(import, key->origin,
                             "proxy_ssl_certificate_key: the key must be in %s or in %s.key", path,
                             path);
    return arena_print(&import->arena, " cert=%s", path);
}

const char *ngx_tls_target(struct ngx_conversion *conversion, const struct ngx_list *server,
                           const char *target, struct origin origin)
{
    struct import *import = conversion->import;
    struct arena *arena = &import->arena;
    const struct ngx_directive *verify = ngx_setting(conversion, server, "proxy_ssl_verify");
    const struct ngx_directive *asks = ngx_setting(conversion, server, "proxy_ssl_server_name");
    const struct ngx_directive *line = ngx_setting(conversion, server, "proxy_ssl_name");
    const struct ngx_directive *trusted =
        ngx_setting(conversion, server, "proxy_ssl_trusted_certificate");
    const struct ngx_directive *lists = ngx_setting(conversion, server, "proxy_ssl_crl");
    const struct ngx_directive *alpn = ngx_setting(conversion, server, "proxy_ssl_alpn");
    if (!is_on(ngx_setting(conversion, server, "proxy_ssl")))
        return "";
    const char *name = name_of(conversion, line, target);
    const bool verifies = is_on(verify) && trusted;
    const char *text = verifies ? arena_print(arena, " tls=yes verify=%s", path_of(import, trusted))
                                : " tls=yes verify=none";
    if (line && !name)
        not_imported(import, line->origin, "proxy_ssl_name %s: the name is one for all sessions",
                     ngx_word(line, 1));
    if (verifies && lists)
        text = arena_print(arena, "%s crl=%s", text, path_of(import, lists));
    if (name && is_on(asks))
        text = arena_print(arena, "%s sni=%s", text, name);
    else if (name && verifies)
        text = arena_print(arena, "%s verify-name=%s", text, name);
    else if (verifies)
        imported_differently(import, origin,
                             "proxy_ssl_verify: certificates must name the address "
                             "of the server; say another name in verify-name");
    if (alpn)
        text = arena_print(arena, "%s alpn=%s", text, comma_list(arena, alpn));
    return arena_print(arena, "%s%s", text, certificate_of(conversion, server));
}
