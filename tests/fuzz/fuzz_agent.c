/* What a server says in check = agent. */
#include "tests/fuzz/dialogue.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static const struct check_conf conf = {.kind = CHECK_AGENT};
    if (size > 0)
        fuzz_dialogue(&conf, data, size);
    return 0;
}
