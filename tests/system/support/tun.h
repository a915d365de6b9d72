/* Clients whose TCP is made by the test, so that each step comes when the test wants it.
 *
 * The clients are behind a TUN device in the test's own network namespace; the kernel at TUN_SERVER
 * is the server. Each client sends a SYN, gets the SYN-ACK, keeps the final ACK back for a while,
 * sends it (every other client with its request in it, the others with the request a little later),
 * checks that an ORIGIN_ECHO returns the request byte by byte, and closes. Lost packets are sent
 * again as TCP does. One thread drives thousands of clients. */
#ifndef TESTS_SYSTEM_TUN_H
#define TESTS_SYSTEM_TUN_H

#include <stdbool.h>
#include <stdint.h>

#define TUN_SERVER  "10.77.0.1"
#define TUN_SERVER6 "fd77::1"

enum { TUN_CLIENTS_MAX = 50000 };

struct tun;

/* Makes the device in the caller's network namespace, which must be the test's own; once in a
 * process. NULL, and the reason in *why, if that is not possible here. The device ends with the
 * test's process. */
struct tun *tun_open(const char **why);

/* Whether clients may use IPv6. */
bool tun_has_ipv6(const struct tun *tun);

struct tun_options {
    uint16_t port;
    bool ipv6;              /* every other client uses it, if tun_has_ipv6() */
    unsigned in_flight;     /* clients at all times, at most TUN_CLIENTS_MAX */
    uint64_t total;         /* begin at most this many; 0: until tun_clients_stop() */
    unsigned delay_min_ms;  /* between SYN-ACK and final ACK ... */
    unsigned delay_max_ms;  /* ... evenly spread */
    bool hold;              /* the delay does not begin before tun_clients_release() */
    unsigned give_up_in_ms; /* 0: PATIENCE_MS */
};

enum tun_end {
    TUN_COMPLETED,
    TUN_REFUSED, /* reset in answer to the SYN */
    TUN_RESET,   /* reset after it */
    TUN_CUT,     /* closed before the answer was complete */
    TUN_WRONG,   /* another answer than the request */
    TUN_TIMED_OUT,
    TUN_ENDS
};

enum { TUN_LOSSES_TOLD = 8 };

struct tun_result {
    uint64_t started, ends[TUN_ENDS];
    unsigned told_count;
    struct {
        enum tun_end end;
        uint64_t number;
        double second;         /* seconds from the start to its end */
        double lived;          /* its age at that time */
        unsigned delay_ms;     /* of its final ACK */
        bool ipv6, acked_late; /* acked_late: its final ACK had been sent */
    } told[TUN_LOSSES_TOLD];
};

/* One set of clients at a time. */
void tun_clients_start(struct tun *tun, const struct tun_options *options);

/* Returns when `answered` clients have got their SYN-ACK, or have ended. With `hold` these are the
 * handshakes in SYN_RECV. */
void tun_clients_wait_answered(struct tun *tun, uint64_t answered);
void tun_clients_wait_ended(struct tun *tun, uint64_t ended);
uint64_t tun_clients_ended(struct tun *tun);

void tun_clients_release(struct tun *tun);

/* Begins no more clients, releases those that hold, and returns when the last has ended. */
void tun_clients_stop(struct tun *tun, struct tun_result *result);

/* Print the counts, and the first losses. */
void tun_print(const struct tun_result *result, const char *what);
void tun_print_losses(const struct tun_result *result);

uint64_t tun_lost(const struct tun_result *result);

#endif
