/* check = mysql, for MySQL and MariaDB: the whole handshake, and COM_QUIT. No handshake is broken
 * off, so the server blocks no host for it ("max_connect_errors").
 *
 * Without check-user the user is "rpproxy", which the server does not know. Its "access denied" is
 * the answer of a server that is alive, and passes. A server counts that in Aborted_connects and
 * mentions it in its log, regardless of what a client says that cannot log in (measured with
 * MariaDB 10.11: every other end of a handshake is counted as well, and most block the host in
 * addition). With a user that may log in, nothing is counted.
 *
 * With check-user the check logs in, and passes when the server says OK, and with check-role when
 * @@global.read_only is off (master, primary) or on (replica). Known are mysql_native_password and
 * caching_sha2_password, for which the server has to have the hash in its cache, or an RSA key. A
 * user of another kind is told in the reason.
 *
 * dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html, mariadb.com/kb/en/connection */
#ifndef RPPROXY_PROXY_BACKEND_CHECK_MYSQL_H
#define RPPROXY_PROXY_BACKEND_CHECK_MYSQL_H

#include "proxy/backend/check/dialogue.h"

extern const struct dialogue_kind mysql_dialogue;

#endif
