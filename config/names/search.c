#include "config/names/search.h"

#include <stdio.h>
#include <string.h>

static unsigned count_dots(const char *name)
{
    unsigned dots = 0;
    for (; *name; name++)
        dots += *name == '.';
    return dots;
}

/* domain: NULL: the name as it is. False: too long. */
static bool join(const char *name, size_t length, const char *domain, char *text)
{
    int written = domain && *domain && strcmp(domain, ".") != 0
                      ? snprintf(text, SEARCH_NAME_MAX, "%.*s.%s", (int)length, name, domain)
                      : snprintf(text, SEARCH_NAME_MAX, "%.*s", (int)length, name);
    if (written <= 0 || written >= SEARCH_NAME_MAX)
        return false;
    if (text[written - 1] == '.')
        text[written - 1] = '\0';
    return true;
}

bool search_name(const char *name, char *const *domains, size_t domain_count, unsigned ndots,
                 size_t n, char text[static SEARCH_NAME_MAX])
{
    size_t length = strlen(name);
    bool absolute = length > 0 && name[length - 1] == '.';
    bool as_it_is_first = absolute || count_dots(name) >= ndots;
    size_t count = absolute ? 1 : domain_count + 1;
    if (absolute)
        length--;
    for (size_t i = 0; i < count; i++) {
        size_t domain = as_it_is_first ? i - 1 : i; /* domain_count and -1: none */
        if (!join(name, length, domain < domain_count ? domains[domain] : NULL, text))
            continue;
        if (n-- == 0)
            return true;
    }
    return false;
}
