/* Programs that any thread launches and waits for without blocking: each in a process group of its
 * own, which is killed as a whole.
 *
 * The main thread reaps every child of the process (reload/base/children.h), and may be faster than
 * the thread that launched the program. So both reap by this module, which keeps the wait statuses
 * of jobs. The list of the jobs is global, as the children of a process are for the kernel.
 *
 * The group is killed before its leader is reaped, since afterwards the number may be that of
 * another group. Processes that have left the group are not reached.
 *
 * Thread safe, as long as each job is used by one thread. */
#ifndef RPPROXY_CONFIG_BASE_JOB_H
#define RPPROXY_CONFIG_BASE_JOB_H

#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>

struct job {
    pid_t pid;  /* and the number of the group */
    int pidfd;  /* readable when the program has ended */
    bool ended; /* and was reaped; outcome is its wait status */
    int outcome;
    LIST_ENTRY(job) link;
};

/* Launches the program at path, with /dev/null as standard input, output and error, and the default
 * disposition of all signals. No other descriptor may be open in this process without
 * close-on-exec. Returns 0; then the job belongs to the module until job_take() or job_forget().
 * Or an errno value: of execve(2), of a shortage, or (ENOSYS) of a kernel before Linux 5.3, which
 * has no pidfds. */
int job_start(struct job *job, const char *path, char *const argv[], char *const environment[])
    __attribute__((warn_unused_result));

/* Sends SIGKILL to the group. */
void job_kill(struct job *job);

/* True: the program has ended, the rest of its group is killed, *outcome is the wait status of
 * waitpid(2), and the job belongs to the caller again. */
bool job_take(struct job *job, int *outcome) __attribute__((warn_unused_result));

/* Kills the group and forgets the job. Its program is reaped by the main thread. */
void job_forget(struct job *job);

/* For the main thread: reaps a child that has ended and is no job. Returns its pid, or 0: there is
 * none. Does not block. */
pid_t jobs_reap(int *outcome);

#endif
