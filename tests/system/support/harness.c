#include "tests/system/support/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { POLL_MS = 5 };

unsigned scaled(unsigned count, unsigned least)
{
    const char *text = getenv("RPPROXY_TEST_SCALE");
    double scale = text != NULL ? strtod(text, NULL) : 1;
    double result = (double)count * scale;
    return result < (double)least ? least : (unsigned)result;
}

int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void wait_until(bool (*is_so)(void *argument), void *argument, const char *what)
{
    int64_t deadline = now_ms() + PATIENCE_MS;
    while (!is_so(argument)) {
        ck_assert_msg(now_ms() < deadline, "timeout while waiting until: %s", what);
        nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000}, NULL);
    }
}

/* --- files --- */

const char *test_path(char path[static PATH_MAX], const char *name)
{
    snprintf(path, PATH_MAX, "%s/%s", test_directory(), name);
    return path;
}

void write_file(const char *path, mode_t mode, const char *format, ...)
{
    /* A new file is written and renamed: a program that runs from the old one, or reads it, keeps
     * it. */
    char beside[PATH_MAX];
    ck_assert_int_lt(snprintf(beside, sizeof beside, "%s.new", path), (int)sizeof beside);
    FILE *file = fopen(beside, "we");
    ck_assert_msg(file != NULL, "%s: %s", beside, strerror(errno));
    va_list arguments;
    va_start(arguments, format);
    vfprintf(file, format, arguments);
    va_end(arguments);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(chmod(beside, mode), 0);
    ck_assert_int_eq(rename(beside, path), 0);
}

size_t read_file(const char *path, char *text, size_t size)
{
    size_t length = 0;
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        length = fread(text, 1, size - 1, file);
        fclose(file);
    }
    text[length] = '\0';
    return length;
}

void copy_file(const char *from, const char *to, mode_t mode)
{
    char beside[PATH_MAX];
    ck_assert_int_lt(snprintf(beside, sizeof beside, "%s.new", to), (int)sizeof beside);
    int in = open(from, O_RDONLY | O_CLOEXEC);
    ck_assert_msg(in >= 0, "%s: %s", from, strerror(errno));
    int out = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    ck_assert_msg(out >= 0, "%s: %s", beside, strerror(errno));
    ssize_t moved;
    do {
        moved = sendfile(out, in, NULL, 1 << 20);
    } while (moved > 0);
    ck_assert_int_eq((int)moved, 0);
    ck_assert_int_eq(fchmod(out, mode), 0);
    close(in);
    close(out);
    ck_assert_int_eq(rename(beside, to), 0);
}

unsigned file_mentions(const char *path, const char *text)
{
    unsigned count = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 0;
    }
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, file) >= 0) {
        count += strstr(line, text) != NULL;
    }
    free(line);
    fclose(file);
    return count;
}

static bool is_there(void *argument)
{
    const char *const *path = argument;
    return access(*path, F_OK) == 0;
}

void wait_file(const char *path)
{
    wait_until(is_there, &path, path);
}

struct mentions {
    const char *path, *text;
    unsigned count;
};

static bool are_there(void *argument)
{
    const struct mentions *mentions = argument;
    return file_mentions(mentions->path, mentions->text) >= mentions->count;
}

void wait_mentions_least(const char *path, const char *text, unsigned count)
{
    wait_until(are_there, &(struct mentions){path, text, count}, text);
}

void wait_mentions(const char *path, const char *text, unsigned count)
{
    wait_mentions_least(path, text, count);
    ck_assert_uint_eq(file_mentions(path, text), count);
}

void wait_mentioned(const char *path, const char *text)
{
    wait_mentions_least(path, text, 1);
}

void expect_clean_log(const char *path)
{
    static const char *const complaints[] = {"AddressSanitizer", "LeakSanitizer", "ThreadSanitizer",
                                             "runtime error:", "Assertion"};
    for (size_t i = 0; i < sizeof complaints / sizeof *complaints; i++) {
        ck_assert_msg(file_mentions(path, complaints[i]) == 0, "%s speaks of %s", path,
                      complaints[i]);
    }
}

/* --- network --- */

uint16_t port_reserve(uid_t owner)
{
    uid_t before = (uid_t)setfsuid(owner);
    int holder = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setfsuid(before);
    ck_assert_msg(holder >= 0, "socket: %s", strerror(errno));
    int on = 1, off = 0;
    setsockopt(holder, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    setsockopt(holder, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(holder, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    struct sockaddr_in6 address = {.sin6_family = AF_INET6};
    socklen_t length = sizeof address;
    ck_assert_int_eq(bind(holder, (struct sockaddr *)&address, length), 0);
    ck_assert_int_eq(getsockname(holder, (struct sockaddr *)&address, &length), 0);
    return ntohs(address.sin6_port);
}

static void write_map(const char *path, const char *text)
{
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file >= 0) {
        ssize_t written = write(file, text, strlen(text));
        (void)written;
        close(file);
    }
}

bool network_own(void)
{
    uid_t uid = getuid();
    gid_t gid = getgid();
    if (unshare(CLONE_NEWNET) != 0) {
        if (errno != EPERM || unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
            return false;
        }
        char map[64];
        write_map("/proc/self/setgroups", "deny");
        snprintf(map, sizeof map, "0 %u 1", uid);
        write_map("/proc/self/uid_map", map);
        snprintf(map, sizeof map, "0 %u 1", gid);
        write_map("/proc/self/gid_map", map);
    }
    int any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq loopback = {.ifr_name = "lo"};
    bool up = any >= 0 && ioctl(any, SIOCGIFFLAGS, &loopback) == 0;
    loopback.ifr_flags |= IFF_UP;
    up = up && ioctl(any, SIOCSIFFLAGS, &loopback) == 0;
    close(any);
    return up;
}
