#include "tests/system/support/small_disk.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

bool small_disk_mount(const char *folder)
{
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", folder, "tmpfs", 0, "size=512k,mode=0755") == 0;
}

void small_disk_unmount(const char *folder)
{
    ck_assert_int_eq(umount2(folder, MNT_DETACH), 0);
}

void small_disk_fill(const char *path, unsigned pages_left)
{
    static const char page[4096];
    off_t length = 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    for (ssize_t done; (done = write(fd, page, sizeof page)) > 0;)
        length += done;
    ck_assert_int_eq(errno, ENOSPC);
    ck_assert_int_eq(ftruncate(fd, length - (off_t)(pages_left * sizeof page)), 0);
    close(fd);
}
