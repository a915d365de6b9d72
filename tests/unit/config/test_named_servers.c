/* Lines of servers that have a name. */
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"

#include <string.h>

#define SERVER "[listen x]\nbind = 127.0.0.1:1\n"

static const struct {
    const char *text, *errors;
} mistakes[] = {
    {SERVER "server = a 127.0.0.1:80 resolve=all\n",
     "p.ini:3: server: resolve=all is possible only for a name\n"},
    {SERVER "server = a a.example:80 max=3\n",
     "p.ini:3: server: max is possible only with resolve=all\n"},
    {SERVER "server = a a.example:80 resolve=all max=1001\n",
     "p.ini:3: server: max '1001' must be 1 to 1000\n"},
    {SERVER "server = a a.example\ncheck = tcp\n",
     "p.ini:3: server a: it has no port that could be checked; add check-port=PORT\n"},
    {SERVER "server = b srv:-a\n", "p.ini:3: server: 'srv:-a': must be srv:_SERVICE._tcp.NAME\n"},
    {SERVER "server = a srv:_db._tcp.example weight=2\n",
     "p.ini:3: server: weight is not possible: SRV records tell the weights\n"},
    {SERVER "server = a srv:_db._tcp.example backup\n",
     "p.ini:3: server: backup is not possible: the priorities of SRV records tell it\n"},
    {SERVER "server = pod a.example:80 resolve=all\nserver = pod-32 10.0.0.1:80\n"
            "server = pod-33 10.0.0.1:80\nserver = pod-01 10.0.0.1:80\n",
     "p.ini:4: server: name 'pod-32' is one of those that server 'pod' gives to its addresses\n"},
    {SERVER "server = pod a.example:80 resolve=all\ncheck = tcp\n"
            "server = b 10.0.0.1:80 check-track=x/pod\n",
     "p.ini:5: server: check-track: x/pod is several servers (resolve=all)\n"},
    {"[global]\nresolver = ns.example\n" VALID,
     "p.ini:2: resolver: 'ns.example' must be system, or addresses of name servers: ADDRESS or "
     "ADDRESS:PORT\n"},
};

START_TEST(mistake_is_reported)
{
    struct loaded loaded = load_text(mistakes[_i].text);
    ck_assert_ptr_null(loaded.config);
    ck_assert_str_eq(loaded.errors, mistakes[_i].errors);
    loaded_free(&loaded);
}
END_TEST

/* Reading resolves nothing: the names need not exist. */
START_TEST(names_are_only_read)
{
    struct config *config = load_good(SERVER "server = a a.invalid:80\ncheck = tcp\n"
                                             "server = pod b.invalid:81 resolve=all max=7\n"
                                             "server = db srv:_db._tcp.invalid. resolve=all\n");
    const struct server_conf *servers = config->backends[0].servers;
    ck_assert_str_eq(servers[0].host, "a.invalid");
    ck_assert_str_eq(servers[0].text, "a.invalid:80");
    ck_assert_uint_eq(servers[0].address.length, 0);
    ck_assert_uint_eq(servers[1].max, 7);
    ck_assert(servers[2].service);
    ck_assert_str_eq(servers[2].host, "_db._tcp.invalid.");
    ck_assert_uint_eq(backend_most_servers(&config->backends[0]), 1 + 7 + 32);
    config_free(config);
}
END_TEST

Suite *named_servers_suite(void)
{
    Suite *suite = suite_create("named_servers");
    TCase *tcase = tcase_create("named_servers");
    tcase_add_checked_fixture(tcase, folder_make, folder_remove);
    tcase_add_loop_test(tcase, mistake_is_reported, 0, sizeof mistakes / sizeof mistakes[0]);
    tcase_add_test(tcase, names_are_only_read);
    suite_add_tcase(suite, tcase);
    return suite;
}
