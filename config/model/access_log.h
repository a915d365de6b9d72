/* What the access log has of a session: its fields, and the form of a line. */
#ifndef RPPROXY_CONFIG_MODEL_ACCESS_LOG_H
#define RPPROXY_CONFIG_MODEL_ACCESS_LOG_H

#include <stdbool.h>
#include <stddef.h>

/* Each field with its name in JSON and in patterns, in the order of JSON. The manual describes each
 * (proxy.ini(5), ACCESS LOG); what each is of a session, access_log.c says. The first four stand in
 * each line of JSON, of any kind. */
#define ACCESS_FIELDS(FIELD)                                                                       \
    FIELD(TIME, "time")                                                                            \
    FIELD(LEVEL, "level")                                                                          \
    FIELD(PID, "pid")                                                                              \
    FIELD(GENERATION, "generation")                                                                \
    FIELD(EVENT, "event")                                                                          \
    FIELD(ID, "id")                                                                                \
    FIELD(CLIENT, "client")                                                                        \
    FIELD(CLIENT_IP, "client_ip")                                                                  \
    FIELD(CLIENT_PORT, "client_port")                                                              \
    FIELD(VIA, "via")                                                                              \
    FIELD(FRONTEND, "frontend")                                                                    \
    FIELD(BIND, "bind")                                                                            \
    FIELD(BACKEND, "backend")                                                                      \
    FIELD(SERVER, "server")                                                                        \
    FIELD(LOCAL_PORT, "local_port")                                                                \
    FIELD(FAILED_SERVERS, "failed_servers")                                                        \
    FIELD(RETRIES, "retries")                                                                      \
    FIELD(QUEUE_POSITION, "queue_position")                                                        \
    FIELD(QUEUE_MS, "queue_ms")                                                                    \
    FIELD(CONNECT_MS, "connect_ms")                                                                \
    FIELD(FIRST_BYTE_MS, "first_byte_ms")                                                          \
    FIELD(TOTAL_MS, "total_ms")                                                                    \
    FIELD(BYTES_IN, "bytes_in")                                                                    \
    FIELD(BYTES_OUT, "bytes_out")                                                                  \
    FIELD(SESSIONS_PROCESS, "sessions_process")                                                    \
    FIELD(SESSIONS_FRONTEND, "sessions_frontend")                                                  \
    FIELD(SESSIONS_BACKEND, "sessions_backend")                                                    \
    FIELD(SESSIONS_SERVER, "sessions_server")                                                      \
    FIELD(SNI, "sni")                                                                              \
    FIELD(ALPN, "alpn")                                                                            \
    FIELD(TLS_VERSION, "tls_version")                                                              \
    FIELD(TLS_CIPHER, "tls_cipher")                                                                \
    FIELD(TLS_RESUMED, "tls_resumed")                                                              \
    FIELD(CLIENT_CERT, "client_cert")                                                              \
    FIELD(CLIENT_SUBJECT, "client_subject")                                                        \
    FIELD(TLS_ERROR, "tls_error")                                                                  \
    FIELD(SERVER_TLS_VERSION, "server_tls_version")                                                \
    FIELD(SERVER_TLS_CIPHER, "server_tls_cipher")                                                  \
    FIELD(HOST, "host")                                                                            \
    FIELD(UNIQUE_ID, "unique_id")                                                                  \
    FIELD(TERMINATION, "termination")                                                              \
    FIELD(END, "end")

#define ACCESS_FIELD_ENUM(id, name) ACCESS_##id,
enum access_field { ACCESS_FIELDS(ACCESS_FIELD_ENUM) ACCESS_FIELD_COUNT };
#undef ACCESS_FIELD_ENUM

extern const char *const access_field_names[ACCESS_FIELD_COUNT];

enum log_form { LOG_AS_TEXT, LOG_AS_JSON, LOG_AS_PATTERN };

/* Text of a pattern, and the field behind it. */
struct log_piece {
    const char *text; /* in log_format.text */
    size_t length;
    int field; /* enum access_field; -1: none, the pattern ends here */
};

struct log_format {
    enum log_form form;
    char *text; /* of a pattern, as in the file; else NULL */
    struct log_piece *pieces;
    size_t piece_count;
};

bool log_format_has(const struct log_format *format, enum access_field field);

/* Of which sessions a frontend logs a line. */
struct access_log_conf {
    unsigned every;   /* 0: of none; else of each so-and-so-many-th */
    bool errors_only; /* of those that did not end well */
};

#endif
