/* Session tickets: the keys of a file, the keys that processes share, and what is resumed with
 * them. */
#include "config/tls/ticket_file.h"
#include "config/tls/ticket_ring.h"
#include "config/tls/tickets.h"
#include "tests/unit/config/tls/serving.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- the keys of a file -------------------------------------------------------------------- */

/* Base64 of 48 and of 80 bytes: 16 times the letter, and 16 or 32 times each of the next two. */
#define SMALL_A "QUFBQUFBQUFBQUFBQUFBQUJCQkJCQkJCQkJCQkJCQkJDQ0NDQ0NDQ0NDQ0NDQ0ND"
#define LARGE_D                                                                                    \
    "REREREREREREREREREREREVFRUVFRUVFRUVFRUVFRUVFRUVFRUVFRUVFRUVFRUVFRkZGRkZGRkZGRkZGRkZGRkZGRkZG" \
    "RkZGRkZGRkZGRkY="
#define SMALL_G "R0dHR0dHR0dHR0dHR0dHR0hISEhISEhISEhISEhISEhJSUlJSUlJSUlJSUlJSUlJ"

static struct ticket_file *parse(const char *text)
{
    struct ticket_file *file = NULL;
    const char *wrong = ticket_file_parse(text, strlen(text), "keys", &file);
    ck_assert_msg(!wrong, "%s", wrong);
    return file;
}

static bool is_filled(const unsigned char *bytes, char with, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes[i] != (unsigned char)with)
            return false;
    return true;
}

START_TEST(a_file_has_keys_of_both_sizes)
{
    struct ticket_file *file = parse("# old\n" SMALL_A "\n\n" LARGE_D "  \r\n" SMALL_G);
    ck_assert_uint_eq(file->count, 3);
    ck_assert_uint_eq(file->current, 1); /* the last but one */
    const struct ticket_key *small = &file->keys[0], *large = &file->keys[1];
    ck_assert_uint_eq(small->size, 16);
    ck_assert(is_filled(small->name, 'A', 16));
    ck_assert(is_filled(small->cipher, 'B', 16) && is_filled(small->mac, 'C', 16));
    ck_assert_uint_eq(large->size, 32);
    ck_assert(is_filled(large->name, 'D', 16));
    ck_assert(is_filled(large->mac, 'E', 32) && is_filled(large->cipher, 'F', 32));
    ck_assert_ptr_eq(ticket_file_find(file, (const unsigned char *)"GGGGGGGGGGGGGGGG"),
                     &file->keys[2]);
    ck_assert_ptr_null(ticket_file_find(file, (const unsigned char *)"GGGGGGGGGGGGGGGX"));
    ticket_file_free(file);
    file = parse(SMALL_A "\n");
    ck_assert_uint_eq(file->current, 0);
    ticket_file_free(file);
    file = parse(SMALL_A "\n" SMALL_G "\n");
    ck_assert_uint_eq(file->current, 0);
    ticket_file_free(file);
}
END_TEST

static const struct {
    const char *text, *wrong; /* which begins so */
} mistakes[] = {
    {"", "keys: has no key"},
    {"# nothing\n\n", "keys: has no key"},
    {"secret\n", "keys:1: must be 48 or 80 bytes in base64"},
    {SMALL_A "\nQUFB\n", "keys:2: must be 48"},
    {SMALL_A "\n" SMALL_A "\n", "keys:2: begins with the same 16 bytes"},
    {"# folded\n"
     "REREREREREREREREREREREVFRUVFRUVFRUVFRUVFRUVFRUVFRUVFRUVFRUVFRUVF\n"
     "RkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkY=\n",
     "keys:3: must be 48"},
    {" " SMALL_A "\n", "keys:1: must be 48"},
    {SMALL_A SMALL_A "\n", "keys:1: must be 48"},
    {"====\n", "keys:1: must be 48"},
    {"QUFBQUFBQUFBQUFBQUFBQUJCQkJCQkJCQkJCQkJCQkJDQ0NDQ0NDQ0NDQ0NDQ0N=\n", "keys:1: must be 48"},
    {"QUFBQUFBQUFBQUFBQUFBQUJCQkJCQkJC kJCQkJCQkJDQ0NDQ0NDQ0NDQ0NDQ0ND\n", "keys:1: must be 48"},
};

