/* Writes the state file, on a thread of its own: a slow disk holds nobody up. Each text replaces
 * the file whole (a temporary file, fsync(2), rename(2)), and is on the disk when it is told to be
 * written. Of texts that come faster than the disk takes them the last one is written.
 *
 * In a reload two processes have the same file. A process writes while it holds a lock on the
 * directory, and looks under that lock whether it still may: so what the old process writes late
 * never replaces what the new one has written. */
#ifndef RPPROXY_RELOAD_BASE_STATE_FILE_H
#define RPPROXY_RELOAD_BASE_STATE_FILE_H

#include "proxy/core/task_queue.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct state_file;

/* Reads the whole file. Returns 0, and stores the text, which the caller frees; NULL: there is no
 * such file. Or an errno value; EFBIG: it is larger than STATE_BYTES_MAX; EINVAL: it is not a
 * regular file. */
int state_file_read(const char *path, char **text, size_t *length)
    __attribute__((warn_unused_result));

/* on_written runs on the main thread, which `main` is the queue of, when texts up to that number
 * have been written, or could not be (error is an errno value). NULL: out of memory. */
struct state_file *state_file_new(const char *path, struct task_queue *main,
                                  void (*on_written)(uint64_t number, int error, void *arg),
                                  void *arg) __attribute__((warn_unused_result));

/* Takes over the text, and writes it soon. Returns its number, which is higher than any before; 0:
 * the thread cannot be started, and nothing is written. */
uint64_t state_file_write(struct state_file *file, char *text, size_t length);

/* True: another process writes from now on, and this one must not, until it is false again. */
void state_file_withhold(struct state_file *file, bool withheld);

/* Writes what is left, for some seconds at most. on_written is not called any more. NULL is fine.
 */
void state_file_free(struct state_file *file);

#endif
