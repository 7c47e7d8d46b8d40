/*
 * Who may say what to rolecall itself, by name: admin_users everything, stats_users only look. Pure.
 */
#ifndef ROLECALL_CONF_ACCESS_H
#define ROLECALL_CONF_ACCESS_H

#include "conf/config.h"

enum access { ACCESS_NONE, ACCESS_READ, ACCESS_ADMIN };

/* An account of this machine, on the admin socket; NULL: it has no name. Everybody may look while stats_users
   names nobody, since the socket's file mode says who may open it. */
enum access access_of_name(const struct config *config, const char *name);

/* A user of PostgreSQL, over a listener: nobody who is not named. */
enum access access_of_user(const struct config *config, const char *name);

#endif
