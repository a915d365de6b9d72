/* Copies of private keys for the next process: the sealed memory, and when a copy is taken. */
#include "config/tls/key_copies.h"

#include "config/tls/certificate_store.h"
#include "config/tls/key_container.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"
#include "tests/unit/support/issued.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- the container ------------------------------------------------------------------------- */

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

static const struct key_file good[] = {
    {KEY_FILE, "/k/b.pem", (const unsigned char *)"secret", 6, {6, 1, 2}},
    {KEY_FOLDER, "/k", (const unsigned char *)"a.pem\0b.pem", 12, {4096, 3, 4}},
    {KEY_ABSENT, "/k/b.pem.ocsp", NULL, 0, {0, 0, 0}},
};
enum { GOOD = sizeof good / sizeof *good };

/* Where the fields of the head and of the first record are. */
enum { TOTAL = 8, COUNT = 16, HEAD = 24, KIND = 24, PATH_LENGTH = 48, LENGTH = 56, PATH = 64 };

static int make(const struct key_file *files, size_t count)
{
    const struct key_file *list[8];
    for (size_t i = 0; i < count; i++)
        list[i] = &files[i];
    int fd = key_container_make(list, count);
    ck_assert_int_ge(fd, 0);
    return fd;
}

/* The bytes of a good one. */
static size_t bytes_of(unsigned char *bytes, size_t room)
{
    int fd = make(good, GOOD);
    ssize_t size = pread(fd, bytes, room, 0);
    close(fd);
    ck_assert_int_gt(size, PATH);
    ck_assert_int_lt(size, (ssize_t)room);
    return (size_t)size;
}

static int memory_with(const void *bytes, size_t size, int seals)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, bytes, size), (ssize_t)size);
    ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static void is_refused(int fd, const char *why)
{
    struct key_container *container = NULL;
    const char *wrong = key_container_open(fd, &container);
    ck_assert_msg(wrong != NULL, "taken, and should be '%s'", why);
    ck_assert_str_eq(wrong, why);
    ck_assert_int_lt(fcntl(fd, F_GETFD), 0); /* closed */
}

START_TEST(a_container_has_what_was_put_in)
{
    struct key_container *container;
    int fd = make(good, GOOD);
    ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    ck_assert_int_eq(fcntl(fd, F_GET_SEALS) & SEALS, SEALS);
    ck_assert_int_lt(write(fd, "x", 1), 0);
    ck_assert_ptr_null(key_container_open(fd, &container));
    ck_assert_uint_eq(key_container_count(container), GOOD);
    ck_assert_str_eq(key_container_at(container, 0)->path, "/k");
    for (size_t i = 0; i < GOOD; i++) {
        const struct key_file *file = key_container_find(container, good[i].path);
        ck_assert_ptr_nonnull(file);
        ck_assert_int_eq(file->kind, good[i].kind);
        ck_assert_uint_eq(file->length, good[i].length);
        ck_assert(good[i].length == 0 || memcmp(file->bytes, good[i].bytes, file->length) == 0);
        ck_assert_uint_eq(file->stamp.size, good[i].stamp.size);
        ck_assert_int_eq(file->stamp.seconds, good[i].stamp.seconds);
        ck_assert_uint_eq(file->stamp.nanoseconds, good[i].stamp.nanoseconds);
    }
    ck_assert_ptr_null(key_container_find(container, "/k/a.pem"));
    ck_assert_int_eq(key_container_fd(container), fd);
    key_container_free(container);
    ck_assert_int_lt(fcntl(fd, F_GETFD), 0);
    ck_assert_ptr_null(key_container_open(make(NULL, 0), &container));
    ck_assert_uint_eq(key_container_count(container), 0);
    ck_assert_ptr_null(key_container_find(container, "/k"));
    key_container_free(container);
}
END_TEST

