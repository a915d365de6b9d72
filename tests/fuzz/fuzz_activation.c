/* What a service manager says of the sockets that it passes: LISTEN_PID, LISTEN_FDS and
 * LISTEN_FDNAMES, a line each, where "self" is this process. */
#include "config/base/log.h"
#include "reload/listeners/activation.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length);

enum { FIRST = 3, LAST = 8 }; /* descriptors that are passed; libFuzzer keeps none open */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const struct log_conf quiet = {.target = LOG_TO_STDERR, .level = LOG_LEVEL_ERROR};
    (void)argc;
    (void)argv;
    return log_open(&quiet);
}

static void set(const char *name, const char *value)
{
    char own[32];
    snprintf(own, sizeof own, "%d", (int)getpid());
    if (value)
        setenv(name, strcmp(value, "self") == 0 ? own : value, 1);
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length)
{
    struct offer offer = {0};
    char *text = strndup((const char *)bytes, length), *rest = text;
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    for (int fd = FIRST; fd <= LAST; fd++)
        if (fd != null && dup2(null, fd) < 0)
            abort();
    if (null < FIRST || null > LAST)
        close(null);
    set("LISTEN_PID", strsep(&rest, "\n"));
    set("LISTEN_FDS", rest ? strsep(&rest, "\n") : NULL);
    set("LISTEN_FDNAMES", rest);
    const char *wrong = activation_take(&offer);
    size_t taken = 0;
    for (size_t i = 0; i < offer.count; i++)
        taken += offer.list[i].fd_count;
    if (getenv("LISTEN_PID") || getenv("LISTEN_FDS") || getenv("LISTEN_FDNAMES") ||
        taken > LAST - FIRST + 1 || (wrong && !*wrong))
        abort();
    offer_free(&offer);
    for (int fd = FIRST; fd <= LAST; fd++)
        close(fd);
    free(text);
    return 0;
}
