#include "config/write.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"

#include <stdlib.h>
#include <string.h>

#define BACKENDS                                                                                   \
    "[backend one]\nserver = a 127.0.0.1:2\n"                                                      \
    "[backend two]\nserver = a 127.0.0.1:3\n"
#define FRONTEND "[frontend f]\nbind = 127.0.0.1:1\n"

static struct config *config;

static const struct route *load(const char *routes)
{
    char text[4096];
    snprintf(text, sizeof text, FRONTEND "%s" BACKENDS, routes);
    config = load_good(text);
    return config->frontends[0].routes.items;
}

static void teardown(void)
{
    config_free(config);
    config = NULL;
    folder_remove();
}

START_TEST(routes_are_kept_in_their_order)
{
    const struct route *routes = load("route = sni:a.org,*.b.org alpn:h2 one\n"
                                      "route = !src:10.0.0.0/8,any dst-port:1-100,443 two\n"
                                      "route = begins:SSH-\\r\\x20 reject\n"
                                      "route = silent usable:two one\n"
                                      "route = two\n");
    ck_assert_uint_eq(config->frontends[0].routes.count, 5);
    ck_assert_uint_eq(routes[0].condition_count, 2);
    ck_assert_int_eq(routes[0].conditions[0].kind, CONDITION_SNI);
    ck_assert_uint_eq(name_map_find(routes[0].conditions[0].names, "x.B.org"), 0);
    ck_assert_uint_eq(name_map_find(routes[0].conditions[0].names, "b.org"), NAME_NO_VALUE);
    ck_assert_uint_eq(routes[0].backend, 0);
    ck_assert(routes[1].conditions[0].negated);
    ck_assert_uint_eq(routes[1].conditions[1].port_count, 2);
    ck_assert_uint_eq(routes[1].conditions[1].ports[0].last, 100);
    ck_assert_uint_eq(routes[1].backend, 1);
    ck_assert_uint_eq(routes[2].backend, ROUTE_REJECTS);
    ck_assert_uint_eq(routes[2].conditions[0].words[0].length, 6);
    ck_assert_mem_eq(routes[2].conditions[0].words[0].bytes, "SSH-\r ", 6);
    ck_assert_uint_eq(routes[3].conditions[1].backend, 1);
    ck_assert_uint_eq(routes[4].condition_count, 0);
    ck_assert_ptr_null(config->frontends[0].backend);
    ck_assert(!config->frontends[0].rejects);
}
END_TEST

START_TEST(a_frontend_may_reject_the_rest)
{
    load("backend = reject\nroute = tls:yes one\n");
    ck_assert_ptr_null(config->frontends[0].backend);
    ck_assert(config->frontends[0].rejects);
}
END_TEST

START_TEST(a_map_has_its_backends)
{
    static const char map[] = "# customers\n\na.org one\n*.a.org  two ; a comment\nB.org\treject\n";
    folder_write("map", map, sizeof map - 1);
    const struct route *routes = load("route = tls:yes sni-map:map\nroute = host-map:map\n");
    ck_assert(!routes[0].map.of_hosts);
    ck_assert(routes[1].map.of_hosts);
    for (int i = 0; i < 2; i++) {
        ck_assert_uint_eq(name_map_count(routes[i].map.names), 3);
        ck_assert_uint_eq(name_map_find(routes[i].map.names, "a.org"), 0);
        ck_assert_uint_eq(name_map_find(routes[i].map.names, "x.a.org"), 1);
        ck_assert_uint_eq(name_map_find(routes[i].map.names, "b.org"), ROUTE_REJECTS);
        ck_assert_uint_eq(name_map_find(routes[i].map.names, "c.org"), NAME_NO_VALUE);
    }
}
END_TEST

START_TEST(names_and_addresses_may_stand_in_files)
{
    folder_write("names", "a.org\n*.b.org\na.org\n", 20);
    folder_write("addresses", "10.0.0.0/8\n", 11);
    const struct route *routes = load("route = sni:x.org,@names src:@addresses,::1 one\n");
    ck_assert_uint_eq(name_map_count(routes[0].conditions[0].names), 3);
    struct address address;
    ck_assert_ptr_null(address_parse("10.1.1.1:1", &address));
    ck_assert_uint_eq(address_matcher_find(routes[0].conditions[1].matcher, &address.any), 0);
    ck_assert_ptr_null(address_parse("11.1.1.1:1", &address));
    ck_assert_uint_eq(address_matcher_find(routes[0].conditions[1].matcher, &address.any),
                      PREFIX_NO_VALUE);
}
END_TEST

/* What is written can be read, and says the same; of another process's configuration no file is
 * read. */
