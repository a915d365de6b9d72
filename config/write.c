#include "config/write.h"

#include "config/base/memory.h"
#include "config/document.h"
#include "config/options/attributes.h"
#include "config/tls/certificate_store.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

void bind_write(const struct bind_conf *bind, FILE *out)
{
    char address[ADDRESS_TEXT_MAX];
    fputs(bind_is_activated(bind) ? bind->text : address_format(&bind->at.address, address), out);
    attributes_write(OWNER_BIND, bind, out);
}

void server_write(const struct server_conf *server, FILE *out)
{
    fputs(server->text, out);
    attributes_write(OWNER_SERVER, server, out);
}

/* --- lines --------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Whether the parser would read exactly value from "key = value". */
static bool fits_line(const char *key, const char *value)
{
    size_t length = strlen(value);
    if (strlen(key) + strlen(" = ") + length > LINE_BYTES_MAX || is_blank(value[0]) ||
        is_blank(value[length - 1]) || strchr(value, '\n') || strstr(value, "${"))
        return false;
    for (size_t i = 0; i < length; i++)
        if ((value[i] == ';' || value[i] == '#') && (i == 0 || is_blank(value[i - 1])))
            return false;
    return true;
}

static void put_comment(FILE *out, const char *key, const char *value)
{
    fprintf(out, "; does not fit in a line: %s = ", key);
    for (; *value; value++)
        fputc(*value == '\n' ? '?' : *value, out);
    fputc('\n', out);
}

/* The value of the line was written to `line`. Ends the line, and begins the next one. An empty
 * value gives no line. Returns false if there is no memory. */
static bool line_end(struct memory_stream *line, const char *key, FILE *out)
{
    if (fflush(line->stream))
        return false;
    const char *value = memory_stream_text(line);
    if (line->length > 0) {
        if (fits_line(key, value))
            fprintf(out, "%s = %s\n", key, value);
        else
            put_comment(out, key, value);
    }
    memory_stream_again(line);
    return true;
}

/* --- sections ------------------------------------------------------------------------------ */

/* A line for each value of a repeated option. */
static bool write_repeated(const struct option *option, const void *owner,
                           struct memory_stream *line, FILE *out)
{
    const void *member = (const char *)owner + option->offset;
    bool more = option->type == OPTION_CUSTOM;
    for (size_t item = 0; more; item++) {
        more = option->custom->write(member, item, line->stream);
        const char *key = option->custom->key ? option->custom->key(member, item) : option->name;
        if (!line_end(line, key, out))
            return false;
    }
    return true;
}

/* Writes the settings of a section of this kind, without binds and servers. */
static bool write_options(enum section_kind kind, const void *owner, struct memory_stream *line,
                          FILE *out)
{
    for (size_t i = 0; i < option_count(); i++) {
        const struct option *option = option_at(i);
        if (!(option->sections & IN(kind)))
            continue;
        if (option->repeated) {
            if (!write_repeated(option, owner, line, out))
                return false;
            continue;
        }
        option_write(option, owner, line->stream);
        if (!line_end(line, option->name, out))
            return false;
    }
    return true;
}

static bool write_frontend(const struct frontend_conf *frontend, struct memory_stream *line,
                           FILE *out)
{
    fprintf(out, "\n[frontend %s]\n", frontend->name);
    for (size_t i = 0; i < frontend->bind_count; i++) {
        bind_write(&frontend->binds[i], line->stream);
        if (!line_end(line, "bind", out))
            return false;
    }
    return write_options(SECTION_FRONTEND, frontend, line, out);
}

static bool write_backend(const struct backend_conf *backend, struct memory_stream *line, FILE *out)
{
    fprintf(out, "\n[backend %s]\n", backend->name);
    for (size_t i = 0; i < backend->server_count; i++) {
        fprintf(line->stream, "%s ", backend->servers[i].name);
        server_write(&backend->servers[i], line->stream);
        if (!line_end(line, "server", out))
            return false;
    }
    return write_options(SECTION_BACKEND, backend, line, out);
}

/* As comments: two configurations with different lists are different. */
static void write_files(const struct address_files *files, FILE *out)
{
    for (size_t i = 0; i < files->count; i++)
        if (files->items[i]->read && !files->items[i]->plain)
            fprintf(out, "%s; list %s: %zu entries, xxh3 %016" PRIx64 "\n", i == 0 ? "\n" : "",
                    files->items[i]->path, files->items[i]->count, files->items[i]->hash);
}

/* The same for certificates: a reload with new ones is a new configuration. */
static void write_certificates(const struct certificate_store *store, FILE *out)
{
    for (size_t i = 0; i < store->count; i++)
        for (size_t j = 0; j < store->items[i]->count; j++) {
            const struct certificate *certificate = store->items[i]->list[j];
            fprintf(out, "%s; certificate %s: ", i + j == 0 ? "\n" : "", certificate->path);
            certificate_describe(certificate, out);
            fprintf(out, ", sha256 %s\n", certificate->print);
        }
}

static bool write_sections(const struct config *config, struct memory_stream *line, FILE *out)
{
    fputs("[global]\n", out);
    bool good = write_options(SECTION_GLOBAL, config, line, out);
    for (size_t i = 0; good && i < config->frontend_count; i++)
        good = write_frontend(&config->frontends[i], line, out);
    for (size_t i = 0; good && i < config->backend_count; i++)
        good = write_backend(&config->backends[i], line, out);
    return good;
}

char *config_text(const struct config *config, size_t *length)
{
    char *text = NULL;
    struct memory_stream line = {0};
    FILE *out = open_memstream(&text, length);
    if (!out)
        return NULL;
    line.stream = open_memstream(&line.text, &line.length);
    bool good = line.stream && write_sections(config, &line, out);
    write_certificates(config->certificates, out);
    write_files(&config->address_files, out);
    if (line.stream)
        fclose(line.stream);
    free(line.text);
    good = good && !ferror(out);
    if (fclose(out) == 0 && good)
        return text;
    free(text);
    return NULL;
}

uint64_t config_text_hash(const char *text, size_t length)
{
    return XXH3_64bits(text, length);
}
