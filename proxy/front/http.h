/*
 * The HTTP door: health checks for load balancers, metrics for Prometheus, statistics as JSON, the page. Only
 * GET, HEAD and OPTIONS, without bodies. Main thread, on its loop.
 *
 *     /healthz  /readyz  /primary  /replica      200 or 503 and a line that says why; open to everybody
 *     /stats  /stats.json  /events.json
 *     /history.json  /metrics                    behind basic authentication when [http] has a user
 *
 * There is always a door; whether it is open is up to the configuration, which a reload may change. To add
 * something to be asked for: a row in http_routes.c.
 */
#ifndef ROLECALL_FRONT_HTTP_H
#define ROLECALL_FRONT_HTTP_H

#include "conf/base/error.h"
#include "proxy/front/admin_survey.h"
#include "proxy/front/admin_view.h"

#include <uv.h>

struct http;

struct http_host {
    uv_loop_t *loop;
    const struct admin_view *view; /* outlives the door; holds the configuration */
    struct surveys *surveys;       /* outlives the door */
};

/* Binds the address of [http], if there is the section, and reads its certificate. NULL fills the error. */
struct http *http_open(const struct http_host *host, struct error *error);

/* The view has a new configuration. What cannot be done is logged, and the door stays as it was. */
void http_reload(struct http *http);

/* The program is about to stop: it is not ready any more. */
void http_drain(struct http *http);

/* Closes every handle. */
void http_close(struct http *http);
/* When the loop has ended. NULL is allowed. */
void http_free(struct http *http);

#endif
