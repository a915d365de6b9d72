#include "reload/process/supervise.h"

#include "config/base/clock.h"
#include "config/base/log.h"
#include "config/base/systemd.h"
#include "reload/base/exit_status.h"
#include "reload/base/inherited.h"
#include "reload/base/notify.h"
#include "reload/base/signals.h"
#include "reload/base/supervisor.h"
#include "reload/base/supervisor_line.h"
#include "reload/process/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIGNAL_STATUS 128

/* A new process whose old process has failed serves after ready-timeout at the latest, which is 60s
 * unless the configuration says otherwise. */
#define SUCCESSOR_TIMEOUT_MS 90000

/* A generation that was named by another one, or by itself. */
struct member {
    pid_t pid;
    int pidfd;    /* readable when the process has ended */
    bool served;  /* it was the main process */
    bool stopped; /* SIGTERM was passed on to it */
};

/* The process that gave an order. */
struct sender {
    pid_t pid; /* 0: it is not visible here, or it is the kernel */
    uid_t uid;
};

struct supervisor {
    int generations; /* our end of the socket pair; -1: no generation is left */
    int signals;
    struct member *members; /* that live */
    size_t count;
    pid_t main; /* the generation that serves, or served last */
    bool main_lives;
    bool main_known; /* outcome is that of main */
    int outcome;     /* a wait status */
    bool reloading;  /* main has begun a reload */
    bool resumes;    /* the program of main can go on as supervisor */
    bool stopping;   /* SIGTERM came */
    struct sender stopped_by;
    bool ending; /* all generations were killed */
    struct watch watch;
    uint64_t deadline; /* of the successor of a main process that has failed; 0: none */
};

/* --- generations ----------------------------------------------------------------------------- */

static struct member *find(const struct supervisor *supervisor, pid_t pid)
{
    for (size_t i = 0; i < supervisor->count; i++)
        if (supervisor->members[i].pid == pid)
            return &supervisor->members[i];
    return NULL;
}

/* Returns NULL if the process is gone, or for lack of memory or descriptors. */
static struct member *find_or_add(struct supervisor *supervisor, pid_t pid)
{
    struct member *member = find(supervisor, pid);
    if (member)
        return member;
    struct member *members =
        realloc(supervisor->members, (supervisor->count + 1) * sizeof *members);
    if (!members) {
        log_error("supervisor: out of memory");
        return NULL;
    }
    supervisor->members = members;
    int pidfd = pidfd_open(pid, 0);
    if (pidfd < 0) {
        if (errno != ESRCH)
            log_error("supervisor: process %d cannot be watched: %s", (int)pid, strerror(errno));
        return NULL;
    }
    members[supervisor->count] = (struct member){.pid = pid, .pidfd = pidfd};
    return &members[supervisor->count++];
}

/* The new process of a reload that has not served yet, or NULL. */
static struct member *find_successor(const struct supervisor *supervisor)
{
    for (size_t i = supervisor->count; i-- > 0;)
        if (!supervisor->members[i].served)
            return &supervisor->members[i];
    return NULL;
}

static struct sender this_process(void)
{
    return (struct sender){getpid(), getuid()};
}

/* The process sees the signal as from that sender, and says so. */
static void pass_on(struct member *member, int number, struct sender from)
{
    siginfo_t info = {.si_signo = number, .si_code = SI_QUEUE};
    info.si_pid = from.pid;
    info.si_uid = from.uid;
    if (number == SIGTERM)
        member->stopped = true;
    if (pidfd_send_signal(member->pidfd, number, &info, 0) && errno != ESRCH)
        log_error("supervisor: signal %d could not be passed on to process %d: %s", number,
                  (int)member->pid, strerror(errno));
}

static void on_main(struct supervisor *supervisor, pid_t pid)
{
    struct member *member = find_or_add(supervisor, pid);
    supervisor->main_known = supervisor->main_known && pid == supervisor->main;
    supervisor->main = pid;
    supervisor->main_lives = member != NULL;
    supervisor->deadline = 0;
    if (!member)
        return;
    member->served = true;
    /* The signal may have come to the old process when that had been replaced already. */
    if (supervisor->stopping && !member->stopped)
        pass_on(member, SIGTERM, supervisor->stopped_by);
}

