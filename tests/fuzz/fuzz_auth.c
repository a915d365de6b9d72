/* The header Authorization of a client of the HTTP server, and a line of the file of its users. The
 * first byte decides between the two. */
#include "config/options/metrics_values.h"
#include "reload/http/auth.h"
#include "reload/http/origin.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void read_user(char *line)
{
    struct metrics_users users = {.path = NULL};
    if (*line)
        (void)metrics_user_add(&users, line);
    metrics_auth_value.release(&users);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static const struct words none = {.list = NULL};
    char text[AUTH_TEXT_MAX];
    if (size == 0)
        return 0;
    char *copy = malloc(size); /* of its very size, so that no byte behind it is read */
    if (!copy)
        return 0;
    memcpy(copy, data + 1, size - 1);
    copy[size - 1] = '\0';
    if (data[0] & 1) {
        read_user(copy);
    } else {
        (void)origin_host_is_own(copy, &none);
        if (auth_read_header(copy, text) && !strchr(text, ':'))
            abort();
    }
    free(copy);
    return 0;
}
