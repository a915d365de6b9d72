/* Certificate authorities of the test, which are run by openssl; all files are in its directory. */
#ifndef TESTS_SYSTEM_AUTHORITY_H
#define TESTS_SYSTEM_AUTHORITY_H

#include <stdbool.h>

/* Makes NAME.pem, the certificate of an authority, and NAME.pem.key. */
void authority_make(const char *name);

/* Makes FILE and FILE.key: a certificate of the authority for that common name and these names
 * ("DNS:a.test,IP:127.0.0.1"). FILE may be in a folder, which is made. expired: its time was in
 * 2020. */
void authority_issue(const char *authority, const char *file, const char *common_name,
                     const char *names, bool expired);

/* The same, valid from and until then: "20200101000000Z". */
void authority_issue_between(const char *authority, const char *file, const char *common_name,
                             const char *names, const char *begin, const char *end);

/* As authority_issue(), with a subject as openssl-req(1) has it ("/O=Test/CN=Me"), in UTF-8, and
 * without other names. */
void authority_issue_subject(const char *authority, const char *file, const char *subject,
                             bool expired);

/* Revokes the certificate in FILE. */
void authority_revoke(const char *authority, const char *file);

/* Writes the list of what the authority has revoked. */
void authority_list(const char *authority, const char *file);

#endif
