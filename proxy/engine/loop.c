#include "proxy/engine/loop.h"

#include "config/base/container_of.h"

#include <time.h>

uint64_t loop_read_clock(struct loop *loop)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    loop->now = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    return loop->now;
}

static uint64_t wheel_now(void *arg)
{
    return loop_now_ms(arg);
}

static void on_tasks(struct watch *watch, uint32_t what)
{
    (void)what;
    struct loop *loop = container_of(watch, struct loop, bell);
    task_queue_run(&loop->tasks);
}

int loop_open(struct loop *loop, void (*fire)(struct wheel_entry *timer),
              struct port_orders *orders)
{
    int error = engine_open(&loop->engine, orders);
    if (error)
        return error;
    error = task_queue_open(&loop->tasks);
    if (error) {
        engine_shut(&loop->engine);
        return error;
    }
    loop->bell.on_ready = on_tasks;
    error = engine_watch(&loop->engine, &loop->bell, loop->tasks.fd);
    if (error) {
        task_queue_close(&loop->tasks);
        engine_shut(&loop->engine);
        return error;
    }
    wheel_open(&loop->wheel, wheel_now, fire, loop);
    return 0;
}

void loop_close(struct loop *loop)
{
    engine_shut(&loop->engine);
    task_queue_close(&loop->tasks);
}
