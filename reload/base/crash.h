/* The last crash of a process, as the status of the process that serves afterwards shows it. */
#ifndef RPPROXY_RELOAD_BASE_CRASH_H
#define RPPROXY_RELOAD_BASE_CRASH_H

#include <jansson.h>
#include <stdint.h>

struct tally;

#define CRASH_TEXT_MAX 160

/* Also on its way from process to process (message.h, life.h): grows at its end only. */
struct crash {
    uint64_t at;       /* seconds since 1970; 0: no crash is known of */
    uint64_t sessions; /* that went with it */
    uint32_t generation, pid;
    uint32_t signal; /* what killed it; 0: nothing, or not known */
    uint32_t status; /* with which it exited; 0: it did not, or not known */
};

/* One that is seen now. outcome: its wait status, or 0 where that is not known. */
struct crash crash_now(unsigned generation, uint32_t pid, int outcome, uint64_t sessions);

/* For people: which process, how, and with how many sessions. Returns text. */
const char *crash_text(const struct crash *crash, char text[static CRASH_TEXT_MAX]);

/* Keeps it as the last one, logs it, and counts it in the tally of this process. */
void crash_note(struct crash *last, const struct tally *counts, const struct crash *crash);

/* For the status: the caller's; NULL when memory is out. */
json_t *crash_json(const struct crash *crash) __attribute__((warn_unused_result));

#endif
