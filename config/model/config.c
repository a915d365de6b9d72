#include "config/model/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

void bind_conf_free(struct bind_conf *bind)
{
    free(bind->owner);
    free(bind->group);
}

void config_free(struct config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < config->frontend_count; i++) {
        free(config->frontends[i].name);
        for (size_t j = 0; j < config->frontends[i].bind_count; j++)
            bind_conf_free(&config->frontends[i].binds[j]);
        free(config->frontends[i].binds);
    }
    for (size_t i = 0; i < config->backend_count; i++) {
        struct backend_conf *backend = &config->backends[i];
        for (size_t j = 0; j < backend->server_count; j++)
            free(backend->servers[j].name);
        free(backend->servers);
        free(backend->name);
    }
    free(config->frontends);
    free(config->backends);
    free(config->file);
    free(config->user);
    free(config->control);
    free(config->pidfile);
    free(config->log_path);
    free(config);
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
