#include "config/base/log.h"

#include "config/base/log_layout.h"
#include "config/base/log_sink.h"
#include "config/base/thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Of write(2): see LOG_LINE_MAX. */
#define WRITE_MAX_BYTES LOG_LINE_MAX

#define QUEUE_BYTES  (1U << 20)
#define STOP_SECONDS 2

/* Precedes each line in the queue. */
struct record {
    uint32_t length;     /* of the line, including the newline */
    unsigned fresh;      /* 1; 0: it reports lines that were counted as lost before */
    unsigned long lines; /* to be reported if this one is lost: 1, or the number that it reports */
};

static struct {
    pthread_mutex_t lock; /* protects everything except level and lost */
    pthread_cond_t work;
    pthread_cond_t ended; /* the writer has ended */
    pthread_t writer;
    bool running;
    bool stopping;
    struct timespec give_up; /* CLOCK_MONOTONIC; once stopping */
    atomic_int level;
    atomic_uint_fast64_t lost; /* lines, since the start */
    struct sink sink;          /* only the writer uses it while it runs */
    struct sink next;          /* the next sink of the writer, if changed */
    bool changed;
    unsigned char *queue;
    size_t head; /* start of the oldest record */
    size_t used;
    unsigned long dropped;   /* lines that were not reported yet */
    time_t loss_reported_at; /* the second in which dropped lines were last reported */
} logger = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .work = PTHREAD_COND_INITIALIZER,
    .ended = PTHREAD_COND_INITIALIZER,
    .level = LOG_LEVEL_INFO,
    .sink = {.target = LOG_TO_STDERR, .fd = STDERR_FILENO},
};

/* --- patience ------------------------------------------------------------------------------- */

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

/* Of the writer: the deadline of log_stop(), or a change of the target, ends an attempt. */
static bool writer_gives_up(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&logger.lock);
    bool stop = logger.stopping && out_of_time(&logger.give_up);
    bool abandon = stop || logger.changed;
    pthread_mutex_unlock(&logger.lock);
    return abandon;
}

/* Of a thread that writes directly. */
static bool deadline_is_over(void *deadline)
{
    return out_of_time(deadline);
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

/* reported: the number of lines that the line reports as lost; 0: it is another line. */
static bool queue_line(const struct line *line, unsigned long reported)
{
    const struct record record = {.length = (uint32_t)line->length,
                                  .fresh = reported ? 0 : 1,
                                  .lines = reported ? reported : 1};
    if (sizeof record + line->length > QUEUE_BYTES - logger.used)
        return false;
    queue_put(&record, sizeof record);
    queue_put(line->bytes, line->length);
    return true;
}

/* `lines` lost lines are to be reported as soon as there is room; so many of them were not counted
 * before. */
static void lose(unsigned long lines, unsigned fresh)
{
    logger.dropped += lines;
    atomic_fetch_add_explicit(&logger.lost, fresh, memory_order_relaxed);
}

/* Queues a line with the number of lost lines, if there is room. */
static void queue_loss(const struct timespec *now)
{
    char bytes[LOG_LINE_MAX], message[64];
    struct line line = {.bytes = bytes, .size = sizeof bytes};
    snprintf(message, sizeof message, "log: %lu lines dropped", logger.dropped);
    const struct log_event event = {.level = LOG_LEVEL_WARNING, .message = message};
    log_layout(&line, now, &event, false);
    if (!queue_line(&line, logger.dropped))
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
        next.fresh += taken.fresh;
        taken = next;
    }
    taken.length = (uint32_t)length;
    return taken;
}

static void lose_queue(char batch[static WRITE_MAX_BYTES])
{
    while (logger.used > 0) {
        const struct record record = queue_take(batch, false);
        lose(record.lines, record.fresh);
    }
}

/* --- the writer's thread ------------------------------------------------------------------- */

