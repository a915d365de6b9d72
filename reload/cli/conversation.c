#include "reload/cli/conversation.h"

#include "config/base/address.h"
#include "config/base/clock.h"
#include "reload/base/text.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define ANSWER_MAX ((size_t)64 << 20)
/* An old process that has just been replaced closes every connection without a request. By then
 * the new process has the path, or takes it within TAKE_OVER_MS. */
#define ASK_ATTEMPTS      3
#define TAKE_OVER_MS      2000
#define TAKE_OVER_LOOK_MS 20

/* Limits connect(2), which blocks if the proxy hangs and the queue of its socket is full. */
static void bound_wait(int fd, uint64_t deadline)
{
    if (deadline == UINT64_MAX)
        return;
    uint64_t now = clock_ms();
    const struct timeval left = clock_interval(deadline > now ? deadline - now : 1);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &left, sizeof left);
}

/* Connects to the control socket at path. If the queue of the socket is full, waits until
 * deadline (clock_ms(), or UINT64_MAX). Returns the descriptor, or -errno. */
static int connect_to_control(const char *path, uint64_t deadline)
{
    struct address address = {.length = sizeof address.un};
    address.un.sun_family = AF_UNIX;
    if (snprintf(address.un.sun_path, sizeof address.un.sun_path, "%s", path) >=
        (int)sizeof address.un.sun_path)
        return -ENAMETOOLONG;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    bound_wait(fd, deadline);
    if (connect(fd, &address.any, address.length) == 0)
        return fd;
    int error = errno;
    close(fd);
    return -error;
}

static bool make_room(struct conversation *talk)
{
    if (talk->length < talk->size)
        return true;
    size_t size = talk->size ? talk->size * 2 : 4096;
    char *buffer = size <= ANSWER_MAX ? realloc(talk->buffer, size) : NULL;
    if (!buffer)
        return false;
    talk->buffer = buffer;
    talk->size = size;
    return true;
}

static uint64_t earlier(uint64_t one, uint64_t other)
{
    return one < other ? one : other;
}

enum word conversation_hear(struct conversation *talk, json_t **object)
{
    for (;;) {
        char *end = talk->length ? memchr(talk->buffer, '\n', talk->length) : NULL;
        if (end) {
            size_t used = (size_t)(end - talk->buffer) + 1;
            *object = json_loadb(talk->buffer, used - 1, 0, NULL);
            talk->length -= used;
            memmove(talk->buffer, end + 1, talk->length);
            if (*object)
                return WORD_HEARD;
            continue;
        }
        uint64_t now = clock_ms();
        if (now >= talk->deadline)
            return WORD_TIMEOUT;
        uint64_t wait = talk->deadline - now;
        struct pollfd poller = {.fd = talk->fd, .events = POLLIN};
        int ready = poll(&poller, 1, wait > 60000 ? 60000 : (int)wait);
        if (ready <= 0)
            continue;
        if (!make_room(talk))
            return WORD_END;
        ssize_t got = recv(talk->fd, talk->buffer + talk->length, talk->size - talk->length, 0);
        if (got <= 0)
            return WORD_END;
        talk->length += (size_t)got;
    }
}

enum word conversation_hear_answer(struct conversation *talk, json_t **object)
{
    const uint64_t deadline = talk->deadline;
    talk->deadline = earlier(deadline, clock_ms() + CONVERSATION_ANSWER_MS);
    enum word word = conversation_hear(talk, object);
    talk->deadline = deadline;
    return word;
}

void conversation_end(struct conversation *talk)
{
    if (talk->process >= 0)
        close(talk->process);
    close(talk->fd);
    free(talk->file);
    free(talk->buffer);
}

/* Describes the file that the user named, so that the process can compare it with its own file.
 * Returns NULL if none was named, or if there is no memory. */
static json_t *file_json(const char *file)
{
    struct stat status;
    char path[PATH_MAX];
    if (!file || stat(file, &status) || !realpath(file, path))
        return NULL;
    return json_pack("{s:o, s:I, s:I}", "path", text_json(path, strlen(path)), "device",
                     (json_int_t)status.st_dev, "inode", (json_int_t)status.st_ino);
}

/* Returns the request as a line, which the caller frees; NULL if there is no memory. */
static char *request_line(const struct request *request)
{
    char *line = NULL;
    json_t *json = json_pack("{s:s}", "command", request->what);
    json_t *file = file_json(request->file);
    if (file)
        json_object_set_new(json, "file", file);
    if (request->members)
        json_object_update_missing(json, (json_t *)(uintptr_t)request->members);
    char *object = json_dumps(json, JSON_COMPACT);
    if (object && asprintf(&line, "%s\n", object) < 0)
        line = NULL;
    free(object);
    json_decref(json);
    return line;
}

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

/* The socket identifies the process at the other end. The pid in the greeting does not: it is of
 * the PID namespace of that process, and may belong to another process here. */
static void identify(struct conversation *talk)
{
    struct ucred peer = {0};
    socklen_t length = sizeof peer;
    if (getsockopt(talk->fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0)
        talk->here = peer.pid;
    length = sizeof talk->process;
    if (getsockopt(talk->fd, SOL_SOCKET, SO_PEERPIDFD, &talk->process, &length) == 0)
        return;
    talk->process = talk->here > 0 ? pidfd_open(talk->here, 0) : -1;
}

/* Sends the request, and returns true if the process has greeted. */
static bool greet(struct conversation *talk, const struct request *request)
{
    char *line = request_line(request);
    size_t length = line ? strlen(line) : 0;
    json_t *greeting = NULL;
    const char *file;
    bool heard = line && send(talk->fd, line, length, MSG_NOSIGNAL) == (ssize_t)length &&
                 conversation_hear(talk, &greeting) == WORD_HEARD &&
                 json_unpack(greeting, "{s:i}", "pid", &talk->pid) == 0;
    if (heard && json_unpack(greeting, "{s:s}", "file", &file) == 0)
        talk->file = strdup(file);
    json_decref(greeting);
    free(line);
    if (heard)
        identify(talk);
    return heard;
}

/* Until take_over, more than ASK_ATTEMPTS attempts are allowed. */
static bool may_try(int attempt, uint64_t deadline, uint64_t take_over)
{
    uint64_t now = clock_ms();
    return attempt == 0 || (now < deadline && (attempt < ASK_ATTEMPTS || now < take_over));
}

int conversation_begin(struct conversation *talk, const struct request *request)
{
    uint64_t deadline = request->timeout ? clock_ms() + request->timeout : UINT64_MAX;
    const uint64_t until = earlier(deadline, clock_ms() + CONVERSATION_ANSWER_MS);
    uint64_t take_over = 0; /* until then a new process may take the path of one that has exited */
    int error = 0;
    for (int attempt = 0; may_try(attempt, until, error ? take_over : 0); attempt++) {
        if (error)
            (void)poll(NULL, 0, take_over ? TAKE_OVER_LOOK_MS : 0);
        *talk = (struct conversation){
            .deadline = until, .process = -1, .fd = connect_to_control(request->control, until)};
        error = talk->fd < 0 ? -talk->fd : 0;
        if (error)
            continue;
        take_over = clock_ms() + TAKE_OVER_MS;
        if (greet(talk, request)) {
            talk->deadline = deadline;
            return 0;
        }
        conversation_end(talk);
    }
    return error ? error : EPROTO;
}
