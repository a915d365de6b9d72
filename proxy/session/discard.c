#include "proxy/session/discard.h"

#include "proxy/session/session_set.h"

/* After so many reads the other sessions of the worker have their turn. */
#define TURN_READS 16

enum discard conn_discard(struct conn *from, struct engine *engine)
{
    const unsigned char *bytes;
    for (int reads = 0; from->stream.readable && !from->stream.ended; reads++) {
        if (reads == TURN_READS)
            return DISCARD_MORE;
        ssize_t got = engine_receive(engine, &from->stream, SIZE_MAX, &bytes);
        if (got < 0)
            return DISCARD_FAILED;
        session_set_count(session_set_of(engine), from, (size_t)got);
    }
    return DISCARD_ALL;
}
