/*
 * A server is gone while a session needs it: DESIGN section 7, "what a client sees".
 *
 * What was not sent whole, or is a read (or about the session alone) of which nothing was forwarded, or was
 * ended by a fast shutdown (FATAL 57P01) is run again elsewhere, unseen. A transaction that was open is
 * reported once as 40001 and is failed until ROLLBACK, without a server. What may have been committed is
 * 08007. Pinned sessions end with 57P01.
 */
#include "proxy/session/changes.h"
#include "proxy/session/inquiry.h"
#include "proxy/session/local.h"
#include "proxy/session/prefix.h"
#include "proxy/session/session.h"

#include "conf/base/log.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* ---- answers of our own ---- */

/* The client has sent all of the request, or its Sync is still to come. */
static void end_request_as(struct session *session, char told, char status, bool failed)
{
    struct request *request = session->request;
    bool open_batch = request->kind == REQUEST_BATCH && (request->stream || request->flush_as_sync) &&
                      !(request->stream && request->complete);
    request->error_seen |= failed;
    own_settle(session, status);
    session->tx_status = status;
    if (status == 'I')
        session->tx_flags = 0;
    if (failed)
        changes_undo(session, NULL);
    if (open_batch) {
        session->skip_to_sync = failed;
        session->skip_simple = failed && request->stream && request->bytes.len == 0;
    } else
        session_ready_for_query(session, told);
    session_next(session);
}

static void end_request(struct session *session, char status, bool failed)
{
    end_request_as(session, status, status, failed);
}

void lost_fail_request(struct session *session, const char *sqlstate, const char *text, char status)
{
    char buffer[ERROR_TEXT_MAX];
    pool_unclaim(&session->claim);
    held_remove(session);
    if (!text) {
        snprintf(buffer, sizeof buffer, "%s",
            session->state != SESSION_HELD ? "query_wait_timeout: no server connection became free in time"
            : pool_is_paused(session->pool)
                ? "query_wait_timeout: the database is paused by the administrator"
                : "hold_timeout: no node took over in time");
        text = buffer;
    }
    session->held_since_ms = 0;
    if (session->begin.state == BEGIN_OWED) {
        begin_fail(session);
        status = 'E';
    }
    if (session->request->kind == REQUEST_WELCOME || session->request->kind == REQUEST_RELAY) {
        session_fatal(session, sqlstate, "%s", text);
        return;
    }
    session_error(session, sqlstate, text);
    end_request(session, status, true);
}

/* ---- an open transaction whose server is gone ---- */

static bool ends_transaction(const struct request *request)
{
    return request->statements == 1 && request_ends(request);
}

/* What may still be prepared in a failed transaction. */
static bool prepares_its_end(const struct request *request)
{
    return request_runs_nothing(request) && request->statements == 1 &&
           request->flags & (STATEMENT_ROLLBACK | STATEMENT_COMMIT);
}

static void lost_words(struct error *error, const char *node)
{
    error_set(error, SQLSTATE_SERIALIZATION_FAILURE,
        "the connection to node %s was lost; the transaction was rolled back, retry it", node);
}

bool lost_answer(struct session *session)
{
    struct request *request = session->request;
    bool over = ends_transaction(request);
    bool commit = over && (request->flags & STATEMENT_COMMIT);
    struct local_result result = {.tag = "ROLLBACK"};
    if (prepares_its_end(request)) {
        local_answer(session, &result);
        end_request_as(session, session->lost == LOST_PENDING ? 'T' : 'E', 'E', false);
        return true;
    }
    bool empty = request->kind == REQUEST_BATCH && request->noted_of[CAUSE_PARSE] == 0 &&
                 request->noted_of[CAUSE_EXECUTE] == 0;
    if (empty && session->lost == LOST_REPORTED) { /* a lone Sync */
        end_request(session, 'E', false);
        return true;
    }
    if (session->lost == LOST_PENDING &&
        (!over || commit)) { /* the first word of it; a COMMIT ends what there is */
        result.tag = NULL;
        lost_words(&result.error, session->last_node ? session->last_node->name : "");
        session->lost = LOST_REPORTED;
    } else if (!over) {
        result.tag = NULL;
        error_set(&result.error, SQLSTATE_IN_FAILED_TRANSACTION,
            "current transaction is aborted, commands ignored until end of transaction block");
    }
    if (result.tag)
        local_answer(session, &result);
    else
        session_error(session, result.error.sqlstate, result.error.text);
    if (over)
        session->lost = LOST_NONE;
    end_request(session, over ? 'I' : 'E', result.tag == NULL);
    return true;
}

/* ---- the server has just gone ---- */

enum outcome { OUTCOME_RERUN, OUTCOME_ROLLED_BACK, OUTCOME_UNKNOWN };

static bool commits(const struct session *session)
{
    const struct request *request = session->request;
    return (request_ends(request) & STATEMENT_COMMIT) != 0 || !request->in_transaction;
}

/* The server's last word, when it was FATAL: instead of an answer, or before the request was sent, which then
   did not run at all. */
