#include "proxy/backend/check/mysql.h"

#include "proxy/backend/check/mysql_auth.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PACKET_MAX  (16u * 1024) /* bytes of a packet; those of a handshake have a few hundred */
#define PACKETS_MAX 32           /* that a server may send */
#define PLUGIN_MAX  64
#define HEADER_SIZE 4

/* Capabilities, protocol 4.1. */
#define CLIENT_LONG_PASSWORD     0x00000001u
#define CLIENT_CONNECT_WITH_DB   0x00000008u
#define CLIENT_PROTOCOL_41       0x00000200u
#define CLIENT_SECURE_CONNECTION 0x00008000u
#define CLIENT_PLUGIN_AUTH       0x00080000u

#define CHARSET_UTF8 33

/* The first byte of a packet. */
enum { PACKET_OK = 0x00, PACKET_MORE_DATA = 0x01, PACKET_SWITCH = 0xfe, PACKET_ERROR = 0xff };

/* The second byte of PACKET_MORE_DATA in caching_sha2_password, and what the client asks for. */
enum { SHA2_REQUEST_KEY = 0x02, SHA2_FAST_PASSED = 0x03, SHA2_FULL = 0x04 };

enum { COM_QUIT = 0x01, COM_QUERY = 0x03 };

/* What the next packet is to be. */
enum awaited { AWAIT_GREETING, AWAIT_LOGIN, AWAIT_KEY, AWAIT_COLUMN_COUNT, AWAIT_ROW };

struct mysql {
    enum awaited awaited;
    unsigned packets;
    unsigned marks; /* of AWAIT_ROW: the definition of the column and its end have come */
    unsigned char sequence;
    unsigned char nonce[MYSQL_NONCE_SIZE];
    char plugin[PLUGIN_MAX];
};

/* A packet; reading beyond its end gives zeros and sets `short_of`. */
struct packet {
    const unsigned char *at;
    size_t left;
    bool short_of;
};

static const unsigned char *take(struct packet *packet, size_t length)
{
    if (length > packet->left) {
        packet->short_of = true;
        packet->left = 0;
        return NULL;
    }
    const unsigned char *taken = packet->at;
    packet->at += length;
    packet->left -= length;
    return taken;
}

static unsigned take_byte(struct packet *packet)
{
    const unsigned char *byte = take(packet, 1);
    return byte ? *byte : 0;
}

static unsigned take_short(struct packet *packet)
{
    unsigned low = take_byte(packet);
    return low | take_byte(packet) << 8;
}

/* A text that ends with a NUL or with the packet; text is cut where it is too long. */
static void take_text(struct packet *packet, char *text, size_t size)
{
    const unsigned char *end = packet->left ? memchr(packet->at, '\0', packet->left) : NULL;
    size_t length = end ? (size_t)(end - packet->at) : packet->left;
    size_t kept = length < size ? length : size - 1;
    const unsigned char *bytes = take(packet, length);
    if (kept)
        memcpy(text, bytes, kept);
    text[kept] = '\0';
    if (end)
        take(packet, 1);
}

static bool send_packet(struct mysql *mysql, const void *bytes, size_t length,
                        struct evbuffer *output)
{
    const unsigned char header[HEADER_SIZE] = {(unsigned char)length, (unsigned char)(length >> 8),
                                               (unsigned char)(length >> 16), mysql->sequence++};
    return evbuffer_add(output, header, sizeof header) == 0 &&
           evbuffer_add(output, bytes, length) == 0;
}

static enum dialogue_verdict send_or_fail(struct dialogue *dialogue, const void *bytes,
                                          size_t length, struct evbuffer *output)
{
    if (send_packet(dialogue->state, bytes, length, output))
        return DIALOGUE_GOES_ON;
    return dialogue_fail(dialogue, "out of memory");
}

/* The server is told that all is said; without memory for that the end of the stream has to do. */
static void quit(struct dialogue *dialogue, struct evbuffer *output)
{
    struct mysql *mysql = dialogue->state;
    mysql->sequence = 0;
    (void)send_packet(mysql, &(const unsigned char){COM_QUIT}, 1, output);
    dialogue->awaits_close = true;
}

static const char native_plugin[] = "mysql_native_password";
static const char sha2_plugin[] = "caching_sha2_password";

static bool uses(const struct mysql *mysql, const char *plugin)
{
    return strcmp(mysql->plugin, plugin) == 0;
}

/* Whether the error of a login says only that the user may not log in, which a server does not say
 * unless it runs: SQLSTATE 28000, or that the connection has to be encrypted. */
