/*
 * What a server answers, on its way to the client.
 *
 * All well: messages are forwarded as they come; with the last ReadyForQuery the request is settled and the
 * server given back. Everything before the first row or completion is withheld, and the rows of a short
 * answer that came along with what ends it: a read's error on a replica is not final until then, the primary
 * is asked instead and the client sees one answer. Failure: FATAL errors are not forwarded, since the session
 * lives on; lost.c decides when the connection ends.
 */
#include "proxy/session/changes.h"
#include "proxy/session/inquiry.h"
#include "proxy/session/prefix.h"
#include "proxy/session/stale.h"
#include "proxy/session/wording.h"

#include "conf/base/log.h"
#include "proxy/wire/reader.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define WITHHELD_MAX (256 * 1024)
#define ROWS_WITHHELD_MAX (8 * 1024) /* what PostgreSQL collects before it sends */

/* ---- what is withheld ---- */

static bool is_preliminary(char type)
{
    switch ((enum backend_type)type) {
    case BACKEND_PARSE_COMPLETE:
    case BACKEND_BIND_COMPLETE:
    case BACKEND_CLOSE_COMPLETE:
    case BACKEND_ROW_DESCRIPTION:
    case BACKEND_PARAMETER_DESCRIPTION:
    case BACKEND_NO_DATA:
    case BACKEND_NOTICE:
    case BACKEND_PARAMETER_STATUS: return true;
    case BACKEND_NOTIFICATION:
    case BACKEND_COMMAND_COMPLETE:
    case BACKEND_DATA_ROW:
    case BACKEND_ERROR:
    case BACKEND_COPY_IN:
    case BACKEND_COPY_OUT:
    case BACKEND_EMPTY_QUERY:
    case BACKEND_KEY_DATA:
    case BACKEND_AUTHENTICATION:
    case BACKEND_FUNCTION_RESULT:
    case BACKEND_COPY_BOTH:
    case BACKEND_READY:
    case BACKEND_COPY_DONE:
    case BACKEND_COPY_DATA:
    case BACKEND_PORTAL_SUSPENDED:
    case BACKEND_NEGOTIATE_VERSION: return false;
    }
    return false;
}

/* Also the rows of a short answer, when what comes behind them is here already: it may be the end of the
 * node. */
static bool is_withheld(const struct request *request, const struct answer *answer)
{
    size_t len = request->withheld.len + answer->len;
    if (!request->withholds || request->committed)
        return false;
    if (answer->type == BACKEND_DATA_ROW)
        return answer->followed && len < ROWS_WITHHELD_MAX;
    return is_preliminary(answer->type) && len < WITHHELD_MAX;
}

static void commit_to_client(struct session *session)
{
    struct request *request = session->request;
    if (request->committed)
        return;
    request->committed = true;
    begin_on_answer(session);
    if (request->withheld.len > 0)
        session_write(session, request->withheld.data, request->withheld.len);
    buffer_release(&request->withheld, &session->all->spares);
}

/* ---- retrying ---- */

static bool has_primary(const struct session *session)
{
    const struct topology *topology = pool_topology(session->pool);
    return topology && topology->primary >= 0;
}

/* The node is being stopped, and a parallel worker of the statement has heard of it before the session's own
   process: as good as a FATAL. */
static bool is_of_shutdown(const struct request *request, const struct backend_error *error)
{
    bool read = request->class == STATEMENT_READ && request->complete && !request->in_transaction;
    return (read || request->retriable) && strcmp(error->sqlstate, SQLSTATE_ADMIN_SHUTDOWN) == 0;
}

#define STRAY_CANCEL_US 100000 /* after it was sent */

/* It came so soon that it was meant for the request before it on this connection, which had ended meanwhile:
   pg_autoctl cancels whatever waits for synchronous replication when it switches that off. */
static bool is_stray_cancel(const struct session *session)
{
    const struct request *request = session->request;
    bool begins = session->begin.state == BEGIN_SENT && request->complete && !request->stream;
    return request->reruns == 0 && (begins || request_is_repeatable(request)) &&
           !settings_value(session->settings, "statement_timeout") &&
           reactor_now_us(session->all->reactor) - request->sent_us < STRAY_CANCEL_US;
}

