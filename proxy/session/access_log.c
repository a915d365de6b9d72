#include "proxy/session/access_log.h"

#include "config/base/line.h"
#include "config/base/log.h"
#include "proxy/session/ending.h"
#include "proxy/session/log_pattern.h"
#include "proxy/session/session.h"
#include "proxy/tls/tls.h"
#include "proxy/tls/tls_shown.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Texts that a line may need, each made when it is asked for. */
#define TEXT_MAX 160

/* A line that is to be written. */
struct entry {
    const struct session *session;
    const struct log_notes *notes; /* NULL: there are none */
    const char *names[SESSION_NAMES];
    bool over; /* the session has ended; else it was connected just now */
    enum session_state state;
    enum session_end end;
    struct address source;
    char id[TEXT_MAX], client[ADDRESS_TEXT_MAX], client_ip[ADDRESS_TEXT_MAX], via[ADDRESS_TEXT_MAX],
        time[LOG_TIME_MAX], letters[ENDING_LETTERS], client_cert[TLS_CLIENT_MAX];
    char *client_subject; /* TLS_SUBJECT_MAX bytes */
};

static struct log_notes *notes_of(const struct session *session)
{
    return session->facts ? session->facts->log : NULL;
}

/* --- values --------------------------------------------------------------------------------- */

/* A Unix name that a PROXY header told may have spaces and control characters. */
static const char *printable(char *text)
{
    for (char *c = text; *c; c++)
        if (*c <= ' ' || *c > '~')
            *c = '?';
    return text;
}

static bool source_was_told(const struct session *session)
{
    return session->facts && session->facts->source.length > 0;
}

static uint64_t now_of(const struct entry *entry)
{
    return loop_now(&entry->session->set->loop);
}

static void set_word(struct log_field *field, const char *word)
{
    field->value = word ? LOG_WORD : LOG_NOTHING;
    field->word = word;
}

static void set_count(struct log_field *field, uint64_t number)
{
    field->value = LOG_COUNT;
    field->number = number;
}

static void set_time(struct log_field *field, uint64_t microseconds)
{
    field->value = LOG_MICROSECONDS;
    field->number = microseconds;
}

/* Since the client was accepted; at 0: it never was. */
static void set_time_until(struct log_field *field, const struct entry *entry, uint64_t at)
{
    uint64_t began = entry->session->entry.accepted_at;
    if (at)
        set_time(field, at > began ? at - began : 0);
}

static const char *name_of(const struct entry *entry, unsigned which)
{
    const char *name = entry->names[which];
    return name[0] == '-' && name[1] == '\0' ? NULL : name;
}

static const char *id_of(struct entry *entry)
{
    const struct session *session = entry->session;
    snprintf(entry->id, sizeof entry->id, "%u.%u.%llu", session->generation,
             session->entry.accepted_by, (unsigned long long)session->number);
    return entry->id;
}

static const char *via_of(struct entry *entry)
{
    if (!source_was_told(entry->session))
        return NULL;
    const struct address peer = session_peer_address(entry->session);
    return address_format(&peer, entry->via);
}

static const char *client_ip_of(struct entry *entry)
{
    struct address address = entry->source;
    address_set_port(&address, 0);
    address_format_portless(&address, entry->client_ip);
    return printable(entry->client_ip);
}

/* When the first byte of the server came: just now, if that was not noted. */
static uint64_t first_byte_at(const struct entry *entry)
{
    if (entry->notes && entry->notes->first_byte_at)
        return entry->notes->first_byte_at;
    return entry->session->server.stream.received > 0 && entry->notes ? now_of(entry) : 0;
}

static uint64_t queued_for(const struct entry *entry)
{
    const struct log_notes *notes = entry->notes;
    if (!notes)
        return 0;
    return notes->queued_for + (notes->queued_at ? now_of(entry) - notes->queued_at : 0);
}

/* Sessions of the backend, or of the server, with this one: it has left its server when its line is
 * written. */
