/*
 * libpq on a libuv loop; see pgconn.h.
 *
 *     pgconn_open -> (resolve) -> connect, next address if refused -> ready <-> query -> ... -> pgconn_close
 *
 * libpq says after each step which readiness it waits for; a poll handle watches for that and calls the step
 * again. One timer bounds whatever is waited for. A failed step, or a passed deadline, makes the connection
 * broken and tells its owner once. While idle the socket stays watched, so a killed server is noticed at
 * once.
 *
 * libpq may close its socket and open another under the same number within any step. A poll handle that still
 * names the old one would disturb the new one, so the handle is closed BEFORE each step of connecting, and a
 * new one made after it. Handles are counted; the last one's close frees.
 */
#include "health/pgconn.h"

#include "conf/base/fsm.h"
#include "health/memory.h"
#include "health/pgconn_error.h"
#include "health/pgconn_params.h"

#include <assert.h>
#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

/* UNTOLD: broken while idle, and the owner does not listen for that: the next query tells. */
enum state { STARTING, RESOLVING, CONNECTING, READY, QUERYING, UNTOLD, BROKEN, CLOSED };

static const char *const state_names[] = {[STARTING] = "starting",
    [RESOLVING] = "resolving",
    [CONNECTING] = "connecting",
    [READY] = "ready",
    [QUERYING] = "querying",
    [UNTOLD] = "untold",
    [BROKEN] = "broken",
    [CLOSED] = "closed"};
static const uint64_t moves[] = {
    [STARTING] = FSM_TO(RESOLVING) | FSM_TO(CONNECTING) | FSM_TO(BROKEN) | FSM_TO(CLOSED),
    [RESOLVING] = FSM_TO(CONNECTING) | FSM_TO(BROKEN) | FSM_TO(CLOSED),
    [CONNECTING] = FSM_TO(CONNECTING) | FSM_TO(READY) | FSM_TO(BROKEN) | FSM_TO(CLOSED),
    [READY] = FSM_TO(QUERYING) | FSM_TO(UNTOLD) | FSM_TO(BROKEN) | FSM_TO(CLOSED),
    [QUERYING] = FSM_TO(READY) | FSM_TO(BROKEN) | FSM_TO(CLOSED),
    [UNTOLD] = FSM_TO(BROKEN) | FSM_TO(CLOSED),
    [BROKEN] = FSM_TO(CLOSED),
    [CLOSED] = 0};
static const struct fsm fsm = {"pgconn", state_names, moves, CLOSED + 1};

/* A poll handle outlives its use by a turn of the loop; conn is NULL from then on. */
struct watch {
    uv_poll_t poll;
    struct pgconn *conn;
};

struct pgconn {
    enum state state;
    uv_loop_t *loop;
    PGconn *pg;
    struct endpoint *endpoint;
    size_t nth_address;
    struct pgconn_keywords keywords;
    uint64_t connect_timeout_ms;
    struct watch *watch;
    uv_timer_t deadline;
    bool overtime; /* the deadline passed while an answer was waiting to be read */
    uv_getaddrinfo_t resolve;
    int handles;                 /* open handles and requests, the struct's own life not counted */
    PGresult *result;            /* of the query under way: the first error, else the newest */
    char last_sqlstate[6];       /* of the last FATAL or ERROR that came while idle */
    struct pgconn_answer untold; /* what the next query is answered, when UNTOLD */
    void *context, *query_context;
    void (*opened)(void *context, const struct pgconn_answer *answer);
    void (*lost)(void *context, const struct pgconn_answer *answer);
    void (*done)(void *context, const struct pgconn_answer *answer);
    void (*notified)(void *context, const char *channel, const char *payload);
};

static void connect_next(struct pgconn *conn);
static void on_ready(uv_poll_t *poll, int status, int events);

static void set_state(struct pgconn *conn, enum state state)
{
    fsm_check(&fsm, (int)conn->state, (int)state);
    conn->state = state;
}

/* --- handles --- */

static void release(struct pgconn *conn)
{
    assert(conn->handles > 0);
    if (--conn->handles == 0) {
        assert(conn->state == CLOSED);
        free(conn);
    }
}

static void on_watch_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void watch_stop(struct pgconn *conn)
{
    if (!conn->watch)
        return;
    conn->watch->conn = NULL;
    uv_close((uv_handle_t *)&conn->watch->poll, on_watch_closed);
    conn->watch = NULL;
}

