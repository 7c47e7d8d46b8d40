/*
 * rolecall's own settings; see own_settings.h.
 *
 * All well: the statement is answered here, without a server, in either protocol. Only SHOW rolecall.token
 * asks the primary, by a hidden query. A wrong name or value gets the error that PostgreSQL has for it; where
 * that happens inside a transaction its server is made to fail it too.
 */
#include "proxy/session/own_settings.h"

#include "proxy/session/inquiry.h"
#include "proxy/session/local.h"
#include "proxy/session/lone.h"
#include "proxy/session/own_value.h"
#include "proxy/session/session.h"
#include "proxy/session/token.h"
#include "proxy/wire/reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_MAX 128

static struct slice name_of(const struct own_statement *statement)
{
    return slice_of(statement->name, statement->name_len);
}

enum consistency own_consistency(const struct session *session)
{
    const struct config *config = session->all->pools.runtime->config;
    return session->own.has_consistency ? session->own.consistency
                                        : config->clusters[pool_cluster(session->pool)].consistency;
}

bool own_token_epoch(struct session *session, const struct topology *topology, uint64_t *epoch)
{
    struct own_settings *own = &session->own;
    *epoch = own->token_epoch;
    if (!own->token_timeline)
        return true;
    if (!topology || topology->primary < 0)
        return own->token_epoch != 0;
    if (topology->timeline && topology->timeline < own->token_timeline)
        return false;
    if (!own->token_epoch)
        own->token_epoch = atomic_load_explicit(&topology->live->started, memory_order_relaxed) + 1;
    *epoch = own->token_epoch;
    return true;
}

/* ---- SET and RESET ---- */

bool own_begin(struct session *session, struct slice name, struct slice value, struct error *error)
{
    if (!own_value_set(&session->own, name, value, error))
        return false;
    session->own_base = session->own;
    return true;
}

/* Inside a transaction what held before it is kept. */
static bool note_change(struct session *session)
{
    if (session->tx_status == 'I' || session->own_change)
        return true;
    if (!(session->own_change = malloc(sizeof *session->own_change)))
        return false;
    *session->own_change = (struct own_change){session->own, session->own};
    return true;
}

