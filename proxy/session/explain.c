/*
 * Explaining a session; see explain.h.
 *
 * All well: the statement becomes a request that stands in the session's place for as long as decide() is
 * asked about it; it is classed as note.c does, with the session's catalogue and names of prepared
 * statements. Failure: a session that routes nothing (it is logging in, is a relay or a console) says so.
 */
#include "proxy/session/explain.h"

#include "proxy/session/decide.h"
#include "proxy/session/errand.h"
#include "proxy/session/note.h"
#include "proxy/session/own_value.h"
#include "proxy/session/session.h"
#include "router/statement_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void say(struct explanation *out, const char *why)
{
    snprintf(out->why, sizeof out->why, "%s", why);
}

static void set_node(struct explanation *out, const struct node_live *live, enum node_role role)
{
    out->has_node = true;
    out->role = role;
    snprintf(out->node, sizeof out->node, "%s", live->name);
    out->replayed_epoch = atomic_load_explicit(&live->replayed_epoch, memory_order_relaxed);
}

/* ---- the statement ---- */

/* An EXECUTE is what it executes. */
static void look_behind_name(const struct session *session, struct slice sql, struct classification *class)
{
    struct statement_name uses[STATEMENT_NAMES_MAX];
    bool standard = !session->escape_strings;
    if (class->reason != REASON_SESSION && class->reason != REASON_UTILITY)
        return;
    if (statement_names(sql, standard, uses) != 1 || uses[0].verb != VERB_EXECUTE || !uses[0].alone)
        return;
    const struct prepared *prepared = names_find(&session->names, slice_of(uses[0].name, uses[0].name_len));
    if (!prepared)
        return;
    struct classification executed;
    classify(prepared->statement, sessions_last_catalogue(session->known), standard, &executed);
    class->flags |= executed.flags;
    class->pins |= executed.pins;
    class->frees |= executed.frees;
    if (executed.class == STATEMENT_READ &&
        !(uses[0].plain && !class->pins && !class->flags && !class->frees))
        return;
    class->class = executed.class;
    class->reason = executed.reason;
}

static void class_statement(struct session *session, struct slice sql, struct explanation *out)
{
    out->catalogue = sessions_catalogue(session->all, session->known) != NULL;
    classify(sql, sessions_last_catalogue(session->known), !session->escape_strings, &out->class);
    out->culprit_at = out->class.culprit.len ? (size_t)(out->class.culprit.data - sql.data) : 0;
    look_behind_name(session, sql, &out->class);
    if (session_is_split(session) && out->class.class == STATEMENT_READ && !out->catalogue) {
        out->class.class = STATEMENT_WRITE;
        out->class.reason = REASON_NO_CATALOGUE;
    }
}

/* A Query of the client's. False: out of memory. */
static bool fill(struct session *session, struct slice sql, struct request *request)
{
    char head[FRAME_HEADER_LEN];
    struct builder builder = builder_of(head, sizeof head);
    struct buffer_spares *spares = &session->all->spares;
    request->kind = REQUEST_QUERY;
    request->complete = true;
    builder_begin(&builder, FRONTEND_QUERY);
    return builder_end_plus(&builder, sql.len + 1) &&
           buffer_append(&request->bytes, spares, head, sizeof head) &&
           buffer_append(&request->bytes, spares, sql.data, sql.len) &&
           buffer_append(&request->bytes, spares, "", 1);
}

/* ---- who answers ---- */

/* rolecall itself, before a node is thought of? */
static bool is_answered_here(struct session *session, struct explanation *out)
{
    const struct own_statement *own = session->request->own;
    bool token = own && own->verb == OWN_SHOW && slice_is(slice_of(own->name, own->name_len), "token");
    if (session->lost != LOST_NONE)
        say(out, "its transaction was lost with the node, and fails until it is ended");
    else if (own && !token)
        say(out, "a setting of rolecall's own");
    else if (begin_answers(session))
        say(out, "the first statement of a transaction says where that runs");
    else
        return false;
    return out->by_rolecall = true;
}

static void tell_decision(struct session *session, const struct decision *decision, struct explanation *out)
{
    struct error error;
    out->has_verdict = true;
    out->verdict = decision->verdict;
    switch (decision->kind) {
    case DECISION_STAY:
        set_node(out, session->claim.server->node, session->claim.server->role);
        if (begin_forbids(session, &error)) {
            out->by_rolecall = true;
            say(out, error.text);
        }
        return;
    case DECISION_NODE: set_node(out, decision->node->live, decision->node->role); return;
    case DECISION_PAUSE: say(out, "the database is paused by the administrator"); return;
    case DECISION_HOLD:
    case DECISION_REFUSE: say(out, decision->why); return;
    }
}

static void ask(struct session *session, struct slice sql, struct explanation *out)
{
    struct request request = {0}, *kept = session->request;
    struct decision decision;
    class_statement(session, sql, out);
    note_merge(&request, &out->class, out->class.class == STATEMENT_READ ? note_hash(sql) : 0);
    if (fill(session, sql, &request)) {
        session->request = &request;
        if (out->class.statements == 1 && out->class.class != STATEMENT_READ)
            own_note(session, sql);
        if (!is_answered_here(session, out)) {
            decide(session, &decision);
            tell_decision(session, &decision, out);
        }
        session->request = kept;
    }
    free(request.own);
    buffer_release(&request.bytes, &session->all->spares);
}

/* ---- the session ---- */

static void show_own(const struct session *session, const char *name, char out[EXPLAIN_VALUE_MAX])
{
    own_value_show(&session->own, own_consistency(session), slice_from(name), out, EXPLAIN_VALUE_MAX);
}

static void tell_state(const struct session *session, struct explanation *out)
{
    const char *path = settings_value(session->settings, "search_path");
    out->state = session_state_name(session->state);
    out->tx_status = session->tx_status;
    out->owes_begin = session->begin.state == BEGIN_OWED;
    out->pins = session->pins;
    out->write_epoch = session->write_epoch;
    out->seen_epoch = session->seen_epoch;
    snprintf(out->listener, sizeof out->listener, "%s", session->listener->name);
    snprintf(out->search_path, sizeof out->search_path, "%s", path ? path : "");
    if (!session->pool)
        return;
    snprintf(out->cluster, sizeof out->cluster, "%s", session_cluster(session)->name);
    snprintf(out->database, sizeof out->database, "%s", pool_database(session->pool));
    show_own(session, "route", out->route);
    show_own(session, "consistency", out->consistency);
    show_own(session, "max_lag", out->max_lag);
}

void explain_session(struct sessions *sessions, uint64_t serial, struct slice sql, struct explanation *out)
{
    struct session *session = session_by_serial(sessions, serial);
    *out = (struct explanation){.found = session != NULL};
    if (!session)
        return;
    tell_state(session, out);
    if (session->relay) {
        out->has_verdict = true;
        out->verdict = REASON_LISTENER;
        set_node(out, session->relay->node, session->relay->role);
    } else if (session->console) {
        out->by_rolecall = true;
        say(out, "it talks to rolecall itself");
    } else if (!session->pool || session->request->kind == REQUEST_WELCOME) {
        say(out, "it has not logged in yet");
    } else {
        ask(session, sql, out);
    }
}
