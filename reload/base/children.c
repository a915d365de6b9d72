#include "reload/base/children.h"

#include "config/base/job.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

struct launched {
    pid_t pid;
    bool ended; /* and was reaped */
    bool former;
    int outcome;
};

static struct launched *find(const struct children *children, pid_t pid)
{
    for (size_t i = 0; pid > 0 && i < children->count; i++)
        if (children->list[i].pid == pid)
            return &children->list[i];
    return NULL;
}

static void forget(struct children *children, struct launched *child)
{
    *child = children->list[--children->count];
}

int children_reserve(struct children *children)
{
    struct launched *list = realloc(children->list, (children->count + 1) * sizeof *list);
    if (!list)
        return ENOMEM;
    children->list = list;
    return 0;
}

void children_add(struct children *children, pid_t pid)
{
    children_forget(children, pid); /* an earlier child with this pid that was not taken */
    children->list[children->count++] = (struct launched){.pid = pid};
}

void children_collect(struct children *children)
{
    int outcome;
    pid_t pid;
    while ((pid = jobs_reap(&outcome)) > 0) {
        struct launched *child = find(children, pid);
        /* If that child was reaped before, this is another process with the same pid. */
        if (!child || child->ended)
            continue;
        child->ended = true;
        child->outcome = outcome;
    }
}

bool children_take(struct children *children, pid_t pid, int *outcome)
{
    children_collect(children);
    struct launched *child = find(children, pid);
    if (!child || !child->ended)
        return false;
    *outcome = child->outcome;
    forget(children, child);
    return true;
}

void children_kill(struct children *children, pid_t pid)
{
    const struct launched *child = find(children, pid);
    if (child && !child->ended)
        (void)kill(pid, SIGKILL);
}

void children_forget(struct children *children, pid_t pid)
{
    struct launched *child = find(children, pid);
    if (child)
        forget(children, child);
}

void children_retire(struct children *children, pid_t pid)
{
    struct launched *child = find(children, pid);
    if (child)
        child->former = true;
}

pid_t children_take_former(struct children *children, pid_t which, int *outcome)
{
    children_collect(children);
    for (size_t i = 0; i < children->count; i++) {
        struct launched *child = &children->list[i];
        pid_t pid = child->pid;
        if (!child->former || !child->ended || (which && which != pid))
            continue;
        *outcome = child->outcome;
        forget(children, child);
        return pid;
    }
    return 0;
}

void children_free(struct children *children)
{
    free(children->list);
    *children = (struct children){0};
}
