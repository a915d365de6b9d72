#include "proxy/session/first_bytes.h"

#include "proxy/session/sealed.h"

#include <stdlib.h>
#include <string.h>

bool first_bytes_keep(struct session *session, const unsigned char *bytes, size_t length)
{
    size_t before = first_bytes_count(session);
    struct unsent *all = realloc(session->first_bytes, sizeof *all + before + length);
    if (!all)
        return false;
    memcpy(all->bytes + before, bytes, length);
    all->offset = 0;
    all->length = before + length;
    session->first_bytes = all;
    return true;
}

bool first_bytes_receive(struct session *session, size_t enough)
{
    struct engine *engine = &session->set->loop.engine;
    const struct stream *client = &session->client.stream;
    while (client->readable && !client->ended && first_bytes_count(session) < enough) {
        const unsigned char *bytes;
        ssize_t got = sealed_receive(&session->client, engine,
                                     FIRST_BYTES_MAX - first_bytes_count(session), &bytes);
        if (got < 0) {
            session_close(session, SESSION_CLIENT_RESET);
            return false;
        }
        session_set_count(session->set, &session->client, (size_t)got);
        if (got > 0 && !first_bytes_keep(session, bytes, (size_t)got)) {
            session_close(session, SESSION_NO_RESOURCES);
            return false;
        }
    }
    return true;
}