START_TEST(a_mistake_has_its_line_and_no_key)
{
    struct ticket_file *file = NULL;
    const char *text = mistakes[_i].text;
    const char *wrong = ticket_file_parse(text, strlen(text), "keys", &file);
    ck_assert_ptr_nonnull(wrong);
    ck_assert_msg(strncmp(wrong, mistakes[_i].wrong, strlen(mistakes[_i].wrong)) == 0, "%s", wrong);
    ck_assert_ptr_null(strstr(wrong, "QUF"));
    ck_assert_ptr_null(strstr(wrong, "secret"));
    ck_assert_ptr_null(file);
}
END_TEST

START_TEST(a_file_may_have_many_keys_and_not_more)
{
    char text[(TICKET_FILE_KEYS_MAX + 1) * 65 + 1], *at = text;
    for (int i = 0; i <= TICKET_FILE_KEYS_MAX; i++, at += 65) {
        memcpy(at, SMALL_A "\n", 66);
        at[0] = (char)('A' + i / 26);
        at[1] = (char)('A' + i % 26);
    }
    struct ticket_file *file = NULL;
    const char *wrong = ticket_file_parse(text, strlen(text), "keys", &file);
    ck_assert_ptr_nonnull(wrong);
    ck_assert_str_eq(wrong, "keys:101: is more than 100 keys");
    text[TICKET_FILE_KEYS_MAX * 65] = '\0';
    file = parse(text);
    ck_assert_uint_eq(file->count, TICKET_FILE_KEYS_MAX);
    ck_assert_uint_eq(file->current, TICKET_FILE_KEYS_MAX - 2);
    ticket_file_free(file);
}
END_TEST

START_TEST(all_users_should_not_read_it)
{
    struct ticket_file *file;
    const char *warning;
    folder_make();
    text_write("keys", SMALL_A "\n");
    ck_assert_int_eq(chmod(folder_path("keys"), 0640), 0);
    ck_assert_ptr_null(ticket_file_read(folder_path("keys"), NULL, &file, &warning));
    ck_assert_ptr_null(warning);
    ticket_file_free(file);
    ck_assert_int_eq(chmod(folder_path("keys"), 0644), 0);
    ck_assert_ptr_null(ticket_file_read(folder_path("keys"), NULL, &file, &warning));
    ck_assert_ptr_nonnull(warning);
    ck_assert_ptr_nonnull(strstr(warning, "all users of this machine can read it (mode 0644)"));
    ticket_file_free(file);
    const char *wrong = ticket_file_read(folder_path("none"), NULL, &file, &warning);
    ck_assert_ptr_nonnull(wrong);
    ck_assert_ptr_nonnull(strstr(wrong, "none: cannot be read: No such file"));
    ck_assert_int_eq(mkfifo(folder_path("fifo"), 0600), 0);
    wrong = ticket_file_read(folder_path("fifo"), NULL, &file, &warning);
    ck_assert_ptr_nonnull(wrong);
    ck_assert_ptr_nonnull(strstr(wrong, "fifo: cannot be read: not a regular file"));
    folder_remove();
}
END_TEST

/* --- the keys of processes ----------------------------------------------------------------- */

static const uint64_t start_time = 1000000;

static struct ticket_ring *ring_new(void)
{
    struct ticket_ring *ring;
    ck_assert_int_eq(ticket_ring_new(start_time, &ring), 0);
    ck_assert_ptr_nonnull(ring);
    return ring;
}

/* As another process has it. */
static struct ticket_ring *ring_of(const struct ticket_ring *ring)
{
    const char *wrong;
    struct ticket_ring *other =
        ticket_ring_take(fcntl(ticket_ring_fd(ring), F_DUPFD_CLOEXEC, 0), &wrong);
    ck_assert_msg(other != NULL, "%s", wrong);
    return other;
}

static struct ticket_key current_of(const struct ticket_ring *ring)
{
    struct ticket_key key;
    ck_assert(ticket_ring_current(ring, &key));
    return key;
}

static bool has(const struct ticket_ring *ring, const struct ticket_key *key, uint64_t now)
{
    struct ticket_key found;
    return ticket_ring_find(ring, key->name, now, &found) &&
           memcmp(found.mac, key->mac, sizeof key->mac) == 0 &&
           memcmp(found.cipher, key->cipher, sizeof key->cipher) == 0;
}

