/* The option tls-key-log: the secrets of TLS sessions in a file, as Wireshark reads them (the
 * format of NSS). */
#ifndef RPPROXY_RELOAD_BASE_KEY_LOG_H
#define RPPROXY_RELOAD_BASE_KEY_LOG_H

#include "config/model/config.h"

#include <stdbool.h>

struct key_log {
    bool is_open;
    int fd;
};

/* Opens the file, which is made for its owner only, and lets all TLS of the config write to it,
 * from any thread. Nothing happens without the option. log must outlive config. Returns NULL, or a
 * static text that can follow the path. */
const char *key_log_open(struct key_log *log, struct config *config)
    __attribute__((warn_unused_result));

/* When no thread has TLS any more. */
void key_log_close(struct key_log *log);

#endif
