#include "tests/system/support/http.h"

#include "tests/system/support/harness.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { BODY_MOST = 64 << 20 };

/* --- one answer ------------------------------------------------------------------------------ */

void response_free(struct response *response)
{
    free(response->body);
    *response = (struct response){0};
}

static bool read_all(int socket, char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t count = recv(socket, bytes, length, 0);
        if (count <= 0)
            return false;
        bytes += count;
        length -= (size_t)count;
    }
    return true;
}

/* A line without its end. */
static bool read_line(int socket, char *line, size_t size)
{
    for (size_t length = 0; length + 1 < size; length++) {
        if (!read_all(socket, line + length, 1))
            return false;
        if (line[length] == '\n') {
            line[length > 0 && line[length - 1] == '\r' ? length - 1 : length] = '\0';
            return true;
        }
    }
    return false;
}

static bool add_body(int socket, struct response *response, size_t length)
{
    if (length > BODY_MOST)
        return false;
    response->body = realloc(response->body, response->length + length + 1);
    if (!response->body || !read_all(socket, response->body + response->length, length))
        return false;
    response->length += length;
    response->body[response->length] = '\0';
    return true;
}

static bool read_chunks(int socket, struct response *response)
{
    char line[64];
    for (;;) {
        if (!read_line(socket, line, sizeof line))
            return false;
        size_t length = strtoul(line, NULL, 16);
        if (length > 0 && !add_body(socket, response, length))
            return false;
        if (!read_line(socket, line, sizeof line))
            return false;
        if (length == 0)
            return true;
    }
}

bool http_receive(int socket, bool no_body, struct response *response)
{
    char line[2048];
    bool chunked = false, known = false;
    size_t length = 0, used = 0;
    *response = (struct response){0};
    if (!read_line(socket, line, sizeof line) ||
        sscanf(line, "HTTP/1.%*d %d", &response->status) != 1)
        return false;
    do {
        used += (size_t)snprintf(response->head + used, sizeof response->head - used, "%s\n", line);
        if (used >= sizeof response->head || !read_line(socket, line, sizeof line))
            return false;
        known |= sscanf(line, "Content-Length: %zu", &length) == 1;
        chunked |= strcasecmp(line, "Transfer-Encoding: chunked") == 0;
        response->ends |= strcasecmp(line, "Connection: close") == 0;
    } while (line[0]);
    if (no_body)
        return true;
    if (chunked ? read_chunks(socket, response) : known && add_body(socket, response, length))
        return true;
    response_free(response);
    return false;
}

/* --- one question ---------------------------------------------------------------------------- */

static size_t write_request(char *text, size_t size, const char *method, const char *path,
                            const char *head, const char *body)
{
    size_t length =
        (size_t)snprintf(text, size, "%s %s HTTP/1.1\r\nHost: localhost\r\n%s", method, path, head);
    if (body)
        length +=
            (size_t)snprintf(text + length, size - length, "Content-Length: %zu\r\n", strlen(body));
    return length + (size_t)snprintf(text + length, size - length, "\r\n%s", body ? body : "");
}

void http_ask(const struct endpoint *where, const char *method, const char *path, const char *head,
              const char *body, struct response *response)
{
    char text[8192];
    size_t length = write_request(text, sizeof text, method, path, head, body);
    ck_assert_uint_lt(length, sizeof text);
    int socket = connect_to(where);
    send_all(socket, text, length);
    ck_assert_msg(http_receive(socket, strcmp(method, "HEAD") == 0, response), "no answer to %s %s",
                  method, path);
    close(socket);
}

void http_get(const struct endpoint *where, const char *path, struct response *response)
{
    http_ask(where, "GET", path, "", NULL, response);
}

void http_expect(const struct endpoint *where, const char *path, int status, const char *text)
{
    struct response response;
    http_get(where, path, &response);
    ck_assert_msg(response.status == status && strstr(response.body, text),
                  "%s: %d, and not %d with '%s': %s", path, response.status, status, text,
                  response.body);
    response_free(&response);
}

struct wanted {
    const struct endpoint *where;
    const char *path, *text;
    int status;
};

static bool is_answered(void *argument)
{
    const struct wanted *wanted = argument;
    struct response response;
    http_get(wanted->where, wanted->path, &response);
    bool is_so = response.status == wanted->status && strstr(response.body, wanted->text);
    response_free(&response);
    return is_so;
}

