/* What rpproxy check warns of. */
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRONTEND "[frontend f]\nbind = 127.0.0.1:1\nbackend = b\n"
#define BACKEND  "[backend b]\nserver = a 127.0.0.1:2\n"
#define LISTEN   "[listen l]\nbind = 127.0.0.1:1\n"
#define LISTEN2  "[listen l]\nbind = 127.0.0.1:1\nserver = a 127.0.0.1:2\nserver = b 127.0.0.1:3\n"
#define BACKEND2 BACKEND "server = b 127.0.0.1:3\n"
#define NONE(what)                                                                                 \
    {                                                                                              \
        what, ""                                                                                   \
    }

static const struct {
    const char *text, *warnings;
} cases[] = {
    NONE(VALID),
    NONE(FRONTEND BACKEND),
    /* Servers and backends. */
    {LISTEN "server = a 127.0.0.1:2\nserver = b 127.0.0.1:3\nserver = c 127.0.0.1:2\n",
     "p.ini:5: warning: server c has the address 127.0.0.1:2 of server a in line 3; the machine "
     "gets "
     "the share of both\n"},
    {LISTEN "server = a 127.0.0.1:2\nserver = c 127.0.0.1:2 backup\n",
     "p.ini:4: warning: server c has the address 127.0.0.1:2 of server a in line 3; the machine "
     "gets "
     "the share of both\n"},
    NONE(LISTEN "server = a 127.0.0.1:2\nserver = b 127.0.0.2:2\n"),
    {FRONTEND BACKEND "[backend spare]\nserver = a 127.0.0.1:2\n",
     "p.ini:6: warning: [backend spare] is not used: no frontend and no route names it\n"},
    NONE(FRONTEND "route = src:10.0.0.0/8 c\n" BACKEND "[backend c]\nserver = a 127.0.0.1:2\n"),
    NONE(FRONTEND "route = usable:c b\n" BACKEND "[backend c]\nserver = a 127.0.0.1:2\n"),
    NONE(FRONTEND BACKEND "server = t 127.0.0.1:3 check-track=c/a\n"
                          "[backend c]\nserver = a 127.0.0.1:2\ncheck = tcp\n"),
    /* Binds. */
    {"[global]\nworkers = 1\n" LISTEN "bind = 127.0.0.1:7 steer=cpu\nserver = a 127.0.0.1:2\n",
     "p.ini:5: warning: bind: steer=cpu without cpu-affinity in [global]: workers are not on the "
     "CPUs that they serve\n"},
    NONE("[global]\ncpu-affinity = yes\n" LISTEN
         "bind = 127.0.0.1:7 steer=cpu\nserver = a 127.0.0.1:2\n"),
    {LISTEN "bind = 127.0.0.1:100-200 steer=cpu\nbind = unix:/tmp/x defer-accept=yes\n"
            "server = a 127.0.0.1:2\n",
     "p.ini:3: warning: bind: steer=cpu without cpu-affinity in [global]: workers are not on the "
     "CPUs that they serve\n"
     "p.ini:4: warning: bind: defer-accept has no effect on a Unix socket\n"},
    {LISTEN "bind = fd:x backlog=7\nserver = a 127.0.0.1:2\n",
     "p.ini:3: warning: bind: backlog has no effect on a passed socket: the service manager sets "
     "it\n"},
    /* Access lists. */
    {LISTEN2 "allow = 10.0.0.0/8\n",
     "p.ini:5: warning: allow has no effect: other clients may come "
     "in as well; add 'deny = any' below it\n"},
    {LISTEN2 "deny = 10.9.0.0/16\nallow = 10.0.0.0/8\n",
     "p.ini:6: warning: allow has no effect: other clients may come in as well; add 'deny = any' "
     "below it\n"},
    {LISTEN2 "deny = any\nallow = 10.0.0.0/8\n",
     "p.ini:6: warning: allow has no effect: 'deny = any' in line 5 decides before it\n"},
    NONE(LISTEN2 "allow = 10.0.0.0/8\ndeny = any\n"),
    NONE(LISTEN2 "deny = 10.0.0.0/8\nallow = any\n"),
    NONE(LISTEN2 "deny = 10.0.0.0/8\n"),
    /* Options that need another one. */
    {LISTEN2 "hash = sni\n", "p.ini:5: warning: hash has no effect without balance = maglev\n"},
    NONE(LISTEN2 "hash = source\n"),
    NONE(LISTEN2 "hash = sni\nbalance = maglev\n"),
    {LISTEN2 "hash-prefix = 48\n", "p.ini:5: warning: hash-prefix has no effect without balance = "
                                   "source, or balance = maglev with hash = source\n"},
    NONE(LISTEN2 "hash-prefix = 48\nbalance = source\n"),
    {LISTEN2 "failback = no\nbackup = all\n",
     "p.ini:5: warning: failback has no effect without a server with the attribute backup\n"
     "p.ini:6: warning: backup has no effect without a server with the attribute backup\n"},
    NONE(LISTEN2 "failback = no\nserver = c 127.0.0.1:9 backup\n"),
    {LISTEN2 "fail-window = 7s\neject-time = 7s\nmax-ejected = 7%\n",
     "p.ini:5: warning: fail-window has no effect without max-fails\n"
     "p.ini:6: warning: eject-time has no effect without max-fails\n"
     "p.ini:7: warning: max-ejected has no effect without max-fails\n"},
    NONE(LISTEN2 "fail-window = 7s\nmax-fails = 2\n"),
    {LISTEN "server = a 127.0.0.1:2\nmax-fails = 3\n",
     "p.ini:4: warning: max-fails has no effect without a second server: the only one is never "
     "ejected\n"},
    {LISTEN2 "max-queue = 7\nqueue-timeout = 7s\n",
     "p.ini:5: warning: max-queue has no effect without a server with the attribute maxconn\n"
     "p.ini:6: warning: queue-timeout has no effect without a server with the attribute maxconn\n"},
    NONE(LISTEN2 "max-queue = 7\nserver = c 127.0.0.1:9 maxconn=5\n"),
    {LISTEN2 "rise = 7\nfall = 7\ncheck-interval = 7s\non-down = close\n",
     "p.ini:5: warning: rise has no effect without check\n"
     "p.ini:6: warning: fall has no effect without check\n"
     "p.ini:7: warning: check-interval has no effect without check\n"
     "p.ini:8: warning: on-down has no effect without check\n"},
    NONE(LISTEN2 "rise = 7\ncheck = off\n"),
    NONE(LISTEN2 "rise = 7\ncheck = tcp\n"),
    {LISTEN2 "server = c 127.0.0.1:9 check-port=8\n",
     "p.ini:5: warning: server c: check-port has no effect without check\n"},
    {LISTEN2 "server = c 127.0.0.1:9 weight=8\nbalance = first\n",
     "p.ini:5: warning: server c: weight has no effect with balance = first, which knows no "
     "shares\n"},
    {LISTEN2 "resolve = start\n",
     "p.ini:5: warning: resolve has no effect without a server that has a name\n"},
    NONE("[global]\nresolver = 127.0.0.9:5\n" LISTEN2 "resolve = start\nserver = c a.example:9\n"),
    {"[global]\nmax-sources = 5000\nresolve-max = 7s\n" VALID,
     "p.ini:2: warning: max-sources has no effect without max-sessions-per-source or "
     "rate-per-source in a frontend\n"
     "p.ini:3: warning: resolve-max has no effect without a server that has a name\n"},
    {"[global]\ndrain = wait\non-removed = close\n" VALID,
     "p.ini:3: warning: on-removed has no effect without drain = handoff\n"},
    {LISTEN2 "inspect-timeout = 7s\n",
     "p.ini:5: warning: inspect-timeout has no effect without accept-proxy, and without a route or "
     "a backend that needs the first bytes of a client\n"},
    NONE(LISTEN2 "inspect-timeout = 7s\naccept-proxy = any\n"),
    NONE(LISTEN2 "inspect-timeout = 7s\nroute = tls:yes l\n"),
    NONE(LISTEN2 "inspect-timeout = 7s\nbalance = maglev\nhash = sni\n"),
    {LISTEN2 "inspect-timeout = 7s\nroute = src:10.0.0.0/8 l\n",
     "p.ini:5: warning: inspect-timeout has no effect without accept-proxy, and without a route or "
     "a backend that needs the first bytes of a client\n"},
    {LISTEN2 "over-limit = close\n",
     "p.ini:5: warning: over-limit has no effect without max-sessions or max-rate\n"},
    NONE(LISTEN2 "over-limit = close\nmax-rate = 5/s\n"),
    {"[listen l]\nbind = unix:/tmp/x\nserver = a 127.0.0.1:2\n[frontend f]\nbind = unix:/tmp/y\n"
     "backend = l\nuser-timeout = 7s\n",
     "p.ini:7: warning: user-timeout has no effect without a TCP bind\n"},
    NONE("[listen l]\nbind = unix:/tmp/x\nserver = a 127.0.0.1:2\nuser-timeout = 7s\n"),
    /* [defaults] are for many: an option has to have an effect somewhere. */
    {"[defaults]\nmax-queue = 7\nrise = 5\n" FRONTEND BACKEND2 "check = tcp\n",
     "p.ini:2: warning: max-queue has no effect without a server with the attribute maxconn\n"},
    NONE("[defaults]\nmax-queue = 7\n" FRONTEND BACKEND
         "[listen l]\nbind = 127.0.0.1:5\nserver = a 127.0.0.1:2 maxconn=5\n"),
};