static void on_outcome(struct supervisor *supervisor, pid_t pid, int outcome)
{
    if (pid != supervisor->main || supervisor->main_known)
        return;
    supervisor->main_known = true;
    supervisor->outcome = outcome;
}

/* --- what generations tell ------------------------------------------------------------------- */

static void hear_file(struct supervisor *supervisor, const struct supervisor_line *line)
{
    if (supervisor->watch.fd < 0)
        return;
    if (line->kind == SUPERVISOR_LINE_FILES)
        watch_forget(&supervisor->watch);
    else if (line->kind == SUPERVISOR_LINE_ABSENT)
        watch_absent(&supervisor->watch);
    else
        watch_add(&supervisor->watch, line->pattern, line->mark, clock_ms());
}

static void obey(struct supervisor *supervisor, const struct supervisor_line *line)
{
    switch (line->kind) {
    case SUPERVISOR_LINE_RELOADING:
    case SUPERVISOR_LINE_READY:
        supervisor->reloading = line->kind == SUPERVISOR_LINE_RELOADING;
        break;
    case SUPERVISOR_LINE_MAIN:
        on_main(supervisor, line->number);
        break;
    case SUPERVISOR_LINE_LAUNCHED:
        (void)find_or_add(supervisor, line->number);
        break;
    case SUPERVISOR_LINE_RESUMES:
        supervisor->resumes = true;
        break;
    case SUPERVISOR_LINE_OUTCOME:
        on_outcome(supervisor, supervisor->main, line->number);
        break;
    case SUPERVISOR_LINE_FILES:
    case SUPERVISOR_LINE_FILE:
    case SUPERVISOR_LINE_ABSENT:
        hear_file(supervisor, line);
        break;
    case SUPERVISOR_LINE_OTHER:
    case SUPERVISOR_LINE_WRONG:
        break;
    }
}

/* The main process of a service manager is the supervisor: it is told some of the lines only. */
static void hear(struct supervisor *supervisor, char *message)
{
    char rest[512];
    size_t used = 0;
    char *save;
    for (char *line = strtok_r(message, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        const struct supervisor_line read = supervisor_line_read(line);
        size_t length = strlen(line);
        obey(supervisor, &read);
        if (!supervisor_line_is_public(read.kind) || used + length + 2 > sizeof rest)
            continue;
        memcpy(rest + used, line, length);
        used += length;
        rest[used++] = '\n';
    }
    if (used == 0)
        return;
    rest[used - 1] = '\0';
    int error = systemd_notify(rest);
    if (error && error != EAGAIN)
        log_warning("supervisor: the service manager could not be told: %s", strerror(error));
}

static void hear_generations(struct supervisor *supervisor)
{
    char message[SUPERVISOR_MESSAGE_MAX];
    ssize_t got;
    while (supervisor->generations >= 0 &&
           (got = recv(supervisor->generations, message, sizeof message - 1, MSG_DONTWAIT)) >= 0) {
        if (got == 0) {
            close(supervisor->generations);
            supervisor->generations = -1;
            return;
        }
        message[got] = '\0';
        hear(supervisor, message);
    }
}

/* --- ends of processes ----------------------------------------------------------------------- */

static bool has_ended(const struct member *member)
{
    struct pollfd poll_fd = {.fd = member->pidfd, .events = POLLIN};
    return poll(&poll_fd, 1, 0) > 0;
}

/* A process that has ended, and whose parent has ended before it, is a child of this process by
 * now: so what is found here has been, or is about to be, reaped here, unless its parent lives. */
static void forget_ended(struct supervisor *supervisor)
{
    for (size_t i = supervisor->count; i-- > 0;) {
        struct member *member = &supervisor->members[i];
        if (!has_ended(member))
            continue;
        if (member->pid == supervisor->main)
            supervisor->main_lives = false;
        close(member->pidfd);
        memmove(member, member + 1, (supervisor->count - i - 1) * sizeof *member);
        supervisor->count--;
    }
}

/* Orphans as well. */
static void reap(struct supervisor *supervisor)
{
    int outcome;
    pid_t pid;
    while ((pid = waitpid(-1, &outcome, WNOHANG)) > 0)
        on_outcome(supervisor, pid, outcome);
}

static void kill_all(struct supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->count; i++)
        pass_on(&supervisor->members[i], SIGKILL, this_process());
}

