#include "reload/http/origin.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define HOST_MAX 256

/* Copies the name without its port. False: it is no name. */
static bool split(const char *host, char name[static HOST_MAX])
{
    size_t length = strcspn(host, ":");
    if (host[0] == '[') {
        const char *end = strchr(host, ']');
        if (!end)
            return false;
        host++;
        length = (size_t)(end - host);
        if (end[1] && end[1] != ':')
            return false;
    }
    if (length == 0 || length >= HOST_MAX)
        return false;
    snprintf(name, HOST_MAX, "%.*s", (int)length, host);
    return true;
}

static bool is_address(const char *name)
{
    unsigned char bytes[16];
    return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

bool origin_host_is_own(const char *host, const struct words *names)
{
    char name[HOST_MAX], machine[HOST_NAME_MAX + 1];
    if (!host || !split(host, name))
        return false;
    if (is_address(name) || strcasecmp(name, "localhost") == 0)
        return true;
    if (gethostname(machine, sizeof machine) == 0 && machine[0] && strcasecmp(name, machine) == 0)
        return true;
    for (size_t i = 0; i < names->count; i++)
        if (strcasecmp(name, names->list[i]) == 0)
            return true;
    return false;
}

bool origin_is_host(const char *origin, const char *host)
{
    if (!origin || !host)
        return false;
    if (strncasecmp(origin, "http://", 7) == 0)
        return strcasecmp(origin + 7, host) == 0;
    return strncasecmp(origin, "https://", 8) == 0 && strcasecmp(origin + 8, host) == 0;
}
