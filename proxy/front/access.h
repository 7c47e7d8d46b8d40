/*
 * Who may do what on the admin socket: root, the account that rolecall runs as and admin_users everything;
 * stats_users, or everybody when there are none, only look. Main thread.
 */
#ifndef ROLECALL_FRONT_ACCESS_H
#define ROLECALL_FRONT_ACCESS_H

#include "conf/config.h"

#include <sys/types.h>

enum access { ACCESS_NONE, ACCESS_READ, ACCESS_ADMIN };

/* Looks up the account's name only when the configuration names some. */
enum access access_of_account(const struct config *config, uid_t uid);

/* The same by name; NULL: it has none. */
enum access access_of_name(const struct config *config, const char *name);

#endif
