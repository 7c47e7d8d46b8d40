/* The table of what the HTTP door can be asked for; see http_routes.h. "/" tells it. */
#include "proxy/front/http_routes.h"

#include "proxy/front/events_json.h"
#include "proxy/front/history.h"
#include "proxy/front/metrics.h"
#include "proxy/front/page.h"
#include "proxy/front/stats_json.h"

#include <stdarg.h>
#include <stdio.h>

static unsigned answer_index(const struct http_asked *asked, struct output *body);
static unsigned answer_page(const struct http_asked *asked, struct output *body);

/* clang-format off: a row is read as a table */
static const struct http_route routes[] = {
    {"/", HTTP_TYPE_TEXT, NULL, .open = true, .location = "stats", .answer = answer_index,
        .help = "this list; browsers go on to /stats"},
    {"/stats", HTTP_TYPE_PAGE, page_policy, .answer = answer_page,
        .help = "a page to look at: clusters, charts, pools, what has happened"},
    {"/healthz", HTTP_TYPE_TEXT, NULL, .open = true, .answer = http_answer_healthz,
        .help = "200 while the process lives"},
    {"/readyz", HTTP_TYPE_TEXT, NULL, .open = true, .answer = http_answer_readyz,
        .help = "200 when some listener can serve, else 503"},
    {"/primary", HTTP_TYPE_TEXT, NULL, .open = true, .answer = http_answer_primary,
        .help = "200 when there is a primary to send to, else 503; ?cluster=NAME"},
    {"/replica", HTTP_TYPE_TEXT, NULL, .open = true, .answer = http_answer_replica,
        .help = "200 when there is a fit replica to send to, else 503; ?cluster=NAME"},
    {"/stats.json", HTTP_TYPE_JSON, NULL, .surveys = true, .answer = stats_json_answer,
        .help = "everything there is to know, for programs"},
    {"/events.json", HTTP_TYPE_JSON, NULL, .answer = events_json_answer,
        .help = "what has happened; ?since=ID tells what is new"},
    {"/history.json", HTTP_TYPE_JSON, NULL, .answer = history_answer,
        .help = "the last ten minutes in numbers, a row every two seconds"},
    {"/metrics", HTTP_TYPE_METRICS, NULL, .surveys = true, .answer = metrics_answer,
        .help = "metrics for Prometheus"},
};
/* clang-format on */

#define N_ROUTES (sizeof routes / sizeof *routes)
_Static_assert(N_ROUTES <= HTTP_ROUTES_MAX, "raise HTTP_ROUTES_MAX");

const struct http_route *http_routes(size_t *n)
{
    *n = N_ROUTES;
    return routes;
}

void http_print(struct output *body, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *room = len > 0 ? output_reserve(body, (size_t)len + 1) : NULL;
    if (room) {
        vsnprintf(room, (size_t)len + 1, format, again);
        output_commit(body, (size_t)len);
    }
    va_end(again);
}

static unsigned answer_index(const struct http_asked *asked, struct output *body)
{
    (void)asked;
    http_print(body, "rolecall %s\n\n", ROLECALL_VERSION);
    for (size_t i = 0; i < N_ROUTES; i++)
        http_print(body, "%-12s %s\n", routes[i].path, routes[i].help);
    return 302;
}

static unsigned answer_page(const struct http_asked *asked, struct output *body)
{
    (void)asked;
    output_bytes(body, page_document, page_document_len);
    return 200;
}
