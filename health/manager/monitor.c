/*
 * The monitor's client; see monitor.h.
 *
 *     apart -> connect -> LISTEN state -> read <-> idle        (any failure: apart, and again a moment later)
 *
 * A notification is a hint, since anyone who may connect can send one: its payload is not looked at, it only
 * makes the next read come sooner, and reads are never closer than READ_GAP_MS. LISTEN comes before the first
 * read, so nothing happens unseen between them. What was read stays when the connection is lost; what is left
 * of it after manager_grace says monitor_state.c.
 */
#include "health/manager/monitor.h"

#include "conf/base/clock.h"
#include "conf/base/fsm.h"
#include "conf/base/log.h"
#include "health/manager/monitor_order.h"
#include "health/manager/monitor_table.h"
#include "health/memory.h"

#include <inttypes.h>
#include <stdio.h>

#define READ_GAP_MS 15
#define READ_PAUSE_MS 1000
#define SEEKING_READ_PAUSE_MS 100
#define RETRY_PAUSE_MS 500
#define SEEKING_RETRY_PAUSE_MS 100

enum step { STEP_APART, STEP_CONNECT, STEP_LISTEN, STEP_READ, STEP_IDLE };

static const char *const step_names[] = {[STEP_APART] = "apart",
    [STEP_CONNECT] = "connect",
    [STEP_LISTEN] = "listen",
    [STEP_READ] = "read",
    [STEP_IDLE] = "idle"};
static const uint64_t moves[] = {[STEP_APART] = FSM_TO(STEP_APART) | FSM_TO(STEP_CONNECT),
    [STEP_CONNECT] = FSM_TO(STEP_LISTEN) | FSM_TO(STEP_APART),
    [STEP_LISTEN] = FSM_TO(STEP_READ) | FSM_TO(STEP_APART),
    [STEP_READ] = FSM_TO(STEP_IDLE) | FSM_TO(STEP_APART),
    [STEP_IDLE] = FSM_TO(STEP_READ) | FSM_TO(STEP_APART)};
static const struct fsm fsm = {"monitor", step_names, moves, STEP_IDLE + 1};

struct monitor {
    struct manager manager; /* first */
    uv_loop_t *loop;
    const struct settings *settings;
    struct manager_events events;
    struct endpoint endpoint;
    struct pgconn *conn;
    enum step step;
    uv_timer_t timer;
    bool again; /* a notification came while reading */
    bool seeking;
    uint64_t read_at_us;  /* when the newest read began */
    uint64_t heard_at_us; /* when the newest one ended well; before the first: when it was opened */
    bool listed;          /* there was a first */
    bool lost;            /* the log knows that it cannot be asked */
    bool silent;          /* the owner knows that it has not been heard for manager_grace */
    struct monitor_table table;
    struct monitor_order *order; /* the switchover that was ordered; NULL: none under way */
};

static void ask(struct monitor *monitor);

static const struct config_cluster *config_of(const struct monitor *monitor)
{
    return monitor->settings->cluster;
}

static void set_step(struct monitor *monitor, enum step step)
{
    fsm_check(&fsm, (int)monitor->step, (int)step);
    monitor->step = step;
}

/* Shorter than it takes to read twice there is no silence, whatever is configured. */
static uint64_t grace_us(const struct monitor *monitor)
{
    uint64_t grace_ms = config_of(monitor)->manager_grace_ms, least_ms = 2 * READ_PAUSE_MS;
    return (grace_ms > least_ms ? grace_ms : least_ms) * 1000;
}

static uint64_t silent_us(const struct monitor *monitor, uint64_t now_us)
{
    return now_us > monitor->heard_at_us ? now_us - monitor->heard_at_us : 0;
}

static void speak(struct monitor *monitor)
{
    monitor->events.spoke(monitor->events.context);
}

/* --- pauses --- */

static void on_timer(uv_timer_t *timer);

static void wait_ms(struct monitor *monitor, uint64_t ms)
{
    uv_timer_start(&monitor->timer, on_timer, ms, 0);
}

