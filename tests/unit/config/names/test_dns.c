#include "config/names/dns.h"

#include "tests/unit/suites.h"

#include <stdlib.h>
#include <string.h>

/* A message that is being made. */
struct draft {
    unsigned char bytes[65536];
    size_t length;
};

static void put(struct draft *draft, const void *bytes, size_t length)
{
    ck_assert_uint_le(draft->length + length, sizeof draft->bytes);
    memcpy(draft->bytes + draft->length, bytes, length);
    draft->length += length;
}

static void put16(struct draft *draft, unsigned value)
{
    const unsigned char bytes[] = {(unsigned char)(value >> 8), (unsigned char)value};
    put(draft, bytes, sizeof bytes);
}

static void put32(struct draft *draft, uint32_t value)
{
    put16(draft, value >> 16);
    put16(draft, value & 0xffff);
}

static void put_name(struct draft *draft, const char *name)
{
    while (*name) {
        size_t length = strcspn(name, ".");
        unsigned char size = (unsigned char)length;
        put(draft, &size, 1);
        put(draft, name, length);
        name += length + (name[length] == '.');
    }
    put(draft, "", 1);
}

/* The head, and a question. */
static void begin(struct draft *draft, const char *name, unsigned type, unsigned answers,
                  unsigned authorities)
{
    *draft = (struct draft){0};
    put16(draft, 0x1234);
    put16(draft, 0x8180);
    put16(draft, 1);
    put16(draft, answers);
    put16(draft, authorities);
    put16(draft, 0);
    put_name(draft, name);
    put16(draft, type);
    put16(draft, 1);
}

static void put_record(struct draft *draft, const char *name, unsigned type, uint32_t ttl,
                       const void *data, size_t length)
{
    put_name(draft, name);
    put16(draft, type);
    put16(draft, 1);
    put32(draft, ttl);
    put16(draft, (unsigned)length);
    put(draft, data, length);
}

static void put_alias(struct draft *draft, const char *name, uint32_t ttl, const char *target)
{
    struct draft data = {0};
    put_name(&data, target);
    put_record(draft, name, 5, ttl, data.bytes, data.length);
}

static void put_srv(struct draft *draft, const char *name, uint32_t ttl, unsigned priority,
                    unsigned weight, unsigned port, const char *target)
{
    struct draft data = {0};
    put16(&data, priority);
    put16(&data, weight);
    put16(&data, port);
    put_name(&data, target);
    put_record(draft, name, DNS_SRV, ttl, data.bytes, data.length);
}

struct found {
    struct dns_record records[8];
    size_t count, most;
};

static bool on_found(const struct dns_record *record, void *arg)
{
    struct found *found = arg;
    ck_assert_uint_lt(found->count, 8);
    found->records[found->count++] = *record;
    return found->count != found->most;
}

START_TEST(addresses_have_the_least_ttl)
{
    struct draft draft;
    struct found found = {0};
    struct dns_answer answer;
    begin(&draft, "App.example", DNS_A, 3, 0);
    put_record(&draft, "app.EXAMPLE", DNS_A, 300, "\x0a\x00\x00\x01", 4);
    put_record(&draft, "other.example", DNS_A, 1, "\x0a\x00\x00\x09", 4);
    put_record(&draft, "app.example", DNS_A, 60, "\x0a\x00\x00\x02", 4);
    ck_assert(dns_read(draft.bytes, draft.length, DNS_A, on_found, &found, &answer));
    ck_assert_uint_eq(answer.count, 2);
    ck_assert_uint_eq(answer.ttl, 60);
    ck_assert_uint_eq(found.count, 2);
    ck_assert_mem_eq(found.records[0].address, "\x0a\x00\x00\x01", 4);
    ck_assert_mem_eq(found.records[1].address, "\x0a\x00\x00\x02", 4);
}
END_TEST