static enum retry how_to_retry(const struct session *session, const struct backend_error *error)
{
    const struct request *request = session->request;
    if (!error || request->committed || session->cancelled || request->reruns >= RERUNS_MAX)
        return RETRY_NOT;
    if (is_of_shutdown(request, error))
        return session->pins ? RETRY_NOT : RETRY_ELSEWHERE;
    if (strcmp(error->sqlstate, SQLSTATE_QUERY_CANCELED) == 0)
        return is_stray_cancel(session) ? RETRY_ANYWHERE : RETRY_NOT;
    if (!request->retriable || !session_is_split(session))
        return RETRY_NOT;
    if (has_primary(session))
        return RETRY_ON_PRIMARY;
    return lost_is_recovery_conflict(error->sqlstate) ? RETRY_ELSEWHERE : RETRY_NOT;
}

static void begin_retry(struct session *session, const struct answer *answer)
{
    struct request *request = session->request;
    buffer_release(&request->withheld, &session->all->spares);
    if (strcmp(answer->error->sqlstate, "25006") == 0)
        sessions_refuse(session->all, request->shape);
    count(&session->all->counters.retries);
    log_event(LOG_DEBUG, "request_retried", "node=%s sqlstate=%s", session->claim.server->node->name,
        answer->error->sqlstate);
}

static void retry_now(struct session *session, struct node_live *live)
{
    struct request *request = session->request;
    enum retry how = request->retrying;
    bool shared = session->limits->pool != POOL_SESSION && how != RETRY_ANYWHERE;
    request_leaves(session, session->claim.server);
    if (shared || session->begin.state != BEGIN_NONE)
        pool_release(&session->claim, false); /* a transaction that has failed there is rolled back */
    request_again(session);
    request->reruns++;
    request->force_primary |= how == RETRY_ON_PRIMARY;
    if (how == RETRY_ELSEWHERE)
        route_retry_without(session, live);
    else
        route_request(session);
}

/* ---- messages ---- */

/* An error in place of which the client hears the one before it that nobody was to see. */
static void write_error(struct session *session, const struct answer *answer)
{
    struct request *request = session->request;
    struct slice kept = slice_of(request->kept_error.data, request->kept_error.len);
    if (!answer->first || !answer->last) {
        session_write(session, answer->bytes, answer->len);
        return;
    }
    if (kept.len > 0)
        wording_write(session, kept, EXPECT_PARSE);
    else
        wording_write(session, slice_of(answer->bytes, answer->len), answer->kind);
    buffer_release(&request->kept_error, &session->all->spares);
}

static void keep_error(struct session *session, const struct answer *answer)
{
    struct request *request = session->request;
    if (request->kept_error.len == 0 && answer->first && answer->last)
        buffer_append(&request->kept_error, &session->all->spares, answer->bytes, answer->len);
}

/* character_not_in_repertoire, untranslatable_character */
static bool is_encoding_error(const char *sqlstate)
{
    return strcmp(sqlstate, "22021") == 0 || strcmp(sqlstate, "22P05") == 0;
}

static void on_error(struct session *session, struct server *server, const struct answer *answer)
{
    struct request *request = session->request;
    if (request->retrying || request->healing)
        return;
    if (answer->error && server->role == ROLE_PRIMARY && strcmp(answer->error->sqlstate, "25006") == 0)
        pools_hint(&session->all->pools, server->node, server->generation, HINT_READ_ONLY);
    if (answer->error && answer->error->severity >= SEVERITY_FATAL) {
        memcpy(request->fatal_sqlstate, answer->error->sqlstate, sizeof request->fatal_sqlstate);
        request->cut_short = answer->kind != EXPECT_SYNC;
        return; /* the connection ends now: see lost.c */
    }
    if (answer->ahead) {
        stale_on_error(session, server, answer);
        if (!request->stream &&
            answer->kind != EXPECT_DESCRIBE) /* which may never bind what could not be parsed */
            keep_error(session, answer);
        return;
    }
    begin_on_error(session, server, answer);
    if (session->state == SESSION_CLOSED || stale_on_error(session, server, answer))
        return;
    request->retrying = how_to_retry(session, answer->error);
    if (request->retrying) {
        begin_retry(session, answer);
        return;
    }
    commit_to_client(session);
    if (answer->within && answer->first) {
        session_write(session, (char[]){BACKEND_BIND_COMPLETE, 0, 0, 0, 4}, 5);
        request->done_binds++;
    }
    if (answer->first) {
        request->unread = request->unreadable && answer->error && is_encoding_error(answer->error->sqlstate);
        request->error_seen = true;
        request->parse_failed = answer->kind == EXPECT_PARSE && !answer->injected;
    }
    write_error(session, answer);
}

