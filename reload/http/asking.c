#include "reload/http/asking.h"

#include "config/base/clock.h"
#include "reload/http/server.h"

#include <stdlib.h>

static void ask(struct asking *asking)
{
    asking->under_way = true;
    STAILQ_CONCAT(&asking->asked, &asking->waiting);
    task_queue_post(asking->main, &asking->look_task);
}

static struct asking_waiter *take_first(struct asking_waiters *waiters)
{
    struct asking_waiter *waiter = STAILQ_FIRST(waiters);
    STAILQ_REMOVE_HEAD(waiters, link);
    return waiter;
}

static void refuse(struct asking *asking, struct evhttp_request *request, const char *why)
{
    http_server_say(asking->server, request, HTTP_SERVUNAVAIL, why);
}

static void run_answer(void *arg)
{
    struct asking *asking = arg;
    asking->under_way = false;
    while (!STAILQ_EMPTY(&asking->asked)) {
        struct asking_waiter *waiter = take_first(&asking->asked);
        if (asking->answer)
            asking->reply(waiter->request, asking->answer, asking->arg);
        else
            refuse(asking, waiter->request, "out of memory");
        free(waiter);
    }
    if (asking->answer)
        asking->release(asking->answer);
    asking->answer = NULL;
    if (!STAILQ_EMPTY(&asking->waiting))
        ask(asking);
}

static void run_look(void *arg)
{
    struct asking *asking = arg;
    asking->look(asking, asking->arg);
}

void asking_begin(struct asking *asking, struct http_server *server)
{
    asking->server = server;
    asking->main = http_server_main(server);
    asking->tasks = http_server_tasks(server);
    asking->look_task = (struct task){.run = run_look, .arg = asking};
    asking->answer_task = (struct task){.run = run_answer, .arg = asking};
    STAILQ_INIT(&asking->waiting);
    STAILQ_INIT(&asking->asked);
}

void asking_add(struct asking *asking, struct evhttp_request *request)
{
    struct asking_waiter *waiter = calloc(1, sizeof *waiter);
    if (!waiter) {
        refuse(asking, request, "out of memory");
        return;
    }
    waiter->request = request;
    waiter->since = clock_ms();
    STAILQ_INSERT_TAIL(&asking->waiting, waiter, link);
    if (!asking->under_way)
        ask(asking);
}

void asking_answer(struct asking *asking, void *answer)
{
    asking->answer = answer;
    task_queue_post(asking->tasks, &asking->answer_task);
}

static void refuse_overdue(struct asking *asking, struct asking_waiters *waiters, uint64_t now)
{
    while (!STAILQ_EMPTY(waiters) && now - STAILQ_FIRST(waiters)->since > ASKING_WAIT_MS) {
        struct asking_waiter *waiter = take_first(waiters);
        refuse(asking, waiter->request, "a thread of the proxy does not answer");
        free(waiter);
    }
}

void asking_on_tick(struct asking *asking)
{
    const uint64_t now = clock_ms();
    refuse_overdue(asking, &asking->asked, now);
    refuse_overdue(asking, &asking->waiting, now);
}

void asking_drop(struct asking *asking)
{
    while (!STAILQ_EMPTY(&asking->asked))
        free(take_first(&asking->asked));
    while (!STAILQ_EMPTY(&asking->waiting))
        free(take_first(&asking->waiting));
}

void asking_end(struct asking *asking)
{
    task_queue_withdraw(asking->main, &asking->look_task);
    if (asking->answer)
        asking->release(asking->answer);
    asking->answer = NULL;
}
