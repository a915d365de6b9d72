#include "reload/process/reload_failure.h"

#include <stdio.h>
#include <sys/wait.h>

bool ending_is_crash(const struct ending *ending, int outcome)
{
    if (WIFEXITED(outcome) && (!ending->had_accepted || WEXITSTATUS(outcome) == 0))
        return false;
    return !ending->why || ending->had_served || ending->lost > 0;
}

void ending_text(const struct ending *ending, const char *how, char text[static ENDING_TEXT_MAX])
{
    snprintf(text, ENDING_TEXT_MAX, "%s%s%s%s%s", ending->verdict,
             ending->verdict[0] && *how ? "; " : "", how, ending->figures[0] ? "; " : "",
             ending->figures);
}

enum exit_status ending_explain(const struct ending *ending, int pid, int outcome,
                                char text[static ENDING_TEXT_MAX])
{
    enum exit_status status = ending->verdict[0] ? EXIT_REFUSED : EXIT_FAILED;
    int code = WIFEXITED(outcome) ? WEXITSTATUS(outcome) : 0;
    bool answers = !ending->why && !ending->had_accepted;
    char how[128];
    if (answers && (code == EXIT_INVALID || code == EXIT_BIND || code == EXIT_REFUSED))
        status = (enum exit_status)code;
    if (answers && code == EXIT_REFUSED)
        snprintf(how, sizeof how, "a backend would lose its last usable server");
    else if (ending->why)
        snprintf(how, sizeof how, "the successor (pid %d) %s", pid, ending->why);
    else if (WIFEXITED(outcome))
        snprintf(how, sizeof how, "the successor (pid %d) ended with status %d", pid, code);
    else
        snprintf(how, sizeof how, "the successor (pid %d) was killed by signal %d", pid,
                 WTERMSIG(outcome));
    ending_text(ending, how, text);
    return status;
}
