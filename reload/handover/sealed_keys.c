#include "reload/handover/sealed_keys.h"

#include "config/base/log.h"
#include "config/tls/key_copies.h"
#include "reload/handover/channel.h"
#include "reload/handover/generation.h"

/* The old process has sent it before it has started this one; the kernel may have had no room for
 * the descriptor. */
#define WAIT_MS 500

void sealed_keys_begin(struct generation *generation, int fd)
{
    generation->key_copies = key_copies_new();
    int keys = fd >= 0 ? channel_first(fd, MESSAGE_KEYS, WAIT_MS) : -1;
    const char *wrong = keys >= 0 ? key_copies_inherit(generation->key_copies, keys) : NULL;
    if (wrong)
        log_warning("the memory with the predecessor's private keys is %s: it is not used", wrong);
}

bool sealed_keys_are_missed(const struct generation *generation)
{
    return generation->new_side && key_copies_denied(generation->key_copies);
}

int sealed_keys_keep(struct generation *generation)
{
    return key_copies_seal(generation->key_copies);
}

static void tell_taken(const char *path, const char *unseen)
{
    if (unseen)
        log_debug("tls-keys: a copy of %s is used; whether the file has changed is not known: %s",
                  path, unseen);
    else
        log_debug("tls-keys: a copy of %s is used", path);
}

void sealed_keys_tell(struct generation *generation)
{
    struct key_copies *copies = generation->key_copies;
    size_t taken = key_copies_each_taken(copies, tell_taken);
    if (taken > 0)
        log_info("tls-keys: files of which copies are used: %zu", taken);
    const struct config *config = generation->config;
    const char *path = !generation->new_side && config->user && config->tls_keys == KEYS_FILES
                           ? key_copies_out_of_reach(copies)
                           : NULL;
    if (path)
        log_warning("%s: the user of the proxy cannot read it: reloads will fail (see tls-keys in "
                    "proxy.ini(5))",
                    path);
    key_copies_forget(copies);
}

void sealed_keys_send(const struct generation *generation, struct channel *successor)
{
    const int fd = key_copies_fd(generation->key_copies);
    if (fd >= 0)
        channel_lend(successor, MESSAGE_KEYS, NULL, 0, &fd, 1);
}

void sealed_keys_end(struct generation *generation)
{
    key_copies_free(generation->key_copies);
}
