#include "proxy/core/task_queue.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

void mailbox_deliver(struct mailbox *mailbox)
{
    eventfd_t ignored;
    (void)eventfd_read(mailbox->fd, &ignored);

    for (;;) {
        pthread_mutex_lock(&mailbox->lock);
        struct letter *letter = STAILQ_FIRST(&mailbox->letters);
        if (letter) {
            STAILQ_REMOVE_HEAD(&mailbox->letters, next);
            letter->posted = false;
        }
        pthread_mutex_unlock(&mailbox->lock);
        if (!letter)
            return;
        letter->deliver(letter->arg);
    }
}

int mailbox_open(struct mailbox *mailbox)
{
    STAILQ_INIT(&mailbox->letters);
    mailbox->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (mailbox->fd < 0)
        return errno;
    pthread_mutex_init(&mailbox->lock, NULL);
    return 0;
}

void mailbox_close(struct mailbox *mailbox)
{
    close(mailbox->fd);
    pthread_mutex_destroy(&mailbox->lock);
}

void mailbox_post(struct mailbox *mailbox, struct letter *letter)
{
    pthread_mutex_lock(&mailbox->lock);
    bool ring = STAILQ_EMPTY(&mailbox->letters);
    if (!letter->posted) {
        letter->posted = true;
        STAILQ_INSERT_TAIL(&mailbox->letters, letter, next);
    }
    /* Under the lock, so that the mailbox cannot be closed between the letter and its bell. */
    if (ring)
        (void)eventfd_write(mailbox->fd, 1);
    pthread_mutex_unlock(&mailbox->lock);
}
