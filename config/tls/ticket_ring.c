#include "config/tls/ticket_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u /* Linux 6.3; vm.memfd_noexec may demand it */
#endif

#define RING_MAGIC   0x7270706bu
#define RING_VERSION 1 /* another one: the keys are made anew */

/* More than are good at one time: what a slow reader looks at is not written meanwhile. */
#define SLOTS 8
_Static_assert(SLOTS >= TICKET_LIFE / TICKET_KEY_TURN + 3, "no key is overwritten too early");

/* Until another attempt to make a key. */
#define SOON 5

/* The name, and the secrets of the HMAC and of the cipher. */
#define KEY_BYTES (TICKET_NAME_SIZE + 2 * TICKET_SECRET_SIZE)
#define WORDS     (KEY_BYTES / sizeof(uint64_t))

/* A reader copies the words between two looks at the number, which is 0 while they are written: a
 * process that dies in the midst leaves a slot without a key. */
struct slot {
    atomic_uint_fast64_t number; /* 1 for the first key, and so on; its slot is number % SLOTS */
    atomic_uint_fast64_t born;   /* ticket_ring_now() */
    atomic_uint_fast64_t words[WORDS];
};

/* Kept as it is for RING_VERSION: processes of other builds have it mapped. */
struct memory {
    uint32_t magic, version, size, unused;
    atomic_uint_fast64_t newest; /* its number */
    struct slot slots[SLOTS];
};

_Static_assert(sizeof(atomic_uint_fast64_t) == 8, "other builds read it so");

struct ticket_ring {
    int fd;
    struct memory *memory;
};

uint64_t ticket_ring_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec;
}

/* --- one key ------------------------------------------------------------------------------- */

static void pack(const struct ticket_key *key, uint64_t words[static WORDS])
{
    unsigned char bytes[KEY_BYTES];
    memcpy(bytes, key->name, TICKET_NAME_SIZE);
    memcpy(bytes + TICKET_NAME_SIZE, key->mac, TICKET_SECRET_SIZE);
    memcpy(bytes + TICKET_NAME_SIZE + TICKET_SECRET_SIZE, key->cipher, TICKET_SECRET_SIZE);
    memcpy(words, bytes, sizeof bytes);
    OPENSSL_cleanse(bytes, sizeof bytes);
}

static void unpack(const uint64_t words[static WORDS], struct ticket_key *key)
{
    unsigned char bytes[KEY_BYTES];
    memcpy(bytes, words, sizeof bytes);
    memcpy(key->name, bytes, TICKET_NAME_SIZE);
    memcpy(key->mac, bytes + TICKET_NAME_SIZE, TICKET_SECRET_SIZE);
    memcpy(key->cipher, bytes + TICKET_NAME_SIZE + TICKET_SECRET_SIZE, TICKET_SECRET_SIZE);
    key->size = TICKET_SECRET_SIZE;
    OPENSSL_cleanse(bytes, sizeof bytes);
}

