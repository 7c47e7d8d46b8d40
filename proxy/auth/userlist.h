/*
 * A file of users and their secrets in PgBouncer's format, loaded: immutable, reference-counted, any thread.
 *
 *     "user" "password or verifier"      ; a comment
 *
 * One user a line; "" inside quotes is one quote; lines that begin with ; or # are comments, and whatever
 * follows the secret is ignored, as PgBouncer does. A user that stands twice is an error.
 */
#ifndef ROLECALL_AUTH_USERLIST_H
#define ROLECALL_AUTH_USERLIST_H

#include "conf/base/error.h"
#include "conf/base/slice.h"
#include "proxy/auth/secret.h"

#include <stdbool.h>
#include <stddef.h>

#define USERLIST_TEXT_MAX (64U << 20)

struct userlist;

/* Text is copied. One reference is the caller's. NULL fills an error (F0000) that says "NAME line N: ...",
   and never quotes a secret. */
struct userlist *userlist_parse(struct slice text, const char *name, struct error *error);
struct userlist *userlist_ref(struct userlist *list);
void userlist_unref(struct userlist *list); /* NULL is allowed; secrets are wiped with the last reference */

size_t userlist_count(const struct userlist *list);
/* False when the user is not listed. Wipe `out` afterwards. list NULL: nobody is listed. */
bool userlist_find(const struct userlist *list, struct slice user, struct secret *out);

#endif
