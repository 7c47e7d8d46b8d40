/*
 * The last ten minutes in numbers, so that a page that is opened now shows what led here. The main thread
 * notes a row every two seconds; nobody is asked for it. Main thread.
 */
#ifndef ROLECALL_FRONT_HISTORY_H
#define ROLECALL_FRONT_HISTORY_H

#include "proxy/front/admin_view.h"
#include "proxy/front/http_routes.h"

#include <uv.h>

#define HISTORY_ROWS 300u
#define HISTORY_STEP_MS 2000u

struct history;

/* Puts itself into the view, which outlives it. NULL: memory is out. */
struct history *history_open(uv_loop_t *loop, struct admin_view *view);
void history_close(struct history *history);
/* When the loop has ended. NULL is allowed. */
void history_free(struct history *history);

/* Notes a row now; the timer's work, and a test's. */
void history_note(struct history *history);

/*
 * /history.json: step_ms; columns[], the names of a row's numbers; rows[], oldest first.
 *
 *     at_ms (since 1970), transactions, requests (since the start), clients, waiting (for a connection),
 *     holding (for a node), connections (to nodes), outstanding (requests on their way), p50_us, p95_us,
 *     p99_us, p999_us (whole requests of the last minute; 0: there were none)
 */
unsigned history_answer(const struct http_asked *asked, struct output *body);

#endif
