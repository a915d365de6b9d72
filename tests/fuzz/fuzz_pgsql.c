/* What a server says in check = pgsql. */
#include "tests/fuzz/dialogue.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static char user[] = "m", password[] = "secret";
    if (size == 0)
        return 0;
    unsigned choice = fuzz_choice(data, size);
    const struct check_conf conf = {.kind = CHECK_PGSQL,
                                    .user = choice & 1 ? user : NULL,
                                    .password = choice & 2 ? password : NULL,
                                    .role = (enum check_role)(choice >> 2 & 3)};
    fuzz_dialogue(&conf, data, size);
    return 0;
}
