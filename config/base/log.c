#include "config/base/log.h"

#include "config/base/systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

/* Longest line, and longest write(2). Below PIPE_BUF a write to a pipe is atomic, so lines of
 * two processes that share the pipe do not mix. */
#define LINE_MAX_BYTES  2048
#define WRITE_MAX_BYTES 4096

#define TAG_SIZE     32
#define QUEUE_BYTES  (1U << 20)
#define STOP_SECONDS 2
/* While the writer waits for a stopped reader, it checks this often whether to give up. */
#define POLL_SLICE_MS 100

/* Precedes each line in the queue. */
struct record {
    uint16_t length; /* of the whole line, including the newline */
    uint16_t body;   /* start of the part for syslog and journal: "[tag] message" */
    int level;
    unsigned long lines; /* lost with this one: 1, or the number that it reports */
};

/* The destination of lines. */
struct sink {
    enum log_target target;
    int fd;
};

static struct {
    pthread_mutex_t lock; /* protects everything except level and tag_version */
    pthread_cond_t work;
    pthread_cond_t ended; /* the writer has ended */
    pthread_t writer;
    bool running;
    bool stopping;
    struct timespec give_up; /* CLOCK_MONOTONIC; once stopping */
    atomic_int level;
    char tag[TAG_SIZE];
    atomic_uint tag_version; /* changes with tag */
    struct sink sink;        /* only the writer uses it while it runs */
    struct sink next;        /* the next sink of the writer, if changed */
    bool changed;
    char *path; /* of LOG_TO_FILE */
    unsigned char *queue;
    size_t head; /* start of the oldest record */
    size_t used;
    unsigned long dropped;
    time_t loss_reported_at; /* the second in which dropped lines were last reported */
} logger = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .work = PTHREAD_COND_INITIALIZER,
    .ended = PTHREAD_COND_INITIALIZER,
    .level = LOG_LEVEL_INFO,
    .sink = {LOG_TO_STDERR, STDERR_FILENO},
};

static const char *const level_names[] = {"ERROR", "WARNING", "NOTICE", "INFO", "DEBUG"};
static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG};

/* --- one line ------------------------------------------------------------------------------ */

/* Copies message into out as a single line: control bytes, with which a client could forge lines
 * or control a terminal, become escapes. Returns the number of bytes written. */
static size_t escape(char *out, size_t size, const char *message, bool cut)
{
    static const char hex[] = "0123456789abcdef";
    const size_t room = size - 3; /* for "..." */
    size_t length = 0;
    const char *c = message;
    for (; *c; c++) {
        unsigned char byte = (unsigned char)*c;
        bool control = byte < 0x20 || byte == 0x7f;
        bool short_form = byte == '\n' || byte == '\r' || byte == '\t';
        size_t need = !control ? 1 : short_form ? 2 : 4;
        if (length + need > room)
            break;
        if (!control) {
            out[length++] = *c;
            continue;
        }
        out[length++] = '\\';
        if (short_form) {
            out[length++] = byte == '\n' ? 'n' : byte == '\r' ? 'r' : 't';
        } else {
            out[length++] = 'x';
            out[length++] = hex[byte >> 4];
            out[length++] = hex[byte & 15];
        }
    }
    if (*c || cut) {
        /* Do not cut in the middle of a UTF-8 character. */
        while (length > 0 && ((unsigned char)out[length - 1] & 0xc0) == 0x80)
            length--;
        if (length > 0 && ((unsigned char)out[length - 1] & 0xc0) == 0xc0)
            length--;
        memcpy(out + length, "...", 3);
        length += 3;
    }
    return length;
}

/* Writes "2026-11-22T20:52:41". gmtime_r(3) is called once a second only, since it takes a lock
 * that all threads share. */
static size_t stamp(char *out, time_t now)
{
    static _Thread_local struct {
        time_t second;
        size_t length;
        char text[24];
    } last;
    if (last.length == 0 || last.second != now) {
        struct tm utc;
        gmtime_r(&now, &utc);
        last.length = strftime(last.text, sizeof last.text, "%Y-%m-%dT%H:%M:%S", &utc);
        last.second = now;
    }
    memcpy(out, last.text, last.length);
    return last.length;
}

/* Returns the copy of the tag that belongs to this thread, and renews it under the lock if the
 * tag has changed. The caller must not hold the lock. */
