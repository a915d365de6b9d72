#include "tests/system/support/canary.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct reload start(const char *name, const char *const *argv)
{
    struct reload reload;
    char file[NAME_MAX];
    snprintf(file, sizeof file, "%s.out", name);
    unlink(test_path(reload.out, file));
    snprintf(file, sizeof file, "%s.err", name);
    unlink(test_path(reload.err, file));
    reload.pid =
        program_start(&(struct program){.argv = argv, .out = reload.out, .err = reload.err});
    return reload;
}

struct reload reload_start(const struct proxy *proxy, const char *plan)
{
    const char *argv[] = {proxy_binary(), "reload",   "-f", proxy->file,
                          "-v",           "--canary", plan, NULL};
    return start("reload", argv);
}

struct reload decision_start(const struct proxy *proxy, const char *option)
{
    const char *argv[] = {proxy_binary(), "reload", "-f", proxy->file, option, NULL};
    return start("decision", argv);
}

void reload_ends(const struct reload *reload, int code)
{
    char text[4096];
    int status = wait_gone(reload->pid);
    read_file(reload->err, text, sizeof text);
    ck_assert_msg(status == code << 8, "wait status %x: %s", (unsigned)status, text);
}

void expect_in_file(const char *path, const char *what)
{
    char text[8192];
    read_file(path, text, sizeof text);
    ck_assert_msg(strstr(text, what) != NULL, "'%s' is not said in: %s", what, text);
}

bool canary_look(struct canary *canary)
{
    struct outcome outcome;
    if (proxy_command(canary->proxy, &outcome, "status", "--json", NULL) != 0) {
        return false;
    }
    json_t *status = json_loads(outcome.out, 0, NULL);
    ck_assert_ptr_nonnull(status);
    int pid;
    json_int_t its, ours;
    bool there = json_unpack(status, "{s:{s:i, s:F, s:b, s:{s:I}, s:{s:I}}}", "canary", "pid", &pid,
                             "percent", &canary->percent, "by_source", &canary->by_source, "canary",
                             "sessions_total", &its, "predecessor", "sessions_total", &ours) == 0;
    if (there) {
        canary->pid = pid;
        canary->sessions = (unsigned)its;
        canary->predecessors = (unsigned)ours;
    }
    json_decref(status);
    return there;
}

static bool canary_there(void *argument)
{
    return canary_look(argument);
}

struct canary canary_wait(const struct proxy *proxy)
{
    struct canary canary = {.proxy = proxy};
    wait_until(canary_there, &canary, "the successor is a canary");
    return canary;
}

bool is_reaped(void *argument)
{
    return kill(*(pid_t *)argument, 0) != 0 && errno == ESRCH;
}

bool is_active_again(void *argument)
{
    const struct proxy *proxy = argument;
    struct status status;
    return proxy_status(proxy, &status) && status.pid == proxy->pid && status.count == 1;
}

void next_reload(struct proxy *proxy)
{
    proxy->generation++;
    proxy_reload(proxy);
}

unsigned sessions_on_both_sides(const struct scene *scene,
                                struct session sessions[static SESSIONS_MAX])
{
    struct canary canary = {.proxy = &scene->proxy};
    unsigned count = 0;
    do {
        ck_assert_uint_lt(count, SESSIONS_MAX);
        sessions[count++] = session_open(scene);
        ck_assert(canary_look(&canary));
    } while (canary.sessions == 0 || canary.predecessors == 0);
    return count;
}

void sessions_work(const struct session *sessions, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        session_works(&sessions[i]);
    }
}

void sessions_close(const struct session *sessions, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        session_close(&sessions[i]);
    }
}

void start_under_load(struct scene *scene, struct origin *origin, struct churn **churn)
{
    scene_init(scene);
    scene->server_port = origin_port(origin);
    scene_configure(scene, "", "");
    proxy_start(&scene->proxy);
    *churn = churn_start(
        &(struct churn_options){.target = scene->front, .in_flight = IN_FLIGHT, .rate = 500});
    churn_wait(*churn, IN_FLIGHT);
}

unsigned start_with_canary(struct scene *scene, const char *global, struct reload *reload,
                           struct canary *canary, struct session sessions[static SESSIONS_MAX])
{
    scene_start(scene, global, "");
    *reload = reload_start(&scene->proxy, "50%:1h");
    *canary = canary_wait(&scene->proxy);
    return sessions_on_both_sides(scene, sessions);
}

unsigned sessions_alive(const struct session *sessions, unsigned count)
{
    unsigned alive = 0;
    for (unsigned i = 0; i < count; i++) {
        if (!readable_within(sessions[i].client, 0)) {
            session_works(&sessions[i]);
            alive++;
        }
        close(sessions[i].client);
        close(sessions[i].server);
    }
    return alive;
}
