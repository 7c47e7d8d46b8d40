/*
 * What an account of this machine may do on the admin socket: root and the one that rolecall runs as
 * everything, others what conf/access.h says of their names. Main thread.
 */
#ifndef ROLECALL_FRONT_ACCOUNT_H
#define ROLECALL_FRONT_ACCOUNT_H

#include "conf/access.h"

#include <sys/types.h>

/* Looks up the account's name only when the configuration names some. */
enum access access_of_account(const struct config *config, uid_t uid);

#endif
