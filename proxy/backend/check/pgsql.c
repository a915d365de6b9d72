#include "proxy/backend/check/pgsql.h"

#include "proxy/backend/check/pgsql_auth.h"

#include <stdint.h>
#include <string.h>

#define MESSAGE_MAX (16u * 1024) /* bytes of a message */
#define HEARD_MAX   (64u * 1024) /* bytes of all messages of the server */
#define HEADER_SIZE 5            /* type, length */
#define LENGTH_SIZE 4            /* which the length counts as well */

#define PROTOCOL_3 196608

enum request {
    REQUEST_NOTHING = 0,
    REQUEST_CLEAR_TEXT = 3,
    REQUEST_MD5 = 5,
    REQUEST_SASL = 10,
    REQUEST_SASL_GOES_ON = 11,
    REQUEST_SASL_END = 12,
};

struct pgsql {
    size_t heard;
    bool logged_in;
    bool asked; /* for the role */
    bool told, replica;
    bool scram_begun, scram_proved;
    struct scram scram;
};

/* The payload of a message. */
struct message {
    unsigned char type;
    const unsigned char *bytes;
    size_t length;
};

static const char *user_of(const struct dialogue *dialogue)
{
    return dialogue->conf->user ? dialogue->conf->user : "rpproxy";
}

