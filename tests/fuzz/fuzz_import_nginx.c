/* A configuration of nginx. What comes of it always passes the parser of proxy.ini. */
#include "reload/cli/settle.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct import import;
    char *wrong;
    import_nginx_text(&import, "fuzz.conf", (const char *)data, size);
    char *text = import_settle(&import, "fuzz", &wrong);
    if (!text)
        abort();
    free(text);
    import_free(&import);
    return 0;
}
