/* An HTTP client that sends exactly what the test says. */
#ifndef TESTS_SYSTEM_HTTP_H
#define TESTS_SYSTEM_HTTP_H

#include "tests/system/support/net.h"

#include <stdbool.h>
#include <stddef.h>

struct response {
    int status;
    char head[4096]; /* with the status line */
    char *body;      /* NUL-terminated; response_free() */
    size_t length;
    bool ends; /* the server closes the connection */
};

void response_free(struct response *response);

/* Reads one answer, with its length or in chunks. no_body: to HEAD. False: the server hung up, or
 * what it said is no HTTP; response is empty then. Any thread. */
bool http_receive(int socket, bool no_body, struct response *response);

/* One request on a connection of its own. Fails the test without an answer. */
void http_get(const struct endpoint *where, const char *path, struct response *response);

/* The same with further lines of the head, each with "\r\n", and a body (NULL: none). */
void http_ask(const struct endpoint *where, const char *method, const char *path, const char *head,
              const char *body, struct response *response);

/* Fails the test unless that is the status, and the body has this text. */
void http_expect(const struct endpoint *where, const char *path, int status, const char *text);

/* Waits until it is so. */
void http_wait(const struct endpoint *where, const char *path, int status, const char *text);

/* A thread that asks for one path without a pause: on a new connection, and on one that is kept, in
 * turn. */
struct scraper;
struct scraper *scraper_start(const struct endpoint *where, const char *path);

/* Waits for further answers. Fails the test if one was missing, or not 200. */
void scraper_goes_on(struct scraper *scraper, unsigned count);

/* It asks nothing, and has nothing under way; and goes on. */
void scraper_pause(struct scraper *scraper);
void scraper_resume(struct scraper *scraper);

/* Fails the test as scraper_goes_on(). Returns how many answers there were. */
unsigned scraper_stop(struct scraper *scraper);

#endif
