/* A file system that is soon full. A failure fails the test. */
#ifndef RPPROXY_TESTS_SYSTEM_SUPPORT_SMALL_DISK_H
#define RPPROXY_TESTS_SYSTEM_SUPPORT_SMALL_DISK_H

#include <stdbool.h>

/* Mounts one of 512 KB at that folder, of which other tests see nothing. False: not permitted. */
bool small_disk_mount(const char *folder) __attribute__((warn_unused_result));
void small_disk_unmount(const char *folder);

/* Fills it with a file of that path, up to so many pages of 4 KB. */
void small_disk_fill(const char *path, unsigned pages_left);

#endif