START_TEST(keys_turn_and_end)
{
    struct ticket_ring *ring = ring_new();
    struct ticket_key keys[20];
    uint64_t now = start_time;
    keys[0] = current_of(ring);
    ck_assert_uint_eq(ticket_ring_turn(ring, now), TICKET_KEY_TURN);
    ck_assert_uint_eq(ticket_ring_turn(ring, now + TICKET_KEY_TURN - 1), 1);
    ck_assert_mem_eq(current_of(ring).name, keys[0].name, TICKET_NAME_SIZE);
    for (int i = 1; i < 20; i++) {
        now += TICKET_KEY_TURN;
        ck_assert_uint_eq(ticket_ring_turn(ring, now), TICKET_KEY_TURN);
        keys[i] = current_of(ring);
        for (int j = 0; j <= i; j++)
            ck_assert_int_eq(has(ring, &keys[j], now), i - j < 1 + TICKET_LIFE / TICKET_KEY_TURN);
        ck_assert_mem_ne(keys[i].mac, keys[i - 1].mac, sizeof keys[i].mac);
        ck_assert_mem_ne(keys[i].cipher, keys[i - 1].cipher, sizeof keys[i].cipher);
    }
    /* Time alone ends them, too, and a long sleep all of them. */
    ck_assert(has(ring, &keys[19], now + TICKET_KEY_TURN + TICKET_LIFE - 1));
    ck_assert(!has(ring, &keys[19], now + TICKET_KEY_TURN + TICKET_LIFE));
    now += 10 * TICKET_LIFE;
    ck_assert_uint_eq(ticket_ring_turn(ring, now), TICKET_KEY_TURN);
    ck_assert(!has(ring, &keys[19], start_time + 19 * TICKET_KEY_TURN)); /* overwritten */
    ck_assert_mem_ne(current_of(ring).name, keys[19].name, TICKET_NAME_SIZE);
    ticket_ring_free(ring);
}
END_TEST

START_TEST(processes_have_the_same_keys)
{
    struct ticket_ring *ring = ring_new(), *other = ring_of(ring);
    const struct ticket_key first = current_of(ring);
    ck_assert(has(other, &first, start_time));
    ck_assert_uint_eq(ticket_ring_turn(other, start_time + TICKET_KEY_TURN), TICKET_KEY_TURN);
    const struct ticket_key second = current_of(ring);
    ck_assert_mem_ne(first.name, second.name, TICKET_NAME_SIZE);
    ck_assert_uint_eq(ticket_ring_turn(ring, start_time + TICKET_KEY_TURN + 5),
                      TICKET_KEY_TURN - 5); /* it is done */
    ck_assert_mem_eq(current_of(ring).name, second.name, TICKET_NAME_SIZE);
    ticket_ring_free(ring);
    ck_assert(has(other, &first, start_time) && has(other, &second, start_time));
    ticket_ring_free(other);
    struct ticket_ring *foreign = ring_new();
    ck_assert(!has(foreign, &first, start_time));
    ticket_ring_free(foreign);
}
END_TEST

static void is_refused(int fd, const char *wrong)
{
    const char *got;
    ck_assert_ptr_null(ticket_ring_take(fd, &got));
    ck_assert_str_eq(got, wrong);
}

