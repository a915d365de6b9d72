/* The destination of the log: where the lines go that log_layout.h has made. Only one thread at a
 * time uses a sink. */
#ifndef RPPROXY_CONFIG_BASE_LOG_SINK_H
#define RPPROXY_CONFIG_BASE_LOG_SINK_H

#include "config/base/log_types.h"

struct log_host;

struct sink {
    enum log_target target;
    char *where;           /* as in log_conf; NULL: nothing was said */
    int fd;                /* below 0: none */
    struct log_host *host; /* of LOG_TO_UDP, else NULL */
    unsigned version;      /* of its address to which fd is connected */
};

/* Returns 0, or an errno value; of a sink that could not be opened nothing remains. where: as in
 * log_conf, and is copied. Never blocks: a FIFO without a reader is refused with ENXIO. The name of
 * a host is not looked up here, and the reader of syslog's socket may come later. */
int sink_open(struct sink *sink, enum log_target target, const char *where)
    __attribute__((warn_unused_result));

/* stderr stays open. */
void sink_close(struct sink *sink);

/* Takes several lines at once; else one line is one message. */
static inline bool sink_takes_bytes(const struct sink *sink)
{
    return sink->target == LOG_TO_STDERR || sink->target == LOG_TO_FILE;
}

/* What bounds a write: asked at least ten times a second while the sink is not ready. */
struct sink_patience {
    bool (*is_over)(void *arg);
    void *arg;
    bool looks_up; /* the address of a host may be looked up, by a thread of its own */
};

/* Writes lines, with their newlines, at most PIPE_BUF bytes. Never blocks in the kernel. False: not
 * everything was written. A socket whose reader has gone is connected anew. */
bool sink_write(struct sink *sink, const char *lines, size_t length,
                const struct sink_patience *patience) __attribute__((warn_unused_result));

#endif
