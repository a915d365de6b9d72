#include "reload/base/exit_status.h"
#include "reload/base/program.h"
#include "reload/cli/command.h"
#include "reload/cli/complete.h"
#include "reload/cli/events.h"
#include "reload/cli/history.h"
#include "reload/cli/import.h"
#include "reload/cli/sessions.h"
#include "reload/cli/top.h"
#include "reload/process/process.h"
#include "reload/process/supervise.h"

#include "config/load.h"
#include "config/syntax/suggest.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage_text[] =
    "usage: rpproxy [-f FILE] [--supervise] [--watch-files]\n"
    "                                        serve, in the foreground\n"
    "       rpproxy check  [-f FILE]         validate the file; touch nothing else\n"
    "       rpproxy reload [-f FILE | -s SOCKET] [--wait[=ready|drained]] [--timeout TIME]\n"
    "                      [--force] [--canary PERCENT%:TIME[:by-source]] [-v | --verbose]\n"
    "       rpproxy reload [-f FILE | -s SOCKET] --abort | --promote\n"
    "       rpproxy reload [-f FILE | -s SOCKET] --dry-run\n"
    "       rpproxy status [-f FILE | -s SOCKET] [--json] [--watch] [NAME...]\n"
    "       rpproxy config [-f FILE | -s SOCKET] [--json]\n"
    "       rpproxy server [-f FILE | -s SOCKET] BACKEND/SERVER\n"
    "                      ready | drain | maint | weight=N | maxconn=N\n"
    "       rpproxy frontend [-f FILE | -s SOCKET] NAME [pause | resume]\n"
    "       rpproxy sessions [-f FILE | -s SOCKET] [--json] [--limit N] [FILTER...]\n"
    "       rpproxy kill   [-f FILE | -s SOCKET] SESSION-ID | FILTER...\n"
    "       rpproxy history [-f FILE | -s SOCKET] [--json | --diff N M]\n"
    "       rpproxy rollback [-f FILE | -s SOCKET] [--wait[=ready|drained]] [--timeout TIME]\n"
    "                      [--force] [--write] [-v | --verbose] [N]\n"
    "       rpproxy events [-f FILE | -s SOCKET] [--json] [--last N] [--limit N]\n"
    "       rpproxy top    [-f FILE | -s SOCKET]\n"
    "       rpproxy reopen [-f FILE | -s SOCKET]\n"
    "       rpproxy stop   [-f FILE | -s SOCKET] [--timeout TIME] [-v | --verbose]\n"
    "       rpproxy import haproxy FILE... | nginx FILE\n"
    "                                        make a proxy.ini of another configuration\n"
    "       rpproxy --help | --help-options | --version\n"
    "\n"
    "FILE is " CONFIG_DEFAULT_FILE " by default; SOCKET is the control socket that FILE sets.\n"
    "TIME is a time such as 500ms, 10s or 5m. rpproxy(8) and proxy.ini(5) describe the rest.\n";

/* hint: "" or "; did you mean ...?". */
static int wrong_usage(const char *what, const char *which, const char *hint)
{
    fprintf(stderr, "rpproxy: %s%s%s%s ('rpproxy --help' shows all commands)\n", what,
            which ? ": " : "", which ? which : "", hint);
    return EXIT_OTHER;
}

/* Options without a one-letter form. */
enum {
    WORD = 1,
    WAIT = 256,
    TIMEOUT,
    FORCE,
    CANARY,
    ABORT,
    PROMOTE,
    JSON,
    DRY_RUN,
    WATCH,
    SUPERVISE,
    WATCH_FILES,
    LIMIT,
    LAST,
    DIFF,
    WRITE,
    HELP,
    HELP_OPTIONS,
    SHOW_VERSION
};

struct arguments {
    const char *file, *socket;
    bool supervise, watch_files;
    struct command command;
};

