/*
 * PostgreSQL's md5 password authentication, both ways. Pure; any thread.
 *
 * The stored form is "md5" + hex(md5(password + user)); what is sent is "md5" + hex(md5(stored hex + salt)).
 */
#ifndef ROLECALL_AUTH_MD5_H
#define ROLECALL_AUTH_MD5_H

#include "conf/base/slice.h"
#include "proxy/auth/secret.h"

#include <stdbool.h>

#define MD5_TEXT_LEN 35 /* without the NUL */

/* The stored form. False when OpenSSL has no MD5 (FIPS mode). */
bool md5_stored(struct slice password, struct slice user, char out[MD5_TEXT_LEN + 1]);
/* What answers AuthenticationMD5Password. False when the secret is neither PLAIN nor MD5. */
bool md5_response(
    const struct secret *secret, struct slice user, const unsigned char salt[4], char out[MD5_TEXT_LEN + 1]);
/* Checks such an answer, in constant time; false as well when the secret (NULL is allowed) cannot be used so.
 */
bool md5_verify(
    const struct secret *secret, struct slice user, const unsigned char salt[4], struct slice response);

#endif