static bool watch_start(struct pgconn *conn, int events)
{
    if (!conn->watch) {
        struct watch *watch = memory_new(1, sizeof *watch);
        if (uv_poll_init(conn->loop, &watch->poll, PQsocket(conn->pg)) != 0) {
            free(watch);
            return false;
        }
        watch->poll.data = watch;
        watch->conn = conn;
        conn->watch = watch;
    }
    return uv_poll_start(&conn->watch->poll, events, on_ready) == 0;
}

/* Must come after watch_stop: it closes the socket. */
static void drop_libpq(struct pgconn *conn)
{
    assert(!conn->watch);
    PQclear(conn->result);
    conn->result = NULL;
    PQfinish(conn->pg);
    conn->pg = NULL;
}

/* --- telling the owner --- */

/* The owner may close the connection or send a query in here: nothing may follow a call of this. */
static void tell(struct pgconn *conn, enum state was, const struct pgconn_answer *answer)
{
    if (was == QUERYING)
        conn->done(conn->query_context, answer);
    else if (was == READY)
        conn->lost(conn->context, answer);
    else
        conn->opened(conn->context, answer);
}

static void break_with(struct pgconn *conn, struct pgconn_answer *answer)
{
    enum state was = conn->state;
    bool untold = was == READY && !conn->lost;
    set_state(conn, untold ? UNTOLD : BROKEN);
    uv_timer_stop(&conn->deadline);
    watch_stop(conn);
    drop_libpq(conn);
    if (untold)
        conn->untold = *answer;
    else
        tell(conn, was, answer);
}

static void break_as(struct pgconn *conn, enum pgconn_outcome outcome, const char *sqlstate, const char *text)
{
    struct pgconn_answer answer = {.outcome = outcome};
    error_set(&answer.error, sqlstate, "%s", text);
    break_with(conn, &answer);
}

/* --- connecting --- */

static void connect_failed(struct pgconn *conn, int socket_errno)
{
    struct pgconn_answer answer = {0};
    answer.outcome = pgconn_error_connect(socket_errno, PQerrorMessage(conn->pg), &answer.error);
    if (answer.outcome == PGCONN_UNUSABLE && PQconnectionNeedsPassword(conn->pg)) {
        answer.outcome = PGCONN_LOGIN;
        error_set(
            &answer.error, SQLSTATE_INVALID_PASSWORD, "the server wants a password, and none is configured");
    }
    bool elsewhere = answer.outcome == PGCONN_REFUSED || answer.outcome == PGCONN_UNREACHABLE;
    if (elsewhere && endpoint_nth(conn->endpoint, conn->nth_address + 1)) {
        watch_stop(conn);
        drop_libpq(conn);
        conn->nth_address++;
        connect_next(conn);
        return;
    }
    if (answer.outcome != PGCONN_LOGIN)
        endpoint_failed(conn->endpoint);
    break_with(conn, &answer);
}

static void connected(struct pgconn *conn)
{
    if (PQsetnonblocking(conn->pg, 1) != 0 || !watch_start(conn, UV_READABLE)) {
        break_as(conn, PGCONN_UNUSABLE, SQLSTATE_INTERNAL_ERROR, "the socket cannot be watched");
        return;
    }
    endpoint_worked(conn->endpoint, conn->nth_address);
    pgconn_keywords_fini(&conn->keywords);
    uv_timer_stop(&conn->deadline);
    set_state(conn, READY);
    struct pgconn_answer answer = {.outcome = PGCONN_OK};
    conn->opened(conn->context, &answer);
}

static void connect_wait(struct pgconn *conn, PostgresPollingStatusType wanted)
{
    if (wanted == PGRES_POLLING_FAILED)
        connect_failed(conn, 0);
    else if (wanted == PGRES_POLLING_OK)
        connected(conn);
    else if (!watch_start(conn, wanted == PGRES_POLLING_WRITING ? UV_WRITABLE : UV_READABLE))
        break_as(conn, PGCONN_UNUSABLE, SQLSTATE_INTERNAL_ERROR, "the socket cannot be watched");
}

/* What the kernel holds against the socket, before libpq takes it: an errno, or 0. */
static int socket_trouble(struct pgconn *conn)
{
    int fd = PQsocket(conn->pg), trouble = 0;
    socklen_t len = sizeof trouble;
    if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &trouble, &len) != 0 || trouble != 0)
        return trouble;
    char byte;
    bool established = PQstatus(conn->pg) != CONNECTION_STARTED;
    return established && recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0 ? ECONNRESET : 0;
}

