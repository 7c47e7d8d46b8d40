/* The last ten minutes; see history.h. */
#include "proxy/front/history.h"

#include "conf/base/clock.h"
#include "proxy/front/latency.h"

#include <inttypes.h>
#include <stdlib.h>

enum column {
    AT_MS,
    TRANSACTIONS,
    REQUESTS,
    CLIENTS,
    WAITING,
    HOLDING,
    CONNECTIONS,
    OUTSTANDING,
    P50_US,
    P95_US,
    P99_US,
    P999_US,
    COLUMNS
};

static const char *const names[COLUMNS] = {[AT_MS] = "at_ms",
    [TRANSACTIONS] = "transactions",
    [REQUESTS] = "requests",
    [CLIENTS] = "clients",
    [WAITING] = "waiting",
    [HOLDING] = "holding",
    [CONNECTIONS] = "connections",
    [OUTSTANDING] = "outstanding",
    [P50_US] = "p50_us",
    [P95_US] = "p95_us",
    [P99_US] = "p99_us",
    [P999_US] = "p999_us"};

struct history {
    struct admin_view *view;
    uv_timer_t timer;
    uint64_t n; /* rows noted so far; the newest HISTORY_ROWS of them are kept */
    uint64_t rows[HISTORY_ROWS][COLUMNS];
};

static uint64_t load(const _Atomic uint64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

static void add_workers(const struct admin_view *view, uint64_t *row)
{
    for (uint32_t i = 0; i < view->n_workers; i++) {
        const struct session_counters *counters = &view->workers[i].sessions.counters;
        row[TRANSACTIONS] += load(&counters->transactions);
        row[REQUESTS] += load(&counters->exchanges);
        row[CLIENTS] += load(&counters->clients);
        row[WAITING] += load(&counters->waiting);
    }
}

static void add_clusters(const struct admin_view *view, uint64_t *row)
{
    for (size_t i = 0; i < view->config->n_clusters; i++) {
        const struct topology *topology = view->topologies[i];
        if (topology && topology->live)
            row[HOLDING] += atomic_load_explicit(&topology->live->holding, memory_order_relaxed);
        for (size_t k = 0; topology && k < topology->n_nodes; k++) {
            const struct node_live *live = topology->nodes[k].live;
            row[CONNECTIONS] += atomic_load_explicit(&live->connections, memory_order_relaxed);
            row[OUTSTANDING] += atomic_load_explicit(&live->outstanding, memory_order_relaxed);
        }
    }
}

static void add_latency(const struct admin_view *view, uint64_t *row)
{
    struct latency_row *all;
    if (latency_rows(view->latency, LATENCY_ALL, &all) > 0) {
        const struct latency_quantiles *minute = &all->of[METER_REQUEST][LATENCY_MINUTE];
        row[P50_US] = minute->p50_us;
        row[P95_US] = minute->p95_us;
        row[P99_US] = minute->p99_us;
        row[P999_US] = minute->p999_us;
    }
    free(all);
}

void history_note(struct history *history)
{
    uint64_t row[COLUMNS] = {[AT_MS] = clock_day_ms()};
    add_workers(history->view, row);
    add_clusters(history->view, row);
    add_latency(history->view, row);
    for (int i = 0; i < COLUMNS; i++)
        history->rows[history->n % HISTORY_ROWS][i] = row[i];
    history->n++;
}

static void on_timer(uv_timer_t *timer)
{
    history_note(timer->data);
}

struct history *history_open(uv_loop_t *loop, struct admin_view *view)
{
    struct history *history = calloc(1, sizeof *history);
    if (!history)
        return NULL;
    history->view = view;
    view->history = history;
    uv_timer_init(loop, &history->timer);
    history->timer.data = history;
    uv_timer_start(&history->timer, on_timer, 0, HISTORY_STEP_MS);
    return history;
}

void history_close(struct history *history)
{
    if (!uv_is_closing((uv_handle_t *)&history->timer))
        uv_close((uv_handle_t *)&history->timer, NULL);
}

void history_free(struct history *history)
{
    free(history);
}

static void write_row(struct output *body, const uint64_t *row)
{
    for (int i = 0; i < COLUMNS; i++)
        http_print(body, "%s%" PRIu64, i ? "," : "[", row[i]);
    output_text(body, "]");
}

unsigned history_answer(const struct http_asked *asked, struct output *body)
{
    const struct history *history = asked->view->history;
    uint64_t n = history ? history->n : 0, at = n > HISTORY_ROWS ? n - HISTORY_ROWS : 0;
    http_print(body, "{\"step_ms\":%u,\"columns\":[", HISTORY_STEP_MS);
    for (int i = 0; i < COLUMNS; i++)
        http_print(body, "%s\"%s\"", i ? "," : "", names[i]);
    output_text(body, "],\"rows\":[");
    for (bool first = true; at < n; at++, first = false) {
        output_text(body, first ? "" : ",");
        write_row(body, history->rows[at % HISTORY_ROWS]);
    }
    output_text(body, "]}\n");
    return 200;
}