/* What the client has not heard of yet: parameters that are other than before the request. */
static void write_changes(struct session *session, const struct server *server)
{
    const char *name, *value;
    for (uint32_t at = 0; params_next(&server->params, &at, &name, &value);) {
        const char *before = params_get(&session->request->before, name);
        bool hidden = session_is_split(session) && strcmp(name, "in_hot_standby") == 0;
        if (!hidden && (!before || strcmp(before, value) != 0))
            session_parameter(session, name, value);
    }
}

static void give_ready(struct session *session, struct server *server, char status)
{
    commit_to_client(session);
    if (session->request->compares)
        write_changes(session, server);
    status = begin_status(session, status);
    session_ready_for_query(session, status);
    settle_request(session, status);
}

/* Run again on the same server, with statements that are parsed anew. */
static void heal_now(struct session *session, struct server *server)
{
    count(&session->all->counters.reruns);
    request_again(session);
    dispatch_request(session, server);
}

/* The server is ready, and the request that failed there is sent again. */
static bool goes_again(struct session *session, struct server *server, char status)
{
    struct request *request = session->request;
    if (server->expect.count > 0 || (!request->retrying && !request->healing))
        return false;
    if (request->retrying) {
        retry_now(session, server->node);
    } else if (status == 'I') {
        heal_now(session, server);
    } else { /* it has opened a transaction all the same */
        request->healing = false;
        request->error_seen = true;
        commit_to_client(session);
        if (request->kept_error.len > 0)
            wording_write(session, slice_of(request->kept_error.data, request->kept_error.len), EXPECT_BIND);
        return false;
    }
    return true;
}

static void on_ready(struct session *session, struct server *server, const struct answer *answer)
{
    if (goes_again(session, server, answer->status))
        return;
    if (server->expect.count > 0) {
        commit_to_client(session);
        session_write(session, answer->bytes, answer->len);
    } else if (!inquiry_begin(session, server, answer->status)) {
        give_ready(session, server, answer->status);
    }
}

/* The node says that it is not what it was taken for. */
static void hint_of_standby(struct session *session, struct server *server, struct slice value)
{
    if (server->role == ROLE_PRIMARY && slice_is(value, "on"))
        pools_hint(&session->all->pools, server->node, server->generation, HINT_READ_ONLY);
    else if (server->role == ROLE_REPLICA && slice_is(value, "off"))
        pools_hint(&session->all->pools, server->node, server->generation, HINT_PROMOTED);
}

static bool is_suppressed(struct session *session, struct server *server, const struct answer *answer)
{
    struct slice name, value;
    if (answer->type != BACKEND_PARAMETER_STATUS || !answer->first || !answer->last ||
        !backend_parse_parameter_status(
            slice_of(answer->bytes + FRAME_HEADER_LEN, answer->len - FRAME_HEADER_LEN), &name, &value))
        return false;
    if (slice_is(name, "standard_conforming_strings"))
        session->escape_strings = slice_is(value, "off");
    if (!slice_is(name, "in_hot_standby"))
        return session->request->compares != COMPARE_NOTHING;
    hint_of_standby(session, server, value);
    return session_is_split(session);
}

/* Which messages of the request are through, and what the client was told. */
static void count_done(struct session *session, struct server *server, const struct answer *answer)
{
    struct request *request = session->request;
    request->suspends |= answer->type == BACKEND_PORTAL_SUSPENDED;
    if (answer->type == BACKEND_PARSE_COMPLETE)
        request->done_of[CAUSE_PARSE]++;
    else if (answer->type == BACKEND_BIND_COMPLETE)
        request->done_binds++;
    else if (answer->type == BACKEND_CLOSE_COMPLETE)
        request->done_of[CAUSE_CLOSE]++;
    else if (answer->type == BACKEND_COMMAND_COMPLETE || answer->type == BACKEND_EMPTY_QUERY ||
             answer->type == BACKEND_PORTAL_SUSPENDED)
        request->done_of[CAUSE_EXECUTE]++;
    else if (answer->kind == EXPECT_DESCRIBE &&
             (answer->type == BACKEND_ROW_DESCRIPTION || answer->type == BACKEND_NO_DATA))
        stale_on_description(session, server, answer, false);
}

/* A Bind in a stream has waited for it (pass.c). */
static void end_probe(struct session *session)
{
    if (session->state != SESSION_STREAMING || !session->request->probing)
        return;
    session->request->probing = false;
    session->request->probes++;
    stream_release(&session->stream);
}