START_TEST(routes_are_written_as_they_are_read)
{
    char line[2048];
    struct config_errors errors;
    size_t length;
    folder_write("map", "a.org one\n", 10);
    folder_write("names", "a\n", 2);
    load(
        "route = !sni:a,@names alpn:h2 begins-hex:16 one\nroute = sni-map:map\nroute = silent two\n"
        "inspect-timeout = 10ms\n");
    char *text = config_text(config, &length);
    snprintf(line, sizeof line, "\nroute = !sni:a,@%s alpn:h2 begins-hex:16 one\n",
             folder_path("names"));
    ck_assert_msg(strstr(text, line), "%s", text);
    snprintf(line, sizeof line, "\nroute = sni-map:%s\n", folder_path("map"));
    ck_assert_msg(strstr(text, line), "%s", text);
    ck_assert_ptr_nonnull(strstr(text, "\nroute = silent two\n"));
    ck_assert_ptr_nonnull(strstr(text, "\ninspect-timeout = 10ms\n"));
    folder_write("map", "broken\n", 7);
    struct config *again = config_load_text("running", text, length, &errors);
    ck_assert_ptr_nonnull(again);
    char *text_again = config_text(again, &length);
    char *lists = strstr(text, "\n; list "); /* which are not read again */
    ck_assert_ptr_nonnull(lists);
    ck_assert_ptr_nonnull(strstr(lists, "/names: 1 entries, xxh3 "));
    ck_assert_ptr_nonnull(strstr(lists, "/map: 1 entries, xxh3 "));
    *lists = '\0';
    ck_assert_str_eq(text_again, text);
    free(text);
    free(text_again);
    config_free(again);
    config_errors_free(&errors);
}
END_TEST

static const struct {
    const char *route, *error;
} mistakes[] = {
    {"sni:a", "needs a backend, or reject, as its last word"},
    {"one two", "has an unknown condition 'one'; the conditions are"},
    {"sni: one", "'sni:': needs a name"},
    {"sni:a*b one", "'a*b' has a '*'"},
    {"snii:a one", "did you mean 'sni'?"},
    {"req.ssl_sni:a one", "it is 'sni:' here"},
    {"sni:a three", "route: there is no [backend three]"},
    {"usable:three one", "route: 'usable:three': there is no [backend three]"},
    {"usable: one", "needs the name of a backend"},
    {"tls:no one", "must be yes, or terminate"},
    {"!tls:terminate one", "is no condition that '!' could negate"},
    {"tls:terminate one", "tls:terminate needs a certificate; add 'certificate = FILE'"},
    {"client-cert:yes one", "client-cert needs client-ca"},
    {"client-cert:yes tls:terminate one", "client-cert is not known yet where tls:terminate"},
    {"client-cert: one", "needs a name"},
    {"client-cert:a*b one", "'a*b' has a '*'"},
    {"ssl_c_s_dn:x one", "it is 'client-cert:' here"},
    {"req.hdr(host):x one", "it is 'host:' here"},
    {"req.proto_http one", "it is 'http:yes' here"},
    {"req.len:0 one", "it is 'silent' here"},
    {"client-certs:x one", "did you mean 'client-cert'?"},
    {"http:no one", "must be yes"},
    {"begins:\\q one", "unknown escape"},
    {"begins:\\x4 one", "unknown escape"},
    {"begins-hex:123 one", "pairs of hexadecimal digits"},
    {"begins-hex:zz one", "pairs of hexadecimal digits"},
    {"begins: one", "needs a value"},
    {"dst-port:0 one", "must be ports"},
    {"dst-port:9-8 one", "must be ports"},
    {"dst-port:1-65536 one", "must be ports"},
    {"src:10.0.0 one", "is not an IP address"},
    {"alpn:,, one", "needs a value"},
    {"silent:x one", "has an unknown condition 'silent'"},
    {"sni-map: ", "needs the path of the map"},
    {"!sni-map:map", "has an unknown condition 'sni-map'"},
    {"sni-map:map one", "and a backend as well"},
    {"sni-map:map host-map:map", "has two maps"},
    {"sni-map:none", "none: No such file or directory"},
    {"sni-map:.", ": Is a directory"},
    {"sni:@none one", "none: No such file or directory"},
    {"sni:@ one", "needs the name of a file"},
    {"sni-map:bad",
     "bad:2: 'b.org three' names a backend that is missing: there is no [backend three]"},
    {"sni-map:bad", "bad:3: 'A.ORG one' is given twice"},
    {"sni-map:bad", "bad:4: 'alone' must be NAME BACKEND"},
    {"sni-map:bad", "bad:5: 'three words here' must be NAME BACKEND"},
    {"sni-map:bad", "bad:6: 'a/b one' is no name"},
    {"sni-map:bad", "bad:7: line contains a NUL byte"},
    {"sni:a a/b", "a name may contain"},
};

