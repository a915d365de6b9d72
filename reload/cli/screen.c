#include "reload/cli/screen.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

static struct termios before;
static bool changed;
static volatile sig_atomic_t ended, suspended;

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
    return read(STDIN_FILENO, &key, 1) == 1 && key != 'q' && key != 'Q';
}

void screen_end(void)
{
    if (changed)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &before);
    changed = false;
}
