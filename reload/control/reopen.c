#include "reload/control/reopen.h"

#include "config/base/log.h"
#include "reload/control/client.h"
#include "reload/handover/others.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char order[] = "{\"command\": \"reopen\", \"alone\": true}";

/* Returns 0 or an errno value. The answer of the other process is not waited for. */
static int tell(const struct other_process *other)
{
    int fd = others_ask(other, order);
    if (fd < 0)
        return -fd;
    close(fd);
    return 0;
}

void reopen_answer(struct client *client, const json_t *request)
{
    struct other_process others[OTHERS_MAX];
    const bool alone = json_is_true(json_object_get(request, "alone"));
    const size_t count = others_list(client->generation, others);
    char text[128];
    unsigned told = 0;
    int error = 0;
    log_reopen();
    for (size_t i = 0; i < count; i++) {
        if (alone && others[i].kind != OTHER_DRAINING)
            continue;
        int failure = tell(&others[i]);
        told += failure == 0;
        error = failure ? failure : error;
    }
    if (error)
        snprintf(text, sizeof text, "other processes could not be told: %s", strerror(error));
    else
        snprintf(text, sizeof text, "log reopened: by %u process%s", told + 1, told ? "es" : "");
    client_send_result(client, error ? EXIT_OTHER : EXIT_DONE, text);
}
