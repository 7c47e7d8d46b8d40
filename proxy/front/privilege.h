/* What the process may do and leave behind. Main thread, before other threads start. */
#ifndef ROLECALL_FRONT_PRIVILEGE_H
#define ROLECALL_FRONT_PRIVILEGE_H

#include "conf/base/error.h"

/* No core files (they would hold secrets), no SIGPIPE, as many descriptors as the hard limit allows. */
void privilege_prepare(void);
/* Becomes `user` when started as root and user is not NULL. */
bool privilege_drop(const char *user, struct error *error);

#endif