/* The commands, with the words and the options that each accepts. */
static const struct rule {
    const char *command;  /* "": the command that serves */
    unsigned least, most; /* words after the command */
    bool asks;            /* a running proxy, by its control socket */
    int takes[12];
    int (*run)(const struct command *command); /* NULL: serve() */
} rules[] = {
    {"", 0, 0, false, {'f', SUPERVISE, WATCH_FILES}, NULL},
    {"check", 0, 0, false, {'f'}, command_check},
    {"reload",
     0,
     0,
     true,
     {'f', 's', 'v', WAIT, TIMEOUT, FORCE, CANARY, ABORT, PROMOTE, DRY_RUN},
     command_reload},
    {"status", 0, COMMAND_WORDS_MAX, true, {'f', 's', JSON, WATCH}, command_status},
    {"config", 0, 0, true, {'f', 's', JSON}, command_config},
    {"server", 2, 2, true, {'f', 's'}, command_server},
    {"frontend", 1, 2, true, {'f', 's'}, command_frontend},
    {"sessions", 0, COMMAND_WORDS_MAX, true, {'f', 's', JSON, LIMIT}, command_sessions},
    {"events", 0, 0, true, {'f', 's', JSON, LIMIT, LAST}, command_events},
    {"history", 0, 2, true, {'f', 's', JSON, DIFF}, command_history},
    {"rollback", 0, 1, true, {'f', 's', 'v', WAIT, TIMEOUT, FORCE, WRITE}, command_rollback},
    {"kill", 1, COMMAND_WORDS_MAX, true, {'f', 's'}, command_kill},
    {"top", 0, 0, true, {'f', 's'}, command_top},
    {"reopen", 0, 0, true, {'f', 's'}, command_reopen},
    {"import", 2, COMMAND_WORDS_MAX, false, {0}, command_import},
    {"stop", 0, 0, true, {'f', 's', 'v', TIMEOUT}, command_stop},
};

static const struct option options[] = {
    {"wait", optional_argument, NULL, WAIT},
    {"timeout", required_argument, NULL, TIMEOUT},
    {"force", no_argument, NULL, FORCE},
    {"canary", required_argument, NULL, CANARY},
    {"abort", no_argument, NULL, ABORT},
    {"promote", no_argument, NULL, PROMOTE},
    {"json", no_argument, NULL, JSON},
    {"dry-run", no_argument, NULL, DRY_RUN},
    {"watch", no_argument, NULL, WATCH},
    {"supervise", no_argument, NULL, SUPERVISE},
    {"watch-files", no_argument, NULL, WATCH_FILES},
    {"limit", required_argument, NULL, LIMIT},
    {"last", required_argument, NULL, LAST},
    {"diff", no_argument, NULL, DIFF},
    {"write", no_argument, NULL, WRITE},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, HELP},
    {"help-options", no_argument, NULL, HELP_OPTIONS},
    {"version", no_argument, NULL, SHOW_VERSION},
    {0},
};

static const struct rule *find_rule(const char *command)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (strcmp(rules[i].command, command) == 0)
            return &rules[i];
    return NULL;
}

static int unknown_command(const char *command)
{
    char hint[SUGGEST_TEXT_MAX];
    struct suggestion suggestion = suggest_begin(command);
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        suggest_offer(&suggestion, rules[i].command);
    if (access(command, R_OK) == 0)
        snprintf(hint, sizeof hint, "; a file is named by -f FILE");
    else
        suggest_text(&suggestion, hint);
    return wrong_usage("no such command", command, hint);
}

/* What has to stand after the command. */
static const char *words_of(const char *command)
{
    static const char *const words[][2] = {{"server", "BACKEND/SERVER ACTION"},
                                           {"frontend", "NAME"},
                                           {"kill", "SESSION-ID or FILTER"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i][0], command) == 0)
            return words[i][1];
    return NULL;
}

static bool takes(const struct rule *rule, int option)
{
    for (size_t i = 0; i < sizeof rule->takes / sizeof *rule->takes; i++)
        if (rule->takes[i] == option)
            return true;
    return false;
}

static int serve(const char *file, const struct arguments *arguments, char **argv)
{
    struct program program;
    int error = program_find(&program, argv);
    if (error) {
        fprintf(stderr, "rpproxy: cannot find %s: %s\n", argv[0], strerror(error));
        return EXIT_OTHER;
    }
    bool supervised = supervise_wanted(arguments->supervise || arguments->watch_files);
    int status = supervised ? supervise_run(&program, arguments->watch_files ? file : NULL)
                            : process_run(&program, file);
    free(program.path);
    return status;
}

