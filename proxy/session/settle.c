/*
 * A request is over: what its answer means for the session and for its server; see session.h.
 *
 * All well: names, epochs, pins, the transaction's status and the server's account of what it holds become
 * what the node has done; the server is given back unless the session must keep it, and the next request
 * begins. Failure: what an error has left undone is taken back (changes.c), and what cannot be told any more
 * of a server is taken for unknown.
 */
#include "proxy/session/changes.h"
#include "proxy/session/inquiry.h"
#include "proxy/session/sequence.h"
#include "proxy/session/session.h"

/* DISCARD ALL was done. What stands beside it in its batch may pin all the same. */
void settle_discarded(struct session *session, struct server *server)
{
    struct request *request = session->request;
    uint32_t others = request->statements > 1 ? request->pins : 0;
    request->discarded = true;
    session->id = session->all->stamp++;
    server->dirty = false;
    server->writer = 0;
    server->spent |= (session->pins & (PIN_LOAD | PIN_FUNCTION)) != 0;
    session_unpin(session, session->pins & ~others);
}

/* PREPARE, DEALLOCATE or DISCARD ALL, and no EXECUTE, whose effect is not that of its text. */
static bool changes_names(const struct request *request)
{
    uint32_t by_sql = request->drops_statements;
    for (uint32_t i = 0; i < request->n_changes; i++)
        by_sql += request->changes[i].cause == CAUSE_EXECUTE;
    return by_sql > 0;
}

bool settle_writes_nothing(const struct request *request)
{
    bool session_only = request->reason == REASON_SESSION && !(request->flags & STATEMENT_SURVEY) &&
                        !request->pins && (!request->names_statements || changes_names(request));
    return request->class == STATEMENT_READ ||
           (request->statements == 1 && (request->reason == REASON_SHOW || session_only));
}

static void settle_epochs(struct session *session, const struct server *server)
{
    const struct topology *topology = pool_topology(session->pool);
    if (!topology)
        return;
    uint64_t next = atomic_load_explicit(&topology->live->started, memory_order_relaxed) + 1;
    session->seen_epoch = next;
    const struct request *request = session->request;
    bool read = begin_only_reads(session) || (!request->in_transaction && settle_writes_nothing(request));
    if (server->role != ROLE_REPLICA && !read)
        session->write_epoch = next;
}

static void count_transaction(struct session *session)
{
    uint64_t now_us = reactor_now_us(session->all->reactor);
    count(&session->all->counters.transactions);
    pool_add(&session->claim, METER_TRANSACTIONS, 1);
    if (session->transaction_us && now_us > session->transaction_us)
        pool_add(&session->claim, METER_TRANSACTION_US, now_us - session->transaction_us);
}

/* The transaction has certainly ended without effect. */
static bool is_undone(const struct request *request)
{
    const uint32_t ends = STATEMENT_BEGIN | STATEMENT_COMMIT | STATEMENT_ROLLBACK | STATEMENT_CALL;
    if (request->in_transaction)
        return request->statements == 1 && request->flags & STATEMENT_ROLLBACK;
    return request->error_seen && !(request->flags & ends);
}

static void settle_transaction(struct session *session, char status)
{
    struct sessions *all = session->all;
    session->tx_status = status;
    session->tx_flags |= session->request->flags;
    if (status != 'I')
        return;
    if (session->tx_flags & STATEMENT_DDL && !is_undone(session->request)) {
        sessions_catalogue_changed(all, pool_cluster(session->pool), pool_database(session->pool));
        session->defined = sessions_schema(session->known);
    }
    session->tx_flags = 0;
    if (session->names.unsettled)
        names_settle(&session->names, session->settings);
    count_transaction(session);
}

void settle_came_from(struct session *session, struct node_live *node)
{
    session->last_incarnation = session->incarnation;
    if (session->last_node == node)
        return;
    node_live_unref(session->last_node);
    session->last_node = node_live_ref(node);
}

static bool must_keep(const struct session *session)
{
    bool open = session->tx_status != 'I' && session->lost == LOST_NONE && session->begin.state == BEGIN_NONE;
    return open || session->pins || session->limits->pool == POOL_SESSION;
}

void settle_give_back(struct session *session, bool torn)
{
    if (session->claim.server && (torn || !must_keep(session)))
        pool_release(&session->claim, torn);
}

