#include "tests/system/support/dns.h"

#include "tests/system/support/harness.h"
#include "tests/system/support/net.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char knotd[] = "/usr/sbin/knotd";

bool dns_exists(void)
{
    return program_exists(knotd);
}

static void write_conf(const struct dns *dns)
{
    char path[PATH_MAX];
    test_path(path, "knot/knot.conf");
    write_file(path, 0644,
               "server:\n"
               "  listen: 127.0.0.1@%u\n"
               "  udp-max-payload: 1232\n"
               "  rundir: %s\n"
               "  tcp-workers: 1\n"
               "  udp-workers: 1\n"
               "  background-workers: 1\n"
               "database:\n"
               "  storage: %s\n"
               "control:\n"
               "  listen: %s/control.sock\n"
               "log:\n"
               "  - target: stderr\n"
               "    any: info\n"
               "zone:\n"
               "  - domain: test\n"
               "    file: %s\n"
               "    zonefile-load: whole\n"
               "    zonefile-sync: -1\n"
               "    journal-content: none\n",
               dns->port, dns->directory, dns->directory, dns->directory, dns->zone);
}

void dns_init(struct dns *dns)
{
    *dns = (struct dns){.port = port_reserve(getuid())};
    test_path(dns->directory, "knot");
    ck_assert_int_eq(mkdir(dns->directory, 0755), 0);
    test_path(dns->zone, "knot/test.zone");
    test_path(dns->log, "knot/knot-log");
    write_conf(dns);
    dns_set(dns, "");
}

struct asking {
    const struct dns *dns;
    unsigned serial; /* that is awaited; 0: any answer will do */
};

/* Asks for the SOA record. Returns the serial number; 0: no answer, or one without the record. */
static unsigned ask_serial(const struct dns *dns)
{
    static const unsigned char question[] = {0x12, 0x34, 1,   0,   0,   1,   0, 0, 0, 0, 0,
                                             0,    4,    't', 'e', 's', 't', 0, 0, 6, 0, 1};
    unsigned char answer[512];
    struct endpoint where = endpoint_loopback(dns->port);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    ssize_t length = -1;
    if (fd >= 0 && connect(fd, &where.any, where.length) == 0 &&
        send(fd, question, sizeof question, 0) > 0 && poll(&wait, 1, 1000) > 0)
        length = recv(fd, answer, sizeof answer, 0);
    close(fd);
    if (length < (ssize_t)sizeof question + 20 || answer[7] == 0)
        return 0;
    const unsigned char *at = answer + length - 20; /* no EDNS: the record ends the message */
    return (unsigned)at[0] << 24 | (unsigned)at[1] << 16 | (unsigned)at[2] << 8 | at[3];
}

static bool serves(void *argument)
{
    const struct asking *asking = argument;
    return ask_serial(asking->dns) == asking->serial;
}

static void wait_serial(const struct dns *dns)
{
    struct asking asking = {dns, dns->serial};
    wait_until(serves, &asking, "the name server has the zone");
}

void dns_set(struct dns *dns, const char *records)
{
    char new[PATH_MAX];
    test_path(new, "knot/new.zone");
    dns->serial++;
    write_file(new, 0644,
               "$ORIGIN test.\n$TTL 0\n"
               "@ 0 SOA ns admin %u 3600 3600 3600 0\n@ NS ns\nns A 127.0.0.1\n%s\n",
               dns->serial, records);
    ck_assert_int_eq(rename(new, dns->zone), 0);
    if (dns->pid > 0) {
        kill(dns->pid, SIGHUP);
        wait_serial(dns);
    }
}

void dns_start(struct dns *dns)
{
    char conf[PATH_MAX];
    test_path(conf, "knot/knot.conf");
    const char *argv[] = {knotd, "-c", conf, NULL};
    dns->pid = program_start(&(struct program){.argv = argv, .out = dns->log, .err = dns->log});
    wait_serial(dns);
}

void dns_end(struct dns *dns)
{
    kill(dns->pid, SIGKILL);
    wait_gone(dns->pid);
    dns->pid = 0;
}

/* Without its zone file the name server answers SERVFAIL from its next start on. */
void dns_break(struct dns *dns)
{
    struct asking asking = {dns, 0};
    dns_end(dns);
    unlink(dns->zone);
    char conf[PATH_MAX];
    test_path(conf, "knot/knot.conf");
    const char *argv[] = {knotd, "-c", conf, NULL};
    dns->pid = program_start(&(struct program){.argv = argv, .out = dns->log, .err = dns->log});
    wait_until(serves, &asking, "the name server fails");
}

void dns_silence(struct dns *dns)
{
    process_stop(dns->pid);
}

void dns_wake(struct dns *dns)
{
    kill(dns->pid, SIGCONT);
}