static bool is_refusal(unsigned code, const char *state)
{
    enum { SECURE_TRANSPORT_REQUIRED = 3159 };
    return strncmp(state, "28", 2) == 0 || code == SECURE_TRANSPORT_REQUIRED;
}

static bool is_logged_in(const struct mysql *mysql)
{
    return mysql->awaited == AWAIT_COLUMN_COUNT || mysql->awaited == AWAIT_ROW;
}

static enum dialogue_verdict hear_error(struct dialogue *dialogue, struct packet packet,
                                        struct evbuffer *output)
{
    const struct mysql *mysql = dialogue->state;
    char state[6] = "", text[DIALOGUE_REASON_MAX];
    take_byte(&packet);
    unsigned code = take_short(&packet);
    if (packet.left > sizeof state && *packet.at == '#') {
        take_byte(&packet);
        memcpy(state, take(&packet, sizeof state - 1), sizeof state - 1);
    }
    take_text(&packet, text, sizeof text);
    if (is_logged_in(mysql))
        quit(dialogue, output);
    dialogue->awaits_close = true; /* after an error of the login the server closes */
    if (mysql->awaited == AWAIT_LOGIN && !dialogue->conf->user && is_refusal(code, state))
        return DIALOGUE_PASSED;
    if (mysql->awaited == AWAIT_LOGIN && !uses(mysql, native_plugin) && !uses(mysql, sha2_plugin))
        return dialogue_fail(dialogue, "wants a login by %s, which checks do not know",
                             mysql->plugin);
    return dialogue_fail(dialogue, "says \"%s\" (error %u)", text, code);
}

static enum dialogue_verdict fail_malformed(struct dialogue *dialogue)
{
    return dialogue_fail(dialogue, "does not speak the protocol of MySQL");
}

/* The answer to the nonce by the plugin that the server wants. A plugin that is not known gets an
 * empty answer: the server then denies access, and no handshake is broken off. */
static int answer_nonce(const struct dialogue *dialogue, unsigned char *answer, size_t *length)
{
    const struct mysql *mysql = dialogue->state;
    const char *password = dialogue->conf->user ? dialogue->conf->password : NULL;
    *length = 0;
    if (!password || !*password)
        return 0;
    if (uses(mysql, native_plugin)) {
        *length = MYSQL_NATIVE_SIZE;
        return mysql_native_answer(password, mysql->nonce, answer);
    }
    if (uses(mysql, sha2_plugin)) {
        *length = MYSQL_SHA2_SIZE;
        return mysql_sha2_answer(password, mysql->nonce, answer);
    }
    return 0;
}

static enum dialogue_verdict fail_hash(struct dialogue *dialogue)
{
    const struct mysql *mysql = dialogue->state;
    return dialogue_fail(dialogue, "OpenSSL cannot do what %s needs", mysql->plugin);
}

static bool add_login(struct evbuffer *response, const struct dialogue *dialogue, unsigned flags,
                      const unsigned char *answer, size_t answer_length)
{
    const struct check_conf *conf = dialogue->conf;
    const struct mysql *mysql = dialogue->state;
    const char *user = conf->user ? conf->user : "rpproxy";
    unsigned char fixed[32] = {(unsigned char)flags,
                               (unsigned char)(flags >> 8),
                               (unsigned char)(flags >> 16),
                               (unsigned char)(flags >> 24),
                               0,
                               0,
                               0,
                               1, /* packets of up to 16 MiB */
                               CHARSET_UTF8};
    const unsigned char length = (unsigned char)answer_length;
    return evbuffer_add(response, fixed, sizeof fixed) == 0 &&
           evbuffer_add(response, user, strlen(user) + 1) == 0 &&
           evbuffer_add(response, &length, 1) == 0 &&
           evbuffer_add(response, answer, answer_length) == 0 &&
           (!(flags & CLIENT_CONNECT_WITH_DB) ||
            evbuffer_add(response, conf->database, strlen(conf->database) + 1) == 0) &&
           (!(flags & CLIENT_PLUGIN_AUTH) ||
            evbuffer_add(response, mysql->plugin, strlen(mysql->plugin) + 1) == 0);
}

static enum dialogue_verdict send_login(struct dialogue *dialogue, unsigned flags,
                                        struct evbuffer *output)
{
    unsigned char answer[MYSQL_ANSWER_MAX];
    size_t length;
    if (answer_nonce(dialogue, answer, &length))
        return fail_hash(dialogue);
    enum dialogue_verdict verdict = DIALOGUE_FAILED;
    struct evbuffer *response = evbuffer_new();
    if (response && add_login(response, dialogue, flags, answer, length))
        verdict = send_or_fail(dialogue, evbuffer_pullup(response, -1),
                               evbuffer_get_length(response), output);
    else
        dialogue_fail(dialogue, "out of memory");
    if (response)
        evbuffer_free(response);
    return verdict;
}

