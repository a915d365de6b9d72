#include "reload/handover/reload_failure.h"

#include <stdio.h>
#include <sys/wait.h>

bool reload_failure_is_crash(const struct reload_failure *reload_failure, int outcome)
{
    if (WIFEXITED(outcome) && (!reload_failure->had_accepted || WEXITSTATUS(outcome) == 0))
        return false;
    return !reload_failure->why || reload_failure->had_served || reload_failure->lost > 0;
}

void reload_failure_text(const struct reload_failure *reload_failure, const char *how,
                         char text[static ENDING_TEXT_MAX])
{
    snprintf(text, ENDING_TEXT_MAX, "%s%s%s%s%s", reload_failure->verdict,
             reload_failure->verdict[0] && *how ? "; " : "", how,
             reload_failure->figures[0] ? "; " : "", reload_failure->figures);
}

enum exit_status reload_failure_explain(const struct reload_failure *reload_failure, int pid,
                                        int outcome, char text[static ENDING_TEXT_MAX])
{
    enum exit_status status = !reload_failure->verdict[0] ? EXIT_FAILED
                              : reload_failure->status    ? reload_failure->status
                                                          : EXIT_REFUSED;
    int code = WIFEXITED(outcome) ? WEXITSTATUS(outcome) : 0;
    bool answers = !reload_failure->why && !reload_failure->had_accepted;
    char how[192];
    if (answers && (code == EXIT_INVALID || code == EXIT_BIND || code == EXIT_REFUSED))
        status = (enum exit_status)code;
    if (answers && code == EXIT_REFUSED)
        snprintf(how, sizeof how, "a backend would lose its last usable server%s",
                 reload_failure->refused_before
                     ? ", or the configuration is as it was when its canary was rolled back"
                     : "");
    else if (reload_failure->why)
        snprintf(how, sizeof how, "the successor (pid %d) %s", pid, reload_failure->why);
    else if (WIFEXITED(outcome))
        snprintf(how, sizeof how, "the successor (pid %d) ended with status %d", pid, code);
    else
        snprintf(how, sizeof how, "the successor (pid %d) was killed by signal %d", pid,
                 WTERMSIG(outcome));
    reload_failure_text(reload_failure, how, text);
    return status;
}