static void *write_queue(void *unused)
{
    const struct sink_patience patience = {.is_over = writer_gives_up, .looks_up = true};
    char batch[WRITE_MAX_BYTES];
    bool written = true, last_word = false;
    (void)unused;
    pthread_setname_np(pthread_self(), "log");
    pthread_mutex_lock(&logger.lock);
    for (;;) {
        if (logger.changed) {
            sink_close(&logger.sink);
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
        if (logger.stopping && out_of_time(&logger.give_up)) {
            lose_queue(batch);
            break;
        }
        struct record record = queue_take(batch, !sink_takes_bytes(&logger.sink));
        pthread_mutex_unlock(&logger.lock);

        written = sink_write(&logger.sink, batch, record.length, &patience);

        pthread_mutex_lock(&logger.lock);
        if (!written)
            lose(record.lines, record.fresh);
    }
    logger.running = false;
    pthread_cond_signal(&logger.ended);
    pthread_mutex_unlock(&logger.lock);
    return NULL;
}

int log_start(void)
{
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
        failure = thread_start(&logger.writer, NULL, write_queue, NULL);
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

/* Under the lock. */
static void install(struct sink sink)
{
    if (logger.running) {
        if (logger.changed)
            sink_close(&logger.next);
        logger.next = sink;
        logger.changed = true;
        pthread_cond_signal(&logger.work);
    } else {
        sink_close(&logger.sink);
        logger.sink = sink;
    }
}

int log_open(const struct log_conf *conf)
{
    struct sink sink;
    int error = sink_open(&sink, conf->target, conf->where);
    if (error)
        return error;
    pthread_mutex_lock(&logger.lock);
    install(sink);
    log_layout_set(conf);
    atomic_store(&logger.level, (int)conf->level);
    pthread_mutex_unlock(&logger.lock);
    return 0;
}

void log_set_generation(unsigned generation)
{
    log_layout_set_generation(generation);
}

int log_reopen(void)
{
    int error = 0;
    struct sink sink;
    pthread_mutex_lock(&logger.lock);
    const struct sink *now = logger.changed ? &logger.next : &logger.sink;
    const char *what = now->target == LOG_TO_FILE ? "file" : "socket";
    if (now->target != LOG_TO_STDERR) {
        error = sink_open(&sink, now->target, now->where);
        if (!error)
            install(sink);
    }
    pthread_mutex_unlock(&logger.lock);
    if (error)
        log_error("log: the %s cannot be opened again, the old %s stays in use: %s", what, what,
                  strerror(error));
    return error;
}

bool log_has_reopened(void)
{
    pthread_mutex_lock(&logger.lock);
    bool waits = logger.changed;
    pthread_mutex_unlock(&logger.lock);
    return !waits;
}

bool log_enabled(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&logger.level, memory_order_relaxed);
}

bool log_wants_message(void)
{
    return log_layout_wants_message();
}

bool log_wants_fields(void)
{
    return log_layout_wants_fields();
}

const char *log_time(char text[static LOG_TIME_MAX])
{
    struct line line = {.bytes = text, .size = LOG_TIME_MAX};
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    log_layout_time(&line, &now);
    text[line.length] = '\0';
    return text;
}

uint64_t log_dropped(void)
{
    return atomic_load_explicit(&logger.lost, memory_order_relaxed);
}

/* Passes a line to the writer, or writes it to the target if no writer runs. */
static void hand_over(const struct line *line, const struct timespec *now)
{
    pthread_mutex_lock(&logger.lock);
    bool queued = logger.running;
    if (queued) {
        if (logger.dropped > 0 && logger.loss_reported_at != now->tv_sec)
            queue_loss(now);
        if (!queue_line(line, 0))
            lose(1, 1);
    } else {
        struct timespec deadline = deadline_in(STOP_SECONDS);
        const struct sink_patience patience = {.is_over = deadline_is_over, .arg = &deadline};
        if (!sink_write(&logger.sink, line->bytes, line->length, &patience))
            lose(1, 1);
    }
    pthread_mutex_unlock(&logger.lock);
    if (queued)
        pthread_cond_signal(&logger.work);
}

static void write_event(const struct log_event *event, bool cut)
{
    char bytes[LOG_LINE_MAX];
    struct line line = {.bytes = bytes, .size = sizeof bytes};
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    log_layout(&line, &now, event, cut);
    hand_over(&line, &now);
}

void log_event(const struct log_event *event)
{
    if (!log_enabled(event->level))
        return;
    int saved = errno;
    write_event(event, false);
    errno = saved;
}

void log_line(enum log_level level, const char *format, ...)
{
    char message[LOG_TEXT_MAX];
    va_list arguments;
    if (!log_enabled(level))
        return;
    int saved = errno;
    va_start(arguments, format);
    int length = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (length < 0)
        snprintf(message, sizeof message, "log: a line could not be formatted");
    write_event(&(struct log_event){.level = level, .message = message},
                length >= (int)sizeof message);
    errno = saved;
}