static const char *own_tag(void)
{
    static _Thread_local struct {
        unsigned version;
        char text[TAG_SIZE];
    } own;
    if (own.version != atomic_load_explicit(&logger.tag_version, memory_order_acquire)) {
        pthread_mutex_lock(&logger.lock);
        memcpy(own.text, logger.tag, sizeof own.text);
        own.version = atomic_load_explicit(&logger.tag_version, memory_order_relaxed);
        pthread_mutex_unlock(&logger.lock);
    }
    return own.text;
}

/* Formats the line. Takes no lock. */
static struct record compose(char line[static LINE_MAX_BYTES], const struct timespec *now,
                             enum log_level level, const char *tag, const char *message, bool cut)
{
    size_t length = stamp(line, now->tv_sec);
    length += (size_t)snprintf(line + length, LINE_MAX_BYTES - length, ".%03ldZ %s ",
                               now->tv_nsec / 1000000, level_names[level]);
    size_t body = length;
    if (tag[0])
        length += (size_t)snprintf(line + length, LINE_MAX_BYTES - length, "[%s] ", tag);
    length += escape(line + length, LINE_MAX_BYTES - length - 1, message, cut);
    line[length++] = '\n';
    return (struct record){(uint16_t)length, (uint16_t)body, (int)level, 1};
}

/* --- writing ------------------------------------------------------------------------------- */

/* True: the deadline of a writer that waits for its reader is over. */
static bool out_of_time(const struct timespec *deadline)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec > deadline->tv_sec ||
           (now.tv_sec == deadline->tv_sec && now.tv_nsec >= deadline->tv_nsec);
}

static struct timespec deadline_in(time_t seconds)
{
    struct timespec when;
    clock_gettime(CLOCK_MONOTONIC, &when);
    when.tv_sec += seconds;
    return when;
}

static bool should_give_up(const struct timespec *deadline)
{
    if (deadline)
        return out_of_time(deadline);
    pthread_mutex_lock(&logger.lock);
    bool stop = logger.stopping && out_of_time(&logger.give_up);
    bool abandon = stop || logger.changed;
    pthread_mutex_unlock(&logger.lock);
    return abandon;
}

/* Writes, and never blocks in the kernel. O_NONBLOCK must not be set on descriptor 2, because
 * other processes share it. A socket (stderr under systemd) accepts MSG_DONTWAIT, and a pipe or
 * terminal that polls as writable accepts WRITE_MAX_BYTES. If deadline is NULL, the deadline of
 * log_stop() or a change of the target ends the attempt. Returns false if not everything was
 * written. */