void http_wait(const struct endpoint *where, const char *path, int status, const char *text)
{
    struct wanted wanted = {where, path, text, status};
    wait_until(is_answered, &wanted, text);
}

/* --- a scraper ------------------------------------------------------------------------------- */

struct scraper {
    struct endpoint where;
    char request[512];
    pthread_t thread;
    atomic_uint answers, failures;
    atomic_bool stop, pause, paused;
    char failure[512]; /* the first; written before failures */
};

static void note_failure(struct scraper *scraper, const char *what, int status)
{
    if (atomic_load(&scraper->failures) == 0)
        snprintf(scraper->failure, sizeof scraper->failure, "%s, after %u answers (status %d)",
                 what, atomic_load(&scraper->answers), status);
    atomic_fetch_add(&scraper->failures, 1);
}

/* Returns whether the connection can be used again. */
static bool scrape(struct scraper *scraper, int socket, const char *kind)
{
    struct response response = {0};
    const size_t length = strlen(scraper->request);
    if (send(socket, scraper->request, length, MSG_NOSIGNAL) != (ssize_t)length ||
        !http_receive(socket, false, &response))
        note_failure(scraper, kind, 0);
    else if (response.status != 200)
        note_failure(scraper, kind, response.status);
    else
        atomic_fetch_add(&scraper->answers, 1);
    bool goes_on = response.status == 200 && !response.ends;
    response_free(&response);
    return goes_on;
}

static void scrape_kept(struct scraper *scraper, int *kept)
{
    if (*kept < 0)
        *kept = try_connect(&scraper->where);
    if (*kept < 0) {
        note_failure(scraper, "refused", 0);
        return;
    }
    if (scrape(scraper, *kept, "on a connection that is kept"))
        return;
    close(*kept);
    *kept = -1;
}

static void *run_scraper(void *argument)
{
    struct scraper *scraper = argument;
    int kept = -1;
    while (!atomic_load(&scraper->stop)) {
        bool pause = atomic_load(&scraper->pause);
        if (pause && kept >= 0) {
            close(kept);
            kept = -1;
        }
        atomic_store(&scraper->paused, pause);
        if (pause) {
            usleep(1000);
            continue;
        }
        int socket = try_connect(&scraper->where);
        if (socket < 0) {
            note_failure(scraper, "refused", 0);
        } else {
            (void)scrape(scraper, socket, "on a new connection");
            close(socket);
        }
        scrape_kept(scraper, &kept);
    }
    if (kept >= 0)
        close(kept);
    return NULL;
}

struct scraper *scraper_start(const struct endpoint *where, const char *path)
{
    struct scraper *scraper = calloc(1, sizeof *scraper);
    ck_assert_ptr_nonnull(scraper);
    scraper->where = *where;
    write_request(scraper->request, sizeof scraper->request, "GET", path, "", NULL);
    ck_assert_int_eq(pthread_create(&scraper->thread, NULL, run_scraper, scraper), 0);
    return scraper;
}

static void expect_none_missing(struct scraper *scraper)
{
    unsigned failures = atomic_load(&scraper->failures);
    ck_assert_msg(failures == 0, "%u scrapes failed, the first %s", failures, scraper->failure);
}

struct progress {
    struct scraper *scraper;
    unsigned wanted;
};

static bool has_gone_on(void *argument)
{
    const struct progress *progress = argument;
    return atomic_load(&progress->scraper->answers) >= progress->wanted ||
           atomic_load(&progress->scraper->failures) > 0;
}

void scraper_goes_on(struct scraper *scraper, unsigned count)
{
    struct progress progress = {scraper, atomic_load(&scraper->answers) + count};
    wait_until(has_gone_on, &progress, "scrapes go on");
    expect_none_missing(scraper);
}

static bool is_paused(void *argument)
{
    struct scraper *scraper = argument;
    return atomic_load(&scraper->paused);
}

void scraper_pause(struct scraper *scraper)
{
    atomic_store(&scraper->pause, true);
    wait_until(is_paused, scraper, "the scraper pauses");
}

void scraper_resume(struct scraper *scraper)
{
    atomic_store(&scraper->pause, false);
}

unsigned scraper_stop(struct scraper *scraper)
{
    atomic_store(&scraper->stop, true);
    pthread_join(scraper->thread, NULL);
    expect_none_missing(scraper);
    unsigned answers = atomic_load(&scraper->answers);
    free(scraper);
    return answers;
}
