/* The first byte says what the check asks for, the last one in which pieces the answer comes; the
 * verdict must not depend on these, and there is one at the end of the stream. */
#include "config/base/pattern.h"
#include "tests/fuzz/check_talk.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static struct pattern *pattern;
    char text[] = "ok", regex[] = "~o+k", head[] = "HEAD";
    struct check_conf conf = {.kind = CHECK_HTTP};
    if (size < 2)
        return 0;
    if (!pattern && pattern_new(regex + 1, &pattern))
        abort();
    for (unsigned code = 200; code < 400; code++)
        check_status_add(&conf.status, code);
    if (data[0] & 1)
        conf.body = text;
    if (data[0] & 2) {
        conf.body = regex;
        conf.body_pattern = pattern;
    }
    if (data[0] & 4)
        conf.method = head;
    size_t piece = 1 + data[size - 1] % 31;
    enum dialogue_verdict whole = check_talk(&conf, data + 1, size - 1, size);
    if (whole == DIALOGUE_GOES_ON || check_talk(&conf, data + 1, size - 1, piece) != whole)
        abort();
    return 0;
}
