#include "tests/system/support/manager.h"

#include "tests/system/support/net.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void manager_open(struct manager *manager)
{
    *manager = (struct manager){0};
    struct endpoint where = endpoint_unix(test_path(manager->path, "notify.sock"));
    (void)unlink(manager->path);
    manager->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(manager->socket, &where.any, where.length), 0);
    int on = 1;
    setsockopt(manager->socket, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
    snprintf(manager->variable, sizeof manager->variable, "NOTIFY_SOCKET=%s", manager->path);
    manager->env[0] = manager->variable;
}

void manager_listen(struct manager *manager)
{
    for (;;) {
        char text[2048] = {0};
        union {
            struct cmsghdr header;
            char room[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int) * 8)];
        } control;
        struct iovec part = {text, sizeof text - 1};
        struct msghdr message = {.msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = &control,
                                 .msg_controllen = sizeof control};
        ssize_t got = recvmsg(manager->socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (got < 0) {
            return;
        }
        struct ucred sender = {0};
        for (struct cmsghdr *part_of = CMSG_FIRSTHDR(&message); part_of != NULL;
             part_of = CMSG_NXTHDR(&message, part_of)) {
            if (part_of->cmsg_type == SCM_CREDENTIALS) {
                memcpy(&sender, CMSG_DATA(part_of), sizeof sender);
            }
        }
        size_t used = strlen(manager->said);
        snprintf(manager->said + used, sizeof manager->said - used, "%d:%s;", sender.pid, text);
    }
}
