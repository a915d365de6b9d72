#include "config/base/congestion.h"

#include "config/base/error_text.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define AVAILABLE "tcp_available_congestion_control"
#define ALLOWED   "tcp_allowed_congestion_control"

/* Reads a list such as "reno cubic" from the kernel; "" if it cannot be read. */
static void read_list(const char *name, char *list, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "/proc/sys/net/ipv4/%s", name);
    FILE *file = fopen(path, "re");
    list[0] = '\0';
    if (!file)
        return;
    if (fgets(list, (int)size, file))
        list[strcspn(list, "\n")] = '\0';
    fclose(file);
}

static bool is_in(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *word = list; *word; word += strspn(word, " ")) {
        size_t end = strcspn(word, " ");
        if (end == length && strncmp(word, name, length) == 0)
            return true;
        word += end;
    }
    return false;
}

const char *congestion_check(const char *name, bool unprivileged)
{
    char list[512];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return NULL;
    int error =
        setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)) ? errno : 0;
    close(fd);
    read_list(ALLOWED, list, sizeof list);
    if (!error && unprivileged && list[0] && !is_in(list, name))
        error = EPERM;
    switch (error) {
    case 0:
        return NULL;
    case EPERM:
        return error_text("is not allowed for processes without CAP_NET_ADMIN; net.ipv4." ALLOWED
                          " has %s",
                          list);
    case ENOENT:
        read_list(AVAILABLE, list, sizeof list);
        return error_text(
            "is not offered by the kernel (is its module loaded?); net.ipv4." AVAILABLE " has %s",
            list);
    default:
        return error_text("is refused by the kernel: %s", strerror(error));
    }
}