static uint64_t with_this_one(const struct session *session, uint64_t live)
{
    return live + (session->connected_at && !session->with_server ? 1 : 0);
}

static void set_backend_sessions(struct log_field *field, const struct session *session)
{
    if (!session->backend)
        return;
    set_count(field, with_this_one(session, atomic_load_explicit(&session->backend->live,
                                                                 memory_order_relaxed)));
}

static void set_sessions(struct log_field *field, const struct session *session,
                         enum access_field which)
{
    const struct service *service = session->set->service;
    if (which == ACCESS_SESSIONS_PROCESS)
        set_count(field, service_live(service));
    else if (which == ACCESS_SESSIONS_FRONTEND)
        set_count(field, atomic_load(&session->frontend->places.limit->used));
    else if (which == ACCESS_SESSIONS_BACKEND)
        set_backend_sessions(field, session);
    else if (session->chosen)
        set_count(field, with_this_one(session, server_count_sessions(session->chosen).live));
}

static void set_end(struct log_field *field, struct entry *entry, enum access_field which)
{
    if (!entry->over)
        return;
    set_word(field, which == ACCESS_END
                        ? session_end_name(entry->end)
                        : ending_letters(entry->session, entry->state, entry->end, entry->letters));
}

/* Why the handshake with the client failed, or what TLS said later. */
static const char *tls_error_of(const struct entry *entry, const struct tls *tls)
{
    const char *error = tls ? tls_error(tls) : "";
    if (*error)
        return error;
    if (!entry->over || entry->end != SESSION_TLS_FAILED)
        return NULL;
    return tls ? "the client ended the connection" : "tls-handshakes are under way";
}

static void set_tls(struct log_field *field, struct entry *entry, enum access_field which)
{
    const struct facts *facts = entry->session->facts;
    const struct tls *client = facts ? facts->client_tls : NULL;
    const struct tls *server = facts ? facts->server_tls : NULL;
    if (which == ACCESS_TLS_ERROR)
        set_word(field, tls_error_of(entry, client));
    else if (which == ACCESS_SERVER_TLS_VERSION && server)
        set_word(field, tls_shown_version(server));
    else if (which == ACCESS_SERVER_TLS_CIPHER && server)
        set_word(field, tls_shown_cipher(server));
    else if (which == ACCESS_TLS_VERSION && client)
        set_word(field, tls_shown_version(client));
    else if (which == ACCESS_TLS_CIPHER && client)
        set_word(field, tls_shown_cipher(client));
    else if (which == ACCESS_TLS_RESUMED && client && tls_shown_version(client))
        set_count(field, tls_shown_resumed(client));
    else if (which == ACCESS_CLIENT_CERT && client)
        set_word(field, tls_shown_name(client, entry->client_cert));
    else if (which == ACCESS_CLIENT_SUBJECT && client)
        set_word(field, tls_shown_subject(client, entry->client_subject));
}