static void connect_step(struct pgconn *conn)
{
    int trouble = socket_trouble(conn);
    watch_stop(conn);
    if (trouble != 0)
        connect_failed(conn, trouble);
    else
        connect_wait(conn, PQconnectPoll(conn->pg));
}

/* Notices go nowhere, but a FATAL that comes while idle says why the server is about to hang up. */
static void on_notice(void *context, const PGresult *notice)
{
    struct pgconn *conn = context;
    const char *sqlstate = PQresultErrorField(notice, PG_DIAG_SQLSTATE);
    const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (sqlstate && severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0))
        snprintf(conn->last_sqlstate, sizeof conn->last_sqlstate, "%.5s", sqlstate);
}

static void connect_next(struct pgconn *conn)
{
    set_state(conn, CONNECTING);
    pgconn_keywords_set_address(&conn->keywords, endpoint_nth(conn->endpoint, conn->nth_address));
    conn->pg = memory_must(PQconnectStartParams(conn->keywords.names, conn->keywords.values, 0));
    if (PQstatus(conn->pg) == CONNECTION_BAD) {
        connect_failed(conn, 0);
        return;
    }
    PQsetErrorVerbosity(conn->pg, PQERRORS_VERBOSE);
    PQsetNoticeReceiver(conn->pg, on_notice, conn);
    connect_wait(conn, PGRES_POLLING_WRITING);
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *answer)
{
    struct pgconn *conn = request->data;
    if (status == 0 && answer && conn->state == RESOLVING)
        endpoint_resolved(conn->endpoint, answer);
    uv_freeaddrinfo(answer);
    if (conn->state == RESOLVING && !endpoint_address(conn->endpoint)) {
        char text[ERROR_TEXT_MAX];
        snprintf(text, sizeof text, "host name \"%s\" has no address: %s", conn->endpoint->host,
            status ? uv_strerror(status) : "empty answer");
        break_as(conn, PGCONN_UNRESOLVED, SQLSTATE_CONNECTION_FAILURE, text);
    } else if (conn->state == RESOLVING) {
        connect_next(conn);
    }
    release(conn);
}

static void resolve(struct pgconn *conn)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    set_state(conn, RESOLVING);
    conn->resolve.data = conn;
    int failed = uv_getaddrinfo(conn->loop, &conn->resolve, on_resolved, conn->endpoint->host, NULL, &hints);
    if (failed)
        break_as(conn, PGCONN_UNRESOLVED, SQLSTATE_CONNECTION_FAILURE, uv_strerror(failed));
    else
        conn->handles++;
}

/* --- querying --- */

/* A broken connection's last words: what the server said, else what libpq says. */
static void break_lost(struct pgconn *conn)
{
    char text[ERROR_TEXT_MAX], sqlstate[6];
    const char *words = PQresultErrorMessage(conn->result);
    if (words[0] == '\0')
        words = PQerrorMessage(conn->pg);
    pgconn_error_sqlstate(words, sqlstate);
    if (sqlstate[0] == '\0')
        snprintf(sqlstate, sizeof sqlstate, "%s", conn->last_sqlstate);
    pgconn_error_text(words, text, sizeof text);
    break_as(conn, PGCONN_RESET, sqlstate[0] ? sqlstate : SQLSTATE_CONNECTION_FAILURE,
        text[0] ? text : "the connection broke");
}

static bool is_error(const PGresult *result)
{
    return result && PQresultStatus(result) != PGRES_TUPLES_OK &&
           PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_EMPTY_QUERY;
}

