#include "reload/base/requester.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define NAME_MAX_BYTES 16

/* The name of a program may have any bytes: it goes to the log. */
static void read_name(pid_t pid, char name[static NAME_MAX_BYTES])
{
    char path[48];
    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    FILE *file = fopen(path, "re");
    name[0] = '\0';
    if (!file)
        return;
    if (!fgets(name, NAME_MAX_BYTES, file))
        name[0] = '\0';
    fclose(file);
    name[strcspn(name, "\n")] = '\0';
    for (char *c = name; *c; c++)
        if ((unsigned char)*c < ' ' || (unsigned char)*c >= 0x7f)
            *c = '?';
}

const char *requester_text(const struct requester *requester, char text[static REQUESTER_TEXT_MAX])
{
    char what[24] = "a command of", name[NAME_MAX_BYTES] = "";
    const char *abbreviation = sigabbrev_np(requester->signal);
    if (requester->user) {
        snprintf(text, REQUESTER_TEXT_MAX, "user %.64s of the status page", requester->user);
        return text;
    }
    if (requester->signal)
        snprintf(what, sizeof what, "SIG%.12s from", abbreviation ? abbreviation : "");
    if (requester->pid > 0)
        read_name(requester->pid, name);
    if (requester->pid > 0)
        snprintf(text, REQUESTER_TEXT_MAX, "%s uid %u, pid %d%s%s%s", what, requester->uid,
                 (int)requester->pid, *name ? " (" : "", name, *name ? ")" : "");
    else if (requester->signal)
        snprintf(text, REQUESTER_TEXT_MAX, "%s the kernel, a terminal or another PID namespace",
                 what);
    else
        snprintf(text, REQUESTER_TEXT_MAX, "%s uid %u", what, requester->uid);
    return text;
}

struct requester requester_of_socket(int fd)
{
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t length = sizeof peer;
    (void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length);
    return (struct requester){.pid = peer.pid, .uid = peer.uid};
}