static enum dialogue_verdict hear_greeting(struct dialogue *dialogue, struct packet packet,
                                           struct evbuffer *output)
{
    enum { PROTOCOL = 10, FIRST_PART = 8 };
    struct mysql *mysql = dialogue->state;
    char version[PLUGIN_MAX];
    if (take_byte(&packet) != PROTOCOL)
        return fail_malformed(dialogue);
    take_text(&packet, version, sizeof version);
    take(&packet, 4); /* the number of the connection */
    const unsigned char *first = take(&packet, FIRST_PART);
    take(&packet, 1);
    unsigned offered = take_short(&packet);
    take(&packet, 3); /* character set, status */
    offered |= take_short(&packet) << 16;
    take(&packet, 11); /* length of the nonce, reserved */
    const unsigned char *second = take(&packet, MYSQL_NONCE_SIZE - FIRST_PART);
    if (packet.short_of)
        return fail_malformed(dialogue);
    memcpy(mysql->nonce, first, FIRST_PART);
    memcpy(mysql->nonce + FIRST_PART, second, MYSQL_NONCE_SIZE - FIRST_PART);
    const unsigned needed = CLIENT_PROTOCOL_41 | CLIENT_SECURE_CONNECTION;
    if ((offered & needed) != needed)
        return dialogue_fail(dialogue, "is older than MySQL 4.1: \"%s\"", version);
    if (packet.left)
        take_byte(&packet); /* the NUL behind the nonce */
    take_text(&packet, mysql->plugin, sizeof mysql->plugin);
    if (!(offered & CLIENT_PLUGIN_AUTH) || !uses(mysql, sha2_plugin))
        strcpy(mysql->plugin, native_plugin);
    mysql->awaited = AWAIT_LOGIN;
    unsigned flags = CLIENT_LONG_PASSWORD | needed | (offered & CLIENT_PLUGIN_AUTH);
    if (dialogue->conf->user && dialogue->conf->database)
        flags |= offered & CLIENT_CONNECT_WITH_DB;
    return send_login(dialogue, flags, output);
}

/* The server wants the user to be asked by another plugin than that of its greeting. */
static enum dialogue_verdict hear_switch(struct dialogue *dialogue, struct packet packet,
                                         struct evbuffer *output)
{
    struct mysql *mysql = dialogue->state;
    unsigned char answer[MYSQL_ANSWER_MAX];
    size_t length;
    take_byte(&packet);
    if (packet.left == 0)
        strcpy(mysql->plugin, "mysql_old_password");
    else
        take_text(&packet, mysql->plugin, sizeof mysql->plugin);
    if (packet.left >= MYSQL_NONCE_SIZE)
        memcpy(mysql->nonce, packet.at, MYSQL_NONCE_SIZE);
    if (answer_nonce(dialogue, answer, &length))
        return fail_hash(dialogue);
    return send_or_fail(dialogue, answer, length, output);
}

/* caching_sha2_password says how it goes on. */
static enum dialogue_verdict hear_more(struct dialogue *dialogue, struct packet packet,
                                       struct evbuffer *output)
{
    struct mysql *mysql = dialogue->state;
    take_byte(&packet);
    unsigned what = take_byte(&packet);
    if (what == SHA2_FAST_PASSED)
        return DIALOGUE_GOES_ON; /* OK follows */
    if (what != SHA2_FULL || !uses(mysql, sha2_plugin) || !dialogue->conf->user ||
        !dialogue->conf->password)
        return send_or_fail(dialogue, "", 0, output);
    mysql->awaited = AWAIT_KEY;
    return send_or_fail(dialogue, &(const unsigned char){SHA2_REQUEST_KEY}, 1, output);
}

static enum dialogue_verdict hear_key(struct dialogue *dialogue, struct packet packet,
                                      struct evbuffer *output)
{
    struct mysql *mysql = dialogue->state;
    unsigned char *answer;
    size_t length;
    if (take_byte(&packet) != PACKET_MORE_DATA)
        return fail_malformed(dialogue);
    mysql->awaited = AWAIT_LOGIN;
    if (mysql_sealed_answer(dialogue->conf->password, mysql->nonce, (const char *)packet.at,
                            packet.left, &answer, &length))
        return dialogue_fail(dialogue, "sends a public key that cannot be used");
    enum dialogue_verdict verdict = send_or_fail(dialogue, answer, length, output);
    free(answer);
    return verdict;
}

