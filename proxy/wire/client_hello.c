#include "proxy/wire/client_hello.h"

#include <string.h>

#define RECORD_MAX    16384u /* RFC 8446, 5.1 */
#define MESSAGE_LEAST 41u    /* of the parts that every hello has */

enum { HANDSHAKE = 22, CLIENT_HELLO = 1, EXTENSION_NAME = 0, EXTENSION_ALPN = 16, HOST_NAME = 0 };

/* In the order of the message. Those that end in _LENGTH, _TYPE are numbers, the others opaque. */
enum field {
    MESSAGE_TYPE,
    MESSAGE_LENGTH,
    VERSION_AND_RANDOM,
    SESSION_LENGTH,
    SESSION,
    CIPHERS_LENGTH,
    CIPHERS,
    COMPRESSIONS_LENGTH,
    COMPRESSIONS,
    EXTENSIONS_LENGTH,
    EXTENSION_TYPE,
    EXTENSION_LENGTH,
    EXTENSION,
    NAMES_LENGTH,
    NAME_TYPE,
    NAME_LENGTH,
    NAME,
    OTHER_NAME,
    PROTOCOLS_LENGTH,
    PROTOCOL_LENGTH,
    PROTOCOL,
};

void client_hello_begin(struct client_hello *hello)
{
    memset(hello, 0, sizeof *hello);
    hello->field = MESSAGE_TYPE;
    hello->want = 1;
    /* So much is there before MESSAGE_LENGTH says how much follows. */
    hello->message_left = 3;
}

static void conclude(struct client_hello *hello, enum hello_verdict verdict)
{
    hello->verdict = verdict;
    if (verdict != HELLO_COMPLETE) {
        hello->name[0] = '\0';
        hello->alpn_length = 0;
    }
}

/* The next field has so many bytes. It must lie in what it is part of. */
static void expect(struct client_hello *hello, enum field field, uint32_t want)
{
    uint32_t *left = hello->in_extension ? &hello->extension_left : &hello->message_left;
    if (want > *left) {
        conclude(hello, HELLO_WRONG);
        return;
    }
    *left -= want;
    hello->field = (unsigned char)field;
    hello->want = want;
    hello->number = 0;
}

static void next_extension(struct client_hello *hello)
{
    hello->in_extension = false;
    if (hello->message_left == 0)
        conclude(hello, HELLO_COMPLETE);
    else
        expect(hello, EXTENSION_TYPE, 2);
}

static void begin_extension(struct client_hello *hello, uint32_t length)
{
    bool again = false;
    if (length > hello->message_left) {
        conclude(hello, HELLO_WRONG);
        return;
    }
    hello->message_left -= length;
    hello->extension_left = length;
    hello->in_extension = true;
    if (hello->extension_type == EXTENSION_NAME) {
        again = hello->has_name;
        hello->has_name = true;
        expect(hello, NAMES_LENGTH, 2);
    } else if (hello->extension_type == EXTENSION_ALPN) {
        again = hello->has_alpn;
        hello->has_alpn = true;
        expect(hello, PROTOCOLS_LENGTH, 2);
    } else {
        expect(hello, EXTENSION, length);
    }
    if (again)
        conclude(hello, HELLO_WRONG);
}

/* A list fills its extension, and is not empty. */
static void begin_list(struct client_hello *hello, enum field first)
{
    if (hello->number != hello->extension_left || hello->number == 0)
        conclude(hello, HELLO_WRONG);
    else
        expect(hello, first, 1);
}

static void begin_name(struct client_hello *hello)
{
    if (hello->number == 0 || hello->number > HELLO_NAME_MAX || hello->name_length > 0) {
        conclude(hello, HELLO_WRONG);
        return;
    }
    hello->name_length = (unsigned char)hello->number;
    expect(hello, NAME, hello->number);
}

static void begin_protocol(struct client_hello *hello)
{
    uint32_t length = hello->number;
    if (length == 0) {
        conclude(hello, HELLO_WRONG);
        return;
    }
    hello->stores_alpn = hello->alpn_length + 1 + length <= HELLO_ALPN_MAX;
    if (hello->stores_alpn)
        hello->alpn[hello->alpn_length++] = (unsigned char)length;
    expect(hello, PROTOCOL, length);
}

