#include "reload/cli/screen.h"

#include "config/base/memory.h"
#include "reload/cli/table.h"

#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct termios before;
static bool changed;
static volatile sig_atomic_t ended, suspended;
static size_t first; /* line of the text that was printed last, at the top */
static size_t page;  /* lines of it that fit; 0: all */

static void on_signal(int number)
{
    if (number == SIGTSTP)
        suspended = 1;
    else
        ended = 1;
}

void screen_begin(void)
{
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &before))
        return;
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGTSTP, &action, NULL);
    struct termios now = before;
    now.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    now.c_cc[VMIN] = 1;
    now.c_cc[VTIME] = 0;
    changed = tcsetattr(STDIN_FILENO, TCSANOW, &now) == 0;
}

int screen_lines(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_row : 0;
}

static size_t count_lines(const char *text)
{
    size_t count = 0;
    for (; (text = strchr(text, '\n')); text++)
        count++;
    return count;
}

static const char *skip_lines(const char *text, size_t count)
{
    for (; count > 0; count--)
        text += strcspn(text, "\n") + 1;
    return text;
}

/* Of lines that are wider than the terminal no more than fits: they would take the place of two. */
static void print_page(const char *text, size_t lines)
{
    if (first > lines - page)
        first = lines - page;
    const char *begin = skip_lines(text, first), *end = skip_lines(begin, page);
    char *copy = memory_copy_n(begin, (size_t)(end - begin));
    table_print_cut(copy, table_width(), stdout);
    free(copy);
    printf("lines %zu to %zu of %zu; space: next page, b: page before, q: quit", first + 1,
           first + page, lines);
}

void screen_clear(void)
{
    fputs("\033[H\033[J", stdout);
}

void screen_print(const char *text)
{
    const int rows = changed ? screen_lines() : 0;
    const size_t lines = count_lines(text);
    page = rows > 1 && lines >= (size_t)rows ? (size_t)rows - 1 : 0;
    screen_clear();
    if (page > 0)
        print_page(text, lines);
    else
        fputs(text, stdout);
    (void)fflush(stdout);
}

static void turn_page(char key)
{
    if (key == ' ')
        first += page;
    else if (key == 'b')
        first = first > page ? first - page : 0;
}

bool screen_wait(int milliseconds)
{
    char key;
    struct pollfd keys = {.fd = changed ? STDIN_FILENO : -1, .events = POLLIN};
    int ready = poll(&keys, 1, milliseconds);
    if (ended)
        return false;
    if (suspended) {
        suspended = 0;
        screen_end();
        raise(SIGSTOP);
        screen_begin();
        return true;
    }
    if (ready <= 0)
        return true;
    if (read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q')
        return false;
    turn_page(key);
    return true;
}

void screen_end(void)
{
    if (changed)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &before);
    changed = false;
}