START_TEST(what_another_process_sends_may_be_anything)
{
    struct ticket_ring *ring = ring_new();
    struct stat status;
    ck_assert_int_eq(fstat(ticket_ring_fd(ring), &status), 0);
    ck_assert_int_ne(ftruncate(ticket_ring_fd(ring), 0), 0); /* it is sealed */
    is_refused(open("/dev/null", O_RDWR | O_CLOEXEC), "not a memfd");
    is_refused(memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING), "not sealed against shrinking");
    int fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    is_refused(fd, "too short");
    fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    ck_assert_int_eq(ftruncate(fd, status.st_size), 0);
    ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    is_refused(fd, "of another kind");
    /* Nonsense instead of keys: none is found, or some key is; then they are made anew. */
    uint32_t *memory = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED,
                            ticket_ring_fd(ring), 0);
    ck_assert_ptr_ne(memory, MAP_FAILED);
    for (int fill = 0; fill < 256; fill += 85) {
        struct ticket_key key;
        memset((char *)memory + 16, fill, (size_t)status.st_size - 16);
        bool any = ticket_ring_current(ring, &key);
        ck_assert(!any || fill > 0);
        ck_assert(
            !ticket_ring_find(ring, (const unsigned char *)"0123456789abcdef", start_time, &key));
        ck_assert_uint_gt(ticket_ring_turn(ring, start_time), 0);
        ck_assert(!ticket_ring_current(ring, &key) || key.size == TICKET_SECRET_SIZE);
    }
    memset((char *)memory + 16, 0, (size_t)status.st_size - 16); /* a process died in the midst */
    ck_assert_uint_eq(ticket_ring_turn(ring, start_time), TICKET_KEY_TURN);
    const struct ticket_key key = current_of(ring);
    ck_assert(has(ring, &key, start_time));
    memory[1] = 77;
    is_refused(fcntl(ticket_ring_fd(ring), F_DUPFD_CLOEXEC, 0), "of another version");
    munmap(memory, (size_t)status.st_size);
    ticket_ring_free(ring);
}
END_TEST

/* --- resumption ---------------------------------------------------------------------------- */

static struct serving serving;
static struct ticket_ring *shared;

static void begin(void)
{
    folder_make();
    serving_init(&serving);
    shared = ring_new();
}

static void end(void)
{
    serving_free(&serving);
    ticket_ring_free(shared);
    folder_remove();
}

/* ticket_keys: a file in the folder; NULL: the keys are shared. */
static void serve(const struct ticket_ring *ring, const char *ticket_keys)
{
    serving_free(&serving);
    serving_init(&serving);
    issued_write_new("a.pem", "DNS:a.example");
    serving_set(&serving, "certificate", folder_path("a.pem"));
    if (ticket_keys)
        serving_set(&serving, "tls-ticket-keys", folder_path(ticket_keys));
    serving_start(&serving);
    ck_assert_ptr_nonnull(serving.server);
    struct tickets *tickets = tls_server_tickets(serving.server);
    ck_assert_int_eq(tickets_need_ring(tickets), !ticket_keys);
    if (!ticket_keys)
        tickets_share(tickets, ring);
}

static unsigned tickets_got;
static SSL_SESSION *last_ticket;

static int on_session(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(last_ticket);
    last_ticket = session;
    tickets_got++;
    return 1;
}

static bool is_another(const SSL_SESSION *one, const SSL_SESSION *other)
{
    const unsigned char *ticket, *other_ticket;
    size_t length, other_length;
    SSL_SESSION_get0_ticket(one, &ticket, &length);
    SSL_SESSION_get0_ticket(other, &other_ticket, &other_length);
    return length > 0 && (length != other_length || memcmp(ticket, other_ticket, length) != 0);
}

