#include "config/import/finish.h"
#include "config/import/haproxy/convert.h"
#include "config/import/haproxy/tls.h"
#include "config/import/text.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* --- which sections are carried over ------------------------------------------------------- */

static const char *kind_name(const struct hap_section *section)
{
    static const char *const names[] = {"global",  "defaults", "frontend",
                                        "backend", "listen",   "resolvers"};
    return names[section->kind];
}

/* The servers of each section, in the order of the sections. */
static bool wanted(struct import *import, const struct hap_section *section)
{
    if (section->kind == HAP_RESOLVERS || hap_is_page(section))
        return false;
    if (section->values[HAP_DISABLED].set && section->values[HAP_DISABLED].number) {
        imported_differently(import, section->origin, "%s %s is disabled: it is left out",
                             kind_name(section), section->name);
        return false;
    }
    if (hap_is_http(section)) {
        not_imported(import, section->origin, "%s %s: mode %s", kind_name(section), section->name,
                     section->values[HAP_MODE].line->words[1]);
        return false;
    }
    return true;
}

/* The word behind "do-resolve(VARIABLE,RESOLVERS,FAMILY)" in the rules of the file, and the words
 * in the parentheses; or NULL. */
static const char *find_resolved(const struct hap_model *model, const char **arguments)
{
    for (size_t i = 0; i < model->count; i++) {
        const struct hap_lines *rules = &model->sections[i]->lists[HAP_RULES];
        for (size_t j = 0; j < rules->count; j++)
            for (size_t k = 1; k + 1 < rules->items[j].count; k++)
                if (strncmp(rules->items[j].words[k], "do-resolve(", 11) == 0) {
                    *arguments = rules->items[j].words[k] + 11;
                    return rules->items[j].words[k + 1];
                }
    }
    return NULL;
}

/* A server whose address a rule has found by the name that the client asks for. */
static void follow_name(struct hap_conversion *conversion, struct hap_server *server)
{
    struct arena *arena = &conversion->import->arena;
    const char *arguments;
    const char *fetch = find_resolved(conversion->model, &arguments);
    if (!server->is_target || !fetch || !hap_is_server_name(fetch))
        return;
    const char *comma = strchr(arguments, ','), *second = comma ? strchr(comma + 1, ',') : NULL;
    server->family = second ? arena_copy_n(arena, second + 1, strcspn(second + 1, ",)")) : "";
    server->params[HAP_P_RESOLVERS] = (struct hap_param_value){
        .set = comma != NULL,
        .origin = server->origin,
        .text = comma ? arena_copy_n(arena, comma + 1, strcspn(comma + 1, ",)")) : ""};
    server->params[HAP_P_CHECK].set = false;
    server->address = arena_print(arena, "sni:%s", *server->port ? server->port : "443");
    server->out = text_name(arena, server->name);
    imported_differently(
        conversion->import, server->origin,
        "any name that a client asks for, as in HAProxy: say in allow= which ones may be");
}

static void choose_servers(struct hap_conversion *conversion, struct hap_section *section,
                           struct hap_servers *servers)
{
    *servers = hap_servers_read(conversion->import, conversion->environment, section);
    for (size_t i = 0; i < servers->count; i++) {
        follow_name(conversion, &servers->items[i]);
        section->usable_servers += servers->items[i].address != NULL;
        if (servers->items[i].is_target && !servers->items[i].family)
            not_imported(conversion->import, servers->items[i].origin,
                         "server %s: connections to the address that the client meant; it is left "
                         "out",
                         servers->items[i].name);
    }
    if (servers->count == 0 && section->kind == HAP_BACKEND)
        not_imported(conversion->import, section->origin, "backend %s has no servers",
                     section->name);
}

/* Gives names, those of listen sections first: they are names of both kinds. */
static void choose(struct hap_conversion *conversion, struct hap_servers *servers)
{
    struct import *import = conversion->import;
    struct hap_model *model = conversion->model;
    struct text_names fronts = {0}, backs = {0};
    bool *is_wanted = arena_new(&import->arena, model->count, sizeof *is_wanted);
    for (size_t i = 0; i < model->count; i++) {
        struct hap_section *section = model->sections[i];
        is_wanted[i] = wanted(import, section);
        if (is_wanted[i] && hap_has_back(section))
            choose_servers(conversion, section, &servers[i]);
        if (!is_wanted[i] || section->kind != HAP_LISTEN)
            continue;
        section->out = text_unique(&import->arena, &fronts, section->name);
        (void)text_unique(&import->arena, &backs, section->out);
    }
    for (size_t i = 0; i < model->count; i++) {
        struct hap_section *section = model->sections[i];
        if (is_wanted[i] && section->kind == HAP_FRONTEND)
            section->out = text_unique(&import->arena, &fronts, section->name);
        else if (is_wanted[i] && section->kind == HAP_BACKEND && section->usable_servers > 0)
            section->out = text_unique(&import->arena, &backs, section->name);
    }
}

/* --- sections ------------------------------------------------------------------------------ */

static void write_remarks(struct hap_conversion *conversion, const struct hap_section *section,
                          struct ini_section *out)
{
    struct import *import = conversion->import;
    for (size_t i = 0; i < section->remark_count; i++)
        ini_comment(&import->ini, out, section->remarks[i].origin, "%s", section->remarks[i].text);
    for (size_t i = 0; i < section->finding_count; i++)
        if (section->findings[i].kind == FINDING_LOST)
            not_imported(import, section->findings[i].origin, "%s", section->findings[i].text);
        else
            imported_differently(import, section->findings[i].origin, "%s",
                                 section->findings[i].text);
}

