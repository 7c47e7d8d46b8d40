/*
 * The verdict on a request and the choice of its node; see decide.h.
 *
 * All well: what must stay with its session's server stays; else the request is judged by what it does, by
 * the session's state and settings and by what was seen of requests like it, and the router chooses a fit
 * node. Failure: there is none, and why that is so is said in words.
 */
#include "proxy/session/decide.h"

#include "proxy/session/own_settings.h"
#include "proxy/session/session.h"
#include "proxy/session/transfer.h"

const struct config_cluster *session_cluster(const struct session *session)
{
    return &session->all->pools.runtime->config->clusters[pool_cluster(session->pool)];
}

/* ---- may it leave the primary ---- */

/* No sure write: only names that are not known, or known to be special, keep it on the primary. */
static bool is_read_by_shape(const struct request *request)
{
    return request->class == STATEMENT_READ ||
           (request->class == STATEMENT_WRITE && request->statements == 1 && request->pins == 0 &&
               (request->reason == REASON_FUNCTION_UNKNOWN || request->reason == REASON_FUNCTION_SPECIAL ||
                   request->reason == REASON_RELATION_SPECIAL || request->reason == REASON_NO_CATALOGUE));
}

bool decide_is_hinted_read(const struct session *session)
{
    return session->own.route == OWN_ROUTE_REPLICA && is_read_by_shape(session->request);
}

/* One that is sent as it is. */
static bool is_read_only_begin(const struct session *session)
{
    const struct request *request = session->request;
    const struct transaction_modes none = {ISOLATION_DEFAULT, SWITCH_DEFAULT, SWITCH_DEFAULT};
    return request->class == STATEMENT_TRANSACTION && request->statements == 1 &&
           (request->flags & STATEMENT_BEGIN_READ_ONLY) && begin_is_read_committed(session, &none);
}

/* May this request leave the primary, as far as its own contents tell? */
static bool may_read(struct session *session, enum reason *reason)
{
    struct request *request = session->request;
    *reason = request->reason;
    if (request->kind == REQUEST_WELCOME || request->kind == REQUEST_RELAY)
        return request->class == STATEMENT_READ;
    if (session->listener->route == ROUTE_ANY)
        return true; /* nothing is decided: any node will do */
    if (request->stream)
        return false;
    if (request->force_primary) {
        *reason = REASON_RETRY;
        return false;
    }
    if (session->pins) {
        *reason = REASON_PINNED;
        return false;
    }
    if (session->settings->serializable) { /* its default: a standby runs nothing then */
        *reason = REASON_SESSION;
        return false;
    }
    if (session->own.route == OWN_ROUTE_PRIMARY) {
        *reason = REASON_HINT_PRIMARY;
        return false;
    }
    bool begins = session->begin.state == BEGIN_OWED && !request->own_need;
    if (begins && !begin_leaves_primary(session)) {
        *reason = REASON_TRANSACTION;
        return false;
    }
    if (begins || is_read_only_begin(session)) {
        *reason = REASON_READ_ONLY_TRANSACTION;
        return !sessions_refused(session->all, request->shape) && !(begins && transfer_is_likely(session));
    }
    if (decide_is_hinted_read(session)) {
        *reason = REASON_HINT_REPLICA;
        return true;
    }
    if (request->class != STATEMENT_READ)
        return false;
    if (sessions_refused(session->all, request->shape)) {
        *reason = REASON_REFUSED_BEFORE;
        return false;
    }
    return true;
}

static void ask_consistency(struct session *session, struct target_request *wanted)
{
    switch (own_consistency(session)) {
    case CONSISTENCY_SESSION:
        wanted->write_epoch = session->write_epoch;
        wanted->seen_epoch = session->seen_epoch;
        break;
    case CONSISTENCY_STRONG: wanted->want_read = false; break;
    case CONSISTENCY_EVENTUAL: break;
    }
    if (session->own.route == OWN_ROUTE_ANY)
        wanted->route = ROUTE_ANY;
}

