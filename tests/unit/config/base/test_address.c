#include "config/base/address.h"
#include "tests/unit/suites.h"

#include <arpa/inet.h>
#include <string.h>

#define PATH_107                                                                                   \
    "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    "a"                                                                                            \
    "aaaaaaaaaaaaaa"

static const struct {
    const char *text;
    const char *canonical;
    int family;
} good[] = {
    {"1.2.3.4:80", "1.2.3.4:80", AF_INET},
    {"0.0.0.0:1", "0.0.0.0:1", AF_INET},
    {"255.255.255.255:65535", "255.255.255.255:65535", AF_INET},
    {"127.0.0.1:0080", "127.0.0.1:80", AF_INET},
    {"[::]:80", "[::]:80", AF_INET6},
    {"[0:0::1]:443", "[::1]:443", AF_INET6},
    {"[2001:DB8::00A]:443", "[2001:db8::a]:443", AF_INET6},
    {"[::ffff:1.2.3.4]:80", "1.2.3.4:80", AF_INET},
    {"[fe80::1%lo]:80", "[fe80::1%lo]:80", AF_INET6},
    {"unix:/run/x.sock", "unix:/run/x.sock", AF_UNIX},
    {"unix:/a:b", "unix:/a:b", AF_UNIX},
    {"unix:" PATH_107, "unix:" PATH_107, AF_UNIX},
    {"unix:@name", "unix:@name", AF_UNIX},
    {"unix:@" PATH_107, "unix:@" PATH_107, AF_UNIX},
};

START_TEST(address_is_read_and_written)
{
    struct address address;
    struct address again;
    char text[ADDRESS_TEXT_MAX];
    ck_assert_pstr_eq(address_parse(good[_i].text, &address), NULL);
    ck_assert_int_eq(address.any.sa_family, good[_i].family);
    ck_assert_str_eq(address_format(&address, text), good[_i].canonical);
    ck_assert_ptr_null(address_parse(text, &again));
    ck_assert(address_equal(&address, &again));
    ck_assert_uint_eq(address.length, again.length);
    ck_assert(address_is_unix(&address) == (good[_i].family == AF_UNIX));
}
END_TEST

#define PORT_RANGE "port must be 1 to 65535"
#define NO_NAME    "not a host name: letters, digits, '-', '_' and '.'"

static const struct {
    const char *text;
    const char *wrong;
} bad[] = {
    {"", "port is missing: HOST:PORT"},
    {"1.2.3.4", "port is missing: HOST:PORT"},
    {"1.2.3.4:", "port is missing: HOST:PORT"},
    {"1.2.3.4:0", PORT_RANGE},
    {"1.2.3.4:65536", PORT_RANGE},
    {"1.2.3.4:99999999999999999999", PORT_RANGE},
    {"1.2.3.4:-1", "port must be a number from 1 to 65535"},
    {"1.2.3.4:http", "port must be a number from 1 to 65535"},
    {"1.2.3.4:80 ", "port must be a number from 1 to 65535"},
    {":80", "host is missing; for all addresses write 0.0.0.0:PORT or [::]:PORT"},
    {"80", "host is missing; for all addresses write 0.0.0.0:PORT or [::]:PORT"},
    {"1.2.3.4:80,1.2.3.5:80", "is a list; write each address in a line of its own"},
    {"*:80", "host is missing; for all addresses write 0.0.0.0:PORT or [::]:PORT"},
    {"10.0.0.256:80", "not an IPv4 address"},
    {"10.0.1:80", "not an IPv4 address"},
    {"10:80", "not an IPv4 address"},
    {"0x7f.1:80", "not an IPv4 address"},
    {"0x7f000001:80", "not an IPv4 address"},
    {"1.2.3.4.:80", "not an IPv4 address"},
    {"::1:80", "an IPv6 address needs brackets: [IPV6]:PORT"},
    {"::1", "an IPv6 address needs brackets: [IPV6]:PORT"},
    {"[::1:80", "']' is missing: [IPV6]:PORT"},
    {"[::1]", "port is missing: [IPV6]:PORT"},
    {"[::1]80", "port is missing: [IPV6]:PORT"},
    {"[::1]:", "port is missing: HOST:PORT"},
    {"[::1]:0", PORT_RANGE},
    {"[]:80", "not an IPv6 address between the brackets"},
    {"[1.2.3.4]:80", "not an IPv6 address between the brackets"},
    {"[::g]:80", "not an IPv6 address between the brackets"},
    {"[1111111111111111111111111111111111111111111111111111111111111111111]:80",
     "not an IPv6 address between the brackets"},
    {"[fe80::1%nosuchinterface]:80", "no network interface has the name after '%'"},
    {"a b:80", NO_NAME},
    {"a/b:80", NO_NAME},
    {"-a:80", NO_NAME},
    {"unix:", "path of a Unix socket must be absolute: unix:/PATH"},
    {"unix:run/x", "path of a Unix socket must be absolute: unix:/PATH"},
    {"unix:@", "name of the abstract Unix socket is missing: unix:@NAME"},
    {"unix:@" PATH_107 "a", "name of an abstract Unix socket must not be longer than 107 bytes"},
    {"abns@name", "an abstract Unix socket is unix:@NAME here"},
    {"unix:" PATH_107 "a", "path of a Unix socket must not be longer than 107 bytes"},
};

START_TEST(bad_address_is_refused)
{
    struct address address;
    struct address before;
    memset(&address, 0x5a, sizeof address);
    before = address;
    ck_assert_pstr_eq(address_parse(bad[_i].text, &address), bad[_i].wrong);
    ck_assert_mem_eq(&address, &before, sizeof address);
}
END_TEST

