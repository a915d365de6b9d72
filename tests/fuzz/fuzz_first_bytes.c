/* The choice of a route by what a client says first: the first byte says in which pieces it comes,
 * and the choice must not depend on that. Once it is made, what is said later does not change it.
 */
#include "config/load.h"
#include "proxy/stages/route_choice.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static const char text[] = "[frontend f]\nbind = 127.0.0.1:1\n"
                           "route = begins:GET !host:* zero\n"
                           "route = sni:www.example.org alpn:h2,http/1.1 zero\n"
                           "route = sni:a.example.org zero\n"
                           "route = sni:b.example.org one\n"
                           "route = sni:c.example.org,d.example.org zero\n"
                           "route = sni:www.example.org one\n"
                           "route = sni:*.example.org !alpn:h2 one\n"
                           "route = host:www.example.org !begins:POST one\n"
                           "route = host:*.example.org,127.0.0.1:80 zero\n"
                           "route = begins:SSH-2,SSH-1 zero\n"
                           "route = begins-hex:160301 !sni:* one\n"
                           "route = silent one\n"
                           "route = !tls:yes !http:yes begins:A one\n"
                           "route = tls:yes zero\n"
                           "route = http:yes one\n"
                           "route = !begins:S reject\n"
                           "[backend zero]\nserver = a 127.0.0.1:2\n"
                           "[backend one]\nserver = a 127.0.0.1:3\n";

static struct config *config;

static void must(bool so)
{
    if (!so)
        abort();
}

static void end(void)
{
    config_free(config);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct config_errors errors;
    (void)argc;
    (void)argv;
    config = config_load_text("fuzz.ini", text, sizeof text - 1, &errors);
    must(config);
    config_errors_free(&errors);
    atexit(end);
    return 0;
}

/* What is known of a client, and what follows from it. */
struct look {
    struct client_hello hello;
    struct http_head head;
    struct route_choice choice;
    enum choice_verdict verdict;
    size_t at; /* bytes that were needed */
};

static enum choice_verdict choose(struct look *look, const unsigned char *data, size_t length,
                                  bool is_all)
{
    static const struct sockaddr unknown = {.sa_family = AF_UNIX};
    const struct evidence evidence = {.bytes = data,
                                      .length = length,
                                      .is_all = is_all,
                                      .hello = &look->hello,
                                      .head = &look->head,
                                      .source = &unknown};
    return route_choose(&config->frontends[0].routes, &evidence, &look->choice);
}

/* As the stage does it: with each piece, until the choice is made, or nothing more comes. */
static struct look look_at(const unsigned char *data, size_t size, size_t piece)
{
    struct look look = {.verdict = CHOICE_OPEN};
    client_hello_begin(&look.hello);
    http_head_begin(&look.head);
    look.verdict = choose(&look, data, 0, false);
    while (look.verdict == CHOICE_OPEN && look.at < size) {
        size_t length = size - look.at < piece ? size - look.at : piece;
        client_hello_feed(&look.hello, data + look.at, length);
        http_head_feed(&look.head, data + look.at, length);
        look.at += length;
        look.verdict = choose(&look, data, look.at, false);
    }
    if (look.verdict == CHOICE_OPEN)
        look.verdict = choose(&look, data, size, true);
    must(look.verdict != CHOICE_OPEN);
    return look;
}

static void expect_same(const struct look *a, const struct look *b)
{
    must(a->verdict == b->verdict && a->choice.route == b->choice.route &&
         (a->verdict == CHOICE_NONE || a->choice.backend == b->choice.backend));
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    if (size < 1)
        return 0;
    size_t piece = 1 + data[0];
    const struct look whole = look_at(data + 1, size - 1, size);
    const struct look pieces = look_at(data + 1, size - 1, piece);
    expect_same(&whole, &pieces);
    /* What a client has said when the choice is made decides; the rest may be missing. */
    const struct look enough = look_at(data + 1, pieces.at, size);
    expect_same(&whole, &enough);
    return 0;
}