static void set(struct session *session, const struct own_statement *statement, struct local_result *result)
{
    bool reset = statement->verb == OWN_RESET, open = session->tx_status != 'I';
    struct slice value = slice_of(statement->value, statement->value_len);
    struct own_settings changed = session->own;
    bool fine = reset ? own_value_reset(&changed, &session->own_base, name_of(statement), &result->error)
                      : own_value_set(&changed, name_of(statement), value, &result->error);
    if (!fine)
        return;
    result->tag = statement->verb == OWN_RESET && statement->value_len == 0 ? "RESET" : "SET";
    if (statement->local && !open) {
        session_notice(
            session, SEVERITY_WARNING, "25P01", "SET LOCAL can only be used in transaction blocks");
        return;
    }
    if (!note_change(session)) {
        result->tag = NULL;
        error_set(&result->error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
        return;
    }
    session->own = changed;
    if (!session->own_change || statement->local)
        return;
    if (reset)
        own_value_reset(&session->own_change->after, &session->own_base, name_of(statement), NULL);
    else
        own_value_set(&session->own_change->after, name_of(statement), value, NULL);
}

static void reset_all(struct session *session)
{
    if (!note_change(session))
        return;
    session->own = session->own_base;
    if (session->own_change)
        session->own_change->after = session->own_base;
}

void own_free(struct session *session)
{
    free(session->own_change);
    session->own_change = NULL;
}

void own_settle(struct session *session, char status)
{
    const struct request *request = session->request;
    uint32_t ends = request_ends(request);
    if (request->flags & STATEMENT_RESETS && request->completed && !request->error_seen)
        reset_all(session);
    if (!session->own_change)
        return;
    bool chained = ends && request->statements == 1 && !request->error_seen;
    if (status != 'I' && !chained)
        return;
    bool undone = session->tx_status == 'E' || request->error_seen || ends & STATEMENT_ROLLBACK;
    session->own = undone ? session->own_change->before : session->own_change->after;
    own_free(session);
}

/* ---- SHOW ---- */

static bool show(struct session *session, const struct own_statement *statement, struct local_result *result,
    char value[VALUE_MAX])
{
    static const struct {
        const char *name, *column;
    } rows[] = {{"node", "rolecall.node"}, {"token", "rolecall.token"}, {"route", "rolecall.route"},
        {"max_lag", "rolecall.max_lag"}, {"consistency", "rolecall.consistency"}};
    size_t n = sizeof rows / sizeof *rows, i = 0;
    while (i < n && !slice_is(name_of(statement), rows[i].name))
        i++;
    if (i == n)
        return own_value_unknown(name_of(statement), &result->error);
    result->tag = "SHOW";
    result->column = rows[i].column;
    result->value = value;
    if (i == 0)
        snprintf(value, VALUE_MAX, "%s", session->last_node ? session->last_node->name : "");
    else if (i > 1)
        own_value_show(&session->own, own_consistency(session), name_of(statement), value, VALUE_MAX);
    return true;
}

/* ---- answering ---- */

static void finish(struct session *session, const struct local_result *result)
{
    if (session->tx_status == 'I' && !(session->pins & PIN_UNKNOWN))
        inquiry_free(session); /* no server has heard of it: there is nothing to ask */
    if (!result->tag && session->begin.state == BEGIN_OWED) {
        begin_fail(session);
        session->tx_status = 'E';
    }
    local_finish(session, result, session->tx_status);
}

void own_note(struct session *session, struct slice text)
{
    struct own_statement statement;
    struct request *request = session->request;
    if (request->own || !own_statement(text, !session->escape_strings, &statement))
        return;
    if ((request->own = malloc(sizeof statement)))
        *request->own = statement;
}

/* SHOW rolecall.token, which only the primary can answer: a transaction on a replica moves there, if it may.
 */
static enum own_need ask_position(const struct session *session, struct local_result *result)
{
    const struct server *server = session->claim.server;
    bool moves = session->begin.transfer == TRANSFER_POSSIBLE && session->begin.state == BEGIN_NONE;
    if (!server || server->role != ROLE_REPLICA || session->tx_status == 'I' || moves)
        return OWN_NEEDS_POSITION;
    *result = (struct local_result){0};
    error_set(&result->error, "55000",
        "rolecall.token is asked of the primary, and this transaction runs on a replica");
    return OWN_NEEDS_FAILURE;
}

/* Does what the statement says and gives the answer, or what is needed of a server before. */
static enum own_need perform(
    struct session *session, bool runs, struct local_result *result, char value[VALUE_MAX])
{
    const struct own_statement *statement = session->request->own;
    bool shows = statement->verb == OWN_SHOW;
    if (session->tx_status == 'E' && runs)
        error_set(&result->error, SQLSTATE_IN_FAILED_TRANSACTION,
            "current transaction is aborted, commands ignored until end of transaction block");
    else if (shows)
        show(session, statement, result, value);
    else if (runs)
        set(session, statement, result);
    else
        result->tag = "SET";
    if (!result->tag)
        return session->tx_status == 'T' && session->begin.state != BEGIN_OWED ? OWN_NEEDS_FAILURE
                                                                               : OWN_NEEDS_NOTHING;
    return shows && runs && slice_is(name_of(statement), "token") ? ask_position(session, result)
                                                                  : OWN_NEEDS_NOTHING;
}

bool own_answer(struct session *session)
{
    struct request *request = session->request;
    struct local_result result = {0};
    struct slice text;
    bool runs;
    char value[VALUE_MAX] = "";
    if (!request->own || request->own_need || !lone_statement(session, &text, &runs))
        return false;
    request->own_need = perform(session, runs, &result, value);
    if (request->own_need)
        return false;
    finish(session, &result);
    return true;
}

/* ---- asking a server ---- */

bool own_send(struct session *session, struct server *server)
{
    server->prefix_failed = false;
    buffer_release(&session->request->withheld, &session->all->spares);
    bool moves = session->begin.transfer == TRANSFER_DUE;
    if (moves && !begin_send(session, server))
        return false;
    if (session->request->own_need == OWN_NEEDS_FAILURE)
        return server_inject_query(server, "SELECT 1/0 AS rolecall_refused", INJECTED_PREFIX);
    return server_inject_query(server, TOKEN_QUERY, INJECTED_INQUIRY);
}

void own_on_row(struct session *session, const struct answer *answer)
{
    struct request *request = session->request;
    if (request->withheld.len + answer->len <= TOKEN_ROW_MAX)
        buffer_append(&request->withheld, &session->all->spares, answer->bytes, answer->len);
}

void own_on_done(struct session *session, struct server *server)
{
    struct request *request = session->request;
    struct local_result result = {.tag = "SHOW", .column = "rolecall.token"};
    char value[VALUE_MAX];
    if (request->error_seen) /* of the BEGIN ahead of it */
        return;
    if (request->own_need == OWN_NEEDS_FAILURE) { /* says again what is wrong */
        result = (struct local_result){0};
        if (!begin_forbids(session, &result.error))
            perform(session, true, &result, value);
    } else if (server->prefix_failed) {
        result.tag = NULL;
        result.error = server->prefix_error;
    } else if (!token_of_row(request->withheld.data, request->withheld.len, value)) {
        result.tag = NULL;
        error_set(&result.error, SQLSTATE_INTERNAL_ERROR, "the primary did not tell its position");
    }
    result.value = value;
    buffer_release(&request->withheld, &session->all->spares);
    server->prefix_failed = false;
    if (local_answer(session, &result))
        return;
    request->error_seen = true;
    if (session->begin.state ==
        BEGIN_OWED) /* it was asked outside of the transaction, which fails all the same */
        session->begin.state = BEGIN_REFUSED;
}