static void on_answer(void *user, struct server *server, const struct answer *answer)
{
    struct session *session = user;
    struct request *request = session->request;
    if (answer->type == BACKEND_ERROR) {
        on_error(session, server, answer);
        end_probe(session);
        return;
    }
    if (answer->type == BACKEND_READY) {
        on_ready(session, server, answer);
        return;
    }
    if (request->retrying || request->healing || is_suppressed(session, server, answer))
        return;
    if (answer->type == BACKEND_COMMAND_COMPLETE) {
        struct slice tag = slice_of(answer->bytes + FRAME_HEADER_LEN, answer->len - FRAME_HEADER_LEN - 1);
        request->completed = true;
        request->drops_plans |= slice_is(tag, "DISCARD PLANS");
        if (slice_is(tag, "DISCARD ALL"))
            settle_discarded(session, server);
        if (session->inquiry)
            inquiry_saw_tag(session, tag);
    }
    count_done(session, server, answer);
    if (answer->type == BACKEND_NOTICE && request->class != STATEMENT_READ) { /* people watch them */
        if (request->withheld.len > 0)
            commit_to_client(session);
        if (answer->first && answer->last)
            wording_write(session, slice_of(answer->bytes, answer->len), answer->kind);
        else
            session_write(session, answer->bytes, answer->len);
        return;
    }
    if (is_withheld(request, answer) &&
        buffer_append(&request->withheld, &session->all->spares, answer->bytes, answer->len))
        return;
    commit_to_client(session);
    session_write(session, answer->bytes, answer->len);
    if (answer->type == BACKEND_COPY_IN) {
        request->copying = true;
        if (!answer->copy_ended)
            session_move(session, SESSION_COPY_IN);
    }
    if (stream_is_full(&session->stream)) {
        if (request->blocked_since_us == 0)
            request->blocked_since_us = reactor_now_us(session->all->reactor);
        stream_hold(&server->stream);
    }
}

static void on_raw(void *user, struct server *server, const char *bytes, size_t len)
{
    (void)user;
    (void)server;
    (void)bytes;
    (void)len;
    assert(!"a pooled server is never raw");
}

static void on_drained(void *user, struct server *server)
{
    struct session *session = user;
    (void)server;
    if (session->state == SESSION_STREAMING || session->state == SESSION_COPY_IN)
        stream_release(&session->stream);
}

static void on_prefix_done(void *user, struct server *server)
{
    struct session *session = user;
    if (session->request->kind == REQUEST_WELCOME) {
        if (server->expect.count == 0 || server->prefix_failed)
            welcome_on_server(session, server);
        return;
    }
    char status;
    if (inquiry_is_asking(session)) { /* what is put back may come as two queries: client_encoding first */
        if (server->expect.count == 0 && inquiry_on_done(session, server, &status))
            give_ready(session, server, status);
        return;
    }
    if (session->request->own_need && session->request->sent) {
        if (server->expect.count > 0)
            return;
        own_on_done(session, server);
        give_ready(session, server, session->begin.state == BEGIN_OWED ? 'T' : server->tx_status);
        return;
    }
    if (server->prefix_failed) {
        prefix_refused(session, server);
        return;
    }
    if (session->request->compares ==
        COMPARE_WITH_SERVER) /* what was put in place ahead of it is nothing new to the client */
        params_copy(&session->request->before, &server->params);
    if (session->request->probing && server->expect.count == 0) {
        session->request->probing = false;
        session->request->probes++;
        dispatch_go_on(session, server);
        return;
    }
    if (goes_again(session, server, server->tx_status))
        return;
    if (session->request->flush_as_sync && server->expect.count == 0) {
        commit_to_client(session);
        settle_request(session, begin_status(session, server->tx_status));
    }
}

static void on_inquiry(void *user, struct server *server, const struct answer *answer)
{
    struct session *session = user;
    (void)server;
    if (session->request->kind == REQUEST_WELCOME)
        welcome_on_row(session, answer);
    else if (session->request->own_need)
        own_on_row(session, answer);
    else
        inquiry_on_row(session, answer);
}

static void on_described(void *user, struct server *server, const struct answer *answer)
{
    stale_on_description(user, server, answer, true);
    end_probe(user);
}

const struct server_user_events answer_events = {.on_answer = on_answer,
    .on_raw = on_raw,
    .on_drained = on_drained,
    .on_inquiry = on_inquiry,
    .on_described = on_described,
    .on_prefix_done = on_prefix_done};
