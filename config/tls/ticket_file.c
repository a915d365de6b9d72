#include "config/tls/ticket_file.h"

#include "config/base/whole_file.h"
#include "config/tls/complaint.h"
#include "config/tls/key_copies.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a line contains, in bytes. */
#define SMALL_SIZE (TICKET_NAME_SIZE + 2 * 16)
#define LARGE_SIZE (TICKET_NAME_SIZE + 2 * 32)

/* Base64 of a key, in characters; and how EVP_DecodeBlock() counts the bytes of it. */
#define LINE_MOST    108
#define DECODED_MOST (LINE_MOST / 4 * 3)

static struct ticket_file *allocate(void)
{
    void *memory = mmap(NULL, sizeof(struct ticket_file), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        abort(); /* as memory_new() */
    (void)madvise(memory, sizeof(struct ticket_file), MADV_DONTDUMP);
    (void)mlock(memory, sizeof(struct ticket_file));
    return memory;
}

void ticket_file_free(struct ticket_file *file)
{
    if (!file)
        return;
    explicit_bzero(file, sizeof *file);
    munmap(file, sizeof *file);
}

const struct ticket_key *ticket_file_find(const struct ticket_file *file,
                                          const unsigned char name[static TICKET_NAME_SIZE])
{
    for (size_t i = 0; i < file->count; i++)
        if (memcmp(file->keys[i].name, name, TICKET_NAME_SIZE) == 0)
            return &file->keys[i];
    return NULL;
}

/* A small key has the cipher's secret first, a large one that of the HMAC: nginx and HAProxy have
 * it so. */
static void fill(struct ticket_key *key, const unsigned char *bytes, unsigned size)
{
    const unsigned char *first = bytes + TICKET_NAME_SIZE, *second = first + size;
    key->size = size;
    memcpy(key->name, bytes, TICKET_NAME_SIZE);
    memcpy(key->cipher, size == 16 ? first : second, size);
    memcpy(key->mac, size == 16 ? second : first, size);
}

/* EVP_DecodeBlock() passes over white space and more at both ends. */
static bool is_base64(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)text[i]) && text[i] != '+' && text[i] != '/')
            return false;
    return true;
}

/* Returns how many bytes the line means, or -1. */
static int decode(const char *line, size_t length, unsigned char bytes[static DECODED_MOST])
{
    if (length == 0 || length > LINE_MOST || length % 4)
        return -1;
    int padding = line[length - 1] != '=' ? 0 : line[length - 2] == '=' ? 2 : 1;
    if (!is_base64(line, length - (size_t)padding))
        return -1;
    int decoded = EVP_DecodeBlock(bytes, (const unsigned char *)line, (int)length);
    return decoded < 0 ? -1 : decoded - padding;
}

static const char *add(struct ticket_file *file, const char *line, size_t length, const char *path,
                       unsigned number)
{
    unsigned char bytes[DECODED_MOST];
    const char *wrong = NULL;
    int decoded = decode(line, length, bytes);
    if (decoded != SMALL_SIZE && decoded != LARGE_SIZE)
        wrong = tls_complain("%s:%u: must be 48 or 80 bytes in base64, in one line; for example of "
                             "'openssl rand 80 | base64 -w 0'",
                             path, number);
    else if (ticket_file_find(file, bytes))
        wrong = tls_complain("%s:%u: begins with the same 16 bytes, its name, as a key before it",
                             path, number);
    else if (file->count == TICKET_FILE_KEYS_MAX)
        wrong = tls_complain("%s:%u: is more than %d keys", path, number, TICKET_FILE_KEYS_MAX);
    else
        fill(&file->keys[file->count++], bytes, decoded == SMALL_SIZE ? 16 : 32);
    explicit_bzero(bytes, sizeof bytes);
    return wrong;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static const char *read_lines(const char *text, size_t length, const char *path,
                              struct ticket_file *file)
{
    const char *end = text + length, *wrong = NULL;
    unsigned number = 0;
    while (text < end && !wrong) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *next = newline ? newline + 1 : end;
        size_t here = (size_t)((newline ? newline : end) - text);
        number++;
        while (here > 0 && is_blank(text[here - 1]))
            here--;
        if (here > 0 && text[0] != '#')
            wrong = add(file, text, here, path, number);
        text = next;
    }
    if (!wrong && file->count == 0)
        wrong = tls_complain("%s: has no key: a line of 48 or 80 bytes in base64", path);
    file->current = file->count > 1 ? file->count - 2 : 0;
    return wrong;
}

const char *ticket_file_parse(const char *text, size_t length, const char *path,
                              struct ticket_file **made)
{
    struct ticket_file *file = allocate();
    const char *wrong = read_lines(text, length, path, file);
    if (wrong)
        ticket_file_free(file);
    else
        *made = file;
    return wrong;
}

/* A user that has a key can read what clients with tickets say. */
static const char *warn_of_mode(const char *path, const struct stat *status)
{
    if (!(status->st_mode & (S_IROTH | S_IWOTH)))
        return NULL;
    return tls_complain("%s: all users of this machine can %s it (mode %04o)", path,
                        status->st_mode & S_IROTH ? "read" : "write",
                        (unsigned)status->st_mode & 07777u);
}

const char *ticket_file_read(const char *path, struct key_copies *copies, struct ticket_file **made,
                             const char **warning)
{
    struct stat status;
    unsigned char *text;
    size_t length;
    *warning = NULL;
    key_copies_begin(copies, false);
    const char *wrong = key_copies_read(copies, path, TICKET_FILE_BYTES_MAX, &text, &length);
    if (wrong)
        return tls_complain("%s: %s", path, wrong);
    wrong = ticket_file_parse((const char *)text, length, path, made);
    whole_file_free(text, length);
    if (!wrong && stat(path, &status) == 0)
        *warning = warn_of_mode(path, &status);
    return wrong;
}