/* The control socket that the file sets; or NULL, after the reason was printed. The caller frees
 * it.
 */
static char *find_control(const char *file)
{
    struct config_errors errors;
    char *control = config_control(file, &errors);
    if (!control) {
        config_errors_print(&errors, stderr);
        fprintf(stderr,
                "rpproxy: the control socket is not known: a line of %s that may set it cannot be "
                "read; -s SOCKET names it\n",
                file);
    }
    config_errors_free(&errors);
    return control;
}

static int run(const struct rule *rule, struct arguments *arguments, char **argv)
{
    struct command *command = &arguments->command;
    const char *file = arguments->file ? arguments->file : CONFIG_DEFAULT_FILE;
    if (!rule->run)
        return serve(file, arguments, argv);
    command->file = arguments->socket ? arguments->file : file;
    command->control = arguments->socket;
    if (!rule->asks || arguments->socket)
        return rule->run(command);

    /* If the name of the file is wrong, the command must not go to the default control socket. */
    if (arguments->file && access(file, R_OK)) {
        fprintf(stderr, "rpproxy: %s: %s\n", file, strerror(errno));
        return EXIT_INVALID;
    }
    char *control = find_control(file);
    if (!control)
        return EXIT_INVALID;
    command->control = control;
    command->control_from_file = true;
    int status = rule->run(command);
    free(control);
    return status;
}

/* Stores one option. Returns NULL, or what is wrong with its value. */
static const char *take_option(struct arguments *arguments, int option, const char *value)
{
    const char *wrong;
    switch (option) {
    case 'f':
        wrong = arguments->file ? "is given twice" : NULL;
        arguments->file = value;
        return wrong;
    case 's':
        wrong = arguments->socket ? "is given twice" : NULL;
        arguments->socket = value;
        return wrong;
    case WAIT:
        arguments->command.drained = value && strcmp(value, "drained") == 0;
        return !value || strcmp(value, "ready") == 0 || arguments->command.drained
                   ? NULL
                   : "must be ready or drained";
    case TIMEOUT:
        return command_duration(value, &arguments->command.timeout);
    case FORCE:
        arguments->command.force = true;
        return NULL;
    case CANARY:
        arguments->command.canary = value;
        return command_canary(value);
    case ABORT:
        arguments->command.abort = true;
        return NULL;
    case PROMOTE:
        arguments->command.promote = true;
        return NULL;
    case DRY_RUN:
        arguments->command.dry_run = true;
        return NULL;
    case WATCH:
        arguments->command.watch = true;
        return NULL;
    case SUPERVISE:
        arguments->supervise = true;
        return NULL;
    case DIFF:
        arguments->command.diff = true;
        return NULL;
    case WRITE:
        arguments->command.write = true;
        return NULL;
    case LAST:
        return command_limit(value, &arguments->command.last);
    case LIMIT:
        return command_limit(value, &arguments->command.limit);
    case WATCH_FILES:
        arguments->watch_files = true;
        return NULL;
    case 'v':
        arguments->command.verbose = true;
        return NULL;
    default:
        arguments->command.json = true;
        return NULL;
    }
}

/* Returns NULL, or why these options cannot be given together. */
static const char *excess(const struct rule *rule, const struct arguments *arguments)
{
    const struct command *command = &arguments->command;
    /* A reload refuses if the process that answers there reads another file. */
    if (arguments->file && arguments->socket && strcmp(rule->command, "reload") != 0)
        return "only one of -f FILE and -s SOCKET can be given: FILE is to say which socket";
    if ((command->canary != NULL) + command->abort + command->promote + command->dry_run > 1)
        return "only one of --canary, --abort, --promote and --dry-run can be given";
    if (command->force && (command->abort || command->promote))
        return "--force cannot be given with --abort or --promote";
    if (command->drained && command->abort)
        return "--wait=drained cannot be given with --abort";
    return NULL;
}

/* Opens /dev/null in place of a closed standard stream: otherwise a socket would get its number,
 * and the peer of that socket would get the messages of this process. For a closed standard output,
 * /dev/null is opened for reading only, so that writing fails and output_end() reports it. */
static bool have_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 &&
            open("/dev/null", fd == STDOUT_FILENO ? O_RDONLY : O_RDWR) != fd)
            return false;
    return true;
}