static uint32_t number_at(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static bool add_number(struct evbuffer *output, size_t number)
{
    const unsigned char bytes[] = {(unsigned char)(number >> 24), (unsigned char)(number >> 16),
                                   (unsigned char)(number >> 8), (unsigned char)number};
    return evbuffer_add(output, bytes, sizeof bytes) == 0;
}

/* text, with its NUL */
static bool add_text(struct evbuffer *output, const char *text)
{
    return evbuffer_add(output, text, strlen(text) + 1) == 0;
}

static enum dialogue_verdict fail_malformed(struct dialogue *dialogue)
{
    return dialogue_fail(dialogue, "does not speak the protocol of PostgreSQL");
}

static enum dialogue_verdict goes_on_if(struct dialogue *dialogue, bool added)
{
    return added ? DIALOGUE_GOES_ON : dialogue_fail(dialogue, "out of memory");
}

static enum dialogue_verdict begin(struct dialogue *dialogue, const char *host,
                                   struct evbuffer *output)
{
    (void)host;
    static const char *const names[] = {"user", "database", "application_name"};
    const char *database = dialogue->conf->database ? dialogue->conf->database : "postgres";
    const char *const values[] = {user_of(dialogue), database, "rpproxy check"};
    size_t length = LENGTH_SIZE + 4 + 1;
    for (size_t i = 0; i < 3; i++)
        length += strlen(names[i]) + strlen(values[i]) + 2;
    bool added = add_number(output, length) && add_number(output, PROTOCOL_3);
    for (size_t i = 0; i < 3 && added; i++)
        added = add_text(output, names[i]) && add_text(output, values[i]);
    return goes_on_if(dialogue, added && add_text(output, ""));
}

/* Terminate; without memory for it the end of the stream has to do. */
static void terminate(struct dialogue *dialogue, struct evbuffer *output)
{
    static const unsigned char message[] = {'X', 0, 0, 0, LENGTH_SIZE};
    (void)evbuffer_add(output, message, sizeof message);
    dialogue->awaits_close = true;
}

/* The field of an ErrorResponse, or "". The payload ends with a NUL (checked before). */
static const char *error_field(struct message message, char field)
{
    const char *at = (const char *)message.bytes, *end = at + message.length;
    while (at < end && *at) {
        if (*at == field)
            return at + 1;
        at += strlen(at) + 1;
    }
    return "";
}

static enum dialogue_verdict hear_error(struct dialogue *dialogue, struct message message)
{
    const struct pgsql *pgsql = dialogue->state;
    if (message.length == 0 || message.bytes[message.length - 1] != '\0')
        return fail_malformed(dialogue);
    const char *state = error_field(message, 'C'), *text = error_field(message, 'M');
    dialogue->awaits_close = true; /* before and during the login every error ends the connection */
    if (!dialogue->conf->user && !pgsql->asked &&
        (strncmp(state, "28", 2) == 0 || strcmp(state, "3D000") == 0))
        return DIALOGUE_PASSED;
    return dialogue_fail(dialogue, "says \"%s\" (SQLSTATE %s)", text, state);
}

static enum dialogue_verdict send_password(struct dialogue *dialogue, const void *bytes,
                                           size_t length, struct evbuffer *output)
{
    return goes_on_if(dialogue, evbuffer_add(output, "p", 1) == 0 &&
                                    add_number(output, LENGTH_SIZE + length) &&
                                    evbuffer_add(output, bytes, length) == 0);
}

/* The server asks for something that the check cannot or should not give: it takes connections. */
static enum dialogue_verdict cannot_prove(struct dialogue *dialogue, const char *what)
{
    dialogue->awaits_close = true;
    if (dialogue->conf->role == CHECK_ROLE_ANY && !dialogue->conf->password)
        return DIALOGUE_PASSED;
    return dialogue_fail(dialogue, "%s", what);
}

static enum dialogue_verdict answer_md5(struct dialogue *dialogue, struct message message,
                                        struct evbuffer *output)
{
    char answer[PGSQL_MD5_SIZE];
    if (message.length < 4 + PGSQL_SALT_SIZE)
        return fail_malformed(dialogue);
    if (pgsql_md5_answer(user_of(dialogue), dialogue->conf->password, message.bytes + 4, answer))
        return cannot_prove(dialogue, "wants the password by md5, which OpenSSL cannot do here");
    return send_password(dialogue, answer, sizeof answer, output);
}

/* Whether the list of names, each with a NUL, and an empty one at its end, has the name. */
static bool is_listed(const char *name, const unsigned char *list, size_t length)
{
    const char *at = (const char *)list, *end = at + length;
    while (at < end && *at) {
        size_t entry = strnlen(at, (size_t)(end - at));
        if (entry == strlen(name) && memcmp(at, name, entry) == 0)
            return true;
        at += entry + 1;
    }
    return false;
}

static enum dialogue_verdict begin_scram(struct dialogue *dialogue, struct message message,
                                         struct evbuffer *output)
{
    static const char mechanism[] = "SCRAM-SHA-256";
    struct pgsql *pgsql = dialogue->state;
    char nonce[SCRAM_NONCE_SIZE], text[SCRAM_MESSAGE_MAX];
    if (!is_listed(mechanism, message.bytes + 4, message.length - 4))
        return cannot_prove(dialogue, "wants the password in a way that checks do not know");
    if (scram_nonce(nonce))
        return cannot_prove(dialogue, "wants SCRAM-SHA-256, which OpenSSL cannot do here");
    const char *wrong = scram_begin(&pgsql->scram, "", nonce, text);
    if (wrong)
        return cannot_prove(dialogue, wrong);
    pgsql->scram_begun = true;
    size_t length = strlen(text);
    return goes_on_if(dialogue,
                      evbuffer_add(output, "p", 1) == 0 &&
                          add_number(output, LENGTH_SIZE + sizeof mechanism + 4 + length) &&
                          add_text(output, mechanism) && add_number(output, length) &&
                          evbuffer_add(output, text, length) == 0);
}

/* What the server says in SCRAM, as a text. */
static bool copy_scram(struct message message, char text[static SCRAM_MESSAGE_MAX])
{
    size_t length = message.length - 4;
    if (length >= SCRAM_MESSAGE_MAX || memchr(message.bytes + 4, '\0', length))
        return false;
    memcpy(text, message.bytes + 4, length);
    text[length] = '\0';
    return true;
}

static enum dialogue_verdict prove_scram(struct dialogue *dialogue, struct message message,
                                         struct evbuffer *output)
{
    struct pgsql *pgsql = dialogue->state;
    char heard[SCRAM_MESSAGE_MAX], text[SCRAM_MESSAGE_MAX];
    if (!pgsql->scram_begun || pgsql->scram_proved || !copy_scram(message, heard))
        return fail_malformed(dialogue);
    const char *wrong = scram_prove(&pgsql->scram, dialogue->conf->password, heard, text);
    if (wrong)
        return cannot_prove(dialogue, wrong);
    pgsql->scram_proved = true;
    return send_password(dialogue, text, strlen(text), output);
}

static enum dialogue_verdict end_scram(struct dialogue *dialogue, struct message message)
{
    const struct pgsql *pgsql = dialogue->state;
    char heard[SCRAM_MESSAGE_MAX];
    if (!pgsql->scram_proved || !copy_scram(message, heard))
        return fail_malformed(dialogue);
    const char *wrong = scram_verify(&pgsql->scram, heard);
    return wrong ? cannot_prove(dialogue, wrong) : DIALOGUE_GOES_ON;
}

static enum dialogue_verdict hear_request(struct dialogue *dialogue, struct message message,
                                          struct evbuffer *output)
{
    struct pgsql *pgsql = dialogue->state;
    const char *password = dialogue->conf->password;
    if (message.length < 4 || pgsql->logged_in)
        return fail_malformed(dialogue);
    uint32_t request = number_at(message.bytes);
    if (request == REQUEST_NOTHING) {
        pgsql->logged_in = true;
        return DIALOGUE_GOES_ON;
    }
    if (!password)
        return cannot_prove(dialogue, "asks for a password, and there is no check-password");
    switch (request) {
    case REQUEST_CLEAR_TEXT:
        return send_password(dialogue, password, strlen(password) + 1, output);
    case REQUEST_MD5:
        return answer_md5(dialogue, message, output);
    case REQUEST_SASL:
        return begin_scram(dialogue, message, output);
    case REQUEST_SASL_GOES_ON:
        return prove_scram(dialogue, message, output);
    case REQUEST_SASL_END:
        return end_scram(dialogue, message);
    default:
        return cannot_prove(dialogue, "asks for a login that checks do not know");
    }
}

/* The server has nothing more to say: the check ends here, and not with the row before. Else a
 * server that answers slowly would still write after the close, and complain in its log. */
static enum dialogue_verdict hear_ready(struct dialogue *dialogue, struct evbuffer *output)
{
    static const char query[] = "SELECT pg_is_in_recovery()";
    struct pgsql *pgsql = dialogue->state;
    if (!pgsql->logged_in || pgsql->asked != pgsql->told)
        return fail_malformed(dialogue);
    const enum check_role role = dialogue->conf->role;
    if (role == CHECK_ROLE_ANY || pgsql->told) {
        terminate(dialogue, output);
        if (role == CHECK_ROLE_ANY || pgsql->replica == (role == CHECK_ROLE_REPLICA))
            return DIALOGUE_PASSED;
        return dialogue_fail(dialogue, pgsql->replica ? "is a replica" : "is the primary");
    }
    pgsql->asked = true;
    return goes_on_if(dialogue, evbuffer_add(output, "Q", 1) == 0 &&
                                    add_number(output, LENGTH_SIZE + sizeof query) &&
                                    add_text(output, query));
}

static enum dialogue_verdict hear_row(struct dialogue *dialogue, struct message message)
{
    /* One column, of one byte. */
    static const unsigned char one[] = {0, 1, 0, 0, 0, 1};
    struct pgsql *pgsql = dialogue->state;
    if (!pgsql->asked || pgsql->told || message.length != sizeof one + 1 ||
        memcmp(message.bytes, one, sizeof one) != 0)
        return fail_malformed(dialogue);
    pgsql->told = true;
    pgsql->replica = message.bytes[sizeof one] == 't';
    return DIALOGUE_GOES_ON;
}

static enum dialogue_verdict hear_message(struct dialogue *dialogue, struct message message,
                                          struct evbuffer *output)
{
    const struct pgsql *pgsql = dialogue->state;
    switch (message.type) {
    case 'E':
        if (pgsql->asked)
            terminate(dialogue, output);
        return hear_error(dialogue, message);
    case 'R':
        return hear_request(dialogue, message, output);
    case 'Z':
        return hear_ready(dialogue, output);
    case 'D':
        return hear_row(dialogue, message);
    case 'N': /* notice */
    case 'S': /* a parameter */
    case 'K': /* key for cancelling */
    case 'T': /* columns */
    case 'C': /* the end of the rows */
    case 'v': /* other version of the protocol */
        return DIALOGUE_GOES_ON;
    default:
        return fail_malformed(dialogue);
    }
}

static enum dialogue_verdict hear(struct dialogue *dialogue, struct evbuffer *input, bool ended,
                                  struct evbuffer *output)
{
    struct pgsql *pgsql = dialogue->state;
    unsigned char header[HEADER_SIZE];
    while (evbuffer_copyout(input, header, sizeof header) == sizeof header) {
        size_t length = number_at(header + 1);
        if (length < LENGTH_SIZE || length > MESSAGE_MAX || pgsql->heard > HEARD_MAX)
            return fail_malformed(dialogue);
        if (evbuffer_get_length(input) < 1 + length)
            break;
        const unsigned char *bytes = evbuffer_pullup(input, (ev_ssize_t)(1 + length));
        if (!bytes)
            return dialogue_fail(dialogue, "out of memory");
        enum dialogue_verdict verdict = hear_message(
            dialogue,
            (struct message){
                .type = header[0], .bytes = bytes + HEADER_SIZE, .length = length - LENGTH_SIZE},
            output);
        evbuffer_drain(input, 1 + length);
        pgsql->heard += 1 + length;
        if (verdict != DIALOGUE_GOES_ON)
            return verdict;
    }
    if (ended)
        return dialogue_fail(dialogue, "closed the connection before it had answered");
    return DIALOGUE_GOES_ON;
}

const struct dialogue_kind pgsql_dialogue = {
    .name = "pgsql", .state_size = sizeof(struct pgsql), .begin = begin, .hear = hear};
