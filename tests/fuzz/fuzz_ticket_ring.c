/* The memory with the keys of session tickets, as another process has left it, and as that process
 * changes it afterwards: the first half of the input is what there is in the beginning, the second
 * half is written over it while it is used. */
#include "config/tls/ticket_ring.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length);

static const uint64_t now = 1000000;

static void must(bool so)
{
    if (!so)
        abort();
}

static void use(struct ticket_ring *ring)
{
    struct ticket_key key, found;
    if (ticket_ring_current(ring, &key)) {
        must(key.size == TICKET_SECRET_SIZE);
        if (ticket_ring_find(ring, key.name, now, &found))
            must(found.size == TICKET_SECRET_SIZE &&
                 memcmp(found.name, key.name, TICKET_NAME_SIZE) == 0);
    }
    uint64_t next = ticket_ring_turn(ring, now);
    must(next > 0 && next <= TICKET_KEY_TURN);
    /* A process that has written no nonsense since has a key from now on, or at the next turn. */
    if (!ticket_ring_current(ring, &key))
        (void)ticket_ring_turn(ring, now);
    must(ticket_ring_current(ring, &key) && ticket_ring_find(ring, key.name, now, &found));
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length)
{
    const char *wrong;
    const size_t half = length / 2;
    int fd = memfd_create("tickets", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    must(fd >= 0 && pwrite(fd, bytes, half, 0) == (ssize_t)half);
    must(ftruncate(fd, 4096) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
    int other = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    struct ticket_ring *ring = ticket_ring_take(fd, &wrong);
    must(ring || *wrong);
    if (ring) {
        use(ring);
        must(pwrite(other, bytes + half, length - half, 16) == (ssize_t)(length - half));
        use(ring);
    }
    ticket_ring_free(ring);
    close(other);
    return 0;
}
