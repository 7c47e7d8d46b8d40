/* Basic authentication of the HTTP door. Main thread. */
#ifndef ROLECALL_FRONT_HTTP_LOGIN_H
#define ROLECALL_FRONT_HTTP_LOGIN_H

#include "conf/config.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

struct login_failures {
    uint64_t since_us, count; /* not yet logged */
};

/* True also when no user is configured. What was said is compared in constant time. */
bool login_is_good(
    const struct config_http *config, struct MHD_Connection *connection, struct login_failures *failures);

#endif
