/* Completion of command lines, by the shells themselves. */
#include "tests/system/scenarios.h"
#include "tests/system/support/scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOLDER "scripts/completion"

/* What was typed, and the line after a tab. */
static const struct {
    const char *typed, *completed;
} lines[] = {
    {"rpproxy rel", "rpproxy reload "},
    {"rpproxy --sup", "rpproxy --supervise "},
    {"rpproxy reload --dry", "rpproxy reload --dry-run "},
    {"rpproxy reload --wait=d", "rpproxy reload --wait=drained "},
    {"rpproxy reload -f proxy.i", "rpproxy reload -f proxy.ini "},
    {"rpproxy server -f proxy.ini ma", "rpproxy server -f proxy.ini main/a "},
    {"rpproxy server -f proxy.ini main/a dr", "rpproxy server -f proxy.ini main/a drain "},
    {"rpproxy server -f proxy.ini main/a w", "rpproxy server -f proxy.ini main/a weight="},
};

enum { LINES = sizeof lines / sizeof *lines };

static const char bash_script[] =
    "source \"$1/rpproxy.bash\" || exit; shift\n"
    "compopt() { [ \"$2\" != nospace ] || end=; }\n"
    "for line; do\n"
    "    end=' ' COMP_LINE=$line COMP_POINT=${#line}\n"
    "    _rpproxy\n"
    "    word=${line##*[ =]}\n"
    "    [ ${#COMPREPLY[@]} = 1 ] && echo \"${line%\"$word\"}${COMPREPLY[0]}$end\" || "
    "echo \"$line: ${COMPREPLY[*]}\"\n"
    "done\n";

/* A terminal of its own. ^T prints the line and empties it. */
static const char zsh_script[] =
    "zmodload zsh/zpty || exit\n"
    "folder=$1; shift\n"
    "zpty shell 'zsh -f -i'\n"
    "zpty -w shell \"PS1=; PS2=; unsetopt beep auto_menu; fpath=($folder \\$fpath); "
    "autoload -Uz compinit; compinit -u -D; zstyle ':completion:*' insert-tab false; "
    "show() { print -r -- \\\"=[\\$BUFFER]=\\\"; BUFFER=; zle redisplay }; zle -N show; "
    "bindkey '^T' show; bindkey '^I' complete-word; print 'REA''DY'\"\n"
    "zpty -r -m shell out '*READY*'\n"
    "for line; do\n"
    "    zpty -w -n shell \"$line\"$'\\t\\x14'\n"
    "    zpty -r -m shell out '*=\\[*\\]=*'\n"
    "    print -r -- \"${${out##*=\\[}%%\\]=*}\"\n"
    "done\n"
    "zpty -d shell\n";

/* Fish says what stands in place of the last word, without the space. */
static const char fish_script[] =
    "source $argv[1]/rpproxy.fish\n"
    "for line in $argv[2..-1]\n"
    "    set -l words (complete -C \"$line\" | string replace -r '\\t.*' '')\n"
    "    set -l before (string replace -r '[^ ]*$' '' -- $line)\n"
    "    set -l space ' '\n"
    "    string match -q '*=' -- $words[1]; and set space ''\n"
    "    echo $before$words$space\n"
    "end\n";

/* Makes `rpproxy` the program under test, in the directory of the test. */
static void prepare(struct scene *scene, char folder[static PATH_MAX])
{
    char path[2 * PATH_MAX], program[PATH_MAX], variable[8192];
    const char *old = getenv("PATH");
    ck_assert_ptr_nonnull(realpath(FOLDER, folder));
    ck_assert_ptr_nonnull(realpath(proxy_binary(), program));
    ck_assert_int_eq(setenv("RPPROXY", program, 1), 0);
    ck_assert_int_eq(symlink(program, test_path(path, "rpproxy")), 0);
    snprintf(variable, sizeof variable, "%s:%s", test_directory(), old ? old : "");
    ck_assert_int_eq(setenv("PATH", variable, 1), 0);
    ck_assert_int_eq(setenv("HOME", test_directory(), 1), 0);
    scene_start(scene, "", "");
}