static struct log_field value_of(void *arg, enum access_field which)
{
    struct entry *entry = arg;
    const struct session *session = entry->session;
    const struct facts *facts = session->facts;
    const struct log_notes *notes = entry->notes;
    struct log_field field = {.name = access_field_names[which], .value = LOG_NOTHING};
    switch (which) {
    case ACCESS_TIME:
        set_word(&field, log_time(entry->time));
        break;
    case ACCESS_LEVEL:
        set_word(&field, "info");
        break;
    case ACCESS_PID:
        set_count(&field, (uint64_t)getpid());
        break;
    case ACCESS_GENERATION:
        set_count(&field, session->set->service->generation);
        break;
    case ACCESS_EVENT:
        set_word(&field, entry->over ? "end" : "connect");
        break;
    case ACCESS_ID:
        set_word(&field, id_of(entry));
        break;
    case ACCESS_CLIENT:
        address_format(&entry->source, entry->client);
        set_word(&field, printable(entry->client));
        break;
    case ACCESS_CLIENT_IP:
        set_word(&field, client_ip_of(entry));
        break;
    case ACCESS_CLIENT_PORT:
        if (!address_is_unix(&entry->source))
            set_count(&field, address_port(&entry->source));
        break;
    case ACCESS_VIA:
        set_word(&field, via_of(entry));
        break;
    case ACCESS_FRONTEND:
        set_word(&field, name_of(entry, 0));
        break;
    case ACCESS_BIND:
        set_word(&field, name_of(entry, 1));
        break;
    case ACCESS_BACKEND:
        set_word(&field, name_of(entry, 2));
        break;
    case ACCESS_SERVER:
        set_word(&field, name_of(entry, 3));
        break;
    case ACCESS_LOCAL_PORT:
        if (notes && notes->local_port)
            set_count(&field, notes->local_port);
        break;
    case ACCESS_FAILED_SERVERS:
        set_word(&field, notes ? notes->failed : NULL);
        break;
    case ACCESS_RETRIES:
        set_count(&field, session->attempts);
        break;
    case ACCESS_QUEUE_POSITION:
        if (notes && notes->queue_position)
            set_count(&field, notes->queue_position);
        break;
    case ACCESS_QUEUE_MS:
        set_time(&field, queued_for(entry));
        break;
    case ACCESS_CONNECT_MS:
        set_time_until(&field, entry, session->connected_at);
        break;
    case ACCESS_FIRST_BYTE_MS:
        set_time_until(&field, entry, first_byte_at(entry));
        break;
    case ACCESS_TOTAL_MS:
        set_time_until(&field, entry, now_of(entry));
        break;
    case ACCESS_BYTES_IN:
        set_count(&field, session->client.stream.received);
        break;
    case ACCESS_BYTES_OUT:
        set_count(&field, session->server.stream.received);
        break;
    case ACCESS_SESSIONS_PROCESS:
    case ACCESS_SESSIONS_FRONTEND:
    case ACCESS_SESSIONS_BACKEND:
    case ACCESS_SESSIONS_SERVER:
        set_sessions(&field, session, which);
        break;
    case ACCESS_SNI:
        set_word(&field, facts ? facts->server_name : NULL);
        break;
    case ACCESS_ALPN:
        set_word(&field, facts ? facts->alpn : NULL);
        break;
    case ACCESS_TLS_VERSION:
    case ACCESS_TLS_CIPHER:
    case ACCESS_TLS_RESUMED:
    case ACCESS_CLIENT_CERT:
    case ACCESS_CLIENT_SUBJECT:
    case ACCESS_TLS_ERROR:
    case ACCESS_SERVER_TLS_VERSION:
    case ACCESS_SERVER_TLS_CIPHER:
        set_tls(&field, entry, which);
        break;
    case ACCESS_HOST:
        set_word(&field, facts ? facts->host : NULL);
        break;
    case ACCESS_UNIQUE_ID:
        set_word(&field, facts ? facts->unique_id : NULL);
        break;
    case ACCESS_TERMINATION:
    case ACCESS_END:
        set_end(&field, entry, which);
        break;
    case ACCESS_FIELD_COUNT:
        break;
    }
    return field;
}

/* --- forms ---------------------------------------------------------------------------------- */

enum showing {
    ALWAYS,
    IF_ANY, /* left out where the field has no value, or is 0 */
    QUOTED, /* the same, between quotation marks: the value may have spaces */
};

/* A part of the line of text: its name, and the field. */
struct part {
    const char *name;
    enum access_field field;
    enum showing showing;
};