/* The main process may have died in a reload before it could name the new process. That is a
 * child of this process now, as are programs of checks, which are not to be told from it. */
static void adopt_orphans(struct supervisor *supervisor)
{
    FILE *children = fopen("/proc/thread-self/children", "re");
    int pid;
    if (!children)
        return;
    while (fscanf(children, "%d", &pid) == 1)
        (void)find_or_add(supervisor, pid);
    fclose(children);
}

/* The main process has failed, and another generation lives: it serves, or says so, if it can. */
static void judge(struct supervisor *supervisor)
{
    if (supervisor->ending || supervisor->main_lives || !supervisor->main_known ||
        supervisor->outcome == 0 || supervisor->count == 0)
        return;
    uint64_t now = clock_ms();
    if (supervisor->reloading)
        adopt_orphans(supervisor);
    supervisor->reloading = false;
    if (supervisor->deadline == 0)
        supervisor->deadline = now + SUCCESSOR_TIMEOUT_MS;
    if (find_successor(supervisor) && now < supervisor->deadline)
        return;
    log_error("supervisor: process %d has failed, and no other process serves: all end",
              (int)supervisor->main);
    supervisor->ending = true;
    kill_all(supervisor);
}

/* --- signals --------------------------------------------------------------------------------- */

static void on_order(struct supervisor *supervisor, int number, struct sender from)
{
    if (number == SIGTERM && !supervisor->stopping) {
        supervisor->stopping = true;
        supervisor->stopped_by = from;
    }
    struct member *target =
        supervisor->main_lives ? find(supervisor, supervisor->main) : find_successor(supervisor);
    if (target) {
        pass_on(target, number, from);
        return;
    }
    for (size_t i = 0; i < supervisor->count; i++) /* they drain */
        pass_on(&supervisor->members[i], number, from);
}

static void hear_signals(struct supervisor *supervisor)
{
    struct signalfd_siginfo info;
    while (read(supervisor->signals, &info, sizeof info) == sizeof info)
        if (info.ssi_signo != SIGCHLD)
            on_order(supervisor, (int)info.ssi_signo,
                     (struct sender){info.ssi_code > 0 ? 0 : (pid_t)info.ssi_pid, info.ssi_uid});
}

static void look_at_files(struct supervisor *supervisor)
{
    if (!watch_look(&supervisor->watch, clock_ms()) || supervisor->stopping)
        return;
    log_notice("supervisor: files of the configuration have changed: reload");
    on_order(supervisor, SIGHUP, this_process());
}

/* --- the first generation -------------------------------------------------------------------- */

/* In the new process. Sockets that a service manager passed to this process are for it. */
static void run_generation(const struct program *program, int channel)
{
    char text[32];
    sigset_t orders;
    snprintf(text, sizeof text, "%d", channel);
    bool set = setenv(SUPERVISOR_VARIABLE, text, 1) == 0 && unsetenv("NOTIFY_SOCKET") == 0;
    const char *listen_pid = getenv("LISTEN_PID"), *watchdog_pid = getenv("WATCHDOG_PID");
    snprintf(text, sizeof text, "%d", (int)getppid());
    bool ours = listen_pid && strcmp(listen_pid, text) == 0;
    if (watchdog_pid && strcmp(watchdog_pid, text) == 0)
        set = set && unsetenv("WATCHDOG_PID") == 0;
    snprintf(text, sizeof text, "%d", (int)getpid());
    if (ours)
        set = set && setenv("LISTEN_PID", text, 1) == 0;
    signals_orders(&orders);
    (void)sigprocmask(SIG_SETMASK, &orders, NULL);
    if (!set || fcntl(channel, F_SETFD, 0))
        log_error("supervisor: the first process cannot be started: %s", strerror(errno));
    else if (execv(program->path, program->argv))
        log_error("supervisor: cannot start %s: %s", program->path, strerror(errno));
    _exit(EXIT_OTHER);
}

static int launch(struct supervisor *supervisor, const struct program *program)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return errno;
    pid_t pid = fork();
    if (pid == 0)
        run_generation(program, pair[1]);
    int error = pid < 0 ? errno : 0;
    close(pair[1]);
    supervisor->generations = pair[0];
    if (!error)
        on_main(supervisor, pid);
    return error;
}

