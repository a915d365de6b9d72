#include "config/base/openssl.h"

#ifdef LOAD_OPENSSL_LATE

#include "config/base/error_text.h"
#include "config/base/log.h"

#include <dlfcn.h>
#include <openssl/opensslv.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT(number)       #number
#define LIBRARY_OF(number) "libssl.so." TEXT(number)
/* Brings libcrypto along, where dlsym(3) looks too. */
#define LIBRARY LIBRARY_OF(OPENSSL_SHLIB_VERSION)

/* openssl_calls.S */
extern const char openssl_names[] __attribute__((visibility("hidden")));
extern void *openssl_slots[] __attribute__((visibility("hidden")));
void openssl_fill_in(void) __attribute__((visibility("hidden")));

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char failure[ERROR_TEXT_MAX];

static void load(void)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    const char *name = openssl_names;
    for (size_t i = 0; library && *name; name += strlen(name) + 1) {
        openssl_slots[i] = dlsym(library, name);
        if (!openssl_slots[i++])
            break;
    }
    if (*name)
        snprintf(failure, sizeof failure, "%s", dlerror());
}

const char *openssl_load(void)
{
    pthread_once(&once, load);
    return failure[0] ? failure : NULL;
}

void openssl_fill_in(void)
{
    const char *wrong = openssl_load();
    if (!wrong)
        return;
    log_error("OpenSSL: %s", wrong);
    log_stop();
    exit(EXIT_FAILURE);
}

#else

const char *openssl_load(void)
{
    return NULL;
}

#endif
