#include "config/options/log_values.h"

#include "config/base/memory.h"
#include "config/base/path.h"
#include "config/model/config.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* --- log -------------------------------------------------------------------------------------- */

static const char log_form[] =
    "stderr, syslog, syslog:unix:/PATH, syslog:udp:HOST:PORT, journal or file:/PATH";

/* What stands behind the prefix, or NULL. */
static const char *behind(const char *value, const char *prefix)
{
    size_t length = strlen(prefix);
    return strncmp(value, prefix, length) == 0 ? value + length : NULL;
}

static const char *check_file(const char *path)
{
    const char *wrong = path_check(path);
    if (wrong)
        return wrong;
    return strlen(path) < PATH_MAX ? NULL : "is longer than a path may be";
}

/* text: as after syslog:. */
static const char *check_unix(const char *text)
{
    struct address address;
    return address_parse(text, &address);
}

static const char *check_host(const char *text)
{
    struct address address;
    char host[ADDRESS_HOST_MAX];
    return address_parse_or_name(text, &address, host);
}

static const char *set_place(struct log_place *place, enum log_target target, const char *where,
                             const char *wrong)
{
    if (wrong)
        return wrong;
    free(place->where);
    *place = (struct log_place){.target = target, .where = where ? memory_copy(where) : NULL};
    return NULL;
}

static const char *read_log(const char *value, void *member, const struct option_context *context)
{
    const char *where;
    (void)context;
    if ((where = behind(value, "file:")))
        return set_place(member, LOG_TO_FILE, where, check_file(where));
    if ((where = behind(value, "syslog:unix:")))
        return set_place(member, LOG_TO_SYSLOG, where, check_unix(where - strlen("unix:")));
    if ((where = behind(value, "syslog:udp:")))
        return set_place(member, LOG_TO_UDP, where, check_host(where));
    if (strcmp(value, "stderr") == 0)
        return set_place(member, LOG_TO_STDERR, NULL, NULL);
    if (strcmp(value, "syslog") == 0)
        return set_place(member, LOG_TO_SYSLOG, NULL, NULL);
    if (strcmp(value, "journal") == 0)
        return set_place(member, LOG_TO_JOURNAL, NULL, NULL);
    return option_wrong("must be %s", log_form);
}

static bool write_log(const void *member, size_t item, FILE *out)
{
    static const char *const words[] = {
        [LOG_TO_STDERR] = "stderr",   [LOG_TO_SYSLOG] = "syslog", [LOG_TO_UDP] = "syslog:udp:",
        [LOG_TO_JOURNAL] = "journal", [LOG_TO_FILE] = "file:",
    };
    const struct log_place *place = member;
    (void)item;
    fputs(words[place->target], out);
    if (place->where)
        fprintf(out, "%s%s", place->target == LOG_TO_SYSLOG ? ":unix:" : "", place->where);
    return true;
}

static void release_log(void *member)
{
    struct log_place *place = member;
    free(place->where);
    place->where = NULL;
}

const struct option_custom option_log = {
    .form = log_form, .read = read_log, .write = write_log, .release = release_log};
