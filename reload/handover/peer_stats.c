#include "reload/handover/peer_stats.h"

#include "config/base/log.h"
#include "reload/handover/succession.h"
#include "reload/process/generation.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

/* Sessions of others are looked at so often, while there are others. */
static const struct timeval look_interval = {.tv_usec = 20000};

static struct proxy *proxy_of(const struct lineage *lineage)
{
    return lineage->generation->proxy;
}

static bool has_begun(const struct lineage *lineage)
{
    return lineage->others != NULL;
}

static void free_relative(struct relative *relative)
{
    if (!relative)
        return;
    if (relative->end)
        event_free(relative->end);
    if (relative->process >= 0)
        close(relative->process);
    ledger_close(&relative->ledger);
    free(relative->frontends);
    free(relative);
}

static void add_figures(const struct relative *relative, struct figures *sum)
{
    ledger_add_workers(&relative->ledger, sum);
    if (!relative->base_is_ours)
        ledger_add_base(&relative->ledger, sum);
}

static void fold(struct relative *relative)
{
    struct figures figures = {0};
    add_figures(relative, &figures);
    ledger_inherit(&proxy_of(relative->lineage)->ledger, &figures);
    TAILQ_REMOVE(&relative->lineage->list, relative, link);
    free_relative(relative);
}

/* What went with it. What has come here and has not left there yet did not. */
static unsigned lost_with(const struct relative *relative)
{
    const struct ledger *ledger = &relative->ledger;
    unsigned own = ledger_own(ledger);
    if (relative->arrived == 0)
        return own;
    int both = (int)(relative->arrived - (ledger_left(ledger) - relative->left));
    if (both <= 0)
        return own;
    return own > (unsigned)both ? own - (unsigned)both : 0;
}

/* outcome: of a child, else 0. */
static void note_crash(const struct relative *relative, int outcome)
{
    const struct ledger_head *head = &relative->ledger.as;
    unsigned lost = lost_with(relative);
    if (lost == 0 && outcome == 0)
        return;
    const struct crash crash = crash_now(head->generation, head->pid, outcome, lost);
    crash_note(&relative->lineage->generation->last_crash, &crash);
}

/* Who was to have our sessions, and serves, with nobody to come after it: what is left of it to
 * tell a crash from an end is its life file. */
static void note_heir(const struct relative *relative)
{
    struct generation *generation = relative->lineage->generation;
    const struct ledger_head *head = &relative->ledger.as;
    const struct crash crash =
        crash_now(head->generation, head->pid, 0, ledger_own(&relative->ledger));
    if (life_correct(generation->config->control, &crash))
        crash_note(&generation->last_crash, &crash);
}

static int outcome_of(const struct relative *relative)
{
    struct generation *generation = relative->lineage->generation;
    return children_outcome(&generation->former, (pid_t)relative->ledger.as.pid);
}

static bool is_judged_before_us(const struct relative *relative)
{
    return succession_judges(relative->lineage->generation->succession,
                             (pid_t)relative->ledger.as.pid);
}

/* Nothing can write its ledger any more. */
static void on_gone(struct relative *relative, int outcome)
{
    struct lineage *lineage = relative->lineage;
    relative->gone = true;
    if (relative == lineage->heir)
        note_heir(relative);
    else if (!relative->judged && !is_judged_before_us(relative))
        note_crash(relative, outcome);
    if (relative->end)
        event_del(relative->end);
    if (has_begun(lineage) && !lineage->told && relative != lineage->successor &&
        relative != lineage->heir)
        fold(relative);
}

/* That of the list which lives. */
static struct relative *find(const struct lineage *lineage, unsigned generation, pid_t pid)
{
    struct relative *relative;
    TAILQ_FOREACH (relative, &lineage->list, link)
        if (!relative->gone && relative->ledger.as.generation == generation &&
            (pid_t)relative->ledger.as.pid == pid)
            return relative;
    return NULL;
}

/* What it had said is heard first: sessions may be among it, which are not lost then. All of it is
 * there, and may bring about anything but that it lives. */
static void hear_out(const struct relative *relative, int outcome)
{
    struct lineage *lineage = relative->lineage;
    struct generation *generation = lineage->generation;
    const unsigned number = relative->ledger.as.generation;
    const pid_t pid = (pid_t)relative->ledger.as.pid;
    while (elders_hear(&generation->elders, number, pid) ||
           succession_hear(generation->succession, pid))
        ;
    struct relative *heard = find(lineage, number, pid);
    if (heard)
        on_gone(heard, outcome);
}

static void on_end(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct relative *relative = arg;
    struct lineage *lineage = relative->lineage;
    if (relative == lineage->successor || relative == lineage->heir)
        on_gone(relative, outcome_of(relative));
    else
        hear_out(relative, outcome_of(relative));
}