START_TEST(what_is_hardly_meant_is_a_warning)
{
    struct loaded loaded = load_text(cases[_i].text);
    ck_assert_str_eq(loaded.errors, "");
    ck_assert_ptr_nonnull(loaded.config);
    ck_assert_str_eq(loaded.warnings, cases[_i].warnings);
    loaded_free(&loaded);
}
END_TEST

/* Lines of included files have their own file's name; a place in another file has its file's. */
START_TEST(warnings_name_the_included_file)
{
    static const char more[] = "[backend b]\nhash = sni\nserver = a 127.0.0.1:2\n"
                               "server = b 127.0.0.1:2\n[backend c]\nserver = a 127.0.0.1:2\n";
    folder_write("more.ini", more, sizeof more - 1);
    struct loaded loaded = load_text("[global]\nmax-sources = 4000\ninclude = more.ini\n" FRONTEND);
    ck_assert_str_eq(
        loaded.warnings,
        "p.ini:2: warning: max-sources has no effect without max-sessions-per-source or "
        "rate-per-source in a frontend\n"
        "more.ini:2: warning: hash has no effect without balance = maglev\n"
        "more.ini:4: warning: server b has the address 127.0.0.1:2 of server a in line 3; the "
        "machine gets the share of both\n"
        "more.ini:5: warning: [backend c] is not used: no frontend and no route names it\n");
    loaded_free(&loaded);
}
END_TEST