static void end_name(struct client_hello *hello)
{
    size_t length = hello->name_at;
    if (length > 0 && hello->name[length - 1] == '.')
        length--;
    hello->name[length] = '\0';
    if (length == 0)
        conclude(hello, HELLO_WRONG);
}

/* The present field is complete: what it says, and which one is next. */
static void advance(struct client_hello *hello)
{
    uint32_t number = hello->number;
    switch ((enum field)hello->field) {
    case MESSAGE_TYPE:
        if (number != CLIENT_HELLO) {
            conclude(hello, HELLO_NOT_TLS);
            break;
        }
        hello->begun = true;
        expect(hello, MESSAGE_LENGTH, 3);
        break;
    case MESSAGE_LENGTH:
        if (number < MESSAGE_LEAST || number > CLIENT_HELLO_MAX) {
            conclude(hello, HELLO_WRONG);
            break;
        }
        hello->message_left = number;
        expect(hello, VERSION_AND_RANDOM, 34);
        break;
    case VERSION_AND_RANDOM:
        expect(hello, SESSION_LENGTH, 1);
        break;
    case SESSION_LENGTH:
        if (number > 32)
            conclude(hello, HELLO_WRONG);
        else
            expect(hello, SESSION, number);
        break;
    case SESSION:
        expect(hello, CIPHERS_LENGTH, 2);
        break;
    case CIPHERS_LENGTH:
        if (number == 0 || number % 2)
            conclude(hello, HELLO_WRONG);
        else
            expect(hello, CIPHERS, number);
        break;
    case CIPHERS:
        expect(hello, COMPRESSIONS_LENGTH, 1);
        break;
    case COMPRESSIONS_LENGTH:
        if (number == 0)
            conclude(hello, HELLO_WRONG);
        else
            expect(hello, COMPRESSIONS, number);
        break;
    case COMPRESSIONS:
        if (hello->message_left == 0)
            conclude(hello, HELLO_COMPLETE);
        else
            expect(hello, EXTENSIONS_LENGTH, 2);
        break;
    case EXTENSIONS_LENGTH:
        if (number != hello->message_left)
            conclude(hello, HELLO_WRONG);
        else
            next_extension(hello);
        break;
    case EXTENSION_TYPE:
        hello->extension_type = (uint16_t)number;
        expect(hello, EXTENSION_LENGTH, 2);
        break;
    case EXTENSION_LENGTH:
        begin_extension(hello, number);
        break;
    case EXTENSION:
        next_extension(hello);
        break;
    case NAMES_LENGTH:
        begin_list(hello, NAME_TYPE);
        break;
    case NAME_TYPE:
        hello->extension_type = (uint16_t)number; /* of the name, from here on */
        expect(hello, NAME_LENGTH, 2);
        break;
    case NAME_LENGTH:
        if (hello->extension_type == HOST_NAME)
            begin_name(hello);
        else
            expect(hello, OTHER_NAME, number);
        break;
    case NAME:
        end_name(hello);
        if (hello->verdict != HELLO_MORE)
            break;
        /* fall through */
    case OTHER_NAME:
        if (hello->extension_left == 0)
            next_extension(hello);
        else
            expect(hello, NAME_TYPE, 1);
        break;
    case PROTOCOLS_LENGTH:
        begin_list(hello, PROTOCOL_LENGTH);
        break;
    case PROTOCOL_LENGTH:
        begin_protocol(hello);
        break;
    case PROTOCOL:
        if (hello->extension_left == 0)
            next_extension(hello);
        else
            expect(hello, PROTOCOL_LENGTH, 1);
        break;
    }
}

static bool is_number(unsigned char field)
{
    switch ((enum field)field) {
    case VERSION_AND_RANDOM:
    case SESSION:
    case CIPHERS:
    case COMPRESSIONS:
    case EXTENSION:
    case NAME:
    case OTHER_NAME:
    case PROTOCOL:
        return false;
    default:
        return true;
    }
}