/* Also when its parent has not waited for it yet, which may take long. */
static bool has_ended(pid_t pid)
{
    char path[32], stat[512];
    if (kill(pid, 0) && errno == ESRCH)
        return true;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = file >= 0 ? read(file, stat, sizeof stat - 1) : 0;
    if (file >= 0)
        close(file);
    if (length <= 0)
        return false;
    stat[length] = '\0';
    const char *name_end = strrchr(stat, ')');
    return name_end && (strncmp(name_end, ") Z", 3) == 0 || strncmp(name_end, ") X", 3) == 0);
}

/* Asked where nothing tells: before Linux 5.3. */
static bool is_gone(const struct relative *relative)
{
    if (relative->process < 0)
        return has_ended((pid_t)relative->ledger.as.pid);
    struct pollfd poller = {.fd = relative->process, .events = POLLIN};
    return poll(&poller, 1, 0) > 0;
}

static void find_frontends(struct relative *relative)
{
    const struct config *config = relative->lineage->generation->config;
    relative->frontends = calloc(config->frontend_count + 1, sizeof *relative->frontends);
    for (size_t i = 0; relative->frontends && i < config->frontend_count; i++)
        relative->frontends[i] =
            ledger_find_frontend(&relative->ledger, config->frontends[i].name, i);
}

static unsigned frontend_live(const struct relative *relative, size_t frontend)
{
    if (relative->gone || !relative->frontends ||
        relative->frontends[frontend] == LEDGER_NO_FRONTEND)
        return 0;
    return ledger_frontend_live(&relative->ledger, relative->frontends[frontend]);
}

/* What those without a ledger have last told of themselves. */
static uint64_t live_by_message(const struct lineage *lineage)
{
    const struct generation *generation = lineage->generation;
    uint64_t live = 0;
    const struct elder *elder;
    TAILQ_FOREACH (elder, &generation->elders.list, link)
        if (!lineage_find(lineage, elder->generation, elder->pid))
            live += elder->sessions;
    struct message_sessions before;
    if (succession_predecessor(generation->succession, &before) &&
        !lineage_find(lineage, before.generation, (pid_t)before.pid))
        live += before.sessions;
    return live;
}

static uint64_t others_live(const struct lineage *lineage)
{
    uint64_t live = live_by_message(lineage);
    const struct relative *relative;
    TAILQ_FOREACH (relative, &lineage->list, link)
        if (!relative->gone)
            live += ledger_live(&relative->ledger);
    return live;
}

static void count_others(struct lineage *lineage)
{
    uint64_t all = others_live(lineage);
    size_t frontends = lineage->generation->config->frontend_count;
    memset(lineage->others, 0, frontends * sizeof *lineage->others);
    const struct relative *relative;
    TAILQ_FOREACH (relative, &lineage->list, link)
        for (size_t i = 0; i < frontends; i++)
            if (lineage->generation->config->frontends[i].max_sessions)
                lineage->others[i] += frontend_live(relative, i);
    proxy_count_others(proxy_of(lineage), all < LIMIT_NONE ? (unsigned)all : LIMIT_NONE,
                       lineage->others);
}

/* all: also of those whose end the loop tells. */
static const struct relative *find_ended(const struct lineage *lineage, bool all)
{
    const struct relative *relative;
    TAILQ_FOREACH (relative, &lineage->list, link)
        if (!relative->gone && relative != lineage->successor && (all || !relative->end) &&
            is_gone(relative))
            return relative;
    return NULL;
}

static void look_for_ends(struct lineage *lineage, bool all)
{
    const struct relative *relative;
    while ((relative = find_ended(lineage, all)))
        hear_out(relative, outcome_of(relative));
}

void lineage_hear_ends(struct lineage *lineage)
{
    look_for_ends(lineage, true);
}

void lineage_on_child(struct lineage *lineage)
{
    int outcome;
    pid_t pid;
    while ((pid = children_reap(&lineage->generation->former, &outcome))) {
        struct relative *relative;
        TAILQ_FOREACH (relative, &lineage->list, link)
            if (!relative->gone && (pid_t)relative->ledger.as.pid == pid)
                break;
        if (relative)
            hear_out(relative, outcome);
    }
}

static bool wants_looks(const struct lineage *lineage)
{
    const struct generation *generation = lineage->generation;
    const struct relative *relative;
    TAILQ_FOREACH (relative, &lineage->list, link)
        if (lineage->limited || !relative->end)
            return true;
    return lineage->limited && (generation->elders.count || generation->succession);
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct lineage *lineage = arg;
    look_for_ends(lineage, false);
    count_others(lineage);
    if (!wants_looks(lineage))
        event_del(lineage->look);
}

