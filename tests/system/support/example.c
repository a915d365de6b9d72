#include "tests/system/support/example.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define EXAMPLES "scripts/examples/"

bool example_network(void)
{
    struct outcome outcome;
    if (!network_own()) {
        return false;
    }
    run(&outcome, "ip", "route", "add", "local", "10.0.0.0/8", "dev", "lo", NULL);
    return outcome.code == 0;
}

/* Copies text, with each `from` replaced; the caller frees the copy. */
static char *replace_all(const char *text, const char *from, const char *to)
{
    char *copy = NULL;
    size_t size;
    FILE *out = open_memstream(&copy, &size);
    ck_assert_ptr_nonnull(out);
    for (const char *at; (at = strstr(text, from)); text = at + strlen(from)) {
        fwrite(text, 1, (size_t)(at - text), out);
        fputs(to, out);
    }
    fputs(text, out);
    fclose(out);
    return copy;
}

static void copy_beside(const char *folder, const char *pattern)
{
    glob_t found;
    ck_assert_int_eq(glob(pattern, 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char to[PATH_MAX];
        snprintf(to, sizeof to, "%.3000s/%s", folder, strrchr(found.gl_pathv[i], '/') + 1);
        copy_file(found.gl_pathv[i], to, 0644);
    }
    globfree(&found);
}

void example_configure(const struct proxy *proxy, const char *name, const char *global)
{
    static char text[65536];
    char folder[PATH_MAX], from[PATH_MAX], to[PATH_MAX];
    mkdir(test_path(folder, "examples"), 0755);
    copy_beside(folder, EXAMPLES "*.map");
    snprintf(from, sizeof from, EXAMPLES "%s", name);
    ck_assert_msg(read_file(from, text, sizeof text) > 0,
                  "%s: cannot be read (tests run from the repository's root)", from);
    char *ipv4 = replace_all(text, "bind = 0.0.0.0:", "bind = 127.0.0.1:");
    char *ipv6 = replace_all(ipv4, "bind = [::]:", "bind = [::1]:");
    snprintf(to, sizeof to, "%s/", test_directory());
    char *placed = replace_all(ipv6, "/etc/rpproxy/", to);
    char *logged = replace_all(placed, "[defaults]\n", "[defaults]\naccess-log = yes\n");
    snprintf(to, sizeof to, "%.3000s/%s", folder, name);
    write_file(to, 0644, "%s%s", strstr(ipv6, "[defaults]") ? "" : "[defaults]\naccess-log = yes\n",
               logged);
    free(logged);
    free(placed);
    free(ipv6);
    free(ipv4);
    proxy_configure(proxy, "%sinclude = %s\n", global, to);
}

void example_start(struct proxy *proxy, const char *name)
{
    proxy_init(proxy, "proxy");
    example_configure(proxy, name, "workers = 2\n");
    proxy_start(proxy);
}

void example_certificate(void)
{
    struct outcome outcome;
    char cert[PATH_MAX], key[PATH_MAX];
    run(&outcome, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
        "-nodes", "-days", "2", "-subj", "/CN=test", "-keyout", test_path(key, "key.pem"), "-out",
        test_path(cert, "cert.pem"), NULL);
    ck_assert_msg(outcome.code == 0, "openssl: %s", outcome.err);
}
