#include "proxy/backend/check/kinds.h"

#include "proxy/backend/check/agent.h"
#include "proxy/backend/check/http.h"
#include "proxy/backend/check/mysql.h"
#include "proxy/backend/check/pgsql.h"
#include "proxy/backend/check/redis.h"
#include "proxy/backend/check/smtp.h"
#include "proxy/backend/check/steps.h"

/* By kind of check. */
static const struct dialogue_kind *const kinds[] = {
    [CHECK_OFF] = NULL,
    [CHECK_TCP] = NULL,
    [CHECK_TLS] = NULL,
    [CHECK_HTTP] = &http_dialogue,
    [CHECK_REDIS] = &redis_dialogue,
    [CHECK_PGSQL] = &pgsql_dialogue,
    [CHECK_MYSQL] = &mysql_dialogue,
    [CHECK_SMTP] = &smtp_dialogue,
    [CHECK_STEPS] = &steps_dialogue,
    [CHECK_AGENT] = &agent_dialogue,
    [CHECK_EXEC] = NULL,
};

const struct dialogue_kind *dialogue_kind(enum check check)
{
    return (size_t)check < sizeof kinds / sizeof kinds[0] ? kinds[check] : NULL;
}
