#include "config/options/proxy_values.h"

#include "config/base/error_text.h"
#include "config/base/memory.h"
#include "config/model/config.h"

#include <stdlib.h>
#include <string.h>

/* --- the clients that send a header ---------------------------------------------------------- */

static const char separators[] = " \t,";

static const char *read_senders(const char *value, void *member,
                                const struct option_context *context)
{
    struct proxy_senders *senders = member;
    const struct list_origin origin = {
        .problems = context->problems, .place = context->place, .option = "accept-proxy"};
    const char *wrong = NULL;
    senders->given = true;
    if (strcmp(value, "no") == 0)
        return NULL;
    char *words = memory_copy(value);
    char *rest;
    for (char *word = strtok_r(words, separators, &rest); word && !wrong;
         word = strtok_r(NULL, separators, &rest)) {
        wrong = address_rules_add(&senders->rules, word, 0, context->files, &origin);
        if (wrong)
            wrong = error_text("has '%s', which %s", word, wrong);
    }
    free(words);
    return wrong || senders->rules.count > 0 ? wrong : "names nobody; write 'no' for that";
}

static bool write_senders(const void *member, size_t item, FILE *out)
{
    const struct proxy_senders *senders = member;
    if (!senders->given || item > 0)
        return false;
    if (senders->rules.count == 0)
        fputs("no", out);
    for (size_t i = 0; i < senders->rules.count; i++) {
        fputs(i > 0 ? "," : "", out);
        address_rule_write(&senders->rules.items[i], out);
    }
    return true;
}

static void release_senders(void *member)
{
    struct proxy_senders *senders = member;
    free(senders->rules.items);
    *senders = (struct proxy_senders){0};
}

const struct option_custom proxy_senders_value = {
    .form = "no, any, CIDR or @FILE",
    .read = read_senders,
    .write = write_senders,
    .release = release_senders,
};

/* --- what a header has that goes out --------------------------------------------------------- */

/* In the order of the bits. */
static const char *const tlv_names[] = {"unique-id", "authority", "alpn", "crc32c",
                                        "pass",      "ssl",       NULL};

/* Words of HAProxy for what one word says here. */
static const char *const parts_of_ssl[] = {"cert-cn", "ssl-cipher", "cert-sig", "cert-key", NULL};

/* The place in the list of a word of that length; else that of the NULL. */
static unsigned find_word(const char *const *list, const char *word, size_t length)
{
    unsigned i = 0;
    while (list[i] && (strlen(list[i]) != length || strncmp(list[i], word, length) != 0))
        i++;
    return i;
}

static const char *unknown_tlv(const char *word, size_t length)
{
    const char *part = parts_of_ssl[find_word(parts_of_ssl, word, length)];
    if (part)
        return error_text("has '%s', which is a part of 'ssl' here", part);
    return error_text("must be %s, separated by commas", proxy_tlvs_value.form);
}

static const char *read_tlvs(const char *value, void *member, const struct option_context *context)
{
    unsigned *tlvs = member;
    (void)context;
    for (const char *at = value;;) {
        size_t length = strcspn(at, ",");
        unsigned i = find_word(tlv_names, at, length);
        if (!tlv_names[i])
            return unknown_tlv(at, length);
        *tlvs |= 1u << i;
        if (!at[length])
            return NULL;
        at += length + 1;
    }
}

static bool write_tlvs(const void *member, size_t item, FILE *out)
{
    const unsigned *tlvs = member;
    const char *between = "";
    if (*tlvs == 0 || item > 0)
        return false;
    for (unsigned i = 0; tlv_names[i]; i++) {
        if (!(*tlvs & 1u << i))
            continue;
        fprintf(out, "%s%s", between, tlv_names[i]);
        between = ",";
    }
    return true;
}

static void release_tlvs(void *member)
{
    *(unsigned *)member = 0;
}

const struct option_custom proxy_tlvs_value = {
    .form = "unique-id, authority, alpn, ssl, crc32c or pass",
    .read = read_tlvs,
    .write = write_tlvs,
    .release = release_tlvs,
};
