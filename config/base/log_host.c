#include "config/base/log_host.h"

#include "config/base/clock.h"
#include "config/base/thread.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define AGAIN_MS        60000u /* a name may get another address */
#define AFTER_FAILED_MS 10000u

struct log_host {
    pthread_mutex_t lock;
    unsigned users; /* the sink, and a lookup that is under way */
    char name[ADDRESS_HOST_MAX];
    unsigned port;
    bool numeric; /* there is nothing to look up */
    bool asking;
    bool answered; /* or failed, at least once */
    uint64_t next_at;
    struct address address; /* length 0: unknown */
    unsigned version;
};

int log_host_new(const char *where, struct log_host **made)
{
    struct log_host *host = calloc(1, sizeof *host);
    if (!host)
        return ENOMEM;
    if (address_parse_or_name(where, &host->address, host->name)) {
        free(host);
        return EINVAL;
    }
    pthread_mutex_init(&host->lock, NULL);
    host->users = 1;
    host->numeric = host->address.length > 0;
    host->port = ntohs(host->address.in.sin_port);
    *made = host;
    return 0;
}

/* Under the lock, which ends here. */
static void leave(struct log_host *host)
{
    bool last = --host->users == 0;
    pthread_mutex_unlock(&host->lock);
    if (!last)
        return;
    pthread_mutex_destroy(&host->lock);
    free(host);
}

void log_host_free(struct log_host *host)
{
    if (!host)
        return;
    pthread_mutex_lock(&host->lock);
    leave(host);
}

static bool resolve(const char *name, unsigned port, struct address *address)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *found = NULL;
    if (getaddrinfo(name, NULL, &hints, &found) || !found)
        return false;
    memset(address, 0, sizeof *address);
    address->length = found->ai_addrlen;
    memcpy(&address->any, found->ai_addr, found->ai_addrlen);
    address_set_port(address, port);
    freeaddrinfo(found);
    return true;
}

/* The name and the port never change, so that they are read without the lock. */
static void *look_up(void *arg)
{
    struct log_host *host = arg;
    struct address address;
    bool found = resolve(host->name, host->port, &address);
    pthread_mutex_lock(&host->lock);
    if (found && !(host->address.length && address_equal(&address, &host->address))) {
        host->address = address;
        host->version++;
    }
    host->asking = false;
    host->answered = true;
    host->next_at = clock_ms() + (found ? AGAIN_MS : AFTER_FAILED_MS);
    leave(host);
    return NULL;
}

/* Under the lock. */
static void begin_lookup(struct log_host *host)
{
    pthread_attr_t detached;
    pthread_t thread;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    host->asking = thread_start(&thread, &detached, look_up, host) == 0;
    pthread_attr_destroy(&detached);
    host->users += host->asking;
    if (!host->asking)
        host->next_at = clock_ms() + AFTER_FAILED_MS;
}

enum log_host_state log_host_address(struct log_host *host, bool looks_up, struct address *address,
                                     unsigned *version)
{
    pthread_mutex_lock(&host->lock);
    if (looks_up && !host->numeric && !host->asking && clock_ms() >= host->next_at)
        begin_lookup(host);
    *address = host->address;
    *version = host->version;
    enum log_host_state state = host->address.length              ? LOG_HOST_KNOWN
                                : host->asking && !host->answered ? LOG_HOST_ASKED
                                                                  : LOG_HOST_UNKNOWN;
    pthread_mutex_unlock(&host->lock);
    return state;
}
