/* Which worker a session gets. */
#include "tests/system/scenarios.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/net.h"
#include "tests/system/support/origin.h"
#include "tests/system/support/proxy.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RELOADS = 9, LOG_BYTES = 1 << 20 };

/* What is searched in the access log, and what was found. */
struct question {
    const char *log;
    uint16_t client; /* its port */
    unsigned worker;
};

static bool find_worker(void *argument)
{
    static char text[LOG_BYTES];
    struct question *question = argument;
    char client[48];
    snprintf(client, sizeof client, " client=127.0.0.1:%u ", question->client);
    read_file(question->log, text, sizeof text);
    const char *found = strstr(text, client);
    if (found == NULL) {
        return false;
    }
    while (found > text && *found != '.') { /* session G.W.N */
        found--;
    }
    do {
        found--;
    } while (found > text && *found != '.');
    question->worker = (unsigned)strtoul(found + 1, NULL, 10);
    return true;
}

static void stay_on(const cpu_set_t *cpus)
{
    ck_assert_int_eq(sched_setaffinity(0, sizeof *cpus, cpus), 0);
}

/* Over loopback a SYN is handled on the CPU on which the client runs. */
static unsigned worker_of(const struct proxy *proxy, uint16_t port, unsigned cpu)
{
    struct endpoint front = endpoint_loopback(port), self = {.length = sizeof self.in};
    cpu_set_t all, one;
    char byte = 'x';
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    ck_assert_int_eq(sched_getaffinity(0, sizeof all, &all), 0);
    stay_on(&one);
    int client = connect_to(&front);
    stay_on(&all);
    ck_assert_int_eq(getsockname(client, &self.any, &self.length), 0);
    send_all(client, &byte, 1);
    receive_exactly(client, &byte, 1);
    shutdown(client, SHUT_WR);
    expect_eof(client);
    close(client);
    struct question question = {.log = proxy->log, .client = ntohs(self.in.sin_port)};
    wait_until(find_worker, &question, "the session is logged");
    return question.worker;
}

/* In whatever order the listeners are in their group. */
START_TEST(a_cpu_keeps_its_worker_across_reloads)
{
    static const unsigned counts[] = {2, 3, 1, 4};
    struct origin *origin = origin_start(ORIGIN_ECHO);
    uint16_t port = port_reserve(getuid());
    struct proxy proxy;
    cpu_set_t set;
    ck_assert_int_eq(sched_getaffinity(0, sizeof set, &set), 0);
    unsigned cpus = (unsigned)CPU_COUNT(&set);
    proxy_init(&proxy, "proxy");
    for (unsigned i = 0; i <= RELOADS; i++) {
        unsigned workers = counts[i % 4], place = 0;
        proxy_configure(&proxy,
                        "workers = %u\ncpu-affinity = yes\n[listen main]\naccess-log = yes\n"
                        "bind = 127.0.0.1:%u steer=cpu\nserver = a 127.0.0.1:%u\n",
                        workers, port, origin_port(origin));
        if (i == 0) {
            proxy_start(&proxy);
        } else {
            proxy_reload(&proxy);
            proxy_wait_drained(&proxy);
        }
        for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
            if (!CPU_ISSET(cpu, &set)) {
                continue;
            }
            unsigned worker = worker_of(&proxy, port, cpu);
            if (place < workers) {
                ck_assert_uint_eq(worker % cpus, place);
            } else {
                ck_assert_uint_eq(worker, cpu % workers);
            }
            place++;
        }
    }
    proxy_stop(&proxy);
}
END_TEST

Suite *workers_suite(void)
{
    Suite *suite = suite_create("workers");
    scenario_add(suite, a_cpu_keeps_its_worker_across_reloads, 300);
    return suite;
}
