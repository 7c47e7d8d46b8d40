/*
 * What the HTTP door can be asked for: one constant table. An answer is made from what the main thread knows
 * and, where the row says so, a finished survey of the workers' pools; it is text in memory. Main thread.
 */
#ifndef ROLECALL_FRONT_HTTP_ROUTES_H
#define ROLECALL_FRONT_HTTP_ROUTES_H

#include "proxy/front/admin_output.h"
#include "proxy/front/admin_survey.h"
#include "proxy/front/admin_view.h"

#include <stdbool.h>
#include <stddef.h>

#define HTTP_TYPE_TEXT "text/plain; charset=utf-8"
#define HTTP_TYPE_JSON "application/json"
#define HTTP_TYPE_METRICS "text/plain; version=0.0.4; charset=utf-8"
#define HTTP_TYPE_PAGE "text/html; charset=utf-8"

struct http_asked {
    const struct admin_view *view;
    const struct survey *pools; /* NULL unless the route wants it */
    const char *cluster;        /* ?cluster=NAME; NULL = not said */
    const char *since;          /* ?since=ID; NULL = not said */
    bool stopping;
};

struct http_route {
    const char *path;
    const char *type;     /* Content-Type */
    const char *policy;   /* Content-Security-Policy; NULL: nothing may be loaded */
    const char *location; /* where to look instead; NULL: nowhere else */
    bool open;            /* needs no login */
    bool surveys; /* wants http_asked.pools; the answer may be given to several who ask at the same time */
    unsigned (*answer)(const struct http_asked *asked, struct output *body); /* returns the HTTP status */
    const char *help;
};

/* At most HTTP_ROUTES_MAX. */
#define HTTP_ROUTES_MAX 16
const struct http_route *http_routes(size_t *n);

/* http_health.c */
unsigned http_answer_healthz(const struct http_asked *asked, struct output *body);
unsigned http_answer_readyz(const struct http_asked *asked, struct output *body);
unsigned http_answer_primary(const struct http_asked *asked, struct output *body);
unsigned http_answer_replica(const struct http_asked *asked, struct output *body);

/* Adds formatted text. */
void http_print(struct output *body, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