static enum dialogue_verdict logged_in(struct dialogue *dialogue, struct evbuffer *output)
{
    static const char query[] = "\x03SELECT @@global.read_only";
    _Static_assert(COM_QUERY == 0x03, "the first byte of the query");
    struct mysql *mysql = dialogue->state;
    if (dialogue->conf->role == CHECK_ROLE_ANY) {
        quit(dialogue, output);
        return DIALOGUE_PASSED;
    }
    mysql->awaited = AWAIT_COLUMN_COUNT;
    mysql->sequence = 0;
    return send_or_fail(dialogue, query, sizeof query - 1, output);
}

static enum dialogue_verdict hear_login(struct dialogue *dialogue, struct packet packet,
                                        struct evbuffer *output)
{
    switch (packet.at[0]) {
    case PACKET_OK:
        return logged_in(dialogue, output);
    case PACKET_SWITCH:
        return hear_switch(dialogue, packet, output);
    case PACKET_MORE_DATA:
        return hear_more(dialogue, packet, output);
    default:
        return fail_malformed(dialogue);
    }
}

static enum dialogue_verdict hear_row(struct dialogue *dialogue, struct packet packet,
                                      struct evbuffer *output)
{
    struct mysql *mysql = dialogue->state;
    char value[8];
    if (++mysql->marks <= 2)
        return DIALOGUE_GOES_ON;
    size_t length = take_byte(&packet); /* of the only column */
    if (length != packet.left || length == 0)
        return fail_malformed(dialogue);
    take_text(&packet, value, sizeof value);
    bool writable = strcmp(value, "0") == 0 || strcmp(value, "OFF") == 0;
    quit(dialogue, output);
    if (writable != (dialogue->conf->role == CHECK_ROLE_REPLICA))
        return DIALOGUE_PASSED;
    return dialogue_fail(
        dialogue, writable ? "can be written to: read_only is %s" : "is read only: read_only is %s",
        value);
}

static enum dialogue_verdict hear_packet(struct dialogue *dialogue, struct packet packet,
                                         struct evbuffer *output)
{
    struct mysql *mysql = dialogue->state;
    if (++mysql->packets > PACKETS_MAX || packet.left == 0)
        return fail_malformed(dialogue);
    if (packet.at[0] == PACKET_ERROR)
        return hear_error(dialogue, packet, output);
    switch (mysql->awaited) {
    case AWAIT_GREETING:
        return hear_greeting(dialogue, packet, output);
    case AWAIT_LOGIN:
        return hear_login(dialogue, packet, output);
    case AWAIT_KEY:
        return hear_key(dialogue, packet, output);
    case AWAIT_COLUMN_COUNT:
        mysql->awaited = AWAIT_ROW;
        return packet.at[0] == 1 ? DIALOGUE_GOES_ON : fail_malformed(dialogue);
    case AWAIT_ROW:
        break;
    }
    return hear_row(dialogue, packet, output);
}

static enum dialogue_verdict hear(struct dialogue *dialogue, struct evbuffer *input, bool ended,
                                  struct evbuffer *output)
{
    struct mysql *mysql = dialogue->state;
    unsigned char header[HEADER_SIZE];
    while (evbuffer_copyout(input, header, sizeof header) == sizeof header) {
        size_t length = header[0] | (size_t)header[1] << 8 | (size_t)header[2] << 16;
        if (length > PACKET_MAX)
            return fail_malformed(dialogue);
        if (evbuffer_get_length(input) < HEADER_SIZE + length)
            break;
        const unsigned char *bytes = evbuffer_pullup(input, (ev_ssize_t)(HEADER_SIZE + length));
        if (!bytes)
            return dialogue_fail(dialogue, "out of memory");
        mysql->sequence = (unsigned char)(header[3] + 1);
        enum dialogue_verdict verdict = hear_packet(
            dialogue, (struct packet){.at = bytes + HEADER_SIZE, .left = length}, output);
        evbuffer_drain(input, HEADER_SIZE + length);
        if (verdict != DIALOGUE_GOES_ON)
            return verdict;
    }
    if (ended)
        return dialogue_fail(dialogue, "closed the connection before it had answered");
    return DIALOGUE_GOES_ON;
}

const struct dialogue_kind mysql_dialogue = {
    .name = "mysql", .state_size = sizeof(struct mysql), .hear = hear};
