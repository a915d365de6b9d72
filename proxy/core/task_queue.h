/* A loop's inbox: how one thread asks another to run something on its own loop.
 *
 * Letters belong to their sender and are part of some longer-lived object, so posting cannot
 * fail. A letter that is posted again before it was delivered is delivered once. */
#ifndef RPPROXY_PROXY_CORE_TASK_QUEUE_H
#define RPPROXY_PROXY_CORE_TASK_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/queue.h>

struct letter {
    void (*deliver)(void *arg); /* runs on the loop of the mailbox it was posted to */
    void *arg;
    STAILQ_ENTRY(letter) next;
    bool posted; /* under the mailbox's lock */
};

struct mailbox {
    pthread_mutex_t lock;
    STAILQ_HEAD(, letter) letters;
    int fd; /* readable while there are letters: mailbox_deliver() is wanted */
};

/* Returns 0 or an errno value. */
int mailbox_open(struct mailbox *mailbox) __attribute__((warn_unused_result));

/* Closes it; letters not yet delivered never will be. On the loop's thread, or once it ended. */
void mailbox_close(struct mailbox *mailbox);

/* Delivers what there is. On the loop's thread. */
void mailbox_deliver(struct mailbox *mailbox);

/* From any thread. Letters are delivered in the order they were posted. */
void mailbox_post(struct mailbox *mailbox, struct letter *letter);

#endif
