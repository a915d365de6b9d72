/* The lines of the state file: what commands have set, and a start takes over. Text that people can
 * read and write:
 *
 *   ; rpproxy state 1
 *   frontend web paused=1764259200
 *   server app/a admin=drain weight=5 maxconn=100 line=00112233aabbccdd
 *
 * paused: since when, in seconds since 1970. An attribute that is missing was not set by command.
 * line: hash of the server's line in the configuration at that time; a line without it is of any
 * such server. maxconn=0: unlimited. Blank lines, and those that begin with ';' or '#', say
 * nothing. */
#ifndef RPPROXY_RELOAD_BASE_STATE_LINES_H
#define RPPROXY_RELOAD_BASE_STATE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* No proxy makes a larger one. */
#define STATE_BYTES_MAX (16u << 20)

struct state_line {
    unsigned number; /* in the file, from 1 */
    /* Valid during the call. A frontend: server is NULL, and name is its name. A server: name is
     * that of its backend. */
    const char *name, *server;
    uint64_t paused_at; /* of a frontend */
    int admin;          /* enum admin_state; -1: not set, as the others */
    int weight;
    int64_t maxconn;
    bool has_hash;
    uint64_t hash;
};

struct state_reader {
    void (*on_line)(const struct state_line *line, void *arg);
    /* A line, or a part of it, is not understood; why does not say where. */
    void (*on_wrong)(unsigned number, const char *why, void *arg);
    void *arg;
};

/* Whether the bytes begin like a state file, in *version that of its form; an empty file does, and
 * so do blank lines. NULL, or what is wrong (a string constant). */
const char *state_lines_head(const char *bytes, size_t length, unsigned *version);

/* Reads the lines; text has length bytes and is changed. */
void state_lines_read(char *text, size_t length, const struct state_reader *reader);

void state_lines_write_head(FILE *out);
void state_lines_write(const struct state_line *line, FILE *out);

#endif
