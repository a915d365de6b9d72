/* What a client of the status page sends: the form of a change, and the query of a difference. */
#include "reload/http/form.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length);

static void must_be_clean(const char *text, size_t size)
{
    if (!memchr(text, '\0', size))
        abort();
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            abort();
}

static void read_change(const char *bytes, size_t length)
{
    struct change_form form;
    if (!form_read_change(bytes, length, &form))
        return;
    must_be_clean(form.action, sizeof form.action);
    must_be_clean(form.server, sizeof form.server);
    must_be_clean(form.frontend, sizeof form.frontend);
    must_be_clean(form.set, sizeof form.set);
    if (length > FORM_MAX || !form.action[0])
        abort();
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length)
{
    unsigned from = 0, to = 0;
    char *body = malloc(length ? length : 1); /* of its very size */
    memcpy(body, bytes, length);
    read_change(body, length);
    free(body);
    char *query = strndup((const char *)bytes, length);
    if (form_read_generations(query, &from, &to) &&
        (from == 0 || to == 0 || from > INT_MAX || to > INT_MAX))
        abort();
    free(query);
    return 0;
}