START_TEST(host_name_is_only_read)
{
    struct address address;
    char host[ADDRESS_HOST_MAX];
    ck_assert_pstr_eq(address_parse("localhost:80", &address),
                      "must be an address, and not a name");
    ck_assert_pstr_eq(address_parse_or_name("Db.example:80", &address, host), NULL);
    ck_assert_str_eq(host, "Db.example");
    ck_assert_uint_eq(address.length, 0);
    ck_assert_uint_eq(ntohs(address.in.sin_port), 80);
    ck_assert_pstr_eq(address_parse_or_name("192.0.2.1:80", &address, host), NULL);
    ck_assert_str_eq(host, "");
    ck_assert_uint_eq(address.length, sizeof address.in);
}
END_TEST

START_TEST(overlong_host_name_is_refused)
{
    struct address address;
    char text[400];
    memset(text, 'a', 300);
    strcpy(text + 300, ":80");
    ck_assert_str_eq(address_parse(text, &address), "host name is longer than 253 bytes");
}
END_TEST

START_TEST(different_addresses_differ)
{
    static const char *const texts[] = {
        "1.2.3.4:80", "1.2.3.4:81",          "1.2.3.5:80", "[::1]:80", "[::2]:80",
        "[::1]:81",   "[::fffe:1.2.3.4]:80", "unix:/a",    "unix:/b",  "unix:/ab",
    };
    const size_t count = sizeof texts / sizeof texts[0];
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            struct address a;
            struct address b;
            ck_assert_ptr_null(address_parse(texts[i], &a));
            ck_assert_ptr_null(address_parse(texts[j], &b));
            ck_assert(address_equal(&a, &b) == (i == j));
        }
    }
}
END_TEST

START_TEST(addresses_without_a_name_have_a_text)
{
    char text[ADDRESS_TEXT_MAX];
    struct address none = {0};
    struct address client = {.length = sizeof(sa_family_t)};
    struct address abstract = {.length = offsetof(struct sockaddr_un, sun_path) + 3};
    client.un.sun_family = AF_UNIX;
    abstract.un.sun_family = AF_UNIX;
    memcpy(abstract.un.sun_path, "\0ab", 3);
    ck_assert_str_eq(address_format(&none, text), "none");
    ck_assert_str_eq(address_format(&client, text), "unix:");
    ck_assert_str_eq(address_format(&abstract, text), "unix:@ab");
    ck_assert(address_equal(&none, &none));
    ck_assert(!address_equal(&none, &client));
    ck_assert(!address_equal(&client, &abstract));
}
END_TEST

START_TEST(mapped_address_becomes_ipv4)
{
    struct address client = {.length = sizeof client.in6};
    char plain[ADDRESS_TEXT_MAX];
    client.in6.sin6_family = AF_INET6;
    client.in6.sin6_port = htons(80);
    ck_assert_int_eq(inet_pton(AF_INET6, "::ffff:192.0.2.1", &client.in6.sin6_addr), 1);
    address_unmap(&client);
    ck_assert_str_eq(address_format(&client, plain), "192.0.2.1:80");

    static const char *const texts[][2] = {{"[::ffff:192.0.2.1]:80", "192.0.2.1:80"},
                                           {"[::1]:80", "[::1]:80"},
                                           {"[64:ff9b::c000:201]:80", "[64:ff9b::c000:201]:80"},
                                           {"192.0.2.1:80", "192.0.2.1:80"},
                                           {"unix:/x", "unix:/x"}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct address address;
        char text[ADDRESS_TEXT_MAX];
        ck_assert_ptr_null(address_parse(texts[i][0], &address));
        ck_assert_str_eq(address_format(&address, text), texts[i][1]);
    }
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

START_TEST(abstract_name_has_no_path)
{
    struct address address, path;
    ck_assert_ptr_null(address_parse("unix:@/run/x", &address));
    ck_assert_ptr_null(address_parse("unix:/run/x", &path));
    ck_assert(address_is_abstract(&address));
    ck_assert(!address_is_abstract(&path));
    ck_assert(!address_equal(&address, &path));
    ck_assert_uint_eq(address.length, sizeof(sa_family_t) + strlen("@/run/x"));
    ck_assert_mem_eq(address.un.sun_path, "\0/run/x", strlen("@/run/x"));
}
END_TEST

static const struct {
    const char *text, *portless;
} portless[] = {
    {"1.2.3.4:80", "1.2.3.4"},
    {"[::1]:80", "[::1]"},
    {"unix:/run/x:0", "unix:/run/x:0"},
};

START_TEST(port_is_left_out)
{
    struct address address;
    char text[ADDRESS_TEXT_MAX];
    ck_assert_ptr_null(address_parse(portless[_i].text, &address));
    ck_assert_str_eq(address_format_portless(&address, text), portless[_i].text);
    address_set_port(&address, 0);
    ck_assert_str_eq(address_format_portless(&address, text), portless[_i].portless);
}
END_TEST

Suite *address_suite(void)
{
    Suite *suite = suite_create("address");
    TCase *parsing = tcase_create("parse");
    tcase_add_loop_test(parsing, address_is_read_and_written, 0, COUNT(good));
    tcase_add_loop_test(parsing, bad_address_is_refused, 0, COUNT(bad));
    tcase_add_test(parsing, host_name_is_only_read);
    tcase_add_test(parsing, overlong_host_name_is_refused);
    tcase_add_test(parsing, abstract_name_has_no_path);
    tcase_add_loop_test(parsing, port_is_left_out, 0, COUNT(portless));
    suite_add_tcase(suite, parsing);
    TCase *comparing = tcase_create("compare");
    tcase_add_test(comparing, different_addresses_differ);
    tcase_add_test(comparing, addresses_without_a_name_have_a_text);
    tcase_add_test(comparing, mapped_address_becomes_ipv4);
    suite_add_tcase(suite, comparing);
    return suite;
}
