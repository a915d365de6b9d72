#include "reload/metrics/snapshot.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static uint64_t microseconds(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_usec;
}

static uint64_t milliseconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Of /proc/self/stat: threads, when the process started, its memory. */
static void read_stat(struct metrics_process *process)
{
    char text[1024];
    FILE *file = fopen("/proc/self/stat", "re");
    size_t length = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    text[length] = '\0';
    const char *rest = strrchr(text, ')'); /* the name of the program may have anything in it */
    uint64_t ticks, pages;
    if (!rest || sscanf(rest + 1,
                        " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d"
                        " %" SCNu64 " %*d %" SCNu64 " %" SCNu64 " %" SCNu64,
                        &process->threads, &ticks, &process->virtual_size, &pages) != 4)
        return;
    process->started_at = milliseconds(CLOCK_REALTIME) - milliseconds(CLOCK_BOOTTIME) +
                          ticks * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
    process->resident = pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Since Linux 6.2 the size of the folder is their number. */
static uint64_t count_descriptors(void)
{
    struct stat stat_of;
    if (stat("/proc/self/fd", &stat_of) == 0 && stat_of.st_size > 0)
        return (uint64_t)stat_of.st_size;
    DIR *folder = opendir("/proc/self/fd");
    uint64_t count = 0;
    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count > 3 ? count - 3 : 0; /* ".", "..", and the folder itself */
}

void metrics_measure(struct metrics_snapshot *snapshot)
{
    struct metrics_process *process = &snapshot->process;
    struct rusage usage;
    struct rlimit limit;
    *process = (struct metrics_process){.measured = true, .descriptors = count_descriptors()};
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        process->cpu = microseconds(usage.ru_utime) + microseconds(usage.ru_stime);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        process->descriptors_most = limit.rlim_cur;
    read_stat(process);
}
