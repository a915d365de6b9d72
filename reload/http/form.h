/* What requests of the status page say: the form in the body of POST /change, and the query of
 * /diff. Any client may have written it. */
#ifndef RPPROXY_RELOAD_HTTP_FORM_H
#define RPPROXY_RELOAD_HTTP_FORM_H

#include <stdbool.h>
#include <stddef.h>

/* A longer form is refused. */
#define FORM_MAX 4096

/* "": the form has no such field. No text has control bytes. */
struct change_form {
    char action[16]; /* server, frontend, promote or abort */
    char server[512], frontend[512], set[64];
};

/* bytes: the whole body. False: it is no such form. */
bool form_read_change(const char *bytes, size_t length, struct change_form *form);

/* query: what stands behind the question mark, or NULL. False: it does not name two generations. */
bool form_read_generations(const char *query, unsigned *from, unsigned *to);

#endif