/* --- another program ------------------------------------------------------------------------- */

#define STATE_VARIABLE "RPPROXY_SUPERVISOR_STATE"

static bool is_same(const struct stat *one, const struct stat *other)
{
    return one->st_dev == other->st_dev && one->st_ino == other->st_ino;
}

/* The file is another one than that which this process runs, and the process that serves runs it:
 * it is no script that starts the program. False also where it cannot be known. */
static bool is_replaced(const struct supervisor *supervisor, const char *path)
{
    char exe[64];
    struct stat own, now, run;
    snprintf(exe, sizeof exe, "/proc/%d/exe", (int)supervisor->main);
    return stat("/proc/self/exe", &own) == 0 && stat(path, &now) == 0 && stat(exe, &run) == 0 &&
           !is_same(&own, &now) && is_same(&now, &run);
}

static struct supervisor_state state_of(const struct supervisor *supervisor)
{
    struct supervisor_state state = {
        .main = supervisor->main, .stopping = supervisor->stopping, .seen = supervisor->watch.seen};
    for (size_t i = 0; i < supervisor->count && i < SUPERVISOR_MEMBERS_MAX; i++) {
        const struct member *member = &supervisor->members[i];
        state.members[state.count++] = (struct supervisor_member){
            .pid = member->pid, .served = member->served, .stopped = member->stopped};
    }
    return state;
}

/* The state, and a line for each file. */
static bool put_state(const struct supervisor *supervisor)
{
    const struct supervisor_state state = state_of(supervisor);
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    if (!stream)
        return false;
    supervisor_state_write(&state, stream);
    for (size_t i = 0; i < supervisor->watch.count; i++) {
        const struct watched *told = &supervisor->watch.told[i];
        fprintf(stream, "\n" SUPERVISOR_FILE "%llx %s%s", (unsigned long long)told->mark,
                told->pattern, told->known && told->mark == 0 ? "\n" SUPERVISOR_ABSENT : "");
    }
    bool put = fclose(stream) == 0 && setenv(STATE_VARIABLE, text, 1) == 0;
    free(text);
    char channel[32];
    snprintf(channel, sizeof channel, "%d", supervisor->generations);
    put = put && setenv(SUPERVISOR_VARIABLE, channel, 1) == 0;
    return put;
}