START_TEST(mistakes_are_reported_with_their_line)
{
    static const char bad[] = "a.org one\nb.org three\nA.ORG one\nalone\nthree words here\n"
                              "a/b one\nx\0y one\n";
    char text[1024];
    folder_write("map", "a.org one\n", 10);
    folder_write("bad", bad, sizeof bad - 1);
    snprintf(text, sizeof text, FRONTEND "backend = one\nroute = %s\n" BACKENDS,
             mistakes[_i].route);
    struct loaded loaded = load_text(text);
    ck_assert_ptr_null(loaded.config);
    ck_assert_msg(strstr(loaded.errors, mistakes[_i].error) &&
                      strncmp(loaded.errors, "p.ini:4: ", 9) == 0,
                  "%s", loaded.errors);
    loaded_free(&loaded);

    /* The route is there, so nothing is said about a backend that is missing. */
    snprintf(text, sizeof text, FRONTEND "route = %s\n" BACKENDS, mistakes[_i].route);
    loaded = load_text(text);
    ck_assert_ptr_null(strstr(loaded.errors, "has no backend"));
    loaded_free(&loaded);
}
END_TEST

START_TEST(a_server_may_be_what_the_client_asks_for)
{
    char text[1024], *written;
    size_t length;
    folder_write("names", "b.org\n", 6);
    config = load_good("[listen f]\nbind = 127.0.0.1:1\n"
                       "server = any sni:443 weight=2 allow=*.a.org,@names\n");
    const struct server_conf *server = &config->backends[0].servers[0];
    ck_assert_uint_eq(server->sni_port, 443);
    ck_assert_uint_eq(server->address.length, 0);
    ck_assert_uint_eq(name_map_find(server->allow.names, "x.a.org"), 0);
    ck_assert_uint_eq(name_map_find(server->allow.names, "b.org"), 0);
    ck_assert_uint_eq(name_map_find(server->allow.names, "c.org"), NAME_NO_VALUE);
    written = config_text(config, &length);
    snprintf(text, sizeof text, "\nserver = any sni:443 weight=2 allow=*.a.org,@%s\n",
             folder_path("names"));
    ck_assert_msg(strstr(written, text), "%s", written);
    free(written);
}
END_TEST

static const struct {
    const char *servers, *error;
} wrong_servers[] = {
    {"server = any sni:443\n", "server: sni:PORT needs allow=NAMES"},
    {"server = any sni:0 allow=a\n", "must be sni:PORT, with a port from 1 to 65535"},
    {"server = any sni: allow=a\n", "must be sni:PORT, with a port from 1 to 65535"},
    {"server = any 127.0.0.1:2 allow=a\n", "allow is possible only for a server sni:PORT"},
    {"server = any sni:443 allow=a*b\n", "server: allow 'a*b' 'a*b' has a '*'"},
    {"server = any sni:443 allow=@none\n", "none: No such file or directory"},
    {"server = any sni:443 allow=a\nserver = b 127.0.0.1:2\n", "must be its only one"},
    {"server = any sni:443 allow=a\ncheck = tcp\n", "cannot be checked"},
};

START_TEST(such_a_server_needs_a_list_and_nothing_else)
{
    char text[1024];
    snprintf(text, sizeof text, "[listen f]\nbind = 127.0.0.1:1\n%s", wrong_servers[_i].servers);
    struct loaded loaded = load_text(text);
    ck_assert_ptr_null(loaded.config);
    ck_assert_msg(strstr(loaded.errors, wrong_servers[_i].error), "%s", loaded.errors);
    loaded_free(&loaded);
}
END_TEST

START_TEST(reject_is_no_name_of_a_backend)
{
    struct loaded loaded = load_text(VALID "[backend reject]\nserver = a 127.0.0.1:3\n");
    ck_assert_msg(strstr(loaded.errors, "p.ini:4: [backend reject]: the name 'reject'"), "%s",
                  loaded.errors);
    loaded_free(&loaded);
}
END_TEST

START_TEST(a_frontend_needs_a_backend_or_a_route)
{
    struct loaded loaded = load_text(FRONTEND BACKENDS);
    ck_assert_msg(strstr(loaded.errors, "[frontend f] has no backend"), "%s", loaded.errors);
    loaded_free(&loaded);
}
END_TEST

Suite *routes_suite(void)
{
    Suite *suite = suite_create("routes");
    TCase *tcase = tcase_create("routes");
    tcase_add_checked_fixture(tcase, folder_make, teardown);
    tcase_add_test(tcase, routes_are_kept_in_their_order);
    tcase_add_test(tcase, a_frontend_may_reject_the_rest);
    tcase_add_test(tcase, a_map_has_its_backends);
    tcase_add_test(tcase, names_and_addresses_may_stand_in_files);
    tcase_add_test(tcase, routes_are_written_as_they_are_read);
    tcase_add_loop_test(tcase, mistakes_are_reported_with_their_line, 0,
                        sizeof mistakes / sizeof *mistakes);
    tcase_add_test(tcase, a_server_may_be_what_the_client_asks_for);
    tcase_add_loop_test(tcase, such_a_server_needs_a_list_and_nothing_else, 0,
                        sizeof wrong_servers / sizeof *wrong_servers);
    tcase_add_test(tcase, reject_is_no_name_of_a_backend);
    tcase_add_test(tcase, a_frontend_needs_a_backend_or_a_route);
    suite_add_tcase(suite, tcase);
    return suite;
}
