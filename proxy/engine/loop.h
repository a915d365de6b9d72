/* What one thread runs on: the engine, the timers, the queue of tasks that other threads post, and
 * the time of the present turn.
 *
 * All functions are for the loop's own thread, but for loop_post(). */
#ifndef RPPROXY_PROXY_ENGINE_LOOP_H
#define RPPROXY_PROXY_ENGINE_LOOP_H

#include "proxy/core/task_queue.h"
#include "proxy/core/wheel.h"
#include "proxy/engine/engine.h"

#include <stdint.h>

struct loop {
    struct engine engine;
    struct wheel wheel;
    struct task_queue tasks;
    struct watch bell; /* of the tasks */
    uint64_t now;      /* microseconds, CLOCK_MONOTONIC; 0: not read yet in this turn */
};

/* fire is called by the wheel for each timer that is due; orders: as for engine_open(). Returns 0
 * or an errno value; a loop that could not be opened needs no closing. */
int loop_open(struct loop *loop, void (*fire)(struct wheel_entry *timer),
              struct port_orders *orders) __attribute__((warn_unused_result));
void loop_close(struct loop *loop);

/* Reads the clock for loop_now(). */
uint64_t loop_read_clock(struct loop *loop);

/* Microseconds of CLOCK_MONOTONIC. The clock is read once a turn at most, when it is first asked
 * for. */
static inline uint64_t loop_now(struct loop *loop)
{
    return loop->now ? loop->now : loop_read_clock(loop);
}

static inline uint64_t loop_now_ms(struct loop *loop)
{
    return loop_now(loop) / 1000;
}

/* Waits for events until wake_at (milliseconds, WHEEL_NEVER: for ever), or not at all with busy,
 * and delivers them; tasks are among them. */
static inline void loop_turn(struct loop *loop, uint64_t wake_at, bool busy)
{
    engine_wake_at(&loop->engine, wake_at);
    loop->now = 0;
    engine_turn(&loop->engine, busy ? 0 : -1);
}

/* Any thread: the task runs on this loop. */
static inline void loop_post(struct loop *loop, struct task *task)
{
    task_queue_post(&loop->tasks, task);
}

#endif