int lineage_open(struct lineage *lineage, struct generation *generation)
{
    TAILQ_INIT(&lineage->list);
    lineage->generation = generation;
    lineage->process = pidfd_open(getpid(), 0);
    lineage->look = event_new(generation->base, -1, EV_PERSIST, on_look, lineage);
    return lineage->look ? 0 : ENOMEM;
}

void lineage_forget(struct lineage *lineage)
{
    struct relative *relative;
    while ((relative = TAILQ_FIRST(&lineage->list))) {
        TAILQ_REMOVE(&lineage->list, relative, link);
        if (relative != lineage->successor && relative != lineage->heir)
            free_relative(relative);
    }
    if (lineage->look)
        event_del(lineage->look);
}

void lineage_close(struct lineage *lineage)
{
    lineage_forget(lineage);
    free_relative(lineage->successor);
    free_relative(lineage->heir);
    if (lineage->look)
        event_free(lineage->look);
    if (lineage->process >= 0)
        close(lineage->process);
    free(lineage->others);
}

/* Folds those that ended when that could not be done. */
static void fold_gone(struct lineage *lineage)
{
    struct relative *relative = TAILQ_FIRST(&lineage->list);
    while (relative) {
        struct relative *next = TAILQ_NEXT(relative, link);
        if (relative->gone)
            fold(relative);
        relative = next;
    }
}

int lineage_begin(struct lineage *lineage)
{
    const struct config *config = lineage->generation->config;
    lineage->others = calloc(config->frontend_count + 1, sizeof *lineage->others);
    if (!lineage->others)
        return ENOMEM;
    lineage->limited = config->max_sessions != 0;
    for (size_t i = 0; i < config->frontend_count; i++)
        lineage->limited |= config->frontends[i].max_sessions != 0;
    struct relative *relative;
    TAILQ_FOREACH (relative, &lineage->list, link)
        find_frontends(relative);
    fold_gone(lineage);
    return 0;
}

void lineage_count(struct lineage *lineage)
{
    count_others(lineage);
    if (wants_looks(lineage))
        event_add(lineage->look, &look_interval);
}

static bool is_known(const struct lineage *lineage, const struct ledger *ledger)
{
    const struct relative *relative;
    TAILQ_FOREACH (relative, &lineage->list, link)
        if (relative->ledger.as.generation == ledger->as.generation &&
            relative->ledger.as.pid == ledger->as.pid &&
            relative->ledger.as.started_at == ledger->as.started_at)
            return true;
    return false;
}

/* NULL: it has been logged. */
static struct relative *make_relative(struct lineage *lineage, const struct received *message)
{
    const struct message_ledger *about = message->payload;
    if (message->fd_count == 0) {
        log_warning("a ledger was told of, and did not come");
        return NULL;
    }
    struct ledger ledger;
    const char *wrong = ledger_read(&ledger, message->fds[0]);
    message->fds[0] = -1;
    if (wrong) {
        log_warning("a generation's ledger is refused, and what it counts will be missing: it is "
                    "%s",
                    wrong);
        return NULL;
    }
    if (is_known(lineage, &ledger)) {
        ledger_close(&ledger);
        return NULL;
    }
    struct relative *relative = calloc(1, sizeof *relative);
    if (!relative) {
        ledger_close(&ledger);
        log_warning("out of memory: what a generation counts will be missing");
        return NULL;
    }
    relative->ledger = ledger;
    relative->lineage = lineage;
    relative->base_is_ours = about->base_is_ours != 0;
    relative->process = -1;
    if (message->fd_count > 1) {
        relative->process = message->fds[1];
        message->fds[1] = -1;
        relative->end =
            event_new(lineage->generation->base, relative->process, EV_READ, on_end, relative);
        if (relative->end)
            event_add(relative->end, NULL);
    }
    if (has_begun(lineage))
        find_frontends(relative);
    return relative;
}

static void insert(struct lineage *lineage, struct relative *relative)
{
    struct relative *at;
    TAILQ_FOREACH (at, &lineage->list, link)
        if (at->ledger.as.generation > relative->ledger.as.generation)
            break;
    if (at)
        TAILQ_INSERT_BEFORE(at, relative, link);
    else
        TAILQ_INSERT_TAIL(&lineage->list, relative, link);
    relative->counted = true;
}

void lineage_add(struct lineage *lineage, const struct received *message)
{
    struct relative *relative = make_relative(lineage, message);
    if (relative)
        insert(lineage, relative);
}

void lineage_add_successor(struct lineage *lineage, const struct received *message)
{
    if (lineage->successor)
        return;
    lineage->successor = make_relative(lineage, message);
    if (lineage->successor)
        lineage->successor->base_is_ours = lineage->successor->judged = true;
}