void settle_unblocked(struct session *session)
{
    struct request *request = session->request;
    if (request->blocked_since_us == 0)
        return;
    request->blocked_us += reactor_now_us(session->all->reactor) - request->blocked_since_us;
    request->blocked_since_us = 0;
}

static void measure_bytes(struct session *session)
{
    pool_add(&session->claim, METER_RECEIVED_BYTES, session->received_bytes);
    pool_add(&session->claim, METER_SENT_BYTES, session->sent_bytes);
    session->received_bytes = session->sent_bytes = 0;
}

static void measure_messages(struct session *session, struct server *server)
{
    pool_add(&session->claim, METER_CLIENT_PARSES, session->request->noted_of[CAUSE_PARSE]);
    pool_add(&session->claim, METER_SERVER_PARSES, server->expect.parses);
    pool_add(&session->claim, METER_BINDS, server->expect.binds);
    server->expect.parses = server->expect.binds = 0;
}

static void measure(struct session *session)
{
    const struct request *request = session->request;
    uint64_t now_us = reactor_now_us(session->all->reactor), at_node_us = now_us - request->sent_us;
    if (!request->in_transaction)
        session->transaction_us = request->began_us;
    if (request->sent_us == 0 || request->began_us == 0)
        return;
    settle_unblocked(session);
    uint64_t blocked_us = request->blocked_us < at_node_us ? request->blocked_us : at_node_us;
    pool_measure(&session->claim, METER_NODE, at_node_us - blocked_us);
    pool_measure(&session->claim, METER_CLIENT, request->blocked_us);
    pool_measure(&session->claim, METER_REQUEST, now_us - request->began_us);
}

/* What the server holds is known again after a DEALLOCATE ALL alone, and not known after one, or a DISCARD
   ALL, in company or in vain. After DISCARD PLANS it would parse all of it anew, under the settings of
   whoever comes next: none of it is used again. */
static void settle_statements(struct session *session, struct server *server)
{
    const struct request *request = session->request;
    bool alone = request->statements <= 1 && !request->error_seen;
    if (request->drops_statements && alone) {
        server->statements.unsure = false;
    } else if (request->drops_statements || request->drops_plans) {
        statements_distrust(&server->statements);
    }
}

/* Where the node has refused to read a Query it still has the unnamed statement. */
static void settle_unnamed(struct session *session, struct server *server)
{
    if (session->request->unread)
        server->statements.unnamed = STATEMENTS_UNNAMED_UNKNOWN;
    else
        session_forget_unnamed(session);
}

void settle_request(struct session *session, char status)
{
    struct request *request = session->request;
    struct server *server = session->claim.server;
    bool torn = session->passing > 0; /* the rest of a message that the server waits for is still to come */
    request_leaves(session, session->claim.server);
    measure(session);
    measure_bytes(session);
    measure_messages(session, server);
    count(&session->all->counters.exchanges);
    atomic_fetch_add_explicit(&server->node->exchanges, 1, memory_order_relaxed);
    if (request->error_seen)
        changes_undo(session, server);
    else
        changes_undo_bound(session, server);
    if (request->unnamed_closed && request->unnamed_ordinal < request->done_of[CAUSE_CLOSE])
        session_forget_unnamed(session);
    if (request->unreadable)
        settle_unnamed(session, server);
    settle_statements(session, server);
    if (names_count(&session->names) == 0 && session->unnamed.len == 0)
        names_clear(&session->names, session->all->pools.prepared);
    settle_came_from(session, server->node);
    if (request->reason ==
        REASON_FUNCTION_UNKNOWN) /* it may have changed the session: nobody else meets that */
        server->dirty = true;
    settle_epochs(session, server);
    sequence_settle(session, server);
    own_settle(session, status);
    transfer_settle(session, status);
    begin_settle(session, status);
    settle_transaction(session, status);
    if (request->statements == 1 && request->error_seen) /* nothing was loaded, and no setting will stay */
        session_unpin(session, request->pinned & (PIN_LOAD | PIN_SETTING));
    if (request->error_seen && request->flush_as_sync)
        session->skip_to_sync = true;
    settle_give_back(session, torn);
    if (status != 'I' && session->limits->pool == POOL_STATEMENT) {
        session_fatal(
            session, SQLSTATE_PROTOCOL_VIOLATION, "transaction blocks are not allowed with pool = statement");
        return;
    }
    session_next(session);
}
