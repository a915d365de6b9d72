#include "reload/base/key_log.h"

#include "config/tls/tls_server.h"
#include "config/tls/tls_target.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static int place; /* of a struct key_log in an SSL_CTX; -1: none */

static void make_place(void)
{
    place = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

/* One write, so that lines of several threads and processes do not mix. */
static void on_line(const SSL *ssl, const char *line)
{
    const struct key_log *log = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), place);
    char end[] = "\n";
    const struct iovec parts[] = {{(void *)(uintptr_t)line, strlen(line)}, {end, 1}};
    if (log && writev(log->fd, parts, 2) < 0)
        return; /* a full disk stops no session */
}

static bool listen_to(struct key_log *log, SSL_CTX *context)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_place);
    if (place < 0 || !SSL_CTX_set_ex_data(context, place, log))
        return false;
    SSL_CTX_set_keylog_callback(context, on_line);
    return true;
}

static bool listen_to_all(struct key_log *log, struct config *config)
{
    bool good = true;
    for (size_t i = 0; i < config->frontend_count; i++)
        if (config->frontends[i].tls_server)
            good &= listen_to(log, tls_server_context(config->frontends[i].tls_server));
    for (size_t i = 0; i < config->backend_count; i++)
        for (size_t j = 0; j < config->backends[i].server_count; j++)
            if (config->backends[i].servers[j].tls)
                good &= listen_to(log, tls_target_context(config->backends[i].servers[j].tls));
    return good;
}

const char *key_log_open(struct key_log *log, struct config *config)
{
    struct stat status;
    if (!config->tls_key_log)
        return NULL;
    int fd = open(config->tls_key_log,
                  O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0)
        return strerror(errno);
    *log = (struct key_log){.is_open = true, .fd = fd};
    if (fstat(fd, &status) || !S_ISREG(status.st_mode))
        return "it is no regular file";
    if (status.st_mode & 077)
        return "others may read or write it: chmod 600";
    return listen_to_all(log, config) ? NULL : "out of memory";
}

void key_log_close(struct key_log *log)
{
    if (log->is_open)
        close(log->fd);
    log->is_open = false;
}