static uint64_t pause_ms(const struct monitor *monitor)
{
    if (monitor->step == STEP_APART)
        return monitor->seeking ? SEEKING_RETRY_PAUSE_MS : RETRY_PAUSE_MS;
    return monitor->seeking ? SEEKING_READ_PAUSE_MS : READ_PAUSE_MS;
}

/* Until the gap to the newest read is so long. */
static uint64_t wait_for_gap_ms(const struct monitor *monitor, uint64_t gap_ms)
{
    uint64_t since_ms = (clock_now_us() - monitor->read_at_us) / 1000;
    return since_ms < gap_ms ? gap_ms - since_ms : 0;
}

/* Only while one of the two pauses lasts, never to a later time. */
static void bring_forward(struct monitor *monitor, uint64_t delay_ms)
{
    if (uv_timer_get_due_in(&monitor->timer) > delay_ms)
        wait_ms(monitor, delay_ms);
}

/* --- losing it --- */

static void notice_silence(struct monitor *monitor)
{
    bool silent = silent_us(monitor, clock_now_us()) >= grace_us(monitor);
    if (silent == monitor->silent)
        return;
    monitor->silent = silent;
    if (silent)
        log_event(LOG_WARNING, "monitor_silent", "cluster=%s consequence=%s", config_of(monitor)->name,
            "PostgreSQL alone decides who is primary until the monitor is back");
    speak(monitor);
}

static void tell_lost(struct monitor *monitor, const struct error *error)
{
    if (!monitor->lost)
        log_event(LOG_WARNING, "monitor_lost", "cluster=%s host=%s port=%u sqlstate=%s error=%s",
            config_of(monitor)->name, monitor->endpoint.host, (unsigned)monitor->endpoint.port,
            error->sqlstate, error->text);
    monitor->lost = true;
}

static void lose(struct monitor *monitor, const struct error *error)
{
    pgconn_close(monitor->conn);
    monitor->conn = NULL;
    monitor->again = false;
    set_step(monitor, STEP_APART);
    tell_lost(monitor, error);
    wait_ms(monitor, pause_ms(monitor));
    notice_silence(monitor);
}

/* --- reading --- */

static void log_states(const struct monitor *monitor, const struct monitor_table *before)
{
    for (size_t i = 0; i < monitor->table.n; i++) {
        const struct monitor_node *node = &monitor->table.nodes[i];
        const struct monitor_node *was = monitor_table_find(before, node->member.host, node->member.port);
        if (was && was->goal == node->goal && was->reported == node->reported)
            continue;
        log_event(LOG_INFO, "monitor_state", "cluster=%s node=%s reported=%s goal=%s",
            config_of(monitor)->name, node->member.name, monitor_state_name(node->reported),
            monitor_state_name(node->goal));
    }
}

static void take(struct monitor *monitor, const struct monitor_table *before)
{
    bool news = !monitor->listed || monitor_table_differs(before, &monitor->table);
    if (monitor->lost)
        log_event(LOG_INFO, "monitor_found", "cluster=%s host=%s port=%u", config_of(monitor)->name,
            monitor->endpoint.host, (unsigned)monitor->endpoint.port);
    monitor->lost = false;
    monitor->listed = true;
    monitor->heard_at_us = monitor->read_at_us;
    log_states(monitor, before);
    if (news && !monitor->silent)
        speak(monitor);
    else
        notice_silence(monitor);
}

static void on_table(void *context, const struct pgconn_answer *answer)
{
    struct monitor *monitor = context;
    struct monitor_table before = monitor->table;
    struct error error = answer->error;
    bool good = answer->outcome == PGCONN_OK &&
                monitor_table_read(&monitor->table, answer, monitor->read_at_us, &error);
    if (answer->outcome != PGCONN_OK && answer->outcome != PGCONN_QUERY) {
        lose(monitor, &error);
        return;
    }
    set_step(monitor, STEP_IDLE);
    wait_ms(monitor, monitor->again ? wait_for_gap_ms(monitor, READ_GAP_MS) : pause_ms(monitor));
    monitor->again = false;
    if (good) {
        take(monitor, &before);
        return;
    }
    tell_lost(monitor, &error);
    notice_silence(monitor);
}

