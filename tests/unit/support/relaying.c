#include "tests/unit/support/relaying.h"
#include "config/load.h"

#include "tests/unit/support/config_text.h"
#include "tests/unit/support/loopback.h"

#include <check.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static void ignore(void *arg)
{
    (void)arg;
}

void relaying_start(struct relaying *relaying)
{
    const struct proxy_events events = {.on_quiet = ignore, .on_empty = ignore};
    struct address front, back;
    char text[256], name[ADDRESS_TEXT_MAX];
    folder_make();
    ck_assert(loopback_bind(0, &front));
    back = front;
    relaying->servers = loopback_listen(&back);
    snprintf(text, sizeof text, "[listen main]\nbind = 127.0.0.1:1\nserver = a %s\n",
             address_format(&back, name));
    relaying->config = load_good(text);
    relaying->base = event_base_new();
    struct proxy *proxy = NULL;
    ck_assert_int_eq(proxy_new(relaying->config, 1, 1, 8, relaying->base, &events, &proxy), 0);
    ck_assert_ptr_nonnull(proxy);
    relaying->proxy = proxy;
    relaying->listener = loopback_listen(&front);
    ck_assert_int_eq(proxy_add_listener(proxy, 0, relaying->listener, false, NULL, 0,
                                        &relaying->config->frontends[0].binds[0]),
                     0);
    ck_assert_int_eq(proxy_start(proxy), 0);
    proxy_accept(proxy);
    relaying->client = loopback_connect(&front);
    loopback_await(relaying->servers, POLLIN);
    relaying->server = accept(relaying->servers, NULL, NULL);
    ck_assert_int_ge(relaying->server, 0);
}

void relaying_end(struct relaying *relaying)
{
    proxy_free(relaying->proxy);
    event_base_free(relaying->base);
    config_free(relaying->config);
    close(relaying->listener);
    close(relaying->servers);
    close(relaying->server);
    loopback_reset(relaying->client);
    folder_remove();
}
