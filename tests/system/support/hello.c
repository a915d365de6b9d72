#include "tests/system/support/hello.h"

#include "tests/system/support/harness.h"
#include "tests/system/support/net.h"

#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool record_hello(const char *name, struct bytes *hello)
{
    char where[32];
    uint16_t port;
    if (!program_exists("openssl")) {
        return false;
    }
    int listener = listen_loopback(&port);
    snprintf(where, sizeof where, "127.0.0.1:%u", port);
    const char *argv[] = {"openssl", "s_client",    "-connect", where, "-alpn",
                          "h2",      "-servername", name,       NULL};
    pid_t client = program_start(&(struct program){.argv = argv});
    int socket = accept_from(listener);
    receive_exactly(socket, hello->bytes, 5);
    hello->length = 5 + ((size_t)hello->bytes[3] << 8 | hello->bytes[4]);
    ck_assert_uint_lt(hello->length, sizeof hello->bytes);
    receive_exactly(socket, hello->bytes + 5, hello->length - 5);
    close(socket);
    close(listener);
    kill(client, SIGKILL);
    wait_gone(client);
    return true;
}

void send_pieces(int socket, const void *bytes, size_t length)
{
    const int yes = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    for (size_t i = 0; i < length; i++) {
        send_all(socket, (const char *)bytes + i, 1);
    }
}

size_t make_hello(const char *name, size_t padding, unsigned char wire[static HELLO_MOST])
{
    static unsigned char message[HELLO_MOST];
    size_t name_length = strlen(name), extensions = padding + 4 + name_length + 9, at = 0;
    const size_t body = 2 + 32 + 1 + 2 + 2 + 2 + 2 + extensions;
    const unsigned char begin[] = {
        1, (unsigned char)(body >> 16), (unsigned char)(body >> 8), (unsigned char)body, 3, 3};
    memset(message, 0, sizeof message);
    memcpy(message, begin, sizeof begin);
    at = 4 + 2 + 32 + 1;
    memcpy(message + at, "\0\x02\x13\x01\x01\0", 6);
    at += 6;
    const unsigned char head[] = {
        (unsigned char)(extensions >> 8), (unsigned char)extensions, 0, 21,
        (unsigned char)(padding >> 8),    (unsigned char)padding};
    memcpy(message + at, head, sizeof head);
    at += sizeof head + padding;
    const unsigned char names[] = {0,
                                   0,
                                   0,
                                   (unsigned char)(name_length + 5),
                                   0,
                                   (unsigned char)(name_length + 3),
                                   0,
                                   0,
                                   (unsigned char)name_length};
    memcpy(message + at, names, sizeof names);
    memcpy(message + at + sizeof names, name, name_length);
    at += sizeof names + name_length;
    size_t length = 0;
    for (size_t from = 0; from < at; from += 16384) {
        size_t part = at - from < 16384 ? at - from : 16384;
        const unsigned char record[] = {22, 3, 1, (unsigned char)(part >> 8), (unsigned char)part};
        memcpy(wire + length, record, 5);
        memcpy(wire + length + 5, message + from, part);
        length += 5 + part;
    }
    return length;
}