static void complete_by(const char *shell, const char *option, const char *script)
{
    struct scene scene;
    struct outcome outcome;
    char folder[PATH_MAX], path[PATH_MAX];
    const char *argv[5 + LINES] = {shell, option, path, folder};
    if (!program_exists(shell))
        skip_test("%s is not installed", shell);
    prepare(&scene, folder);
    write_file(test_path(path, "complete"), 0644, "%s", script);
    for (unsigned i = 0; i < LINES; i++)
        argv[4 + i] = lines[i].typed;
    ck_assert_int_eq(chdir(test_directory()), 0);
    program_run(&(struct program){.argv = argv}, PATIENCE_MS, &outcome);
    const char *at = outcome.out;
    for (unsigned i = 0; i < LINES; i++) {
        char line[256] = "";
        size_t length = strcspn(at, "\n");
        snprintf(line, sizeof line, "%.*s", (int)length, at);
        at += length + (at[length] == '\n');
        ck_assert_msg(strcmp(line, lines[i].completed) == 0, "%s: '%s' became '%s': %s%s", shell,
                      lines[i].typed, line, outcome.out, outcome.err);
    }
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "stop", NULL), 0);
}

START_TEST(by_bash)
{
    complete_by("bash", "--norc", bash_script);
}
END_TEST

START_TEST(by_zsh)
{
    complete_by("zsh", "-f", zsh_script);
}
END_TEST

START_TEST(by_fish)
{
    complete_by("fish", "--no-config", fish_script);
}
END_TEST

static void expect_candidate(const char *command, const char *typed, const char *word)
{
    struct outcome outcome;
    if (*command)
        run(&outcome, proxy_binary(), "--complete", command, typed, NULL);
    else
        run(&outcome, proxy_binary(), "--complete", typed, NULL);
    char line[128];
    snprintf(line, sizeof line, "\n%s\n", word);
    memmove(outcome.out + 1, outcome.out, sizeof outcome.out - 2);
    outcome.out[0] = '\n';
    ck_assert_msg(strstr(outcome.out, line) != NULL, "'%s' of '%s' is not completed: %s", word,
                  command, outcome.out);
}

/* Every command and every option that --help names. */
START_TEST(all_that_help_names)
{
    struct outcome help;
    char command[64] = "", *save;
    unsigned commands = 0, options = 0;
    run(&help, proxy_binary(), "--help", NULL);
    for (char *word = strtok_r(help.out, " []|\n", &save); word;
         word = strtok_r(NULL, " []|\n", &save)) {
        if (strcmp(word, "rpproxy") == 0) {
            word = strtok_r(NULL, " []|\n", &save);
            snprintf(command, sizeof command, "%s", word[0] == '-' ? "" : word);
            if (word[0] != '-') {
                expect_candidate("", word, word);
                commands++;
                continue;
            }
        }
        if (word[0] == '-' && word[1] == '-') {
            word[strcspn(word, "=,.")] = '\0';
            expect_candidate(command, word, word);
            options++;
        }
    }
    ck_assert_uint_ge(commands, 8);
    ck_assert_uint_ge(options, 15);
}
END_TEST

/* No shell is to be disturbed by a line that makes no sense. */
START_TEST(lines_that_make_no_sense)
{
    static const char *const words[] = {"", "-", "--", "=", "--=", "--wait", "nonsense", "@file"};
    enum { WORDS = sizeof words / sizeof *words };
    struct outcome outcome;
    for (unsigned i = 0; i < WORDS; i++) {
        const char *next = words[(i + 1) % WORDS];
        run(&outcome, proxy_binary(), "--complete", words[i], next, "-f", "/nonexistent", words[i],
            NULL);
        ck_assert_msg(outcome.code == 0 && outcome.err[0] == '\0', "%s %s: exit %d: %s", words[i],
                      next, outcome.code, outcome.err);
    }
    run(&outcome, proxy_binary(), "--complete", NULL);
    ck_assert_int_eq(outcome.code, 0);
}
END_TEST

Suite *completion_suite(void)
{
    Suite *suite = suite_create("completion");
    scenario_add(suite, by_bash, 120);
    scenario_add(suite, by_zsh, 120);
    scenario_add(suite, by_fish, 120);
    scenario_add(suite, all_that_help_names, 120);
    scenario_add(suite, lines_that_make_no_sense, 120);
    return suite;
}
