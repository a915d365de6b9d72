#include "reload/listeners/offer.h"

#include "config/model/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct offered *offer_find(const struct offer *offer, const char *text)
{
    for (size_t i = 0; offer && i < offer->count; i++)
        if (strcmp(offer->list[i].text, text) == 0)
            return &offer->list[i];
    return NULL;
}

bool offered_address(const struct offered *offered, struct listen_address *at)
{
    return !bind_text_is_activated(offered->text) && !listen_address_parse(offered->text, at);
}

struct offered *offer_add(struct offer *offer, const char *text)
{
    struct offered *offered = offer_find(offer, text);
    if (offered)
        return offered;
    struct offered *list = realloc(offer->list, (offer->count + 1) * sizeof *list);
    if (!list)
        return NULL;
    offer->list = list;
    offered = &list[offer->count++];
    *offered = (struct offered){0};
    snprintf(offered->text, sizeof offered->text, "%s", text);
    return offered;
}

int offered_add_fds(struct offered *offered, int *fds, size_t count)
{
    if (count == 0)
        return 0;
    int *all = realloc(offered->fds, (offered->fd_count + count) * sizeof *all);
    if (!all)
        return ENOMEM;
    offered->fds = all;
    for (size_t i = 0; i < count; i++) {
        all[offered->fd_count++] = fds[i];
        fds[i] = -1;
    }
    return 0;
}

void offered_close(struct offered *offered)
{
    for (unsigned i = 0; i < offered->fd_count; i++)
        if (offered->fds[i] >= 0) {
            close(offered->fds[i]);
            offered->fds[i] = -1;
        }
}

void offer_close_rest(struct offer *offer)
{
    for (size_t i = 0; i < offer->count; i++)
        offered_close(&offer->list[i]);
}

bool offer_holds_any(const struct offer *offer)
{
    for (size_t i = 0; i < offer->count; i++)
        for (unsigned j = 0; j < offer->list[i].fd_count; j++)
            if (offer->list[i].fds[j] >= 0)
                return true;
    return false;
}

void offer_free(struct offer *offer)
{
    offer_close_rest(offer);
    for (size_t i = 0; i < offer->count; i++)
        free(offer->list[i].fds);
    free(offer->list);
    *offer = (struct offer){0};
}