static struct target_answer ask_target(
    struct session *session, const struct topology *topology, bool read, uint64_t token_epoch)
{
    const struct config_cluster *cluster = session_cluster(session);
    struct target_request wanted = {
        .route = session->listener->route,
        .want_read = read,
        .sticky = session->sticky,
        .last = session->last_node,
        .last_incarnation = session->last_incarnation,
        .exclude = session->request->exclude,
        .fallback = cluster->fallback,
        .random = sessions_random(session->all),
        .max_lag_bytes = session->own.max_lag_bytes,
        .max_lag_ms = session->own.max_lag_ms,
    };
    if (read && session_is_split(session))
        ask_consistency(session, &wanted);
    if (token_epoch > wanted.write_epoch)
        wanted.write_epoch = token_epoch;
    if (session->request->own_need)
        wanted.route = ROUTE_PRIMARY;
    return target_choose(topology, &wanted);
}

/* ---- with the server that it has ---- */

static bool must_stay(const struct session *session)
{
    bool both = session->limits->pool == POOL_SESSION && session_is_split(session);
    bool open = session->tx_status != 'I' && session->begin.state != BEGIN_OWED;
    return session->claim.server && (open || session->pins || !both);
}

bool decide_must_hold(const struct session *session, const struct server *server)
{
    const struct topology *topology = pool_topology(session->pool);
    int index = topology ? topology_find(topology, server->node) : -1;
    return server->tx_status == 'I' && index >= 0 && topology_is_leaving(topology, (size_t)index);
}

/* ---- deciding ---- */

static const char *no_node_reason(const struct topology *topology, bool read)
{
    if (!topology)
        return "no node has been probed yet";
    if (!read && topology->no_primary_reason)
        return topology->no_primary_reason;
    return read ? "no fit replica" : "there is no primary";
}

/* False: it goes elsewhere. */
static bool decide_to_stay(const struct session *session, struct decision *out)
{
    if (!must_stay(session))
        return false;
    out->kind = DECISION_STAY;
    out->verdict = session->tx_status != 'I' ? REASON_IN_TRANSACTION
                   : session->pins           ? REASON_PINNED
                                             : REASON_LISTENER;
    if (!decide_must_hold(session, session->claim.server))
        return true;
    out->kind = DECISION_HOLD;
    out->why = no_node_reason(pool_topology(session->pool), false);
    return true;
}

/* Without a node. */
static void decide_to_wait(
    const struct session *session, const struct topology *topology, bool wait, struct decision *out)
{
    bool others_left = topology && session->request->exclude; /* every other node was tried: begin again */
    out->kind = wait || others_left ? DECISION_HOLD : DECISION_REFUSE;
    out->why = no_node_reason(topology, out->read);
}

void decide(struct session *session, struct decision *out)
{
    const struct request *request = session->request;
    bool moves = transfer_is_due(session);
    *out = (struct decision){.choice = REASON_READ};
    if (!moves && decide_to_stay(session, out))
        return;
    enum reason reason = REASON_TRANSACTION;
    out->read = !moves && may_read(session, &reason);
    out->verdict = session_is_split(session) ? reason : REASON_LISTENER;
    if (pool_is_paused(session->pool)) {
        out->kind = DECISION_PAUSE;
        return;
    }
    struct topology *topology = pool_topology(session->pool);
    uint64_t token_epoch;
    bool own = request->kind == REQUEST_WELCOME || request->kind == REQUEST_RELAY;
    if (!own_token_epoch(session, topology, &token_epoch) && !own) {
        out->kind = DECISION_HOLD;
        out->why = "rolecall.token is of a later timeline than the primary known here";
        return;
    }
    struct target_answer answer = {.node = -1, .wait = true};
    if (topology) {
        answer = ask_target(session, topology, out->read, token_epoch);
        out->choice = answer.reason;
    }
    if (out->read && session_is_split(session) && answer.reason != REASON_READ)
        out->verdict = answer.reason;
    if (answer.node < 0) {
        decide_to_wait(session, topology, answer.wait, out);
        return;
    }
    out->kind = DECISION_NODE;
    out->node = &topology->nodes[answer.node];
    out->incarnation = answer.incarnation;
}