static void add_to_name(struct client_hello *hello, const unsigned char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = bytes[i];
        if (byte <= ' ' || byte >= 127) {
            conclude(hello, HELLO_WRONG);
            return;
        }
        if (byte >= 'A' && byte <= 'Z')
            byte = (unsigned char)(byte + 'a' - 'A');
        hello->name[hello->name_at++] = (char)byte;
    }
}

static void add_to_alpn(struct client_hello *hello, const unsigned char *bytes, size_t length)
{
    if (!hello->stores_alpn)
        return;
    memcpy(hello->alpn + hello->alpn_length, bytes, length);
    hello->alpn_length = (uint16_t)(hello->alpn_length + length);
}

/* A part of the message: what lies in one record. */
static void read_message(struct client_hello *hello, const unsigned char *bytes, size_t length)
{
    while (hello->verdict == HELLO_MORE) {
        if (hello->want == 0) {
            advance(hello);
            continue;
        }
        if (length == 0)
            return;
        size_t taken = 1;
        if (is_number(hello->field)) {
            hello->number = hello->number << 8 | *bytes;
        } else {
            taken = length < hello->want ? length : hello->want;
            if (hello->field == NAME)
                add_to_name(hello, bytes, taken);
            else if (hello->field == PROTOCOL)
                add_to_alpn(hello, bytes, taken);
        }
        hello->want -= (uint32_t)taken;
        bytes += taken;
        length -= taken;
    }
}

/* Of a first record only: what else it can be. SSL 2.0: two bytes of length with the highest bit
 * set, the type, the version, which may be that of a later protocol. */
static void read_sslv2(struct client_hello *hello, unsigned char byte, unsigned at)
{
    if ((at == 2 && byte != CLIENT_HELLO) || (at == 3 && byte != 0 && byte != 3) ||
        (at == 4 && hello->header[3] == 0 && byte != 2))
        conclude(hello, HELLO_NOT_TLS);
    else if (at == 4)
        conclude(hello, HELLO_SSLV2);
}

static void read_header(struct client_hello *hello, unsigned char byte)
{
    unsigned at = hello->header_length++;
    hello->header[at] = byte;
    if (!hello->begun && (hello->header[0] & 0x80)) {
        read_sslv2(hello, byte, at);
        return;
    }
    if ((at == 0 && byte != HANDSHAKE) || (at == 1 && byte != 3)) {
        conclude(hello, hello->begun ? HELLO_WRONG : HELLO_NOT_TLS);
        return;
    }
    if (at < 4)
        return;
    hello->record_left = (uint32_t)hello->header[3] << 8 | byte;
    hello->header_length = 0;
    if (hello->record_left == 0 || hello->record_left > RECORD_MAX)
        conclude(hello, hello->begun ? HELLO_WRONG : HELLO_NOT_TLS);
}

enum hello_verdict client_hello_feed(struct client_hello *hello, const unsigned char *bytes,
                                     size_t length)
{
    while (length > 0 && hello->verdict == HELLO_MORE) {
        size_t taken = 1;
        if (hello->record_left == 0) {
            read_header(hello, *bytes);
        } else {
            taken = length < hello->record_left ? length : hello->record_left;
            read_message(hello, bytes, taken);
            hello->record_left -= (uint32_t)taken;
        }
        bytes += taken;
        length -= taken;
    }
    return hello->verdict;
}

bool client_hello_offers(const struct client_hello *hello, const void *protocol, size_t length)
{
    for (size_t at = 0; at < hello->alpn_length; at += 1u + hello->alpn[at])
        if (hello->alpn[at] == length && memcmp(hello->alpn + at + 1, protocol, length) == 0)
            return true;
    return false;
}

void client_hello_know(struct client_hello *hello, const char *name, const unsigned char *protocol,
                       unsigned char length)
{
    client_hello_begin(hello);
    hello->begun = true;
    size_t name_length = name ? strlen(name) : 0;
    if (name_length > 0 && name_length <= HELLO_NAME_MAX) {
        add_to_name(hello, (const unsigned char *)name, name_length);
        end_name(hello);
    }
    conclude(hello, HELLO_COMPLETE);
    if (length > 0) {
        hello->alpn[0] = length;
        memcpy(hello->alpn + 1, protocol, length);
        hello->alpn_length = (uint16_t)(length + 1);
    }
}
