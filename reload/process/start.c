#include "reload/process/start.h"

#include "config/base/log.h"
#include "config/base/openssl.h"
#include "config/first.h"
#include "config/load.h"
#include "config/tls/certificate_store.h"
#include "config/tls/key_copies.h"
#include "proxy/engine/socket.h"
#include "reload/base/privileges.h"
#include "reload/base/program.h"
#include "reload/base/signals.h"
#include "reload/base/supervisor.h"
#include "reload/control/control.h"
#include "reload/control/running.h"
#include "reload/handover/generation.h"
#include "reload/handover/kept_state.h"
#include "reload/handover/new_side.h"
#include "reload/handover/sealed_keys.h"
#include "reload/handover/ticket_keys.h"
#include "reload/http/http.h"
#include "reload/listeners/opening.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void report_line(const char *line, void *arg)
{
    struct generation *generation = arg;
    generation->events->report(generation, line);
}

static void report(struct generation *generation, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void report(struct generation *generation, const char *format, ...)
{
    char line[PATH_MAX + 512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    generation->events->report(generation, line);
}

static unsigned choose_workers(const struct config *config)
{
    struct cpus usable;
    if (config->workers)
        return config->workers;
    if (config->affinity.count)
        return config->affinity.count;
    cpus_usable(&usable);
    return usable.count ? usable.count : 1;
}

/* False: it has been reported that the log cannot be opened. */
static bool open_log(struct generation *generation)
{
    const struct config *config = generation->config;
    const struct log_conf conf = {
        .target = config->log.target,
        .where = config->log.where,
        .level = config->log_level,
        .json = config->log_format.form == LOG_AS_JSON,
        .facility = config->log_facility,
        .syslog_form = config->log_syslog_form,
    };
    const char *socket = conf.where ? conf.where : LOG_DEVICE;
    if (conf.target == LOG_TO_SYSLOG && socket[0] == '/' && access(socket, F_OK))
        log_warning("log: lines are lost until a syslog daemon makes its socket %s", socket);
    int error = log_open(&conf);
    if (!error)
        return true;
    if (conf.target == LOG_TO_JOURNAL)
        report(generation, "%s: log: journald does not run here: %s", config_where(config, "log"),
               strerror(error));
    else
        report(generation, "%s: log: %s cannot be opened: %s", config_where(config, "log"),
               conf.target == LOG_TO_SYSLOG ? socket : conf.where, strerror(error));
    return false;
}

static void make_directory(const struct config *config, const char *option, const char *path)
{
    int error = privileges_make_directory(path, config->user);
    if (error)
        log_warning("%s: %s: the directory of '%s' cannot be made: %s",
                    config_where(config, option), option, path, strerror(error));
}

/* A backend whose servers see the addresses of clients; NULL: there is none. */
static const struct backend_conf *find_transparent(const struct config *config)
{
    for (size_t i = 0; i < config->backend_count; i++)
        if (config->backends[i].source.kind == SOURCE_CLIENT)
            return &config->backends[i];
    return NULL;
}

/* The folder itself, for the user of the proxy. */
static void make_history(const struct config *config)
{
    char inside[PATH_MAX];
    snprintf(inside, sizeof inside, "%s/x", config->history);
    make_directory(config, "history", inside);
}

static void tell_files(const struct generation *generation)
{
    int error = supervisor_tell_files(&generation->config_errors.named);
    if (error && error != EPIPE && error != ECONNRESET)
        log_warning("%s: the supervisor does not watch all files that it names: %s",
                    generation->file, strerror(error));
}

/* They were forbidden while the keys were read. */
static void settle_core_dumps(const struct generation *generation)
{
    const struct config *config = generation->config;
    switch (config->core_dumps) {
    case CORE_DUMPS_YES:
        core_dumps_allow(&generation->core_dumps);
        break;
    case CORE_DUMPS_AUTO:
        if (!config->certificates || !certificate_store_has_keys(config->certificates))
            core_dumps_restore(&generation->core_dumps);
        break;
    case CORE_DUMPS_NO:
        break;
    }
}

/* False: it has been reported that the file cannot be opened. */
static bool open_key_log(struct generation *generation)
{
    struct config *config = generation->config;
    const char *wrong = key_log_open(&generation->key_log, config);
    if (wrong)
        report(generation, "%s: tls-key-log: %s: %s", config_where(config, "tls-key-log"),
               config->tls_key_log, wrong);
    return !wrong;
}

/* False: it has been reported. */
static bool keep_keys(struct generation *generation)
{
    int error = sealed_keys_keep(generation);
    if (error)
        report(generation, "%s: tls-keys: the memory for the next process cannot be made: %s",
               config_where(generation->config, "tls-keys"), strerror(error));
    return !error;
}

/* Of the files that a reload reads again; of those with private keys sealed_keys_tell() tells. */
static void warn_of_files(const struct generation *generation)
{
    const struct address_files *files = &generation->config->address_files;
    for (size_t i = 0; i < files->count; i++) {
        const char *path = files->items[i]->path;
        if (access(path, R_OK) && errno == EACCES &&
            !key_copies_have_read(generation->key_copies, path))
            log_warning("%s: the user of the proxy cannot read it: reloads will fail", path);
    }
}

/* What calls OpenSSL only while clients are served. */
static bool needs_openssl(const struct config *config)
{
    for (size_t i = 0; i < config->backend_count; i++)
        if (config->backends[i].check.kind == CHECK_PGSQL ||
            config->backends[i].check.kind == CHECK_MYSQL)
            return true;
    return config->metrics_users.path != NULL;
}

/* False: it has been reported. */
static bool load_openssl(struct generation *generation)
{
    const char *wrong = needs_openssl(generation->config) ? openssl_load() : NULL;
    if (wrong)
        report(generation, "%s: OpenSSL: %s", generation->file, wrong);
    return !wrong;
}

bool start_read_config(struct generation *generation)
{
    struct config_errors *errors = &generation->config_errors;
    signals_drop_reloads();
    char *stored = program_inherited_stored();
    core_dumps_forbid(&generation->core_dumps);
    generation->config =
        config_load_with(stored ? stored : generation->file, generation->key_copies, errors);
    if (!stored)
        tell_files(generation);
    free(stored);
    generation->exit_status = EXIT_INVALID;
    for (size_t i = 0; i < errors->count && !generation->config; i++)
        generation->events->report(generation, errors->lines[i]);
    if (!generation->config && sealed_keys_are_missed(generation))
        report(generation,
               "%s: a process that has become another user may not read its private "
               "keys again; 'tls-keys = sealed' from the start on keeps them",
               generation->file);
    if (!generation->config)
        return false;

    const struct config *config = generation->config;
    if (!keep_keys(generation) || !load_openssl(generation))
        return false;
    settle_core_dumps(generation);
    generation->config_hash = running_hash(config);
    make_directory(config, "control", config->control);
    if (config->pidfile)
        make_directory(config, "pidfile", config->pidfile);
    if (config->state)
        make_directory(config, "state", config->state);
    if (config->history)
        make_history(config);
    const struct backend_conf *transparent = find_transparent(config);
    const char *wrong =
        privileges_become(config->user, generation->new_side != NULL, transparent != NULL);
    if (wrong) {
        report(generation, "%s: user: %s", config_where(config, "user"), wrong);
        return false;
    }
    int error = transparent ? socket_may_be_transparent() : 0;
    if (error) {
        report(generation, "%s:%u: backend %s: source = client is not possible: %s%s",
               generation->file, transparent->line, transparent->name, strerror(error),
               error == EPERM ? " (it takes CAP_NET_ADMIN or CAP_NET_RAW, which a process without "
                                "'source = client' gives up when it becomes 'user')"
                              : "");
        return false;
    }
    if (access(generation->file, R_OK))
        log_warning("%s: the user of the proxy cannot read it: reloads will fail",
                    generation->file);
    if (!open_log(generation) || !open_key_log(generation))
        return false;
    generation->exit_status = EXIT_OTHER;
    error = log_start(); /* before the first line that a deaf syslogd could hold up */
    if (error) {
        report(generation, "%s: cannot start the log's thread: %s", generation->file,
               strerror(error));
        return false;
    }
    if (config->user && !generation->new_side)
        warn_of_files(generation);
    sealed_keys_tell(generation);
    generation->workers = choose_workers(config);
    generation->draining_processes.max = config->max_generations;
    return true;
}

/* Settings of cpu-affinity that are possible, and hardly meant. */
static void warn_of_affinity(const struct generation *generation)
{
    const struct config *config = generation->config;
    char text[CPUS_TEXT_MAX];
    if (config->affinity.count && generation->workers > config->affinity.count)
        log_warning("cpu-affinity: %u workers share CPU %s", generation->workers,
                    cpus_format(&config->affinity, text));
}

static void log_config_warnings(struct generation *generation)
{
    for (size_t i = 0; i < generation->config_errors.count; i++)
        log_warning("%s", generation->config_errors.lines[i]);
    config_errors_free(&generation->config_errors);
}

bool start_is_first(struct generation *generation)
{
    pid_t pid = control_holder(generation->config->control);
    if (!pid)
        return true;
    char other[32] = "a process";
    if (pid > 0)
        snprintf(other, sizeof other, "process %d", (int)pid);
    log_error("%s: %s already serves it (it listens on %s)", generation->file, other,
              generation->config->control);
    generation->exit_status = EXIT_OTHER;
    return false;
}

unsigned start_allowed(const struct generation *generation, unsigned fit)
{
    unsigned wanted = generation->config->max_sessions;
    return wanted && wanted < fit ? wanted : fit;
}

/* False: it has been reported that the limit of descriptors is too low. */
static bool plan_descriptors(struct generation *generation, const struct offer *offer)
{
    struct descriptors *plan = &generation->descriptors;
    char text[DESCRIPTORS_TEXT_MAX];
    unsigned wanted = generation->config->max_sessions;
    *plan =
        descriptors_plan(generation->config, generation->workers, offer, privileges_descriptors());
    if (!descriptors_suffice(plan, text)) {
        report(generation, "%s: %s", generation->file, text);
        return false;
    }
    if (wanted > plan->sessions)
        log_warning("max-sessions: %u sessions take more descriptors than the limit of %u: only "
                    "%u are accepted at a time (ulimit -n, LimitNOFILE=)",
                    wanted, plan->limit, plan->sessions);
    if (descriptors_are_few(plan, text))
        log_warning("%s", text);
    return true;
}

/* The old process follows this name, so that there is no need to wait for an answer. */
static bool is_known(const struct backend_conf *backend, const struct server_conf *server,
                     void *arg)
{
    return backend->resolve == RESOLVE_LIVE && new_side_has_address(arg, backend, server);
}

/* Resolves the names of servers. In a reload the old process waits meanwhile. */
static void ask_names(struct generation *generation, struct first_answers *answers)
{
    const struct config *config = generation->config;
    if (generation->new_side)
        first_ask(config, config->ready_timeout / 2, is_known, generation->new_side, answers);
    else
        first_ask(config, 0, NULL, NULL, answers);
}

static int make_proxy(struct generation *generation, struct first_answers *answers,
                      const struct proxy_events *events)
{
    int error = proxy_new(generation->config, generation->number, generation->workers,
                          start_allowed(generation, generation->descriptors.sessions_meanwhile),
                          generation->base, events, &generation->proxy);
    if (!error)
        error = binds_give(generation->binds, generation->proxy);
    if (error)
        return error;
    proxy_keep_spares(generation->proxy, generation->descriptors.spares);
    error = checks_new(generation->proxy->service.backends, generation->config, generation->base,
                       &generation->proxy->task_queue, generation->config->check_programs,
                       &generation->checks);
    if (error)
        return error;
    generation->names = names_new(generation->config, generation->proxy->service.backends,
                                  generation->base, answers);
    if (!generation->names)
        return ENOMEM;
    error = peer_stats_begin(&generation->peer_stats, generation->proxy);
    if (!error)
        error = ticket_keys_begin(generation);
    return error ? error : proxy_start(generation->proxy);
}

bool start_prepare(struct generation *generation, struct publication *publication,
                   struct offer *offer, struct offer *duplicates, const struct proxy_events *events)
{
    log_set_generation(generation->number);
    log_config_warnings(generation);
    warn_of_affinity(generation);
    if (!plan_descriptors(generation, offer)) {
        generation->exit_status = EXIT_OTHER;
        return false;
    }
    if (!publication_prepare(publication) || !kept_state_check(generation)) {
        generation->exit_status = EXIT_INVALID;
        return false;
    }
    struct first_answers answers;
    ask_names(generation, &answers);
    if (!generation->new_side &&
        first_report(generation->config, &answers, report_line, generation)) {
        first_free(&answers);
        generation->exit_status = EXIT_INVALID;
        return false;
    }
    generation->binds = binds_open(generation->config, generation->workers, offer, duplicates,
                                   report_line, generation);
    if (!generation->binds) {
        first_free(&answers);
        generation->exit_status = EXIT_BIND;
        return false;
    }
    if (!http_prepare(publication->http)) {
        first_free(&answers);
        return false;
    }
    int error = make_proxy(generation, &answers, events);
    first_free(&answers);
    if (error) {
        report(generation, "cannot start the workers: %s%s", strerror(error),
               error == EAGAIN ? " (a limit of threads: ulimit -u, TasksMax=)" : "");
        generation->exit_status = EXIT_OTHER;
        return false;
    }
    pulse_begin(&generation->heartbeats.pulse, generation->proxy, generation->checks);
    if (generation->new_side)
        return true; /* the names are begun when what the old process knows has been taken over */
    if (!generation_begin_names(generation))
        return false;
    checks_begin(generation->checks);
    return true;
}
