/* check = pgsql: the startup message of PostgreSQL's protocol 3.0, and what the server makes of it.
 *
 * Without check-password every request for a password (or another proof of who the client is) is
 * the answer of a server that takes connections, and passes. The check then closes without an
 * answer, which PostgreSQL does not log. Without check-user the user is "rpproxy", and that there
 * is no such user (or database) passes as well: SQLSTATE class 28 and 3D000. Every other error
 * fails; 57P03 is a server that starts up, shuts down, or is a replica without hot standby.
 *
 * With check-password the check logs in: in clear text, by md5, by SCRAM-SHA-256. With check-role
 * it asks pg_is_in_recovery(): primary (or master) passes where that is false, replica where it is
 * true. It leaves by Terminate. The database is check-database, by default "postgres".
 *
 * postgresql.org/docs/current/protocol-message-formats.html */
#ifndef RPPROXY_PROXY_BACKEND_CHECK_PGSQL_H
#define RPPROXY_PROXY_BACKEND_CHECK_PGSQL_H

#include "proxy/backend/check/dialogue.h"

extern const struct dialogue_kind pgsql_dialogue;

#endif
