#include "proxy/session/session_list.h"
#include "tests/unit/suites.h"

#include <check.h>
#include <stdbool.h>
#include <stdio.h>

enum { SESSIONS = 1000 };

static struct session_entry sessions[SESSIONS];
static atomic_uint_fast64_t published;
static struct session_list session_list;

static void setup(void)
{
    atomic_store(&published, 0);
    session_list_init(&session_list, &published);
}

static void append(size_t session, uint64_t accepted_at)
{
    sessions[session].accepted_at = accepted_at;
    session_list_append(&session_list, &sessions[session]);
}

static void place(size_t session, uint64_t accepted_at)
{
    sessions[session].accepted_at = accepted_at;
    session_list_place(&session_list, &sessions[session]);
}

/* Checks all sessions in order, and that the first one was reported. */
static void expect(const char *expected)
{
    char text[256] = "";
    size_t length = 0;
    const struct session_entry *session;
    TAILQ_FOREACH (session, &session_list.list, link)
        length += (size_t)snprintf(text + length, sizeof text - length, "%llu ",
                                   (unsigned long long)session->accepted_at);
    ck_assert_str_eq(text, expected);
    session = TAILQ_FIRST(&session_list.list);
    ck_assert_uint_eq(atomic_load(&published), session ? session->accepted_at : 0);
}

START_TEST(first_session_is_reported)
{
    expect("");
    append(0, 10);
    expect("10 ");
    append(1, 20);
    append(2, 20);
    append(3, 30);
    expect("10 20 20 30 ");
    session_list_remove(&session_list, &sessions[1]);
    expect("10 20 30 ");
    session_list_remove(&session_list, &sessions[0]);
    expect("20 30 ");
    session_list_remove(&session_list, &sessions[3]);
    expect("20 ");
    session_list_remove(&session_list, &sessions[2]);
    expect("");
    append(0, 40);
    expect("40 ");
}
END_TEST

START_TEST(each_is_placed_by_its_age)
{
    place(0, 50);
    expect("50 ");
    append(1, 90);
    place(2, 10);
    expect("10 50 90 ");
    place(3, 70);
    place(4, 70);
    expect("10 50 70 70 90 ");
    place(5, 95);
    expect("10 50 70 70 90 95 ");
    place(6, 20);
    append(7, 99);
    place(8, 5);
    expect("5 10 20 50 70 70 90 95 99 ");
}
END_TEST

/* The session that leaves is the last one placed, the first one, or the only one. */
START_TEST(session_is_placed_after_the_last_one_has_left)
{
    append(0, 90);
    place(1, 10);
    place(2, 30);
    session_list_remove(&session_list, &sessions[2]);
    place(3, 20);
    expect("10 20 90 ");
    session_list_remove(&session_list, &sessions[3]);
    session_list_remove(&session_list, &sessions[1]);
    place(4, 50);
    expect("50 90 ");
    session_list_remove(&session_list, &sessions[4]);
    session_list_remove(&session_list, &sessions[0]);
    place(5, 60);
    expect("60 ");
}
END_TEST

static uint64_t random_number(void)
{
    static uint64_t seed = 1;
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return seed >> 33;
}

START_TEST(any_order_becomes_the_right_one)
{
    bool in[SESSIONS] = {false};
    for (unsigned i = 0; i < 20 * SESSIONS; i++) {
        size_t which = random_number() % SESSIONS;
        if (in[which])
            session_list_remove(&session_list, &sessions[which]);
        else
            place(which, random_number());
        in[which] = !in[which];
        uint64_t before = 0;
        const struct session_entry *session = TAILQ_FIRST(&session_list.list);
        ck_assert_uint_eq(atomic_load(&published), session ? session->accepted_at : 0);
        if (i % 100 == 0)
            TAILQ_FOREACH (session, &session_list.list, link) {
                ck_assert_uint_le(before, session->accepted_at);
                before = session->accepted_at;
            }
    }
}
END_TEST

Suite *session_list_suite(void)
{
    Suite *suite = suite_create("session_list");
    TCase *order = tcase_create("order");
    tcase_add_checked_fixture(order, setup, NULL);
    tcase_add_test(order, first_session_is_reported);
    tcase_add_test(order, each_is_placed_by_its_age);
    tcase_add_test(order, session_is_placed_after_the_last_one_has_left);
    tcase_add_test(order, any_order_becomes_the_right_one);
    suite_add_tcase(suite, order);
    return suite;
}