START_TEST(what_is_not_sealed_memory_is_refused)
{
    unsigned char bytes[1024];
    int ends[2];
    size_t size = bytes_of(bytes, sizeof bytes);
    ck_assert_int_eq(pipe(ends), 0);
    is_refused(ends[0], "not a memfd");
    close(ends[1]);
    text_write("plain", "text");
    is_refused(open(folder_path("plain"), O_RDONLY | O_CLOEXEC), "not a memfd");
    static const int all[] = {F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE, F_SEAL_SEAL};
    for (unsigned i = 0; i < 4; i++)
        is_refused(memory_with(bytes, size, SEALS & ~all[i]), "not sealed");
    is_refused(memory_with(bytes, HEAD - 1, SEALS), "too short");
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    ck_assert_int_eq(ftruncate(fd, (off_t)KEY_CONTAINER_MAX + 1), 0);
    ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, SEALS), 0);
    is_refused(fd, "too large");
}
END_TEST

static void change(const unsigned char *bytes, size_t size, size_t at, uint64_t value, size_t width,
                   const char *why)
{
    unsigned char changed[1024];
    memcpy(changed, bytes, size);
    memcpy(changed + at, &value, width); /* little-endian, as all that runs this */
    is_refused(memory_with(changed, size, SEALS), why);
}

START_TEST(a_damaged_container_is_refused)
{
    unsigned char bytes[1024];
    size_t size = bytes_of(bytes, sizeof bytes);
    change(bytes, size, 0, 1, 4, "of another kind");
    change(bytes, size, 4, 99, 4, "of another version");
    change(bytes, size, TOTAL, size - 1, 8, "of the wrong size");
    change(bytes, size, TOTAL, UINT64_MAX, 8, "of the wrong size");
    change(bytes, size, COUNT, UINT64_MAX, 8, "of the wrong size");
    change(bytes, size, COUNT, GOOD - 1, 8, "damaged"); /* something is left */
    change(bytes, size, COUNT, GOOD + 1, 8, "damaged");
    change(bytes, size, KIND, 3, 4, "damaged");
    change(bytes, size, KIND, KEY_ABSENT, 4, "damaged"); /* with bytes */
    change(bytes, size, PATH_LENGTH, 0, 8, "damaged");
    change(bytes, size, PATH_LENGTH, 7, 8, "damaged");
    change(bytes, size, PATH_LENGTH, 9, 8, "damaged");
    change(bytes, size, PATH_LENGTH, PATH_MAX, 8, "damaged");
    change(bytes, size, PATH_LENGTH, UINT64_MAX, 8, "damaged");
    change(bytes, size, LENGTH, 7, 8, "damaged");
    change(bytes, size, LENGTH, UINT64_MAX - 8, 8, "damaged");
    change(bytes, size, PATH, 'k', 1, "damaged"); /* not absolute */
    change(bytes, size, PATH + 3, 0, 1, "damaged");
    for (size_t cut = HEAD; cut < size; cut++) {
        uint64_t total = cut;
        memcpy(bytes + TOTAL, &total, sizeof total);
        struct key_container *container;
        ck_assert_ptr_nonnull(key_container_open(memory_with(bytes, cut, SEALS), &container));
    }
}
END_TEST

START_TEST(names_and_paths_of_a_container_are_examined)
{
    static const struct {
        const char *names;
        size_t length;
    } names[] = {{"a.pem", 5}, {"", 1}, {".pem", 5}, {"a/b", 4}, {"a\0\0", 3}};
    struct key_file file = {.kind = KEY_FOLDER, .path = "/k"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        file.bytes = (const unsigned char *)names[i].names;
        file.length = names[i].length;
        is_refused(make(&file, 1), "damaged");
    }
    char path[PATH_MAX + 1];
    memset(path, 'k', PATH_MAX);
    path[0] = '/';
    path[PATH_MAX] = '\0';
    const struct key_file far = {.kind = KEY_ABSENT, .path = path};
    is_refused(make(&far, 1), "damaged");
    const struct key_file twice[] = {good[0], good[1], good[0]};
    is_refused(make(twice, 3), "damaged");
}
END_TEST

/* It ends with the last byte of its page. */
START_TEST(a_path_does_not_go_beyond_the_container)
{
    enum { PAGE = 4096, LONG = PAGE - PATH - 1 };
    unsigned char bytes[PAGE];
    char path[LONG + 1];
    const uint64_t longer = LONG + 1;
    memset(path, 'k', LONG);
    path[0] = '/';
    path[LONG] = '\0';
    const struct key_file file = {.kind = KEY_ABSENT, .path = path};
    int fd = make(&file, 1);
    ck_assert_int_eq(pread(fd, bytes, PAGE, 0), PAGE);
    close(fd);
    memcpy(bytes + PATH_LENGTH, &longer, sizeof longer);
    bytes[PAGE - 1] = 'k';
    is_refused(memory_with(bytes, PAGE, SEALS), "damaged");
}
END_TEST

