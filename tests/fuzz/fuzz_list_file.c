/* A list file as an access list reads it: no text breaks the reader, and each prefix that is
 * accepted is written as a text that means the same. */
#include "config/lists/list_file.h"
#include "config/lists/prefix_tree.h"

#include <endian.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *take(void *arg, char *entry)
{
    char text[PREFIX_TEXT_MAX];
    struct prefix prefix, again;
    const char *wrong = prefix_parse(entry, &prefix);
    if (wrong)
        return wrong;
    if (prefix_parse(prefix_format(&prefix, text), &again) || again.bits != prefix.bits ||
        again.is_ipv6 != prefix.is_ipv6 || again.first.high != prefix.first.high ||
        again.first.low != prefix.first.low)
        abort();
    prefix_entries_add(arg, &prefix, 0);
    return NULL;
}

static struct sockaddr_in6 address_of(const struct prefix *prefix)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6};
    uint64_t halves[2] = {htobe64(prefix->first.high), htobe64(prefix->first.low)};
    if (!prefix->is_ipv6) { /* as IPv4-mapped */
        halves[0] = 0;
        halves[1] = htobe64(UINT64_C(0xffff00000000) | prefix->first.high >> 32);
    }
    memcpy(&address.sin6_addr, halves, sizeof halves);
    return address;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char path[] = "list";
    const struct source source = {.path = path};
    struct problems problems = {0};
    const struct list_origin origin = {
        .problems = &problems, .place = {&source, 1}, .option = "deny"};
    struct prefix_entries entries = {0};
    struct config_errors errors = {0};
    bool good = list_text_read((const char *)data, size, path, &origin, take, &entries);
    if (good == problems_any(&problems))
        abort();
    struct prefix_tree *tree = prefix_tree_make(&entries, PREFIX_LONGEST);
    for (size_t i = 0; i < entries.count; i++) {
        struct sockaddr_in6 address = address_of(&entries.items[i].prefix);
        if (prefix_tree_find(tree, (const struct sockaddr *)&address) != 0)
            abort();
    }
    prefix_tree_free(tree);
    free(entries.items);
    problems_move(&problems, &errors);
    config_errors_free(&errors);
    return 0;
}
