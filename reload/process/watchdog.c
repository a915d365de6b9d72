#include "reload/process/watchdog.h"

#include "reload/base/notify.h"
#include "reload/handover/generation.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

/* Its main thread is the service manager's main process, and no other generation's is. */
static bool serves(const struct generation *generation)
{
    return generation->state == GENERATION_ACTIVE || generation->state == GENERATION_STOPPING;
}

static void on_turned(void *arg)
{
    const struct watchdog *watchdog = arg;
    if (serves(watchdog->generation))
        notify_alive();
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct watchdog *watchdog = arg;
    if (serves(watchdog->generation))
        pulse_ask(&watchdog->generation->heartbeats.pulse, &watchdog->check);
}

/* The number in a variable of the environment, or 0. */
static unsigned long long number_in(const char *name)
{
    const char *text = getenv(name);
    char *end;
    if (!text || *text < '0' || *text > '9')
        return 0;
    unsigned long long number = strtoull(text, &end, 10);
    return *end ? 0 : number;
}

int watchdog_open(struct watchdog *watchdog, struct generation *generation)
{
    *watchdog = (struct watchdog){.generation = generation};
    watchdog->check = (struct pulse_check){.on_turned = on_turned, .arg = watchdog};
    unsigned long long microseconds = number_in("WATCHDOG_USEC") / 4;
    if (getenv("WATCHDOG_PID") && number_in("WATCHDOG_PID") != (unsigned long long)getpid()) {
        unsetenv("WATCHDOG_USEC");
        microseconds = 0;
    }
    unsetenv("WATCHDOG_PID");
    if (microseconds == 0 || microseconds > UINT32_MAX * 1000000ull)
        return 0;
    const struct timeval interval = {.tv_sec = (time_t)(microseconds / 1000000),
                                     .tv_usec = (suseconds_t)(microseconds % 1000000)};
    watchdog->tick = event_new(generation->base, -1, EV_PERSIST, on_tick, watchdog);
    return watchdog->tick && event_add(watchdog->tick, &interval) == 0 ? 0 : ENOMEM;
}

void watchdog_close(struct watchdog *watchdog)
{
    if (watchdog->tick)
        event_free(watchdog->tick);
    watchdog->tick = NULL;
}
