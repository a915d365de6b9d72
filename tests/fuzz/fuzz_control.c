/* What a program says to the control socket: each line that is answered is answered by lines of
 * JSON, and the connection ends. The worker has no thread: its tasks are run here. */
#include "config/base/log.h"
#include "config/load.h"
#include "proxy/engine/socket.h"
#include "reload/base/event_bus.h"
#include "reload/control/control.h"
#include "reload/handover/generation.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length);

static const char text[] =
    "[global]\nhistory = /nonexistent\n"
    "[frontend web]\nbind = 127.0.0.1:1\nbackend = app\n"
    "[backend app]\nserver = a 127.0.0.1:2\nserver = b 127.0.0.1:3 maxconn=5\n";

static struct binds binds;
static struct generation generation = {.file = "/nonexistent.ini", .binds = &binds, .number = 3};
static struct control *control;
static struct address address = {.length = sizeof address.un};
static char folder[] = "/tmp/rpproxy-fuzz-XXXXXX";
static unsigned reloads;

static void must(bool so)
{
    if (!so)
        abort();
}

/* --- the process ----------------------------------------------------------------------------- */

static void ignore(void *arg)
{
    (void)arg;
}

static enum exit_status reload(struct generation *ours, const struct reload_order *order)
{
    must(ours == &generation && order->wanted && memchr(order->by, '\0', sizeof order->by));
    if (reloads > 0)
        return EXIT_BUSY;
    reloads++;
    return EXIT_DONE;
}

static const char *call_off(struct generation *ours, const struct requester *by)
{
    (void)by;
    must(ours == &generation);
    return "no reload is in progress";
}

static void stop(struct generation *ours, const struct requester *by)
{
    (void)by;
    must(ours == &generation);
}

static uint64_t deadline(const struct generation *ours)
{
    must(ours == &generation);
    return 0;
}

static void begin_generation(void)
{
    static const struct proxy_events events = {.on_quiet = ignore, .on_empty = ignore};
    static const struct generation_events orders = {.deadline = deadline};
    struct config_errors errors;
    generation.events = &orders;
    generation.config = config_load_text("fuzz.ini", text, sizeof text - 1, &errors);
    must(generation.config != NULL);
    config_errors_free(&errors);
    generation.base = event_base_new();
    generation.bus = bus_new();
    bus_lead(generation.bus);
    const struct draining_processes_events draining = {.on_gone = ignore};
    draining_processes_init(&generation.draining_processes, &draining);
    const struct peer_stats_means means = {.base = generation.base,
                                           .children = &generation.children,
                                           .last_crash = &generation.last_crash,
                                           .draining_processes = &generation.draining_processes,
                                           .predecessor = &generation.predecessor};
    must(peer_stats_open(&generation.peer_stats, &means) == 0);
    must(proxy_new(generation.config, 3, 1, 0, generation.base, &events, &generation.proxy) == 0);
    must(generation.proxy && peer_stats_begin(&generation.peer_stats, generation.proxy) == 0);
}

static void end(void)
{
    const struct control_end how = {.sessions = 0};
    control_close(control, true, &how);
    control_free(control);
    rmdir(folder);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const struct control_events events = {.reload = reload, .abort = call_off, .stop = stop};
    static const struct log_conf quiet = {.target = LOG_TO_STDERR, .level = LOG_LEVEL_ERROR};
    (void)argc;
    (void)argv;
    must(log_open(&quiet) == 0 && mkdtemp(folder));
    begin_generation();
    control = control_new(&generation, &events);
    address.un.sun_family = AF_UNIX;
    snprintf(address.un.sun_path, sizeof address.un.sun_path, "%s/control", folder);
    must(control && control_bind(control, address.un.sun_path) == 0);
    must(control_publish(control) == 0);
    control_settle(control);
    return atexit(end);
}

/* --- one conversation ------------------------------------------------------------------------ */

static void turn(void)
{
    task_queue_run(&generation.proxy->workers[0].sessions.loop.tasks);
    event_base_loop(generation.base, EVLOOP_NONBLOCK);
    if (reloads > 0) {
        reloads = 0;
        control_reload_over(control, EXIT_DONE, "reloaded");
    }
}

/* Reads what is there. False: the end. */
static bool hear(int fd, struct evbuffer *answer)
{
    char bytes[4096];
    ssize_t got;
    while ((got = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        evbuffer_add(answer, bytes, (size_t)got);
    return got < 0 && errno == EAGAIN;
}

static unsigned check_lines(struct evbuffer *answer)
{
    unsigned count = 0;
    char *line;
    size_t length;
    while ((line = evbuffer_readln(answer, &length, EVBUFFER_EOL_LF))) {
        json_t *object = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);
        must(json_is_object(object));
        must(count > 0 || json_is_integer(json_object_get(object, "pid")));
        json_decref(object);
        free(line);
        count++;
    }
    must(evbuffer_get_length(answer) == 0);
    return count;
}

static void talk(const unsigned char *bytes, size_t length)
{
    int error;
    int fd = socket_connect(&address, &error);
    must(fd >= 0);
    struct evbuffer *answer = evbuffer_new();
    bool open = true, said = length == 0;
    for (unsigned turns = 0; turns < 8 || !said; turns++) {
        if (!said)
            said = send(fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
        turn();
        open = open && hear(fd, answer);
    }
    shutdown(fd, SHUT_WR);
    for (unsigned turns = 0; open; turns++) {
        must(turns < 1000);
        turn();
        open = hear(fd, answer);
    }
    close(fd);
    unsigned lines = check_lines(answer);
    must(lines == 0 || lines > 1);
    must(lines > 0 || !memchr(bytes, '\n', length) || length >= 8192);
    evbuffer_free(answer);
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length)
{
    if (length <= 16384) /* which the socket takes at once */
        talk(bytes, length);
    return 0;
}
