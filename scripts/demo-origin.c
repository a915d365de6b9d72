/* A small HTTP server for `make run`. It prints the port of 127.0.0.1 on which it listens, and
 * answers each request with its name. */
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

static void on_request(struct evhttp_request *request, void *name)
{
    struct evbuffer *body = evbuffer_new();
    evbuffer_add_printf(body, "Hello from origin %s.\n", (const char *)name);
    evhttp_send_reply(request, HTTP_OK, "OK", body);
    evbuffer_free(body);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: demo-origin NAME\n");
        return 1;
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    struct event_base *base = event_base_new();
    struct evhttp *http = base ? evhttp_new(base) : NULL;
    struct evhttp_bound_socket *bound =
        http ? evhttp_bind_socket_with_handle(http, "127.0.0.1", 0) : NULL;
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    if (!bound ||
        getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&address, &length)) {
        perror("demo-origin");
        return 1;
    }
    printf("%u\n", ntohs(address.sin_port));
    fflush(stdout);
    evhttp_set_gencb(http, on_request, argv[1]);
    event_base_dispatch(base);
    return 0;
}