static void take_files(struct supervisor *supervisor, char *lines)
{
    char *save;
    for (char *line = strtok_r(lines, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        const struct supervisor_line read = supervisor_line_read(line);
        if (read.kind == SUPERVISOR_LINE_FILE || read.kind == SUPERVISOR_LINE_ABSENT)
            hear_file(supervisor, &read);
    }
}

static bool take_state(struct supervisor *supervisor, char *text)
{
    struct supervisor_state state;
    const char *rest = supervisor_state_read(text, &state);
    if (!rest)
        return false;
    for (size_t i = 0; i < state.count; i++) {
        struct member *member = find_or_add(supervisor, state.members[i].pid);
        if (!member)
            continue;
        member->served = state.members[i].served;
        member->stopped = state.members[i].stopped;
    }
    supervisor->main = state.main;
    supervisor->main_lives = find(supervisor, state.main) != NULL;
    supervisor->stopping = state.stopping;
    supervisor->stopped_by = this_process(); /* the sender is not known any more */
    if (supervisor->watch.fd >= 0 && supervisor->watch.seen != state.seen) {
        supervisor->watch.seen = state.seen;
        supervisor->watch.due = 1; /* at once */
    }
    take_files(supervisor, text + (rest - text));
    return true;
}

/* This process was the supervisor already, by another program. */
static int resume(struct supervisor *supervisor)
{
    char *state = strdup(getenv(STATE_VARIABLE));
    unsetenv(STATE_VARIABLE);
    supervisor->generations = inherited_socket(SUPERVISOR_VARIABLE);
    int error = supervisor->generations < 0 ? -supervisor->generations : 0;
    if (!error && !(state && take_state(supervisor, state)))
        error = EINVAL;
    free(state);
    return error;
}

/* A process that serves has shown that its program works. What comes meanwhile waits: signals,
 * since they are blocked, and messages, in the socket. */
static void renew(struct supervisor *supervisor, const struct program *program)
{
    if (!supervisor->resumes)
        return;
    supervisor->resumes = false;
    if (!supervisor->main_lives || find_successor(supervisor) ||
        !is_replaced(supervisor, program->path))
        return;
    log_notice("supervisor: goes on by the new program %s", program->path);
    if (put_state(supervisor) && fcntl(supervisor->generations, F_SETFD, 0) == 0)
        execv(program->path, program->argv);
    log_warning("supervisor: %s cannot be executed, and the old program goes on: %s", program->path,
                strerror(errno));
    (void)fcntl(supervisor->generations, F_SETFD, FD_CLOEXEC);
    unsetenv(STATE_VARIABLE);
    unsetenv(SUPERVISOR_VARIABLE);
}

/* --- start and end --------------------------------------------------------------------------- */

static int begin(struct supervisor *supervisor, const struct program *program)
{
    sigset_t set;
    signals_begin();
    signals_orders(&set);
    sigaddset(&set, SIGCHLD);
    supervisor->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (supervisor->signals < 0)
        return errno;
    /* Orphans of generations become children of this process, as they do of process 1. */
    if (getpid() != 1 && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
        return errno;
    (void)prctl(PR_SET_NAME, "rpproxy-superv", 0, 0, 0);
    return getenv(STATE_VARIABLE) ? resume(supervisor) : launch(supervisor, program);
}

/* In milliseconds, for poll(2). */
static int time_left(const struct supervisor *supervisor)
{
    uint64_t now = clock_ms(), next = supervisor->deadline;
    if (supervisor->watch.due && (next == 0 || supervisor->watch.due < next))
        next = supervisor->watch.due;
    if (next == 0)
        return -1;
    return now < next ? (int)(next - now) : 0;
}

/* Waits for what is next. */
static void await(struct supervisor *supervisor)
{
    const size_t fixed = 3;
    struct pollfd *fds = calloc(fixed + supervisor->count, sizeof *fds);
    if (!fds) { /* it looks at all of them ten times a second */
        (void)poll(NULL, 0, 100);
        return;
    }
    fds[0] = (struct pollfd){.fd = supervisor->signals, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = supervisor->generations, .events = POLLIN};
    fds[2] = (struct pollfd){.fd = supervisor->watch.fd, .events = POLLIN};
    for (size_t i = 0; i < supervisor->count; i++)
        fds[fixed + i] = (struct pollfd){.fd = supervisor->members[i].pidfd, .events = POLLIN};
    (void)poll(fds, fixed + supervisor->count, time_left(supervisor));
    if (fds[2].revents)
        watch_hear(&supervisor->watch, clock_ms());
    free(fds);
}

static int status_of(const struct supervisor *supervisor)
{
    if (!supervisor->main_known)
        return EXIT_DONE; /* its parent has reaped it, and would have reported a failure */
    if (WIFSIGNALED(supervisor->outcome))
        return SIGNAL_STATUS + WTERMSIG(supervisor->outcome);
    return WEXITSTATUS(supervisor->outcome);
}

bool supervise_wanted(bool asked)
{
    bool supervised = getenv(SUPERVISOR_VARIABLE) && !getenv(STATE_VARIABLE);
    return (asked || getpid() == 1) && !supervised && !getenv(HANDOVER_VARIABLE);
}

int supervise_run(const struct program *program, const char *watched)
{
    struct supervisor supervisor = {.generations = -1, .signals = -1, .watch.fd = -1};
    int error = watched ? watch_open(&supervisor.watch, watched) : 0;
    if (error) {
        log_error("%s: its directory cannot be watched: %s", watched, strerror(error));
        watch_close(&supervisor.watch);
        return EXIT_OTHER;
    }
    error = begin(&supervisor, program);
    if (error) {
        log_error("supervisor: the first process cannot be started: %s", strerror(error));
        return EXIT_OTHER;
    }
    while (supervisor.generations >= 0 || supervisor.count > 0) {
        await(&supervisor);
        hear_generations(&supervisor);
        forget_ended(&supervisor);
        reap(&supervisor);
        hear_signals(&supervisor);
        look_at_files(&supervisor);
        judge(&supervisor);
        renew(&supervisor, program);
    }
    reap(&supervisor);
    watch_close(&supervisor.watch);
    free(supervisor.members);
    return status_of(&supervisor);
}