static bool write_bytes(int fd, const char *bytes, size_t length, const struct timespec *deadline)
{
    while (length > 0) {
        struct pollfd ready = {.fd = fd, .events = POLLOUT};
        if (poll(&ready, 1, POLL_SLICE_MS) <= 0) {
            if (should_give_up(deadline))
                return false;
            continue;
        }
        ssize_t done = send(fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (done < 0 && errno == ENOTSOCK)
            done = write(fd, bytes, length);
        if (done < 0 && (errno == EAGAIN || errno == EINTR)) {
            if (should_give_up(deadline))
                return false;
            continue;
        }
        if (done < 0)
            return false;
        bytes += done;
        length -= (size_t)done;
    }
    return true;
}

/* Writes one line to a target that accepts lines, not bytes. */
static bool send_line(enum log_target target, int level, const char *body, int length)
{
    if (target == LOG_TO_JOURNAL)
        return systemd_journal(body, length, priorities[level]) == 0;
    syslog(priorities[level], "%.*s", length, body);
    return true;
}

static bool takes_bytes(const struct sink *sink)
{
    return sink->target == LOG_TO_STDERR || sink->target == LOG_TO_FILE;
}

static bool write_line(const struct sink *sink, const struct record *record, const char *line,
                       const struct timespec *deadline)
{
    if (takes_bytes(sink))
        return write_bytes(sink->fd, line, record->length, deadline);
    return send_line(sink->target, record->level, line + record->body,
                     record->length - record->body - 1);
}

static void close_sink(const struct sink *sink)
{
    if (sink->target == LOG_TO_FILE)
        close(sink->fd);
}

/* --- the queue: all under the lock --------------------------------------------------------- */

static void queue_put(const void *bytes, size_t length)
{
    size_t at = (logger.head + logger.used) % QUEUE_BYTES;
    size_t first = length < QUEUE_BYTES - at ? length : QUEUE_BYTES - at;
    memcpy(logger.queue + at, bytes, first);
    memcpy(logger.queue, (const unsigned char *)bytes + first, length - first);
    logger.used += length;
}

static void queue_peek(void *bytes, size_t skip, size_t length)
{
    size_t at = (logger.head + skip) % QUEUE_BYTES;
    size_t first = length < QUEUE_BYTES - at ? length : QUEUE_BYTES - at;
    memcpy(bytes, logger.queue + at, first);
    memcpy((unsigned char *)bytes + first, logger.queue, length - first);
}

static void queue_advance(size_t length)
{
    logger.head = (logger.head + length) % QUEUE_BYTES;
    logger.used -= length;
}

static bool queue_line(const struct record *record, const char *line)
{
    if (sizeof *record + record->length > QUEUE_BYTES - logger.used)
        return false;
    queue_put(record, sizeof *record);
    queue_put(line, record->length);
    return true;
}

/* Queues a line with the number of lost lines, if there is room. */
static void queue_loss(const struct timespec *now)
{
    char line[LINE_MAX_BYTES];
    char message[64];
    snprintf(message, sizeof message, "log: %lu lines dropped", logger.dropped);
    struct record record = compose(line, now, LOG_LEVEL_WARNING, logger.tag, message, false);
    record.lines = logger.dropped;
    if (!queue_line(&record, line))
        return;
    logger.loss_reported_at = now->tv_sec;
    logger.dropped = 0;
}

/* Takes whole lines out of the queue: one line for a target of lines, otherwise as many as fit
 * into one write. Returns them as one record. */
static struct record queue_take(char batch[static WRITE_MAX_BYTES], bool single)
{
    struct record taken = {0};
    size_t length = 0;
    while (logger.used > 0 && !(single && length > 0)) {
        struct record next;
        queue_peek(&next, 0, sizeof next);
        if (length + next.length > WRITE_MAX_BYTES)
            break;
        queue_peek(batch + length, sizeof next, next.length);
        queue_advance(sizeof next + next.length);
        length += next.length;
        next.lines += taken.lines;
        taken = next;
    }
    taken.length = (uint16_t)length;
    return taken;
}

/* --- the writer's thread ------------------------------------------------------------------- */

static void *write_queue(void *unused)
{
    char batch[WRITE_MAX_BYTES];
    bool written = true, last_word = false;
    (void)unused;
    pthread_mutex_lock(&logger.lock);
    for (;;) {
        if (logger.changed) {
            close_sink(&logger.sink);
            logger.sink = logger.next;
            logger.changed = false;
            written = true;
        }
        /* If writing fails (disk full), the loss is reported with the next line, or once at the
         * end. */
        if (logger.used == 0 && (written || (logger.stopping && !last_word))) {
            last_word = logger.stopping;
            if (logger.dropped > 0) {
                struct timespec now;
                clock_gettime(CLOCK_REALTIME, &now);
                queue_loss(&now);
            }
        }
        if (logger.used == 0) {
            if (logger.stopping)
                break;
            pthread_cond_wait(&logger.work, &logger.lock);
            continue;
        }
        if (logger.stopping && out_of_time(&logger.give_up))
            break;
        struct sink sink = logger.sink;
        struct record record = queue_take(batch, !takes_bytes(&sink));
        pthread_mutex_unlock(&logger.lock);

        written = write_line(&sink, &record, batch, NULL);

        pthread_mutex_lock(&logger.lock);
        if (!written)
            logger.dropped += record.lines;
    }
    logger.running = false;
    pthread_cond_signal(&logger.ended);
    pthread_mutex_unlock(&logger.lock);
    return NULL;
}

int log_start(void)
{
    sigset_t all;
    sigset_t before;
    pthread_mutex_lock(&logger.lock);
    if (logger.running) {
        pthread_mutex_unlock(&logger.lock);
        return 0;
    }
    if (!logger.queue)
        logger.queue = malloc(QUEUE_BYTES);
    int failure = logger.queue ? 0 : ENOMEM;
    if (!failure) {
        logger.stopping = false;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        failure = pthread_create(&logger.writer, NULL, write_queue, NULL);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        logger.running = failure == 0;
    }
    pthread_mutex_unlock(&logger.lock);
    return failure;
}

void log_stop(void)
{
    pthread_mutex_lock(&logger.lock);
    if (!logger.running || logger.stopping) {
        pthread_mutex_unlock(&logger.lock);
        return;
    }
    logger.stopping = true;
    logger.give_up = deadline_in(STOP_SECONDS);
    /* Longer than the deadline of the writer, so that only a writer stuck in the kernel is
     * abandoned. */
    struct timespec patience = deadline_in(STOP_SECONDS + 1);
    pthread_cond_signal(&logger.work);
    int late = 0;
    while (logger.running && late == 0)
        late = pthread_cond_clockwait(&logger.ended, &logger.lock, CLOCK_MONOTONIC, &patience);
    bool ended = !logger.running;
    pthread_mutex_unlock(&logger.lock);
    if (ended)
        pthread_join(logger.writer, NULL);
    else
        pthread_detach(logger.writer);
}

/* --- what callers see ---------------------------------------------------------------------- */

/* Never blocks: a FIFO without a reader is refused with ENXIO; otherwise all logging threads
 * would wait. */
static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
}

