#include "tests/system/support/scene.h"

#include <string.h>
#include <unistd.h>

void scene_init(struct scene *scene)
{
    scene->port = port_reserve(getuid());
    scene->front = endpoint_loopback(scene->port);
    scene->listener = listen_loopback(&scene->server_port);
    proxy_init(&scene->proxy, "proxy");
}

void scene_configure(const struct scene *scene, const char *global, const char *rest)
{
    proxy_configure(&scene->proxy,
                    "%s%s[listen main]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n%s",
                    strstr(global, "workers") ? "" : "workers = 2\n", global, scene->port,
                    scene->server_port, rest);
}

void scene_start(struct scene *scene, const char *global, const char *rest)
{
    scene_init(scene);
    scene_configure(scene, global, rest);
    proxy_start(&scene->proxy);
}

void scene_start_before(struct scene *scene, uint16_t server_port, const char *global,
                        const char *rest)
{
    scene_init(scene);
    scene->server_port = server_port;
    scene_configure(scene, global, rest);
    proxy_start(&scene->proxy);
}

struct session session_open(const struct scene *scene)
{
    return session_through(&scene->front, scene->listener);
}

struct session session_through(const struct endpoint *front, int listener)
{
    struct session session = {.client = connect_to(front)};
    session.server = accept_from(listener);
    return session;
}

void session_works(const struct session *session)
{
    char bytes[6];
    send_all(session->client, "there", 6);
    receive_exactly(session->server, bytes, 6);
    ck_assert_str_eq(bytes, "there");
    send_all(session->server, "back!", 6);
    receive_exactly(session->client, bytes, 6);
    ck_assert_str_eq(bytes, "back!");
}

void session_close(const struct session *session)
{
    close(session->client);
    expect_eof(session->server);
    close(session->server);
}

void session_is_cut(const struct session *session)
{
    expect_reset(session->client);
    expect_reset(session->server);
    close(session->client);
    close(session->server);
}