/* Finishes the output of every command. Returns the exit status of the program: that of the
 * command, or EXIT_OTHER if the command succeeded and its output could not be written. */
static int output_end(int status)
{
    bool failed = ferror(stdout);
    errno = 0;
    if (fclose(stdout))
        failed = true;
    if (!failed)
        return status;
    fprintf(stderr, "rpproxy: %sthe output could not be written%s%s\n",
            status == EXIT_DONE ? "the command is done, but " : "", errno ? ": " : "",
            errno ? strerror(errno) : "");
    return status == EXIT_DONE ? EXIT_OTHER : status;
}

static int complete_line(char **words, size_t count)
{
    enum { COMMANDS = sizeof rules / sizeof *rules };
    struct complete_command commands[COMMANDS];
    for (size_t i = 0; i < COMMANDS; i++)
        commands[i] = (struct complete_command){.name = rules[i].command,
                                                .options = rules[i].takes,
                                                .option_count = sizeof rules[i].takes / sizeof(int),
                                                .most = rules[i].most};
    const struct complete_grammar grammar = {
        .commands = commands, .command_count = COMMANDS, .options = options};
    complete(&grammar, words, count);
    return EXIT_DONE;
}

/* An option that does not exist, in word. */
static int unknown_option(const char *word)
{
    char hint[SUGGEST_TEXT_MAX];
    struct suggestion suggestion = suggest_begin(word + strspn(word, "-"));
    for (const struct option *option = options; option->name; option++)
        suggest_offer(&suggestion, option->name);
    if (suggestion.best)
        snprintf(hint, sizeof hint, "; did you mean '--%s'?", suggestion.best);
    return wrong_usage("no such option", word, suggestion.best ? hint : "");
}

/* Reads the arguments and runs the command. Returns an exit status of rpproxy(8). */
static int run_arguments(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--complete") == 0)
        return complete_line(argv + 2, (size_t)argc - 2);
    /* The command, if there is one, is the first word. argv stays as it is for the new process. */
    const char *command = argc > 1 && argv[1][0] != '-' ? argv[1] : "";
    const struct rule *rule = find_rule(command);
    if (!rule)
        return unknown_command(command);
    int skipped = *command ? 1 : 0;
    struct arguments arguments = {0};
    int option, index = 0;
    opterr = 0;
    while ((option = getopt_long(argc - skipped, argv + skipped, "-:f:s:hv", options, &index)) !=
           -1) {
        switch (option) {
        case WORD:
            if (!*command && find_rule(optarg))
                return wrong_usage("the command must be the first word", optarg, "");
            if (arguments.command.word_count == rule->most)
                return wrong_usage("too many arguments", optarg, "");
            arguments.command.words[arguments.command.word_count++] = optarg;
            continue;
        case 'h':
        case HELP:
            fputs(usage_text, stdout);
            return EXIT_DONE;
        case HELP_OPTIONS:
            return command_help_options();
        case SHOW_VERSION:
            puts("rpproxy " RPPROXY_VERSION);
            return EXIT_DONE;
        case '?':
            return unknown_option(argv[skipped + optind - 1]);
        case ':':
            return wrong_usage("a value is missing after", argv[skipped + optind - 1], "");
        default:
            break;
        }
        if (!takes(rule, option))
            return wrong_usage("this command does not accept", argv[skipped + optind - 1], "");
        const char *wrong = take_option(&arguments, option, optarg);
        if (wrong) {
            if (option < WAIT)
                fprintf(stderr, "rpproxy: -%c %s: %s\n", option, optarg, wrong);
            else
                fprintf(stderr, "rpproxy: --%s '%s': %s\n", options[index].name, optarg, wrong);
            return EXIT_OTHER;
        }
    }
    if (optind < argc - skipped)
        return wrong_usage("too many arguments", argv[skipped + optind], "");
    if (arguments.command.word_count < rule->least)
        return wrong_usage("missing argument", words_of(command), "");
    if (excess(rule, &arguments))
        return wrong_usage(excess(rule, &arguments), NULL, "");
    return run(rule, &arguments, argv);
}

int main(int argc, char **argv)
{
    if (!have_standard_streams())
        return EXIT_OTHER;
    return output_end(run_arguments(argc, argv));
}
