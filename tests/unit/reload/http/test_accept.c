/* Which format of the metrics a client gets. */
#include "reload/http/accept.h"
#include "tests/unit/suites.h"

START_TEST(the_client_chooses)
{
    static const struct {
        const char *header;
        bool openmetrics;
    } cases[] = {
        {NULL, false},
        {"", false},
        {"*/*", false},
        {"text/plain", false},
        {"application/openmetrics-text", true},
        {"Application/OpenMetrics-Text", true},
        {"application/openmetrics-textual", false},
        {"application/openmetrics-text; version=1.0.0;q=0.5,application/openmetrics-text;"
         "version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
         true},
        {"text/plain;q=0.6, application/openmetrics-text;q=0.5", false},
        {"text/plain;q=0.5, application/openmetrics-text;q=0.5", true},
        {"application/openmetrics-text;q=0", false},
        {"application/openmetrics-text;q=0.000", false},
        {"application/openmetrics-text; Q=1.000", true},
        {"application/openmetrics-text;q=1.001", false},
        {"application/openmetrics-text;q=x", false},
        {"application/openmetrics-text;q=", false},
        {",, ,application/openmetrics-text ,", true},
        {";q=1", false},
        {",", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(accept_wants_openmetrics(cases[i].header) == cases[i].openmetrics, "%s",
                      cases[i].header ? cases[i].header : "none");
}
END_TEST

Suite *accept_suite(void)
{
    Suite *suite = suite_create("accept");
    TCase *headers = tcase_create("headers");
    tcase_add_test(headers, the_client_chooses);
    suite_add_tcase(suite, headers);
    return suite;
}
