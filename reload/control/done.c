#include "reload/control/done.h"

#include "config/base/container_of.h"
#include "proxy/core/reclaim.h"
#include "reload/control/client.h"
#include "reload/handover/generation.h"
#include "reload/handover/kept_state.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct done {
    struct generation *generation;
    struct client *client; /* NULL: it has gone */
    struct retired retired;
    struct kept_waiter waiter;
    char text[DONE_TEXT_MAX];
};

static void answer(struct done *done, int error)
{
    char text[DONE_TEXT_MAX + PATH_MAX + 256];
    snprintf(text, sizeof text, "%s", done->text);
    if (error)
        snprintf(text, sizeof text, "%s; it is not kept in %s: %s", done->text,
                 done->generation->config->state, strerror(error));
    if (done->client) {
        client_stream_end(done->client);
        client_send_result(done->client, EXIT_DONE, text);
    }
    free(done);
}

static void on_kept(struct kept_waiter *waiter, int error)
{
    answer(container_of(waiter, struct done, waiter), error);
}

static void await_file(struct done *done)
{
    done->waiter.on_kept = on_kept;
    if (!kept_state_wait(done->generation, &done->waiter))
        answer(done, 0);
}

static void on_followed(struct retired *retired)
{
    await_file(container_of(retired, struct done, retired));
}

static void on_client_gone(void *arg)
{
    struct done *done = arg;
    done->client = NULL;
}

void done_answer(struct client *client, const char *text, bool workers)
{
    static const struct client_stream stream = {.on_gone = on_client_gone};
    struct done *done = calloc(1, sizeof *done);
    if (!done) {
        client_send_result(client, EXIT_DONE, text);
        return;
    }
    done->generation = client->generation;
    done->client = client;
    snprintf(done->text, sizeof done->text, "%s", text);
    client_stream_begin(client, &stream, done);
    if (workers)
        reclaim_with(&done->generation->proxy->reclaimer, &done->retired, on_followed);
    else
        await_file(done);
}