static void ask(struct monitor *monitor)
{
    const struct config_cluster *config = config_of(monitor);
    char query[MONITOR_QUERY_MAX], group[16];
    snprintf(group, sizeof group, "%" PRIu32, config->monitor_group);
    const char *const values[] = {config->monitor_formation, group};
    monitor_table_query(config->monitor_nodes, query);
    set_step(monitor, STEP_READ);
    monitor->read_at_us = clock_now_us();
    pgconn_query(monitor->conn, query, values, 2, config->probe_timeout_ms, monitor, on_table);
}

static void on_notified(void *context, const char *channel, const char *payload)
{
    struct monitor *monitor = context;
    (void)channel;
    (void)payload;
    if (monitor->step == STEP_READ)
        monitor->again = true;
    else if (monitor->step == STEP_IDLE)
        bring_forward(monitor, wait_for_gap_ms(monitor, READ_GAP_MS));
}

/* --- connecting --- */

static void on_listening(void *context, const struct pgconn_answer *answer)
{
    struct monitor *monitor = context;
    if (answer->outcome != PGCONN_OK) {
        lose(monitor, &answer->error);
        return;
    }
    ask(monitor);
}

static void on_opened(void *context, const struct pgconn_answer *answer)
{
    struct monitor *monitor = context;
    if (answer->outcome != PGCONN_OK) {
        lose(monitor, &answer->error);
        return;
    }
    set_step(monitor, STEP_LISTEN);
    pgconn_query(
        monitor->conn, "LISTEN state", NULL, 0, config_of(monitor)->probe_timeout_ms, monitor, on_listening);
}

static void on_lost(void *context, const struct pgconn_answer *answer)
{
    lose(context, &answer->error);
}

#define OPTIONS_MAX 96

/* Where the monitor is and how it is reached; `options` is room that must live as long. */
static struct pgconn_params params_of(struct monitor *monitor, uint64_t timeout_ms, char options[OPTIONS_MAX])
{
    const struct config *config = monitor->settings->config;
    const struct config_cluster *cluster = config_of(monitor);
    snprintf(options, OPTIONS_MAX, "-c search_path= -c statement_timeout=%" PRIu64, timeout_ms);
    return (struct pgconn_params){.endpoint = &monitor->endpoint,
        .user = cluster->monitor_user,
        .password = cluster->monitor_password,
        .database = cluster->monitor_database,
        .options = options,
        .tls = &cluster->tls,
        .tcp_user_timeout_ms = config->tcp_user_timeout_ms,
        .tcp_keepalive_ms = config->tcp_keepalive_ms,
        .connect_timeout_ms = cluster->probe_timeout_ms};
}

static void connect_to(struct monitor *monitor)
{
    char options[OPTIONS_MAX];
    struct pgconn_params params = params_of(monitor, config_of(monitor)->probe_timeout_ms, options);
    params.context = monitor;
    params.opened = on_opened;
    params.lost = on_lost;
    params.notified = on_notified;
    set_step(monitor, STEP_CONNECT);
    monitor->conn = pgconn_open(monitor->loop, &params);
}

static void on_timer(uv_timer_t *timer)
{
    struct monitor *monitor = timer->data;
    if (monitor->step == STEP_APART)
        connect_to(monitor);
    else if (monitor->step == STEP_IDLE)
        ask(monitor);
}

/* --- the manager's face --- */

static bool members(const struct manager *manager, struct manager_members *out)
{
    const struct monitor *monitor = (const struct monitor *)manager;
    out->n = monitor->table.n;
    for (size_t i = 0; i < monitor->table.n; i++)
        out->list[i] = monitor->table.nodes[i].member;
    return monitor->listed;
}