static void install(struct sink sink)
{
    if (logger.running) {
        if (logger.changed)
            close_sink(&logger.next);
        logger.next = sink;
        logger.changed = true;
        pthread_cond_signal(&logger.work);
    } else {
        close_sink(&logger.sink);
        logger.sink = sink;
    }
}

int log_open(enum log_target target, const char *path, enum log_level level)
{
    struct sink sink = {target, STDERR_FILENO};
    char *copy = NULL;
    if (target == LOG_TO_FILE) {
        copy = strdup(path);
        if (!copy)
            return ENOMEM;
        sink.fd = open_file(path);
        if (sink.fd < 0) {
            int failure = errno;
            free(copy);
            return failure;
        }
    } else if (target == LOG_TO_SYSLOG) {
        openlog("rpproxy", LOG_PID | LOG_NDELAY, LOG_DAEMON);
    } else if (target == LOG_TO_JOURNAL) {
        int failure = systemd_load();
        if (failure)
            return failure;
        /* Without a journal, sd_journal_send() succeeds and the line is lost. */
        if (access("/run/systemd/journal/socket", W_OK) != 0)
            return errno;
    }
    pthread_mutex_lock(&logger.lock);
    install(sink);
    free(logger.path);
    logger.path = copy;
    atomic_store(&logger.level, (int)level);
    pthread_mutex_unlock(&logger.lock);
    return 0;
}

void log_set_tag(const char *tag)
{
    pthread_mutex_lock(&logger.lock);
    snprintf(logger.tag, sizeof logger.tag, "%s", tag);
    atomic_fetch_add_explicit(&logger.tag_version, 1, memory_order_release);
    pthread_mutex_unlock(&logger.lock);
}

void log_reopen(void)
{
    int failure = 0;
    pthread_mutex_lock(&logger.lock);
    if (logger.path) {
        struct sink sink = {LOG_TO_FILE, open_file(logger.path)};
        if (sink.fd >= 0)
            install(sink);
        else
            failure = errno;
    }
    pthread_mutex_unlock(&logger.lock);
    if (failure)
        log_error("log: the file cannot be opened again, the old file stays in use: %s",
                  strerror(failure));
}

bool log_enabled(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&logger.level, memory_order_relaxed);
}

/* Passes a line to the writer, or writes it to the target if no writer runs. */
static void hand_over(const struct record *record, const char *line, const struct timespec *now)
{
    pthread_mutex_lock(&logger.lock);
    bool queued = logger.running;
    if (queued) {
        if (logger.dropped > 0 && logger.loss_reported_at != now->tv_sec)
            queue_loss(now);
        if (!queue_line(record, line))
            logger.dropped++;
    } else {
        struct timespec deadline = deadline_in(STOP_SECONDS);
        if (!write_line(&logger.sink, record, line, &deadline))
            logger.dropped++;
    }
    pthread_mutex_unlock(&logger.lock);
    if (queued)
        pthread_cond_signal(&logger.work);
}

void log_line(enum log_level level, const char *format, ...)
{
    char message[LINE_MAX_BYTES];
    char line[LINE_MAX_BYTES];
    va_list arguments;
    if (!log_enabled(level))
        return;
    int saved = errno;
    va_start(arguments, format);
    int length = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (length < 0)
        snprintf(message, sizeof message, "log: a line could not be formatted");

    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct record record =
        compose(line, &now, level, own_tag(), message, length >= (int)sizeof message);
    hand_over(&record, line, &now);
    errno = saved;
}