START_TEST(no_bit_of_a_container_is_trusted)
{
    unsigned char bytes[1024];
    size_t size = bytes_of(bytes, sizeof bytes);
    for (size_t bit = 0; bit < size * 8; bit++) {
        struct key_container *container;
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        if (!key_container_open(memory_with(bytes, size, SEALS), &container)) {
            for (size_t i = 0; i < key_container_count(container); i++) {
                const struct key_file *file = key_container_at(container, i);
                ck_assert_ptr_eq(key_container_find(container, file->path), file);
                ck_assert_uint_le(strlen(file->path) + file->length, size);
            }
            key_container_free(container);
        }
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
}
END_TEST

START_TEST(too_much_is_not_put_into_a_container)
{
    static const unsigned char nothing;
    const struct key_file file = {
        .kind = KEY_FILE, .path = "/k", .bytes = &nothing, .length = KEY_CONTAINER_MAX};
    const struct key_file *list[] = {&file};
    ck_assert_int_eq(key_container_make(list, 1), -EFBIG);
}
END_TEST

/* --- processes one after the other --------------------------------------------------------- */

static struct problems problems;
static struct source source = {.path = (char *)(uintptr_t) "p.ini"};

/* One process: what it has of the one before, and what it reads. */
struct process {
    struct key_copies *copies;
    struct certificate_store *store;
};

/* Root may read everything. */
static void become(bool privileged)
{
    if (getuid() == 0)
        ck_assert_int_eq(seteuid(privileged ? 0 : 65534), 0);
}

static void deny(const char *file)
{
    ck_assert_int_eq(chmod(folder_path(file), 0), 0);
}

static struct process begin(int fd, bool keeps)
{
    struct process process = {.copies = key_copies_new()};
    if (fd >= 0)
        ck_assert_ptr_null(key_copies_inherit(process.copies, fd));
    if (keeps)
        key_copies_keep(process.copies);
    process.store = certificate_store_new(process.copies);
    return process;
}

static const struct certificate_source *get(struct process *process, const char *file)
{
    const struct list_origin origin = {
        .problems = &problems, .place = {&source, 7}, .option = "certificate"};
    char *path = strdup(folder_path(file));
    const struct certificate_source *found =
        certificate_store_get(process->store, path, NULL, false, &origin);
    free(path);
    return found;
}

static void has_name(struct process *process, const char *file, const char *name)
{
    const struct certificate_source *found = get(process, file);
    ck_assert_msg(found->count > 0, "%s: %s", file, problems.count ? problems.items[0].text : "");
    ck_assert_str_eq(found->list[0]->names.list[0], name);
}

/* Returns what the next process inherits. */
static int end(struct process *process)
{
    ck_assert_int_eq(key_copies_seal(process->copies), 0);
    int fd = key_copies_fd(process->copies);
    int next = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
    key_copies_forget(process->copies);
    key_copies_free(process->copies);
    certificate_store_free(process->store);
    return next;
}

static void nothing_was_said(void)
{
    ck_assert_msg(problems.count == 0, "%s", problems.items[0].text);
}

static void was_said(size_t count, enum severity severity, const char *text)
{
    ck_assert_uint_eq(problems.count, count);
    ck_assert_int_eq(problems.items[0].severity, severity);
    ck_assert_uint_eq(problems.items[0].place.line, 7);
    ck_assert_msg(strstr(problems.items[0].text, text) != NULL, "%s", problems.items[0].text);
    problems_free(&problems);
}

/* A process that may read everything has read it. */
static int first(const char *file, const char *name)
{
    ck_assert_int_eq(chmod(folder_path(""), 0755), 0);
    struct process process = begin(-1, true);
    has_name(&process, file, name);
    nothing_was_said();
    return end(&process);
}

static void write_pair(const char *file, const char *key, const char *name)
{
    char alternatives[64];
    snprintf(alternatives, sizeof alternatives, "DNS:%s", name);
    struct issued issued = issue((struct request){.name = name, .alternatives = alternatives});
    char *certificate = pem_of_certificate(&issued), *secret = pem_of_key(&issued);
    unlink(folder_path(file));
    unlink(folder_path(key));
    text_write(file, certificate);
    text_write(key, secret);
    free(certificate);
    free(secret);
    issued_free(&issued);
}

static ino_t inode_of(int fd)
{
    struct stat status;
    ck_assert_int_eq(fstat(fd, &status), 0);
    return status.st_ino;
}

START_TEST(a_copy_is_used_where_the_file_is_denied)
{
    write_pair("a.pem", "a.key", "a"); /* and there is no a.pem.key */
    int fd = first("a.pem", "a");
    deny("a.key");
    become(false);
    for (int i = 0; i < 3; i++) {
        ino_t inode = inode_of(fd);
        struct process process = begin(fd, true);
        has_name(&process, "a.pem", "a");
        nothing_was_said();
        fd = end(&process);
        ck_assert_uint_eq(inode_of(fd), inode); /* that which root has made */
    }
    struct process process = begin(fd, false);
    ck_assert_uint_eq(get(&process, "a.pem")->count, 0);
    was_said(1, SEVERITY_ERROR, "a.key: cannot be read: Permission denied");
    ck_assert_str_eq(key_copies_denied(process.copies), folder_path("a.key"));
    ck_assert_int_eq(end(&process), -1);
    become(true);
}
END_TEST

START_TEST(a_file_that_can_be_read_is_read)
{
    write_pair("a.pem", "a.key", "a");
    int fd = first("a.pem", "a");
    write_pair("a.pem", "a.key", "b");
    struct process process = begin(fd, true);
    has_name(&process, "a.pem", "b");
    nothing_was_said();
    fd = end(&process);
    deny("a.pem");
    deny("a.key");
    become(false);
    process = begin(fd, true);
    has_name(&process, "a.pem", "b");
    nothing_was_said();
    close(end(&process));
    become(true);
}
END_TEST

START_TEST(a_key_that_has_changed_is_warned_of)
{
    write_pair("a.pem", "a.key", "a");
    int fd = first("a.pem", "a");
    write_pair("b.pem", "a.key", "b");
    deny("a.key");
    become(false);
    struct process process = begin(fd, true);
    has_name(&process, "a.pem", "a");
    was_said(1, SEVERITY_WARNING, "a.key has changed since it was read");
    fd = end(&process);
    become(true);
    /* Also where the new certificate can be read: the old key goes with the old one. */
    write_pair("a.pem", "a.key", "b");
    deny("a.key");
    become(false);
    process = begin(fd, true);
    has_name(&process, "a.pem", "a");
    was_said(2, SEVERITY_WARNING, "a.pem has changed since it was read");
    close(end(&process));
    become(true);
}
END_TEST

START_TEST(a_folder_that_is_denied)
{
    ck_assert_int_eq(mkdir(folder_path("d"), 0755), 0);
    ck_assert_int_eq(mkdir(folder_path("d/sub.pem"), 0755), 0);
    write_pair("d/b.pem", "d/b.pem.key", "b");
    write_pair("d/a.pem", "d/a.key", "a");
    int fd = first("d", "a");
    deny("d");
    become(false);
    struct process process = begin(fd, true);
    has_name(&process, "d", "a");
    ck_assert_uint_eq(get(&process, "d")->count, 2);
    nothing_was_said(); /* it cannot be seen whether the files have changed */
    fd = end(&process);
    become(true);
    deny("");
    become(false);
    process = begin(fd, true);
    has_name(&process, "d", "a"); /* nor that it is a folder */
    fd = end(&process);
    become(true);
    ck_assert_int_eq(chmod(folder_path(""), 0755), 0);
    /* A file that came since has no copy. */
    ck_assert_int_eq(chmod(folder_path("d"), 0755), 0);
    write_pair("d/c.pem", "d/c.key", "c");
    deny("d/c.key");
    become(false);
    process = begin(fd, true);
    ck_assert_uint_eq(get(&process, "d")->count, 0);
    was_said(1, SEVERITY_ERROR,
             "c.key: cannot be read: Permission denied, and the process before "
             "this one has left no copy of it");
    close(end(&process));
    become(true);
}
END_TEST

START_TEST(what_is_not_named_is_kept_while_it_cannot_be_read)
{
    write_pair("a.pem", "a.key", "a");
    write_pair("b.pem", "b.key", "b");
    write_pair("c.pem", "c.key", "c");
    ck_assert_int_eq(chmod(folder_path(""), 0755), 0);
    struct process process = begin(-1, true);
    has_name(&process, "a.pem", "a");
    has_name(&process, "b.pem", "b");
    has_name(&process, "c.pem", "c");
    int fd = end(&process);
    deny("b.key");
    deny("c.key");
    become(false);
    process = begin(fd, true);
    has_name(&process, "a.pem", "a");
    fd = end(&process);
    process = begin(fd, true);
    has_name(&process, "b.pem", "b"); /* as a configuration of before has it */
    nothing_was_said();
    become(true);
    ck_assert_int_eq(unlink(folder_path("c.key")), 0);
    become(false);
    fd = end(&process);
    struct key_container *container;
    ck_assert_ptr_null(key_container_open(fd, &container));
    ck_assert_ptr_nonnull(key_container_find(container, folder_path("b.key")));
    ck_assert_ptr_null(key_container_find(container, folder_path("a.key")));
    ck_assert_ptr_null(key_container_find(container, folder_path("c.key")));
    key_container_free(container);
    become(true);
}
END_TEST

static size_t taken, unseen;

static void count_taken(const char *path, const char *why)
{
    ck_assert_ptr_nonnull(strstr(path, "a."));
    taken++;
    unseen += why != NULL;
}

START_TEST(what_is_out_of_reach_is_told)
{
    write_pair("a.pem", "a.key", "a");
    int fd = first("a.pem", "a");
    struct process process = begin(-1, false);
    has_name(&process, "a.pem", "a");
    ck_assert_int_eq(key_copies_seal(process.copies), 0);
    ck_assert_int_eq(key_copies_fd(process.copies), -1);
    deny("a.key");
    become(false);
    ck_assert_str_eq(key_copies_out_of_reach(process.copies), folder_path("a.key"));
    key_copies_free(process.copies);
    certificate_store_free(process.store);
    become(true);
    deny("");
    become(false);
    process = begin(fd, true);
    has_name(&process, "a.pem", "a");
    nothing_was_said();
    ck_assert_int_eq(key_copies_seal(process.copies), 0);
    ck_assert_uint_eq(key_copies_each_taken(process.copies, count_taken), 2);
    ck_assert_uint_eq(taken, 2);
    ck_assert_uint_eq(unseen, 2);
    key_copies_free(process.copies);
    certificate_store_free(process.store);
    become(true);
    ck_assert_int_eq(chmod(folder_path(""), 0700), 0);
}
END_TEST

Suite *key_copies_suite(void)
{
    Suite *suite = suite_create("key_copies");
    TCase *container = tcase_create("container");
    tcase_add_checked_fixture(container, folder_make, folder_remove);
    tcase_add_test(container, a_container_has_what_was_put_in);
    tcase_add_test(container, what_is_not_sealed_memory_is_refused);
    tcase_add_test(container, a_damaged_container_is_refused);
    tcase_add_test(container, names_and_paths_of_a_container_are_examined);
    tcase_add_test(container, a_path_does_not_go_beyond_the_container);
    tcase_add_test(container, no_bit_of_a_container_is_trusted);
    tcase_add_test(container, too_much_is_not_put_into_a_container);
    suite_add_tcase(suite, container);
    TCase *processes = tcase_create("processes");
    tcase_add_checked_fixture(processes, folder_make, folder_remove);
    tcase_add_test(processes, a_copy_is_used_where_the_file_is_denied);
    tcase_add_test(processes, a_file_that_can_be_read_is_read);
    tcase_add_test(processes, a_key_that_has_changed_is_warned_of);
    tcase_add_test(processes, a_folder_that_is_denied);
    tcase_add_test(processes, what_is_not_named_is_kept_while_it_cannot_be_read);
    tcase_add_test(processes, what_is_out_of_reach_is_told);
    suite_add_tcase(suite, processes);
    return suite;
}
