#include "config/model/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

const char *config_where(const struct config *config, const char *option)
{
    for (size_t i = 0; i < config->line_count; i++)
        if (strcmp(config->lines[i].option, option) == 0)
            return config->lines[i].where;
    return config->file;
}

const char *config_default_control(void)
{
    static char path[sizeof((struct sockaddr_un *)NULL)->sun_path];
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    if (geteuid() == 0)
        return "/run/rpproxy/control.sock";
    if (!runtime || runtime[0] != '/' ||
        snprintf(path, sizeof path, "%s/rpproxy/control.sock", runtime) >= (int)sizeof path)
        snprintf(path, sizeof path, "/tmp/rpproxy-%u/control.sock", geteuid());
    return path;
}