static const struct part parts[] = {
    {" client=", ACCESS_CLIENT, ALWAYS},
    {" frontend=", ACCESS_FRONTEND, ALWAYS},
    {" bind=", ACCESS_BIND, ALWAYS},
    {" server=", ACCESS_BACKEND, ALWAYS},
    {"/", ACCESS_SERVER, ALWAYS},
    {" connect=", ACCESS_CONNECT_MS, ALWAYS},
    {" time=", ACCESS_TOTAL_MS, ALWAYS},
    {" first-byte=", ACCESS_FIRST_BYTE_MS, IF_ANY},
    {" queue=", ACCESS_QUEUE_MS, IF_ANY},
    {" queue-position=", ACCESS_QUEUE_POSITION, IF_ANY},
    {" failed=", ACCESS_FAILED_SERVERS, IF_ANY},
    {" local-port=", ACCESS_LOCAL_PORT, IF_ANY},
    {" alpn=", ACCESS_ALPN, IF_ANY},
    {" tls-version=", ACCESS_TLS_VERSION, IF_ANY},
    {" tls-cipher=", ACCESS_TLS_CIPHER, IF_ANY},
    {" tls-resumed=", ACCESS_TLS_RESUMED, IF_ANY},
    {" client-cert=", ACCESS_CLIENT_CERT, QUOTED},
    {" tls-error=", ACCESS_TLS_ERROR, QUOTED},
    {" server-tls-version=", ACCESS_SERVER_TLS_VERSION, IF_ANY},
    {" server-tls-cipher=", ACCESS_SERVER_TLS_CIPHER, IF_ANY},
    {" termination=", ACCESS_TERMINATION, IF_ANY},
    {" in=", ACCESS_BYTES_IN, ALWAYS},
    {" out=", ACCESS_BYTES_OUT, ALWAYS},
    {" retries=", ACCESS_RETRIES, ALWAYS},
    {" via=", ACCESS_VIA, IF_ANY},
    {" sni=", ACCESS_SNI, IF_ANY},
    {" host=", ACCESS_HOST, IF_ANY},
    {" unique-id=", ACCESS_UNIQUE_ID, IF_ANY},
    {" end=", ACCESS_END, IF_ANY},
};

static bool is_nothing(const struct log_field *field)
{
    return field->value == LOG_NOTHING || (field->value != LOG_WORD && field->number == 0);
}

static void put_text(struct line *line, struct entry *entry)
{
    (void)line_print(line, "session %s%s", id_of(entry), entry->over ? "" : " connected");
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        const struct log_field field = value_of(entry, parts[i].field);
        const bool quoted = parts[i].showing == QUOTED;
        if (parts[i].showing != ALWAYS && is_nothing(&field))
            continue;
        (void)line_put(line, parts[i].name, strlen(parts[i].name));
        (void)line_put(line, "\"", quoted);
        log_value_put(line, &field, quoted);
        (void)line_put(line, "\"", quoted);
        if (field.value == LOG_MICROSECONDS)
            (void)line_put(line, "ms", 2);
    }
}

static void write_line(const struct access_log *log, struct entry *entry)
{
    char bytes[LOG_MESSAGE_MAX], client_subject[TLS_SUBJECT_MAX];
    struct line line = {.bytes = bytes, .size = sizeof bytes - 1};
    struct log_field fields[ACCESS_FIELD_COUNT];
    struct log_event event = {.level = LOG_LEVEL_INFO,
                              .kind = "session",
                              .message = bytes,
                              .bare = log->format->form == LOG_AS_PATTERN,
                              .fields = fields};
    entry->client_subject = client_subject;
    session_names(entry->session, entry->names);
    entry->source = session_source_address(entry->session);
    if (log_wants_message() && log->format->form == LOG_AS_PATTERN)
        log_pattern_put(&line, log->format, value_of, entry);
    else if (log_wants_message())
        put_text(&line, entry);
    bytes[line.length] = '\0';
    /* Each line has those before. */
    for (int i = ACCESS_EVENT; log_wants_fields() && i < ACCESS_FIELD_COUNT; i++)
        fields[event.field_count++] = value_of(entry, (enum access_field)i);
    log_event(&event);
}

/* --- which sessions ------------------------------------------------------------------------- */