/* A handshake, with the last ticket or without. Returns whether it was resumed. */
static bool visits(int version, bool resume)
{
    struct ends ends;
    struct visit visit = {.version = version, .name = "a.example"};
    SSL_SESSION *session = last_ticket;
    last_ticket = NULL;
    tickets_got = 0;
    if (resume)
        visit.session = session;
    SSL *client = visitor(&visit);
    SSL_CTX_set_session_cache_mode(SSL_get_SSL_CTX(client),
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(SSL_get_SSL_CTX(client), on_session);
    ck_assert(shake_hands(&ends, client, tls_server_ssl(serving.server)));
    bool reused = SSL_session_reused(ends.server);
    if (version == TLS1_2_VERSION && reused) { /* nothing is told of such a ticket */
        last_ticket = SSL_get1_session(ends.client);
        tickets_got += is_another(session, last_ticket);
    }
    SSL_shutdown(ends.client);
    ends_free(&ends);
    SSL_SESSION_free(session);
    return reused;
}

static void forget(void)
{
    SSL_SESSION_free(last_ticket);
    last_ticket = NULL;
}

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

START_TEST(one_ticket_and_a_fresh_one_with_each_resumption)
{
    serve(shared, NULL);
    ck_assert(!visits(versions[_i], false));
    for (int i = 0; i < 5; i++) {
        ck_assert_uint_eq(tickets_got, 1);
        ck_assert(visits(versions[_i], true));
    }
    ck_assert_uint_eq(tickets_got, 1);
    forget();
}
END_TEST

START_TEST(other_processes_resume)
{
    struct ticket_ring *other = ring_of(shared), *foreign = ring_new();
    serve(shared, NULL);
    ck_assert(!visits(versions[_i], false));
    serve(other, NULL);
    ck_assert(visits(versions[_i], true));
    serve(shared, NULL);
    ck_assert(visits(versions[_i], true));
    serve(foreign, NULL);
    ck_assert(!visits(versions[_i], true));
    ck_assert_uint_eq(tickets_got, 1);
    ck_assert(visits(versions[_i], true)); /* by the ticket that it got instead */
    forget();
    ticket_ring_free(other);
    ticket_ring_free(foreign);
}
END_TEST

START_TEST(a_key_of_before_is_good_and_an_old_one_is_not)
{
    /* Times of the ring are those of ticket_ring_now() in a handshake. */
    ticket_ring_free(shared);
    ck_assert_int_eq(ticket_ring_new(ticket_ring_now(), &shared), 0);
    serve(shared, NULL);
    ck_assert(!visits(versions[_i], false));
    ticket_ring_turn(shared, ticket_ring_now() + TICKET_KEY_TURN);
    ck_assert(visits(versions[_i], true));
    ck_assert(visits(versions[_i], true)); /* of the new key */
    ticket_ring_turn(shared, ticket_ring_now() + 10 * TICKET_LIFE);
    ck_assert(!visits(versions[_i], true));
    forget();
}
END_TEST

START_TEST(machines_have_a_file_in_common)
{
    text_write("keys", SMALL_A "\n" LARGE_D "\n" SMALL_G "\n");
    text_write("turned", LARGE_D "\n" SMALL_G "\n" SMALL_A "\n");
    text_write("other", SMALL_A "\n");
    serve(NULL, "keys");
    ck_assert(!visits(versions[_i], false));
    serve(NULL, "keys");
    ck_assert(visits(versions[_i], true));
    serve(NULL, "turned"); /* which has an AES-128 key for new tickets */
    ck_assert(visits(versions[_i], true));
    serve(NULL, "keys");
    ck_assert(visits(versions[_i], true));
    serve(NULL, "other");
    ck_assert(!visits(versions[_i], true));
    forget();
}
END_TEST

START_TEST(a_ticket_that_was_changed_is_none)
{
    text_write("keys", SMALL_A "\n");
    text_write("same-name", "QUFBQUFBQUFBQUFBQUFBQUJCQkJCQkJCQkJCQkJCQkJDQ0NDQ0NDQ0NDQ0NDQ0NE\n");
    serve(NULL, "keys");
    ck_assert(!visits(versions[_i], false));
    serve(NULL, "same-name");
    ck_assert(!visits(versions[_i], true));
    ck_assert(visits(versions[_i], true));
    forget();
}
END_TEST

Suite *tickets_suite(void)
{
    Suite *suite = suite_create("tickets");
    TCase *keys = tcase_create("keys"), *resumption = tcase_create("resumption");
    tcase_set_timeout(keys, 60);
    tcase_add_test(keys, a_file_has_keys_of_both_sizes);
    tcase_add_loop_test(keys, a_mistake_has_its_line_and_no_key, 0,
                        sizeof mistakes / sizeof *mistakes);
    tcase_add_test(keys, a_file_may_have_many_keys_and_not_more);
    tcase_add_test(keys, all_users_should_not_read_it);
    tcase_add_test(keys, keys_turn_and_end);
    tcase_add_test(keys, processes_have_the_same_keys);
    tcase_add_test(keys, what_another_process_sends_may_be_anything);
    suite_add_tcase(suite, keys);
    tcase_set_timeout(resumption, 60);
    tcase_add_checked_fixture(resumption, begin, end);
    tcase_add_loop_test(resumption, one_ticket_and_a_fresh_one_with_each_resumption, 0, 2);
    tcase_add_loop_test(resumption, other_processes_resume, 0, 2);
    tcase_add_loop_test(resumption, a_key_of_before_is_good_and_an_old_one_is_not, 0, 2);
    tcase_add_loop_test(resumption, machines_have_a_file_in_common, 0, 2);
    tcase_add_loop_test(resumption, a_ticket_that_was_changed_is_none, 0, 2);
    suite_add_tcase(suite, resumption);
    return suite;
}