/* What would follow from an error is not said. */
START_TEST(with_an_error_there_are_no_warnings)
{
    struct loaded loaded = load_text(LISTEN2 "hash = sni\nretries = many\n");
    ck_assert_ptr_null(loaded.config);
    ck_assert_uint_eq(loaded.error_count, 1);
    ck_assert_str_eq(loaded.warnings, "");
    loaded_free(&loaded);
}
END_TEST

/* The text of a running process has every option: a person has not written it. */
START_TEST(the_text_of_a_process_has_no_warnings)
{
    static const char text[] = LISTEN2 "hash = sni\n";
    struct config_errors errors;
    struct config *config = config_load_text("running", text, sizeof text - 1, &errors);
    ck_assert_ptr_nonnull(config);
    ck_assert_uint_eq(errors.count, 0);
    config_errors_free(&errors);
    config_free(config);
}
END_TEST

START_TEST(thousands_of_warnings_are_cut)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    fputs("[listen l]\nbind = 127.0.0.1:1\n", out);
    for (unsigned i = 0; i < 1500; i++)
        fprintf(out, "server = s%u 127.0.0.1:2\n", i);
    fclose(out);
    struct loaded loaded = load_text(text);
    ck_assert_ptr_nonnull(loaded.config);
    ck_assert_ptr_nonnull(strstr(loaded.warnings, "\np.ini: too many warnings; the rest is not "
                                                  "shown\n"));
    loaded_free(&loaded);
    free(text);
}
END_TEST

Suite *warnings_suite(void)
{
    Suite *suite = suite_create("warnings");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, folder_make, folder_remove);
    tcase_add_loop_test(all, what_is_hardly_meant_is_a_warning, 0,
                        (int)(sizeof cases / sizeof cases[0]));
    tcase_add_test(all, warnings_name_the_included_file);
    tcase_add_test(all, with_an_error_there_are_no_warnings);
    tcase_add_test(all, the_text_of_a_process_has_no_warnings);
    tcase_add_test(all, thousands_of_warnings_are_cut);
    suite_add_tcase(suite, all);
    return suite;
}
