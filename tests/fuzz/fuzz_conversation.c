/* What a process that says it is the proxy answers to a command: each object is heard, and what is
 * no object is passed over. */
#include "reload/cli/conversation.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length);

static void must(bool so)
{
    if (!so)
        abort();
}

static size_t lines_of(const unsigned char *bytes, size_t length)
{
    size_t count = 0;
    for (size_t i = 0; i < length; i++)
        count += bytes[i] == '\n';
    return count;
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length)
{
    int pair[2];
    json_t *object = NULL;
    size_t heard = 0;
    enum word word;
    if (length > 65536) /* which the socket takes at once */
        return 0;
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    struct conversation talk = {.fd = pair[0], .process = -1, .deadline = UINT64_MAX};
    must(length == 0 || send(pair[1], bytes, length, MSG_NOSIGNAL) == (ssize_t)length);
    close(pair[1]);
    while ((word = conversation_hear(&talk, &object)) == WORD_HEARD) {
        must(object != NULL);
        json_decref(object);
        heard++;
    }
    must(word == WORD_END && heard <= lines_of(bytes, length));
    conversation_end(&talk);
    return 0;
}