START_TEST(aliases_are_followed_in_any_order)
{
    struct draft draft;
    struct found found = {0};
    struct dns_answer answer;
    begin(&draft, "www.example", DNS_AAAA, 3, 0);
    put_record(&draft, "c.example", DNS_AAAA, 300, "0123456789abcdef", 16);
    put_alias(&draft, "b.example", 20, "c.example");
    put_alias(&draft, "www.example", 100, "b.example");
    ck_assert(dns_read(draft.bytes, draft.length, DNS_AAAA, on_found, &found, &answer));
    ck_assert_uint_eq(found.count, 1);
    ck_assert_mem_eq(found.records[0].address, "0123456789abcdef", 16);
    ck_assert_uint_eq(answer.ttl, 20);
}
END_TEST

START_TEST(circle_of_aliases_has_no_address)
{
    struct draft draft;
    struct dns_answer answer;
    begin(&draft, "a.example", DNS_A, 2, 0);
    put_alias(&draft, "a.example", 20, "b.example");
    put_alias(&draft, "b.example", 20, "a.example");
    ck_assert(dns_read(draft.bytes, draft.length, DNS_A, NULL, NULL, &answer));
    ck_assert_uint_eq(answer.count, 0);
}
END_TEST

START_TEST(services_are_read)
{
    struct draft draft;
    struct found found = {0};
    struct dns_answer answer;
    begin(&draft, "_db._tcp.example", DNS_SRV, 3, 0);
    put_srv(&draft, "_db._tcp.example", 30, 10, 60, 5432, "one.example");
    put_srv(&draft, "_db._tcp.example", 30, 20, 0, 5433, "two.example");
    put_srv(&draft, "_db._tcp.example", 30, 0, 0, 1, "");
    ck_assert(dns_read(draft.bytes, draft.length, DNS_SRV, on_found, &found, &answer));
    ck_assert_uint_eq(found.count, 3);
    ck_assert_uint_eq(found.records[0].priority, 10);
    ck_assert_uint_eq(found.records[0].weight, 60);
    ck_assert_uint_eq(found.records[0].port, 5432);
    ck_assert_str_eq(found.records[0].target, "one.example");
    ck_assert_str_eq(found.records[1].target, "two.example");
    ck_assert_str_eq(found.records[2].target, "");
}
END_TEST

START_TEST(service_with_a_strange_target_is_left_out)
{
    struct draft draft;
    struct dns_answer answer;
    begin(&draft, "_db._tcp.example", DNS_SRV, 1, 0);
    put_record(&draft, "_db._tcp.example", DNS_SRV, 30, "\0\0\0\0\0\1\3a.b\0", 11);
    ck_assert(dns_read(draft.bytes, draft.length, DNS_SRV, NULL, NULL, &answer));
    ck_assert_uint_eq(answer.count, 0);
}
END_TEST

START_TEST(answer_without_records_has_the_ttl_of_its_zone)
{
    struct draft draft, data = {0};
    struct dns_answer answer;
    put_name(&data, "ns.example");
    put_name(&data, "admin.example");
    for (int i = 0; i < 4; i++)
        put32(&data, 7200);
    put32(&data, 45);
    begin(&draft, "no.example", DNS_A, 0, 1);
    draft.bytes[3] |= 3;
    put_record(&draft, "example", 6, 600, data.bytes, data.length);
    ck_assert(dns_read(draft.bytes, draft.length, DNS_A, NULL, NULL, &answer));
    ck_assert_uint_eq(answer.count, 0);
    ck_assert_uint_eq(answer.code, 3);
    ck_assert_uint_eq(answer.ttl, 45);
}
END_TEST

START_TEST(negative_ttl_counts_as_none)
{
    struct draft draft;
    struct dns_answer answer;
    begin(&draft, "a.example", DNS_A, 1, 0);
    put_record(&draft, "a.example", DNS_A, 0x80000001, "\x0a\x00\x00\x01", 4);
    ck_assert(dns_read(draft.bytes, draft.length, DNS_A, NULL, NULL, &answer));
    ck_assert_uint_eq(answer.count, 1);
    ck_assert_uint_eq(answer.ttl, 0);
}
END_TEST