static void word(
    const struct manager *manager, const char *host, uint16_t port, uint64_t now_us, struct manager_word *out)
{
    const struct monitor *monitor = (const struct monitor *)manager;
    const struct monitor_rules rules = {
        grace_us(monitor), config_of(monitor)->monitor_draining == DRAINING_SERVE};
    monitor_table_word(
        monitor_table_find(&monitor->table, host, port), now_us, silent_us(monitor, now_us), &rules, out);
}

/* A notification tells of each change; this is for one that was lost. */
static void ask_about(struct manager *manager, const char *host, uint16_t port)
{
    struct monitor *monitor = (struct monitor *)manager;
    (void)host;
    (void)port;
    if (monitor->step == STEP_IDLE)
        bring_forward(monitor, wait_for_gap_ms(monitor, SEEKING_READ_PAUSE_MS));
}

static void seek(struct manager *manager, bool seeking)
{
    struct monitor *monitor = (struct monitor *)manager;
    monitor->seeking = seeking;
    if (monitor->step == STEP_APART || monitor->step == STEP_IDLE)
        bring_forward(monitor, pause_ms(monitor));
}

static void on_ordered(void *context, bool accepted, const char *words)
{
    struct monitor *monitor = context;
    monitor_order_close(monitor->order);
    monitor->order = NULL;
    monitor->events.answered(monitor->events.context, accepted, words);
}

static bool switchover(struct manager *manager, const struct manager_place *from,
    const struct manager_place *to, struct error *error)
{
    struct monitor *monitor = (struct monitor *)manager;
    const struct monitor_node *node = to ? monitor_table_find(&monitor->table, to->host, to->port) : NULL;
    char options[OPTIONS_MAX];
    (void)from; /* whom the monitor has as the primary is its own matter */
    if (to && !node)
        return error_set(error, SQLSTATE_OBJECT_NOT_IN_STATE, "the monitor lists no node at %s, port %u",
            to->host, (unsigned)to->port);
    const struct pgconn_params params = params_of(monitor, MONITOR_ORDER_TIMEOUT_MS, options);
    const struct monitor_order_spec spec = {.params = &params,
        .formation = config_of(monitor)->monitor_formation,
        .group = config_of(monitor)->monitor_group,
        .node = node ? node->member.name : "",
        .context = monitor,
        .done = on_ordered};
    monitor_order_close(monitor->order);
    monitor->order = monitor_order_open(monitor->loop, &spec);
    return true;
}

static void set_address(struct monitor *monitor)
{
    endpoint_init(&monitor->endpoint, config_of(monitor)->monitor_host, config_of(monitor)->monitor_port);
}

/* Reloads are rare: it connects anew without looking whether it must. */
static void reload(struct manager *manager)
{
    struct monitor *monitor = (struct monitor *)manager;
    pgconn_close(monitor->conn);
    monitor->conn = NULL;
    monitor->again = false;
    endpoint_fini(&monitor->endpoint);
    set_address(monitor);
    set_step(monitor, STEP_APART);
    wait_ms(monitor, 0);
}

static void on_closed(uv_handle_t *handle)
{
    struct monitor *monitor = handle->data;
    endpoint_fini(&monitor->endpoint);
    free(monitor);
}

static void shut(struct manager *manager)
{
    struct monitor *monitor = (struct monitor *)manager;
    pgconn_close(monitor->conn);
    monitor_order_close(monitor->order);
    uv_close((uv_handle_t *)&monitor->timer, on_closed);
}

struct manager *monitor_open(
    uv_loop_t *loop, const struct settings *settings, const struct manager_events *events)
{
    static const struct manager_methods methods = {.members = members,
        .word = word,
        .ask = ask_about,
        .seek = seek,
        .switchover = switchover,
        .reload = reload,
        .close = shut};
    struct monitor *monitor = memory_new(1, sizeof *monitor);
    monitor->manager.methods = &methods;
    monitor->loop = loop;
    monitor->settings = settings;
    monitor->events = *events;
    monitor->heard_at_us = clock_now_us();
    set_address(monitor);
    uv_timer_init(loop, &monitor->timer);
    monitor->timer.data = monitor;
    wait_ms(monitor, 0);
    return &monitor->manager;
}
