/* What a server says in check = smtp. */
#include "tests/fuzz/dialogue.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static const struct check_conf conf = {.kind = CHECK_SMTP};
    if (size > 0)
        fuzz_dialogue(&conf, data, size);
    return 0;
}