static bool is_copy(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

static void keep_result(struct pgconn *conn, PGresult *result)
{
    if (is_error(conn->result)) {
        PQclear(result);
        return;
    }
    PQclear(conn->result);
    conn->result = result;
}

static void query_ended(struct pgconn *conn)
{
    PGresult *result = conn->result;
    struct pgconn_answer answer = {.outcome = PGCONN_OK, .result = result};
    if (PQstatus(conn->pg) == CONNECTION_BAD) {
        break_lost(conn);
        return;
    }
    conn->result = NULL;
    if (is_error(result)) {
        const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        const char *words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
        answer.outcome = PGCONN_QUERY;
        error_set(&answer.error, sqlstate ? sqlstate : SQLSTATE_INTERNAL_ERROR, "%s",
            words ? words : "the query failed without a word");
    } else if (result) {
        answer.rows = PQntuples(result);
        answer.columns = PQnfields(result);
    }
    uv_timer_stop(&conn->deadline);
    set_state(conn, READY);
    conn->done(conn->query_context, &answer);
    PQclear(result);
}

static void take_results(struct pgconn *conn)
{
    while (!PQisBusy(conn->pg)) {
        PGresult *result = PQgetResult(conn->pg);
        if (!result) {
            query_ended(conn);
            return;
        }
        if (is_copy(result)) {
            PQclear(result);
            break_as(conn, PGCONN_UNUSABLE, SQLSTATE_FEATURE_NOT_SUPPORTED, "the query is a COPY");
            return;
        }
        keep_result(conn, result);
    }
}

/* The owner may close the connection or send a query in each call. */
static void tell_notifications(struct pgconn *conn)
{
    for (PGnotify *notify; conn->pg && (notify = PQnotifies(conn->pg)) != NULL; PQfreemem(notify)) {
        if (conn->notified)
            conn->notified(conn->context, notify->relname, notify->extra);
    }
}

/* False when the connection broke and the owner was told. */
static bool flush(struct pgconn *conn)
{
    int left = PQflush(conn->pg);
    if (left >= 0 && watch_start(conn, left ? UV_READABLE | UV_WRITABLE : UV_READABLE))
        return true;
    break_lost(conn);
    return false;
}

static void query_step(struct pgconn *conn, int status, int events)
{
    bool alive = true;
    if (status != 0 || (events & UV_READABLE))
        alive = PQconsumeInput(conn->pg) == 1;
    if (conn->state == QUERYING && alive) {
        if (flush(conn))
            take_results(conn);
        tell_notifications(conn);
        return;
    }
    tell_notifications(conn);
    if (conn->pg && (!alive || status != 0 || PQstatus(conn->pg) == CONNECTION_BAD))
        break_lost(conn);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    struct pgconn *conn = watch->conn;
    if (!conn)
        return;
    switch (conn->state) {
    case CONNECTING: connect_step(conn); break;
    case READY:
    case QUERYING: query_step(conn, status, events); break;
    case STARTING:
    case RESOLVING:
    case UNTOLD:
    case BROKEN:
    case CLOSED: assert(!"a watched socket in a state that has none");
    }
}

/* --- deadline, open, close --- */

static void on_deadline(uv_timer_t *timer);

/* From now, not from when this turn of the loop began: a long turn must not make servers look slow. */
static void set_deadline(struct pgconn *conn, uint64_t timeout_ms)
{
    uv_update_time(conn->loop);
    conn->overtime = false;
    uv_timer_start(&conn->deadline, on_deadline, timeout_ms, 0);
}

/* True when the answer is there and only we did not come to read it: it gets one more turn. */
static bool grant_overtime(struct pgconn *conn)
{
    struct pollfd socket = {.fd = conn->pg ? PQsocket(conn->pg) : -1, .events = POLLIN};
    if (conn->overtime || socket.fd < 0 || poll(&socket, 1, 0) <= 0)
        return false;
    conn->overtime = true;
    uv_timer_start(&conn->deadline, on_deadline, 1, 0);
    return true;
}

static void on_deadline(uv_timer_t *timer)
{
    struct pgconn *conn = timer->data;
    if ((conn->state == CONNECTING || conn->state == QUERYING) && grant_overtime(conn))
        return;
    switch (conn->state) {
    case STARTING:
        set_deadline(conn, conn->connect_timeout_ms);
        if (endpoint_must_resolve(conn->endpoint))
            resolve(conn);
        else
            connect_next(conn);
        break;
    case RESOLVING:
        uv_cancel((uv_req_t *)&conn->resolve); /* its callback comes either way */
        break_as(
            conn, PGCONN_UNRESOLVED, SQLSTATE_CONNECTION_FAILURE, "the host name was not resolved in time");
        break;
    case CONNECTING:
        endpoint_failed(conn->endpoint);
        break_as(conn, PGCONN_TIMEOUT, SQLSTATE_CONNECTION_FAILURE, "no answer in time");
        break;
    case QUERYING: break_as(conn, PGCONN_TIMEOUT, SQLSTATE_CONNECTION_FAILURE, "no answer in time"); break;
    case READY:
    case UNTOLD:
    case BROKEN:
    case CLOSED: break;
    }
}

static void on_not_sent(uv_timer_t *timer)
{
    struct pgconn *conn = timer->data;
    if (conn->state == QUERYING) {
        break_lost(conn);
        return;
    }
    set_state(conn, BROKEN);
    conn->done(conn->query_context, &conn->untold);
}

struct pgconn *pgconn_open(uv_loop_t *loop, const struct pgconn_params *params)
{
    struct pgconn *conn = memory_new(1, sizeof *conn);
    conn->state = STARTING;
    conn->loop = loop;
    conn->endpoint = params->endpoint;
    conn->connect_timeout_ms = params->connect_timeout_ms;
    conn->context = params->context;
    conn->opened = params->opened;
    conn->lost = params->lost;
    conn->notified = params->notified;
    pgconn_keywords_init(&conn->keywords, params);
    uv_timer_init(loop, &conn->deadline);
    conn->deadline.data = conn;
    conn->handles = 1;
    uv_timer_start(&conn->deadline, on_deadline, 0, 0);
    return conn;
}

void pgconn_query(struct pgconn *conn, const char *sql, const char *const *values, int n_values,
    uint64_t timeout_ms, void *context, void (*done)(void *context, const struct pgconn_answer *answer))
{
    static const Oid text_types[] = {25, 25, 25, 25};
    assert((conn->state == READY || conn->state == UNTOLD) && n_values <= 4);
    conn->query_context = context;
    conn->done = done;
    if (conn->state == UNTOLD) {
        uv_timer_start(&conn->deadline, on_not_sent, 0, 0);
        return;
    }
    set_state(conn, QUERYING);
    conn->last_sqlstate[0] = '\0';
    int sent = n_values == PGCONN_PREPARED ? PQsendQueryPrepared(conn->pg, sql, 0, NULL, NULL, NULL, 0)
               : n_values == 0
                   ? PQsendQuery(conn->pg, sql)
                   : PQsendQueryParams(conn->pg, sql, n_values, text_types, values, NULL, NULL, 0);
    bool watched = sent && PQflush(conn->pg) >= 0 && watch_start(conn, UV_READABLE | UV_WRITABLE);
    /* What could not be sent is told from the loop, like everything else. */
    if (watched)
        set_deadline(conn, timeout_ms);
    else
        uv_timer_start(&conn->deadline, on_not_sent, 0, 0);
}

bool pgconn_ready(const struct pgconn *conn)
{
    return conn && conn->state == READY;
}

static void on_deadline_closed(uv_handle_t *handle)
{
    release(handle->data);
}

void pgconn_close(struct pgconn *conn)
{
    if (!conn)
        return;
    if (conn->state == RESOLVING)
        uv_cancel((uv_req_t *)&conn->resolve);
    set_state(conn, CLOSED);
    watch_stop(conn);
    drop_libpq(conn);
    pgconn_keywords_fini(&conn->keywords);
    uv_close((uv_handle_t *)&conn->deadline, on_deadline_closed);
}

/* --- answers --- */

const char *pgconn_value(const struct pgconn_answer *answer, int row, int column)
{
    if (!answer->result || row < 0 || row >= answer->rows || column < 0 || column >= answer->columns)
        return NULL;
    return PQgetisnull(answer->result, row, column) ? NULL : PQgetvalue(answer->result, row, column);
}

void pgconn_wipe(const struct pgconn_answer *answer)
{
    for (int row = 0; row < answer->rows; row++) {
        for (int column = 0; column < answer->columns; column++) {
            int len = PQgetlength(answer->result, row, column);
            if (len > 0)
                explicit_bzero(PQgetvalue(answer->result, row, column), (size_t)len);
        }
    }
}

const char *pgconn_outcome_name(enum pgconn_outcome outcome)
{
    switch (outcome) {
    case PGCONN_OK: return "ok";
    case PGCONN_UNRESOLVED: return "unresolved";
    case PGCONN_REFUSED: return "refused";
    case PGCONN_UNREACHABLE: return "unreachable";
    case PGCONN_RESET: return "reset";
    case PGCONN_TIMEOUT: return "timeout";
    case PGCONN_LOGIN: return "login";
    case PGCONN_UNUSABLE: return "unusable";
    case PGCONN_QUERY: return "query";
    }
    return "unknown";
}

void pgconn_clear_environment(void)
{
    static const char *const others[] = {"PGDATESTYLE", "PGTZ", "PGGEQO", "PGSYSCONFDIR", "PGSERVICEFILE",
        "PGSERVICE", "PGLOCALEDIR", "PGREQUIRESSL", "PGREALM"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        unsetenv(others[i]);
    PQconninfoOption *options = PQconndefaults();
    for (PQconninfoOption *option = options; option && option->keyword; option++) {
        if (option->envvar)
            unsetenv(option->envvar);
    }
    PQconninfoFree(options);
}