static const char *last_word(const struct session *session, const struct server *server)
{
    return session->request->fatal_sqlstate[0] ? session->request->fatal_sqlstate : server->fatal_sqlstate;
}

/* FATAL 57P01 instead of an answer, with no WARNING before it: a fast shutdown, which rolls back. After a
   CommandComplete nothing is known. */
static bool was_fast_shutdown(const struct session *session, const struct server *server)
{
    return strcmp(last_word(session, server), SQLSTATE_ADMIN_SHUTDOWN) == 0 && !server->shutdown_warned &&
           !session->request->completed;
}

bool lost_is_recovery_conflict(const char *sqlstate)
{
    return strcmp(sqlstate, SQLSTATE_SERIALIZATION_FAILURE) == 0 || strcmp(sqlstate, "40P01") == 0;
}

static enum outcome outcome_of(const struct session *session, const struct server *server)
{
    const struct request *request = session->request;
    bool begins = session->begin.state == BEGIN_SENT;
    bool ended = server->prefix_failed && server->fatal_sqlstate[0];          /* exit_on_error */
    if (ended && (!request->in_transaction || begins) && !request->committed) /* it did not run at all */
        return OUTCOME_RERUN;
    if (request->probing && session->state != SESSION_STREAMING) /* nor was it sent */
        return request->in_transaction && server->tx_status != 'I' ? OUTCOME_ROLLED_BACK : OUTCOME_RERUN;
    if (begins && !request->committed && request->complete && !request->stream &&
        !(request->flags & STATEMENT_COMMIT))
        return OUTCOME_RERUN;         /* rolled back, and nobody has seen anything of it */
    if (server->role == ROLE_REPLICA) /* it commits nothing */
        return request->in_transaction || request->committed ? OUTCOME_ROLLED_BACK : OUTCOME_RERUN;
    bool at_client = request->committed;
    bool handed_over = server->stream.out.len == 0 && request->complete && session->passing == 0;
    if (request->in_transaction && !(request_ends(request) & STATEMENT_COMMIT))
        return OUTCOME_ROLLED_BACK;
    if (request->in_transaction && session->tx_status == 'E')
        return OUTCOME_ROLLED_BACK; /* COMMIT of a failed transaction is a rollback */
    if (request->in_transaction && begin_only_reads(session))
        return OUTCOME_ROLLED_BACK; /* COMMIT of a READ ONLY one: there is nothing that may be there */
    if (!request->in_transaction && (settle_writes_nothing(request) || request_runs_nothing(request)))
        return at_client ? OUTCOME_ROLLED_BACK : OUTCOME_RERUN;
    if (request->copying && !request->copy_done)
        return OUTCOME_ROLLED_BACK;
    if (request->error_seen && request->statements <= 1 && !(request->flags & STATEMENT_CALL))
        return OUTCOME_ROLLED_BACK; /* it has failed */
    bool undone = !handed_over || was_fast_shutdown(session, server) ||
                  lost_is_recovery_conflict(last_word(session, server));
    if (!undone)
        return commits(session) ? OUTCOME_UNKNOWN : OUTCOME_ROLLED_BACK;
    bool parts = request->flags & (STATEMENT_CALL | STATEMENT_MULTIPLE);
    bool prepared = !request->in_transaction && (request->flags & STATEMENT_COMMIT); /* COMMIT PREPARED */
    if ((parts || prepared) && handed_over) /* parts of it may have been committed on the way */
        return OUTCOME_UNKNOWN;
    return request_is_repeatable(request) ? OUTCOME_RERUN : OUTCOME_ROLLED_BACK;
}

/* The client has heard everything, or an error, and only misses ReadyForQuery. */
static bool is_answered(const struct session *session, struct server *server)
{
    const struct request *request = session->request;
    const struct expect *head = expect_head(&server->expect);
    if (!request->committed || !request->complete || request->stream || request->flush_as_sync ||
        server->expect.count != 1 || head->hidden)
        return false;
    bool whole = (head->kind == EXPECT_SYNC && !request->cut_short) ||
                 (head->kind == EXPECT_QUERY && request->statements <= 1 && request->completed);
    return request->error_seen || whole;
}

/* Nothing is told twice: a transaction that was open is told at its next message. */
static void end_answered(struct session *session)
{
    struct request *request = session->request;
    bool open = request->in_transaction && !request_ends(request);
    inquiry_free(session);
    session->begin = (struct begin){.state = BEGIN_NONE};
    if (open)
        session->lost = request->error_seen ? LOST_REPORTED : LOST_PENDING;
    end_request_as(session, !open ? 'I' : request->error_seen ? 'E' : 'T', open ? 'E' : 'I', false);
}

static void rerun(struct session *session, const struct node_live *live)
{
    struct request *request = session->request;
    count(&session->all->counters.reruns);
    request->reruns++;
    request->fatal_sqlstate[0] = 0;
    request->cut_short = false;
    request_again(session);
    route_retry_without(session, live);
}

