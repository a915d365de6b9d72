#include "config/base/job.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static LIST_HEAD(, job) jobs = LIST_HEAD_INITIALIZER(jobs);

static int add_null(posix_spawn_file_actions_t *actions)
{
    int error = 0;
    for (int fd = 0; fd <= STDERR_FILENO && !error; fd++)
        error = posix_spawn_file_actions_addopen(actions, fd, "/dev/null", O_RDWR, 0);
    return error;
}

static int spawn(pid_t *pid, const char *path, char *const argv[], char *const environment[])
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                              POSIX_SPAWN_SETPGROUP);
    int error = add_null(&actions);
    if (!error)
        error = posix_spawn(pid, path, &actions, &attributes, argv, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

/* Under the lock, and before the leader of the group is reaped. */
static void kill_group(pid_t pid)
{
    (void)kill(-pid, SIGKILL);
}

int job_start(struct job *job, const char *path, char *const argv[], char *const environment[])
{
    *job = (struct job){.pidfd = -1};
    /* Under the lock, so that the main thread does not reap it as a stranger. */
    pthread_mutex_lock(&lock);
    int error = spawn(&job->pid, path, argv, environment);
    if (!error) {
        job->pidfd = pidfd_open(job->pid, 0);
        if (job->pidfd < 0) {
            error = errno;
            kill_group(job->pid); /* the main thread reaps it */
        } else {
            LIST_INSERT_HEAD(&jobs, job, link);
        }
    }
    pthread_mutex_unlock(&lock);
    return error;
}

void job_kill(struct job *job)
{
    pthread_mutex_lock(&lock);
    if (!job->ended)
        kill_group(job->pid);
    pthread_mutex_unlock(&lock);
}

/* Under the lock: whether that child (0: any) has ended; returns its pid or 0. It is not reaped. */
static pid_t ended_child(pid_t which)
{
    siginfo_t info = {0};
    if (waitid(which ? P_PID : P_ALL, (id_t)which, &info, WEXITED | WNOHANG | WNOWAIT))
        return 0;
    return info.si_pid;
}

/* Under the lock, after ended_child(). */
static void reap(struct job *job)
{
    kill_group(job->pid);
    job->ended = waitpid(job->pid, &job->outcome, WNOHANG) == job->pid;
}

bool job_take(struct job *job, int *outcome)
{
    pthread_mutex_lock(&lock);
    if (!job->ended && ended_child(job->pid))
        reap(job);
    bool ended = job->ended;
    if (ended)
        LIST_REMOVE(job, link);
    pthread_mutex_unlock(&lock);
    if (ended) {
        close(job->pidfd);
        *outcome = job->outcome;
    }
    return ended;
}

void job_forget(struct job *job)
{
    pthread_mutex_lock(&lock);
    if (!job->ended)
        kill_group(job->pid);
    LIST_REMOVE(job, link);
    pthread_mutex_unlock(&lock);
    close(job->pidfd);
}

static struct job *find(pid_t pid)
{
    struct job *job;
    LIST_FOREACH (job, &jobs, link)
        if (job->pid == pid && !job->ended)
            return job;
    return NULL;
}

pid_t jobs_reap(int *outcome)
{
    pid_t pid;
    struct job *job;
    pthread_mutex_lock(&lock);
    while ((pid = ended_child(0)) && (job = find(pid)))
        reap(job);
    if (pid)
        pid = waitpid(pid, outcome, WNOHANG);
    pthread_mutex_unlock(&lock);
    return pid > 0 ? pid : 0;
}