/* One of `every`, exactly, of those that the worker has met. */
static bool sample(const struct access_log *log, const struct session_set *set)
{
    unsigned every = log->conf->access_log.every;
    return every == 1 || log->samplers[set->index].seen++ % every == 0;
}

static bool ended_well(const struct session *session, enum session_end end)
{
    return end == SESSION_DONE && session->attempts == 0 && session->connected_at;
}

static bool wants_end(const struct session *session, enum session_end end)
{
    const struct access_log *log = session->frontend->access_log;
    const struct log_notes *notes = notes_of(session);
    if (!log_enabled(LOG_LEVEL_INFO) ||
        (log->conf->access_log.errors_only && ended_well(session, end)))
        return false;
    if (log->conf->access_log.every == 1)
        return true;
    return notes ? notes->sampled : sample(log, session->set);
}

/* --- what is noted -------------------------------------------------------------------------- */

void access_log_begin(struct session *session)
{
    struct facts *facts = session_facts(session);
    struct log_notes *notes = facts ? facts_log(facts) : NULL;
    if (notes)
        notes->sampled = sample(session->frontend->access_log, session->set);
}

void access_log_note_failure(struct session *session)
{
    struct log_notes *notes = notes_of(session);
    const char *name = session->chosen->name;
    if (!notes)
        return;
    size_t before = notes->failed ? strlen(notes->failed) : 0;
    bool full = before + strlen(name) > FACTS_FAILED_MAX - sizeof ",...";
    size_t length = before + strlen(full ? "..." : name) + sizeof ",";
    char *failed = notes->failed_full ? NULL : realloc(notes->failed, length);
    if (!failed)
        return;
    snprintf(failed + before, length - before, "%s%s", before ? "," : "", full ? "..." : name);
    notes->failed = failed;
    notes->failed_full = full;
}

void access_log_note_queued(struct session *session, unsigned position)
{
    struct log_notes *notes = notes_of(session);
    if (!notes || notes->queued_at)
        return;
    notes->queued_at = loop_now(&session->set->loop);
    if (notes->queue_position == 0)
        notes->queue_position = position;
}

void access_log_note_called(struct session *session)
{
    struct log_notes *notes = notes_of(session);
    if (!notes || !notes->queued_at)
        return;
    notes->queued_for += loop_now(&session->set->loop) - notes->queued_at;
    notes->queued_at = 0;
}

/* --- lines ---------------------------------------------------------------------------------- */

void access_log_connected(struct session *session)
{
    const struct access_log *log = session->frontend->access_log;
    struct log_notes *notes = notes_of(session);
    if (!log || !notes)
        return;
    if (!session_is_unix(session, &session->server)) {
        const struct address own = engine_own_address(&session->server.stream);
        notes->local_port = own.length ? (in_port_t)address_port(&own) : 0;
    }
    struct entry entry = {.session = session, .notes = notes};
    if (log->conf->log_on_connect && notes->sampled && log_enabled(LOG_LEVEL_INFO))
        write_line(log, &entry);
}

void access_log_end(struct session *session, enum session_state state, enum session_end end)
{
    struct entry entry = {
        .session = session, .notes = notes_of(session), .over = true, .state = state, .end = end};
    if (wants_end(session, end))
        write_line(session->frontend->access_log, &entry);
}

void access_log_refused(struct session_set *set, struct frontend *frontend,
                        const struct bind_conf *bind, const struct address *client,
                        enum session_end reason)
{
    struct session session = {.set = set, .frontend = frontend, .bind = bind};
    if (!frontend->access_log)
        return;
    session.backend = frontend->backend;
    session.generation = set->service->generation;
    session.number = ++set->last_session;
    session.entry.accepted_by = set->index;
    session.entry.accepted_at = loop_now(&set->loop);
    session.peer.any.sa_family = client->any.sa_family;
    if (!address_is_unix(client))
        memcpy(&session.peer, &client->any, sizeof session.peer);
    access_log_end(&session, SESSION_ADMISSION, reason);
}
