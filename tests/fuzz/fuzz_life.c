/* A life file, which anything may have written. */
#include "config/base/log.h"
#include "reload/process/life.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length);

static char folder[] = "/tmp/rpproxy-fuzz-XXXXXX", control[64], path[64];
static int file;

static void must(bool so)
{
    if (!so)
        abort();
}

static void end(void)
{
    unlink(path);
    rmdir(folder);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const struct log_conf quiet = {.target = LOG_TO_STDERR, .level = LOG_LEVEL_ERROR};
    (void)argc;
    (void)argv;
    must(log_open(&quiet) == 0 && mkdtemp(folder));
    snprintf(control, sizeof control, "%s/control", folder);
    snprintf(path, sizeof path, "%s.life", control);
    file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    must(file >= 0);
    return atexit(end);
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length)
{
    char words[CRASH_TEXT_MAX];
    struct crash crash;
    must(ftruncate(file, 0) == 0 && pwrite(file, bytes, length, 0) == (ssize_t)length);
    if (!life_read(control, &crash))
        return 0;
    must(strlen(crash_text(&crash, words)) < sizeof words - 1);
    json_t *json = crash_json(&crash);
    must(json_integer_value(json_object_get(json, "at")) >= 0);
    must(json_integer_value(json_object_get(json, "sessions")) >= 0);
    json_decref(json);
    return 0;
}