START_TEST(no_more_than_wanted_are_reported)
{
    struct draft draft;
    struct found found = {.most = 1};
    struct dns_answer answer;
    begin(&draft, "a.example", DNS_A, 2, 0);
    put_record(&draft, "a.example", DNS_A, 1, "\x0a\x00\x00\x01", 4);
    put_record(&draft, "a.example", DNS_A, 1, "\x0a\x00\x00\x02", 4);
    ck_assert(dns_read(draft.bytes, draft.length, DNS_A, on_found, &found, &answer));
    ck_assert_uint_eq(found.count, 1);
    ck_assert_uint_eq(answer.count, 2);
}
END_TEST

/* Of a good message each beginning is refused, and none is read beyond its end. */
START_TEST(part_of_a_message_is_malformed)
{
    struct draft draft;
    struct dns_answer answer;
    begin(&draft, "www.example", DNS_SRV, 2, 0);
    put_alias(&draft, "www.example", 20, "b.example");
    put_srv(&draft, "b.example", 30, 10, 60, 5432, "one.example");
    ck_assert(dns_read(draft.bytes, draft.length, DNS_SRV, NULL, NULL, &answer));
    for (size_t length = 0; length < draft.length; length++) {
        unsigned char *part = malloc(length ? length : 1); /* sanitizers see what is beyond */
        memcpy(part, draft.bytes, length);
        ck_assert(!dns_read(part, length, DNS_SRV, NULL, NULL, &answer));
        free(part);
    }
}
END_TEST

START_TEST(pointer_goes_back_only)
{
    struct draft draft;
    struct dns_answer answer;
    begin(&draft, "a.example", DNS_A, 1, 0);
    size_t at = draft.length;
    put16(&draft, 0xc000 | (unsigned)at);
    put16(&draft, DNS_A);
    put16(&draft, 1);
    put32(&draft, 1);
    put16(&draft, 4);
    put(&draft, "\x0a\x00\x00\x01", 4);
    ck_assert(!dns_read(draft.bytes, draft.length, DNS_A, NULL, NULL, &answer));
    draft.bytes[at + 1] = 12; /* the question's name */
    draft.bytes[at] = 0xc0;
    ck_assert(dns_read(draft.bytes, draft.length, DNS_A, NULL, NULL, &answer));
    ck_assert_uint_eq(answer.count, 1);
}
END_TEST

/* Random changes of a good message: whatever is read, sanitizers find nothing. */
START_TEST(damaged_messages_are_harmless)
{
    struct draft good, draft;
    struct dns_answer answer;
    begin(&good, "www.example", DNS_SRV, 3, 0);
    put_alias(&good, "www.example", 20, "b.example");
    put_srv(&good, "b.example", 30, 10, 60, 5432, "one.example");
    put_srv(&good, "b.example", 30, 10, 60, 5433, "two.example");
    srand(1);
    for (int i = 0; i < 20000; i++) {
        memcpy(draft.bytes, good.bytes, good.length);
        for (int j = rand() % 4; j >= 0; j--)
            draft.bytes[(size_t)rand() % good.length] = (unsigned char)rand();
        if (dns_read(draft.bytes, good.length, DNS_SRV, NULL, NULL, &answer))
            ck_assert_uint_le(answer.count, 3);
    }
}
END_TEST

Suite *dns_suite(void)
{
    Suite *suite = suite_create("dns");
    TCase *tcase = tcase_create("dns");
    tcase_add_test(tcase, addresses_have_the_least_ttl);
    tcase_add_test(tcase, aliases_are_followed_in_any_order);
    tcase_add_test(tcase, circle_of_aliases_has_no_address);
    tcase_add_test(tcase, services_are_read);
    tcase_add_test(tcase, service_with_a_strange_target_is_left_out);
    tcase_add_test(tcase, answer_without_records_has_the_ttl_of_its_zone);
    tcase_add_test(tcase, negative_ttl_counts_as_none);
    tcase_add_test(tcase, no_more_than_wanted_are_reported);
    tcase_add_test(tcase, part_of_a_message_is_malformed);
    tcase_add_test(tcase, pointer_goes_back_only);
    tcase_add_test(tcase, damaged_messages_are_harmless);
    suite_add_tcase(suite, tcase);
    return suite;
}
