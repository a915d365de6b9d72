#include "proxy/session/service.h"

#include <string.h>

unsigned service_live(const struct service *service)
{
    return atomic_load(&service->places.limit->used);
}

void service_release_place(struct service *service, struct frontend *frontend)
{
    place_release(&frontend->places);
    if (atomic_load(&service->draining) && service_live(service) == 0)
        task_queue_post(service->main, &service->empty_task);
}

struct backend *service_backend(const struct service *service, const char *name)
{
    for (size_t i = 0; i < service->config->backend_count; i++)
        if (strcmp(service->config->backends[i].name, name) == 0)
            return &service->backends[i];
    return NULL;
}

struct session_set *service_next_set(struct service *service)
{
    return service->sets[service->next_set++ % service->set_count];
}
