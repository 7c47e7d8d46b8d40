/*
 * Moving a READ ONLY transaction from a replica to the primary; see transfer.h.
 *
 * Under READ COMMITTED each statement has a snapshot of its own. So a transaction that has only read can end
 * on the replica, unseen, and begin again on the primary, whose snapshots are newer. There its BEGIN is
 * followed by a query, since some statements may not follow one, and by the SAVEPOINTs and SET LOCALs that it
 * has had so far. What it then does is what a connection of the client's own would do: pins pin, node-local
 * functions tell about the primary. Transactions that begin with the same statement go there at once from
 * then on, but for one now and then.
 *
 * What tells: now() is the later one. A portal with a name, and one without while nothing replaces it, keeps
 * the transaction where it is; a statement that would leave something there is refused then (begin_forbids).
 * Failure: what is done again may fail on the primary; that is the error of the statement behind it.
 */
#include "proxy/session/transfer.h"

#include "proxy/session/begin.h"
#include "proxy/session/decide.h"
#include "proxy/session/lone.h"
#include "proxy/session/session.h"

#include "conf/base/log.h"

#include <string.h>

#define SAID_MAX 1024   /* bytes */
#define ONE_IN_TRIES 64 /* how many of them try the replica again */

/* Of a transaction that begins with the request, where shapes that were refused are remembered: the same
   statement alone is welcome on a replica. */
static uint64_t shape_of(const struct request *request)
{
    return request->shape ? request->shape ^ 0x9e3779b97f4a7c15u : 0;
}

bool transfer_is_likely(struct session *session)
{
    uint64_t shape = shape_of(session->request);
    return sessions_refused(session->all, shape) && sessions_random(session->all) % ONE_IN_TRIES != 0;
}

/* ---- what is done again ---- */

bool transfer_on_begin(struct session *session, struct server *server)
{
    struct begin *begin = &session->begin;
    const struct buffer *said = &session->transfer_said;
    if (begin->transfer != TRANSFER_DUE) {
        bool replica = session_is_split(session) && server->role == ROLE_REPLICA;
        begin->transfer = replica ? TRANSFER_POSSIBLE : TRANSFER_NEVER;
        begin->shape = shape_of(session->request);
        buffer_release(&session->transfer_said, &session->all->spares);
        return true;
    }
    bool fine = !begin->has_read || server_inject_begin(server, "SELECT 1");
    for (size_t at = 0; fine && at < said->len; at += strlen(said->data + at) + 1)
        fine = server_inject_begin(server, said->data + at);
    return fine;
}

bool transfer_may_keep(const struct session *session)
{
    struct slice text;
    bool runs;
    return begin_is_of_transaction(session->request) && lone_statement(session, &text, &runs) &&
           (!runs || session->transfer_said.len + text.len < SAID_MAX);
}

static bool keep(struct session *session)
{
    struct slice text;
    bool runs;
    if (!lone_statement(session, &text, &runs) || !runs)
        return true;
    return buffer_append(&session->transfer_said, &session->all->spares, text.data, text.len) &&
           buffer_append(&session->transfer_said, &session->all->spares, "", 1);
}

void transfer_settle(struct session *session, char status)
{
    const struct request *request = session->request;
    struct begin *begin = &session->begin;
    if (session->tx_status == 'E' && status == 'E') /* it has failed before: nothing of this was run */
        return;
    if (status == 'I' || request_ends(request)) /* over, or chained */
        buffer_release(&session->transfer_said, &session->all->spares);
    if (request_ends(request) && status == 'E') /* behind its end, or before */
        begin->transfer = TRANSFER_NEVER;
    if (begin->transfer != TRANSFER_POSSIBLE)
        return;
    bool changes = begin_is_of_transaction(request) && !request->error_seen;
    begin->suspended = request->suspends || (begin->suspended && !request->replaces);
    begin->has_read |= request->statements > 0 && !begin_is_of_transaction(request);
    if (status != 'T')
        return;
    if (request->keeps_portal || (changes && !keep(session)))
        begin->transfer = TRANSFER_NEVER;
}

/* ---- going ---- */

/* A read, as far as it has come, or what ends the transaction. */
static bool may_stay(const struct session *session)
{
    const struct request *request = session->request;
    const uint32_t ends = STATEMENT_COMMIT | STATEMENT_ROLLBACK;
    bool ended = request->class == STATEMENT_TRANSACTION && request->flags & ends;
    return ended || request->class == STATEMENT_READ || request->read_until_flush ||
           decide_is_hinted_read(session);
}

bool transfer_is_due(const struct session *session)
{
    const struct begin *begin = &session->begin;
    return begin->transfer == TRANSFER_POSSIBLE && begin->state == BEGIN_NONE && session->tx_status == 'T' &&
           session->claim.server && !may_stay(session) && !transfer_may_keep(session) &&
           (!begin->suspended || session->request->replaces);
}

void transfer_look(struct session *session)
{
    struct begin *begin = &session->begin;
    if (!transfer_is_due(session))
        return;
    const struct server *server = session->claim.server;
    log_event(LOG_DEBUG, "transaction_moved", "node=%s", server->node->name);
    /* What its SET LOCALs have told the client. */
    if (params_copy(&session->request->before, &server->params))
        session->request->compares = COMPARE_WITH_TOLD;
    sessions_refuse(session->all, begin->shape);
    pool_release(&session->claim, false);
    begin->transfer = TRANSFER_DUE;
    begin->state = BEGIN_OWED;
}
