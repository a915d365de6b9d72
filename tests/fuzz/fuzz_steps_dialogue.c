/* The first byte says what is expected, the last one in which pieces it comes; the verdict must not
 * depend on these, and there is one at the end of the stream. */
#include "config/base/pattern.h"
#include "tests/fuzz/check_talk.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static unsigned char hello[] = "220", noop[] = "NOOP\r\n", zero[] = {0, 'a', 0},
                         regex[] = "a+b";
    static struct pattern *pattern;
    if (!pattern && pattern_new((const char *)regex, &pattern))
        abort();
    struct check_step steps[] = {
        {.kind = CHECK_EXPECT, .text = hello, .length = 3},
        {.kind = CHECK_SEND, .text = noop, .length = 6},
        {.kind = CHECK_EXPECT, .text = zero, .length = 3},
        {.kind = CHECK_EXPECT_REGEX, .text = regex, .length = 3, .pattern = pattern},
        {.kind = CHECK_EXPECT, .text = hello, .length = 3},
    };
    if (size < 2)
        return 0;
    size_t first = data[0] % 4;
    struct check_conf conf = {.kind = CHECK_STEPS, .steps = steps + first, .step_count = 5 - first};
    size_t piece = 1 + data[size - 1] % 31;
    enum dialogue_verdict whole = check_talk(&conf, data + 1, size - 1, size);
    if (whole == DIALOGUE_GOES_ON || check_talk(&conf, data + 1, size - 1, piece) != whole)
        abort();
    return 0;
}