static void report(struct session *session, enum outcome outcome, const char *node)
{
    char text[ERROR_TEXT_MAX];
    if (session->request->kind == REQUEST_WELCOME) {
        session_fatal(session, SQLSTATE_CANNOT_CONNECT_NOW, "the connection to node %s was lost", node);
        return;
    }
    inquiry_free(session);
    session->begin = (struct begin){.state = BEGIN_NONE};
    if (!session->request->committed) /* nor has the client heard that something was parsed */
        memset(session->request->done_of, 0, sizeof session->request->done_of);
    if (outcome == OUTCOME_UNKNOWN) {
        count(&session->all->counters.unknown_outcomes);
        snprintf(text, sizeof text,
            "the connection to node %s was lost before it acknowledged; the outcome is unknown", node);
        session_error(session, SQLSTATE_OUTCOME_UNKNOWN, text);
        end_request(session, 'I', true);
        return;
    }
    count(&session->all->counters.lost_transactions);
    snprintf(text, sizeof text,
        "the connection to node %s was lost; the transaction was rolled back, retry it", node);
    session_error(session, SQLSTATE_SERIALIZATION_FAILURE, text);
    bool open = session->request->in_transaction && !request_ends(session->request);
    if (open)
        session->lost = LOST_REPORTED;
    end_request(session, open ? 'E' : 'I', true);
}

/* What it asked for has come true: a ROLLBACK, or the COMMIT of a transaction that had failed. */
static bool is_rolled_back_as_asked(const struct session *session)
{
    const struct request *request = session->request;
    return request->in_transaction && request->complete && !request->stream && !request->committed &&
           ends_transaction(request) && (request->flags & STATEMENT_ROLLBACK || session->tx_status == 'E');
}

static void end_rolled_back(struct session *session)
{
    const struct local_result result = {.tag = "ROLLBACK"};
    inquiry_free(session);
    session->begin = (struct begin){.state = BEGIN_NONE};
    local_answer(session, &result);
    end_request(session, 'I', false);
}

static uint64_t next_epoch(const struct session *session)
{
    const struct topology *topology = pool_topology(session->pool);
    return topology ? atomic_load_explicit(&topology->live->started, memory_order_relaxed) + 1 : 0;
}

static void raise_write_epoch(struct session *session)
{
    uint64_t next = next_epoch(session);
    if (next)
        session->write_epoch = next;
}

/* Rows may have been seen before the end of it. */
static void raise_seen_epoch(struct session *session)
{
    uint64_t next = next_epoch(session);
    if (next)
        session->seen_epoch = next;
}

void lost_server(
    struct session *session, struct server *server, enum stream_end end, const struct error *error)
{
    const char *node = server->node->name;
    (void)end;
    bool sent = session->request->sent;
    request_leaves(session, server);
    if (sent) {
        raise_seen_epoch(session);
        if (session->request->committed)
            settle_came_from(session, server->node);
        if (session->request->class != STATEMENT_READ)
            raise_write_epoch(session);
    }
    if (inquiry_is_asking(session)) { /* all is done but for what it left in the session */
        session_ready_for_query(session, server->tx_status);
        session_fatal(session, SQLSTATE_ADMIN_SHUTDOWN,
            "the connection to node %s was lost, and with it what this session has set (%s)", node,
            error->text);
        return;
    }
    if (session->pins) {
        session_fatal(session, SQLSTATE_ADMIN_SHUTDOWN,
            "the connection to node %s was lost, and with it this session's state (%s)", node, error->text);
        return;
    }
    if (session->state == SESSION_IDLE) {
        if (session->tx_status == 'I' || session->begin.state == BEGIN_OWED)
            return; /* session pooling: another server takes its place */
        inquiry_free(session);
        session->begin = (struct begin){.state = BEGIN_NONE};
        session->lost = LOST_PENDING;
        session->tx_status = 'E';
        raise_write_epoch(session);
        return;
    }
    if (!sent)
        return;
    enum outcome outcome = outcome_of(session, server);
    if (outcome == OUTCOME_ROLLED_BACK && is_answered(session, server)) {
        end_answered(session);
        return;
    }
    if (outcome == OUTCOME_ROLLED_BACK && is_rolled_back_as_asked(session)) {
        end_rolled_back(session);
        return;
    }
    log_event(LOG_INFO, "request_lost", "node=%s outcome=%s", node,
        outcome == OUTCOME_RERUN     ? "rerun"
        : outcome == OUTCOME_UNKNOWN ? "unknown"
                                     : "rolled_back");
    bool welcome = session->request->kind == REQUEST_WELCOME;
    bool settled = !server->prefix_failed || prefix_may_succeed_elsewhere(&server->prefix_error);
    if (!settled &&
        !prefix_forgives(session, &server->prefix_error)) { /* it cannot be put in place anywhere */
        session_fatal(session, server->prefix_error.sqlstate, "%s", server->prefix_error.text);
        return;
    }
    if ((welcome || outcome == OUTCOME_RERUN) && session->request->reruns < RERUNS_MAX)
        rerun(session, server->node);
    else
        report(session, outcome, node);
}