/* Whether both ends can stand in one section [listen]. */
static bool fits_listen(const struct hap_section *section)
{
    const struct hap_value *client = &section->values[HAP_CLITCPKA];
    const struct hap_value *server = &section->values[HAP_SRVTCPKA];
    bool one_sided = (client->set && client->number) != (server->set && server->number) &&
                     !(section->values[HAP_TCPKA].set && section->values[HAP_TCPKA].number);
    return section->usable_servers > 0 && !section->values[HAP_DEFAULT_BACKEND].set && !one_sided &&
           !section->values[HAP_KEEP_CLIENT_IDLE].set && !section->values[HAP_KEEP_SERVER_IDLE].set;
}

static void write_section(struct hap_conversion *conversion, struct hap_section *section,
                          const struct hap_servers *servers)
{
    struct ini *ini = &conversion->import->ini;
    bool both = section->kind == HAP_LISTEN && fits_listen(section);
    struct ini_section *front = NULL, *back = NULL;
    if (hap_has_front(section)) {
        front = ini_section(ini, both ? SECTION_LISTEN : SECTION_FRONTEND, section->out,
                            section->origin);
        bool bound = hap_front_write(conversion, section, front);
        hap_keepalive_write(conversion, section, true, front);
        write_remarks(conversion, section, front);
        if (!bound && section->lists[HAP_BINDS].count == 0)
            not_imported(conversion->import, section->origin, "%s has no bind", section->name);
        if (!bound && both) {
            front->kind = SECTION_BACKEND;
            both = false;
            back = front;
        } else if (!bound) {
            front->off = true;
        }
    }
    if (!hap_has_back(section) || section->usable_servers == 0)
        return;
    if (both)
        back = front;
    else if (!back)
        back = ini_section(ini, SECTION_BACKEND, section->out, section->origin);
    hap_back_write(conversion, section, servers, both, back);
    if (back != front) {
        hap_keepalive_write(conversion, section, false, back);
        if (!front)
            write_remarks(conversion, section, back);
    }
}

static void convert(struct import *import, struct hap_environment *environment,
                    const struct hap_lines *lines)
{
    struct hap_model model;
    hap_model_make(import, lines, &model);
    struct hap_conversion conversion = {
        .import = import, .model = &model, .environment = environment};
    struct hap_servers *servers = arena_new(&import->arena, model.count, sizeof *servers);
    choose(&conversion, servers);
    for (size_t i = 0; i < model.count; i++)
        if (model.sections[i]->out)
            write_section(&conversion, model.sections[i], &servers[i]);
    hap_global_write(&conversion);
    for (size_t i = 0; i < model.defaults_count; i++)
        for (size_t j = 0; j < model.defaults[i]->remark_count; j++)
            ini_comment(&import->ini, ini_only(&import->ini, SECTION_DEFAULTS),
                        model.defaults[i]->remarks[j].origin, "%s",
                        model.defaults[i]->remarks[j].text);
    import_finish(import);
}

/* --- files --------------------------------------------------------------------------------- */

static void begin(struct import *import)
{
    *import = (struct import){0};
    import->ini.arena = &import->arena;
}

void import_haproxy_text(struct import *import, const char *name, const char *text, size_t length)
{
    struct hap_environment environment = {0};
    struct hap_lines lines = {0};
    begin(import);
    hap_lines_read(import, &environment, arena_copy(&import->arena, name), text, length, &lines);
    convert(import, &environment, &lines);
}

static int is_part(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return entry->d_name[0] != '.' && length > 4 && strcmp(entry->d_name + length - 4, ".cfg") == 0;
}

static bool read_file(struct import *import, struct hap_environment *environment, const char *path,
                      struct hap_lines *lines)
{
    char *text;
    size_t length;
    const char *wrong = import_read(import, path, &text, &length);
    if (wrong)
        import->error = arena_print(&import->arena, "%s: %s", path, wrong);
    else
        hap_lines_read(import, environment, arena_copy(&import->arena, path), text, length, lines);
    return !wrong;
}

/* A folder: its *.cfg in the order of their names. */
static bool read_folder(struct import *import, struct hap_environment *environment,
                        const char *path, struct hap_lines *lines)
{
    struct dirent **entries;
    int count = scandir(path, &entries, is_part, alphasort);
    bool good = count > 0;
    if (count < 0)
        import->error = arena_print(&import->arena, "%s: %s", path, strerror(errno));
    else if (count == 0)
        import->error = arena_print(&import->arena, "%s: there is no *.cfg in it", path);
    for (int i = 0; i < count; i++) {
        good = good &&
               read_file(import, environment,
                         arena_print(&import->arena, "%s/%s", path, entries[i]->d_name), lines);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return good;
}

bool import_haproxy(struct import *import, const char *const *paths, size_t count)
{
    struct hap_environment environment = {0};
    struct hap_lines lines = {0};
    begin(import);
    for (size_t i = 0; i < count; i++) {
        struct stat status;
        bool folder = stat(paths[i], &status) == 0 && S_ISDIR(status.st_mode);
        if (!(folder ? read_folder : read_file)(import, &environment, paths[i], &lines))
            return false;
    }
    convert(import, &environment, &lines);
    return true;
}
