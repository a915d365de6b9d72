/* Sessions that another process hands over: the first byte of the input says how many descriptors
 * come with the message and how many sessions there is room for, the second which of the
 * descriptors are memory; the rest is the message. What comes is a session like any other: it is
 * described, packed again, and ends. Places, sources and descriptors are as before then. The worker
 * has no thread: its tasks are run here. */
#include "config/base/log.h"
#include "config/load.h"
#include "proxy/proxy.h"
#include "proxy/session/facts.h"
#include "proxy/session/session.h"
#include "proxy/session/transfer.h"
#include "proxy/session/turn.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length);

enum { FDS_MOST = 15, MEMORY = 64 };

static const char text[] = "[global]\non-removed = drain\n"
                           "[frontend web]\nbind = 127.0.0.1:1\nbackend = app\n"
                           "max-sessions-per-source = 5\nmax-sessions = 9\n"
                           "[frontend log]\nbind = 127.0.0.1:4\nbackend = app\naccess-log = yes\n"
                           "[backend app]\nserver = a 127.0.0.1:2 maxconn=3\n"
                           "server = b 127.0.0.1:3\n";

static struct event_base *base;
static struct config *config;
static struct proxy *proxy;
static int memory, pair[2];

static void must(bool so)
{
    if (!so)
        abort();
}

static void ignore(void *arg)
{
    (void)arg;
}

static void end(void)
{
    proxy_free(proxy);
    event_base_free(base);
    config_free(config);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const struct proxy_events events = {.on_quiet = ignore, .on_empty = ignore};
    static const struct log_conf silent = {
        .target = LOG_TO_FILE, .where = "/dev/null", .level = LOG_LEVEL_INFO};
    struct config_errors errors;
    (void)argc;
    (void)argv;
    must(log_open(&silent) == 0);
    config = config_load_text("fuzz.ini", text, sizeof text - 1, &errors);
    must(config != NULL);
    config_errors_free(&errors);
    base = event_base_new();
    must(proxy_new(config, 3, 1, 0, base, &events, &proxy) == 0);
    memory = memfd_create("unsent", MFD_CLOEXEC);
    must(memory >= 0 && ftruncate(memory, MEMORY) == 0);
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    return atexit(end);
}

static int lowest_free_descriptor(void)
{
    int fd = dup(memory);
    close(fd);
    return fd;
}

static void describe(const struct session *session)
{
    const char *names[SESSION_NAMES];
    char address[ADDRESS_TEXT_MAX];
    const struct address source = session_source_address(session);
    session_names(session, names);
    for (unsigned i = 0; i < SESSION_NAMES; i++)
        must(memchr(names[i], '\0', TRANSFER_BYTES) != NULL);
    must(memchr(address_format(&source, address), '\0', sizeof address) != NULL);
    if (!session->facts)
        return;
    (void)address_format(&session->facts->destination, address);
    struct facts *again = calloc(1, sizeof *again);
    size_t size = facts_pack(session->facts, NULL, 0);
    unsigned char *packed = malloc(size ? size : 1);
    must(facts_pack(session->facts, packed, size) == size && facts_unpack(again, packed, size));
    must(facts_pack(again, NULL, 0) == size);
    facts_free(again);
    free(packed);
}

static void serve(void)
{
    struct session_set *set = &proxy->workers[0].sessions;
    set->loop.now = 0;
    task_queue_run(&set->loop.tasks);
    loop_turn(&set->loop, WHEEL_NEVER, true);
    if (turn_is_needed(set))
        turn_go_on(set);
    sessions_stop(set);
}

static void hear(const unsigned char *bytes, size_t length, int *fds, size_t fd_count,
                 unsigned room)
{
    struct arrivals arrivals = STAILQ_HEAD_INITIALIZER(arrivals);
    const struct arrival *arrival;
    unsigned count, arrived = 0;
    size_t gone = 0;
    uint64_t taken =
        transfer_unpack(&proxy->service, bytes, length, fds, fd_count, room, &arrivals, &count);
    STAILQ_FOREACH (arrival, &arrivals, next) {
        describe(arrival->session);
        arrived++;
    }
    for (size_t i = 0; i < fd_count; i++)
        gone += fds[i] < 0;
    must(count <= TRANSFER_SESSIONS && (count == 64 || taken >> count == 0));
    must(arrived == (unsigned)__builtin_popcountll(taken) && arrived <= room);
    must(gone >= (size_t)2 * arrived && proxy_live(proxy) == arrived);
    if (length % 2)
        arrivals_abandon(&arrivals, &proxy->service);
    else
        arrivals_admit(&arrivals, &proxy->service);
    serve();
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length)
{
    int fds[FDS_MOST];
    if (length < 2)
        return 0;
    const size_t fd_count = bytes[0] % (FDS_MOST + 1), size = length - 2;
    const int lowest = lowest_free_descriptor();
    unsigned char *copy = malloc(size ? size : 1);
    memcpy(copy, bytes + 2, size);
    for (size_t i = 0; i < fd_count; i++)
        fds[i] = dup(bytes[1] >> i % 8 & 1 ? memory : pair[i % 2]);
    hear(copy, size, fds, fd_count, bytes[0] / (FDS_MOST + 1));
    free(copy);
    for (size_t i = 0; i < fd_count; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    task_queue_run(&proxy->task_queue);
    must(proxy_live(proxy) == 0 && lowest_free_descriptor() == lowest);
    return 0;
}
