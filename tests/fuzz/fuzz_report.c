/* The answer of a proxy, which may be of another version, as `rpproxy status` prints it. */
#include "reload/cli/report.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length);

/* Nobody reads what is printed. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    if (!freopen("/dev/null", "w", stdout))
        abort();
    return setenv("COLUMNS", "60", 1);
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length)
{
    json_t *status = json_loadb((const char *)bytes, length, 0, NULL);
    (void)report_print(status, true, stdout);
    (void)report_print(status, false, stdout);
    json_decref(status);
    return 0;
}
