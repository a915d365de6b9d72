#include "reload/http/page.h"

#include "reload/http/server.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define NONCE_BYTES 16

/* Puts a file of the tree into the program, and declares where it begins and ends. */
#define EMBED(name, path)                                                                          \
    __asm__(".section .rodata\n" #name "_begin:\n.incbin \"" path "\"\n" #name "_end:\n.byte 0\n"  \
            ".previous\n");                                                                        \
    extern const char name##_begin[], name##_end[]

EMBED(rpproxy_page_html, "reload/http/page.html");
EMBED(rpproxy_page_css, "reload/http/page.css");
EMBED(rpproxy_page_js, "reload/http/page.js");

static void add_part(struct evbuffer *out, const char *begin, const char *end)
{
    evbuffer_add(out, begin, (size_t)(end - begin));
}

/* Fills in @NONCE@, @CSS@ and @JS@. */
static void write_page(struct evbuffer *out, const char *nonce)
{
    const char *at = rpproxy_page_html_begin, *mark;
    while ((mark = memchr(at, '@', (size_t)(rpproxy_page_html_end - at)))) {
        add_part(out, at, mark);
        const char *end = strchr(mark + 1, '@');
        if (!end)
            return;
        if (strncmp(mark, "@NONCE@", 7) == 0)
            evbuffer_add(out, nonce, strlen(nonce));
        else if (strncmp(mark, "@CSS@", 5) == 0)
            add_part(out, rpproxy_page_css_begin, rpproxy_page_css_end);
        else
            add_part(out, rpproxy_page_js_begin, rpproxy_page_js_end);
        at = end + 1;
    }
    add_part(out, at, rpproxy_page_html_end);
}

static bool make_nonce(char nonce[static 2 * NONCE_BYTES + 1])
{
    unsigned char bytes[NONCE_BYTES];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return false;
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(nonce + 2 * i, 3, "%02x", bytes[i]);
    return true;
}

void page_reply(struct http_server *server, struct evhttp_request *request)
{
    char nonce[2 * NONCE_BYTES + 1], policy[512];
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    struct evbuffer *body = evbuffer_new();
    if (!body || !make_nonce(nonce)) {
        http_server_say(server, request, HTTP_SERVUNAVAIL, "out of memory");
        if (body)
            evbuffer_free(body);
        return;
    }
    snprintf(policy, sizeof policy,
             "default-src 'none'; script-src 'nonce-%s'; style-src 'nonce-%s'; connect-src 'self'; "
             "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
             nonce, nonce);
    evhttp_add_header(headers, "Content-Type", "text/html; charset=utf-8");
    evhttp_add_header(headers, "Content-Security-Policy", policy);
    evhttp_add_header(headers, "X-Frame-Options", "DENY");
    evhttp_add_header(headers, "Referrer-Policy", "no-referrer");
    write_page(body, nonce);
    http_server_reply(server, request, HTTP_OK, body);
    evbuffer_free(body);
}