static void write_slot(struct slot *slot, uint64_t number, uint64_t born,
                       const uint64_t words[static WORDS])
{
    atomic_store_explicit(&slot->number, 0, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    for (size_t i = 0; i < WORDS; i++)
        atomic_store_explicit(&slot->words[i], words[i], memory_order_relaxed);
    atomic_store_explicit(&slot->born, born, memory_order_relaxed);
    atomic_store_explicit(&slot->number, number, memory_order_release);
}

static void erase(struct slot *slot)
{
    static const uint64_t nothing[WORDS];
    write_slot(slot, 0, 0, nothing);
}

/* Returns its number; 0: it has no key, or is being written. */
static uint64_t read_slot(struct slot *slot, uint64_t *born, struct ticket_key *key)
{
    uint64_t words[WORDS];
    uint64_t number = atomic_load_explicit(&slot->number, memory_order_acquire);
    for (size_t i = 0; i < WORDS; i++)
        words[i] = atomic_load_explicit(&slot->words[i], memory_order_relaxed);
    *born = atomic_load_explicit(&slot->born, memory_order_relaxed);
    atomic_thread_fence(memory_order_acquire);
    if (atomic_load_explicit(&slot->number, memory_order_relaxed) != number)
        number = 0;
    if (number)
        unpack(words, key);
    OPENSSL_cleanse(words, sizeof words);
    return number;
}

static bool is_too_old(uint64_t born, uint64_t now)
{
    return now >= born && now - born >= TICKET_KEY_TURN + TICKET_LIFE;
}

/* --- all keys ------------------------------------------------------------------------------ */

static struct slot *slot_of(const struct ticket_ring *ring, uint64_t number)
{
    return &ring->memory->slots[number % SLOTS];
}

static uint64_t newest(const struct ticket_ring *ring)
{
    return atomic_load_explicit(&ring->memory->newest, memory_order_acquire);
}

bool ticket_ring_current(const struct ticket_ring *ring, struct ticket_key *key)
{
    uint64_t born;
    for (int attempt = 0; attempt < SLOTS; attempt++) {
        uint64_t number = newest(ring);
        if (number && read_slot(slot_of(ring, number), &born, key) == number)
            return true;
    }
    return false;
}

bool ticket_ring_find(const struct ticket_ring *ring,
                      const unsigned char name[static TICKET_NAME_SIZE], uint64_t now,
                      struct ticket_key *key)
{
    uint64_t born;
    for (size_t i = 0; i < SLOTS; i++)
        if (read_slot(&ring->memory->slots[i], &born, key) && !is_too_old(born, now) &&
            memcmp(key->name, name, TICKET_NAME_SIZE) == 0)
            return true;
    OPENSSL_cleanse(key, sizeof *key);
    return false;
}

static bool add_key(struct ticket_ring *ring, uint64_t now)
{
    struct ticket_key key;
    uint64_t words[WORDS], number = newest(ring) + 1;
    bool random = RAND_bytes(key.name, sizeof key.name) == 1 &&
                  RAND_priv_bytes(key.mac, sizeof key.mac) == 1 &&
                  RAND_priv_bytes(key.cipher, sizeof key.cipher) == 1;
    ERR_clear_error();
    if (random) {
        pack(&key, words);
        write_slot(slot_of(ring, number), number, now, words);
        atomic_store_explicit(&ring->memory->newest, number, memory_order_release);
        OPENSSL_cleanse(words, sizeof words);
    }
    OPENSSL_cleanse(&key, sizeof key);
    return random;
}

/* Seconds until another key makes the tickets; a time that is in the future is nonsense. */
static uint64_t time_left(const struct ticket_ring *ring, uint64_t now)
{
    struct ticket_key key;
    uint64_t born, number = newest(ring);
    bool good = number && read_slot(slot_of(ring, number), &born, &key) == number && born <= now;
    OPENSSL_cleanse(&key, sizeof key);
    return good && now - born < TICKET_KEY_TURN ? TICKET_KEY_TURN - (now - born) : 0;
}

static void erase_old(struct ticket_ring *ring, uint64_t now)
{
    for (size_t i = 0; i < SLOTS; i++) {
        struct slot *slot = &ring->memory->slots[i];
        if (atomic_load(&slot->number) && is_too_old(atomic_load(&slot->born), now))
            erase(slot);
    }
}

static bool lock(const struct ticket_ring *ring, short type)
{
    struct flock what = {.l_type = type, .l_whence = SEEK_SET, .l_len = 1};
    return fcntl(ring->fd, F_SETLK, &what) == 0;
}

uint64_t ticket_ring_turn(struct ticket_ring *ring, uint64_t now)
{
    if (!lock(ring, F_WRLCK))
        return SOON;
    if (time_left(ring, now) == 0)
        (void)add_key(ring, now);
    erase_old(ring, now);
    uint64_t left = time_left(ring, now);
    (void)lock(ring, F_UNLCK);
    return left ? left : SOON;
}

/* --- its memory ---------------------------------------------------------------------------- */

static bool map(struct ticket_ring *ring)
{
    void *memory =
        mmap(NULL, sizeof(struct memory), PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, 0);
    if (memory == MAP_FAILED)
        return false;
    ring->memory = memory;
    (void)madvise(memory, sizeof(struct memory), MADV_DONTDUMP);
    (void)mlock(memory, sizeof(struct memory));
    return true;
}

/* Returns 0 or an errno value. */
static int make_memory(struct ticket_ring *ring)
{
    const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    ring->fd = memfd_create("rpproxy-tickets", flags | MFD_NOEXEC_SEAL);
    if (ring->fd < 0 && errno == EINVAL)
        ring->fd = memfd_create("rpproxy-tickets", flags);
    if (ring->fd < 0)
        return errno;
    int error = posix_fallocate(ring->fd, 0, sizeof(struct memory));
    if (error)
        return error;
    if (!map(ring) || fcntl(ring->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
        return errno;
    ring->memory->magic = RING_MAGIC;
    ring->memory->version = RING_VERSION;
    ring->memory->size = sizeof(struct memory);
    return 0;
}

int ticket_ring_new(uint64_t now, struct ticket_ring **ring)
{
    struct ticket_ring *made = calloc(1, sizeof *made);
    if (!made)
        return ENOMEM;
    made->fd = -1;
    int error = make_memory(made);
    if (!error && !add_key(made, now))
        error = EIO;
    if (error)
        ticket_ring_free(made);
    else
        *ring = made;
    return error;
}

static const char *examine(int fd)
{
    struct memory memory;
    struct stat status;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0)
        return "not a memfd";
    if (!(seals & F_SEAL_SHRINK))
        return "not sealed against shrinking";
    if (fstat(fd, &status) || status.st_size < (off_t)sizeof memory ||
        pread(fd, &memory, offsetof(struct memory, slots), 0) !=
            (ssize_t)offsetof(struct memory, slots))
        return "too short";
    if (memory.magic != RING_MAGIC)
        return "of another kind";
    if (memory.version != RING_VERSION || memory.size != sizeof memory)
        return "of another version";
    return NULL;
}

struct ticket_ring *ticket_ring_take(int fd, const char **wrong)
{
    struct ticket_ring *ring = calloc(1, sizeof *ring);
    *wrong = ring ? examine(fd) : strerror(ENOMEM);
    if (!ring) {
        close(fd);
        return NULL;
    }
    ring->fd = fd;
    if (!*wrong && !map(ring))
        *wrong = strerror(errno);
    if (*wrong) {
        ticket_ring_free(ring);
        return NULL;
    }
    return ring;
}

int ticket_ring_fd(const struct ticket_ring *ring)
{
    return ring->fd;
}

void ticket_ring_free(struct ticket_ring *ring)
{
    if (!ring)
        return;
    if (ring->memory)
        munmap(ring->memory, sizeof(struct memory));
    if (ring->fd >= 0)
        close(ring->fd);
    free(ring);
}