void lineage_count_successor(struct lineage *lineage)
{
    if (lineage->successor && !lineage->successor->counted)
        insert(lineage, lineage->successor);
    lineage_count(lineage);
}

void lineage_turn(struct lineage *lineage, unsigned generation, pid_t pid)
{
    lineage->heir = find(lineage, generation, pid);
}

static void tell(struct channel *channel, const struct ledger *ledger, int process,
                 bool base_is_ours)
{
    const struct message_ledger about = {.base_is_ours = base_is_ours};
    const int fds[] = {ledger->fd, process};
    channel_send(channel, MESSAGE_LEDGER, &about, sizeof about, fds, process >= 0 ? 2 : 1);
}

void lineage_tell_predecessor(struct lineage *lineage, struct channel *predecessor)
{
    tell(predecessor, &proxy_of(lineage)->ledger, lineage->process, false);
}

void lineage_tell_successor(struct lineage *lineage, struct channel *successor)
{
    lineage->told = true;
    tell(successor, &proxy_of(lineage)->ledger, lineage->process, false);
    const struct relative *relative;
    TAILQ_FOREACH (relative, &lineage->list, link)
        tell(successor, &relative->ledger, relative->process, relative->base_is_ours);
}

void lineage_resume(struct lineage *lineage)
{
    lineage->told = false;
    lineage_count_successor(lineage);
    lineage->successor = NULL;
    fold_gone(lineage);
}

void lineage_keep_canary(struct lineage *lineage)
{
    struct relative *canary = lineage->successor;
    if (canary) {
        canary->judged = false;
        if (canary->gone)
            note_crash(canary, outcome_of(canary));
    }
    lineage_resume(lineage);
    lineage_on_child(lineage);
}

struct relative *lineage_sender(struct lineage *lineage, unsigned generation, pid_t pid)
{
    struct relative *relative = find(lineage, generation, pid);
    if (relative && relative->arrived == 0)
        relative->left = ledger_left(&relative->ledger);
    return relative;
}

void lineage_tell_arrivals(const struct lineage *lineage, struct channel *successor)
{
    const struct relative *relative;
    TAILQ_FOREACH (relative, &lineage->list, link) {
        const struct message_arrived arrived = {.generation = relative->ledger.as.generation,
                                                .pid = relative->ledger.as.pid,
                                                .arrived = relative->arrived,
                                                .left = relative->left};
        if (relative->arrived)
            channel_send(successor, MESSAGE_ARRIVED, &arrived, sizeof arrived, NULL, 0);
    }
}

void lineage_hear_arrivals(struct lineage *lineage, const struct message_arrived *arrived)
{
    struct relative *relative = find(lineage, arrived->generation, (pid_t)arrived->pid);
    if (!relative)
        return;
    relative->arrived = arrived->arrived;
    relative->left = arrived->left;
}

uint64_t lineage_lost_with(const struct lineage *lineage, unsigned generation, pid_t pid)
{
    const struct relative *relative = find(lineage, generation, pid);
    return relative ? lost_with(relative) : 0;
}

uint64_t lineage_successor_live(const struct lineage *lineage)
{
    return lineage->successor ? ledger_own(&lineage->successor->ledger) : 0;
}

const struct relative *lineage_find(const struct lineage *lineage, unsigned generation, pid_t pid)
{
    return find(lineage, generation, pid);
}

struct figures lineage_base(const struct lineage *lineage)
{
    struct figures sum = {0};
    ledger_add_base(&proxy_of(lineage)->ledger, &sum);
    const struct relative *relative;
    TAILQ_FOREACH (relative, &lineage->list, link) {
        if (relative->gone)
            ledger_add_workers(&relative->ledger, &sum);
        if (!relative->base_is_ours)
            ledger_add_base(&relative->ledger, &sum);
    }
    return sum;
}

struct figures lineage_figures(const struct lineage *lineage)
{
    struct figures sum = lineage_base(lineage);
    ledger_add_workers(&proxy_of(lineage)->ledger, &sum);
    const struct relative *relative;
    TAILQ_FOREACH (relative, &lineage->list, link)
        if (!relative->gone)
            ledger_add_workers(&relative->ledger, &sum);
    return sum;
}

uint64_t lineage_frontend_live(const struct lineage *lineage, size_t frontend)
{
    uint64_t live = ledger_frontend_live(&proxy_of(lineage)->ledger, frontend);
    const struct relative *relative;
    TAILQ_FOREACH (relative, &lineage->list, link)
        live += frontend_live(relative, frontend);
    return live;
}

uint64_t lineage_live(const struct lineage *lineage)
{
    return proxy_live(proxy_of(lineage)) + others_live(lineage);
}
