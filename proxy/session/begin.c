/*
 * A transaction begins without a server, and its first statement says where it runs.
 *
 *     NONE --BEGIN--> OWED --first statement--> SENT --its first answer--> NONE (the server has it)
 *              OWED --COMMIT, ROLLBACK--> NONE, and no server has heard of it
 *              OWED --no node in time, cancelled--> NONE; failed until ROLLBACK
 *              SENT --connection lost, a replica's error--> OWED, and the statement goes elsewhere
 *              SENT --the BEGIN itself fails--> REFUSED --ReadyForQuery--> NONE; failed until ROLLBACK
 *              NONE --on a replica, and a statement belongs to the primary--> OWED (transfer.c)
 *
 * BEGIN and START TRANSACTION, alone in their request and with modes that are understood, are answered at
 * once, and so is one that would go to a replica when it is the first of its batch: what the batch has behind
 * it is a request of its own then. SET TRANSACTION behind them changes what is kept. The first statement that
 * is anything else chooses: a READ ONLY transaction under READ COMMITTED whose first statement may be
 * answered by a replica goes to one, every other to the primary. There the BEGIN goes ahead of the statement
 * in the same write, as unnamed Parse, Bind and Execute without a Sync: should it fail, PostgreSQL skips what
 * follows, so that nothing ever runs outside of the transaction that it was meant for. While the client has
 * seen nothing of the first statement's answer the whole may begin again elsewhere, since it was rolled back
 * and nobody knows.
 *
 * In the client's eyes it is in a transaction all the time: tx_status is T, idle_transaction_timeout runs.
 * Failure: a BEGIN that is refused by its server, or that finds no node, fails the transaction, with
 * lost.c's state for a transaction that has no server (LOST_REPORTED) until the client ends it.
 */
#include "proxy/session/begin.h"

#include "proxy/session/inquiry.h"
#include "proxy/session/local.h"
#include "proxy/session/lone.h"
#include "proxy/session/session.h"

#include <assert.h>
#include <string.h>

/* ---- what is answered here ---- */

static bool is_shared(const struct session *session)
{
    enum pool_mode pool = session->limits->pool;
    return pool == POOL_TRANSACTION || (pool == POOL_SESSION && session_is_split(session));
}

/* A replica would refuse it at once: so it shall hear of it at once. */
static bool fits_route(const struct session *session, const struct transaction_modes *modes)
{
    enum route route = session->listener->route;
    bool primary = route == ROUTE_PRIMARY || route == ROUTE_SPLIT;
    return primary || (modes->isolation != ISOLATION_SERIALIZABLE && modes->read_only != SWITCH_OFF);
}

static void answer(struct session *session, const char *tag, char status)
{
    struct local_result result = {.tag = tag};
    own_settle(session, status);
    session->tx_status = status;
    if (status == 'I') {
        session->begin = (struct begin){.state = BEGIN_NONE};
        session->tx_flags = 0;
        inquiry_free(session);
        count(&session->all->counters.transactions);
    }
    local_finish(session, &result, status);
}

/* What is said to the request; NULL: it is for a server. */
static const char *tag_of_begin(const struct session *session, const struct transaction_statement *statement)
{
    bool starts = statement->verb == TRANSACTION_START;
    if ((!starts && statement->verb != TRANSACTION_BEGIN) || session->tx_status != 'I' || session->pins ||
        session->request->reason != REASON_TRANSACTION || !fits_route(session, &statement->modes))
        return NULL;
    return starts ? "START TRANSACTION" : "BEGIN";
}

/* The same behind a BEGIN that nobody has heard of; *modes are the transaction's then. */
static const char *tag_behind_begin(const struct session *session,
    const struct transaction_statement *statement, struct transaction_modes *modes)
{
    switch (statement->verb) {
    case TRANSACTION_SET:
        transaction_modes_add(modes, &statement->modes);
        return fits_route(session, modes) ? "SET" : NULL;
    case TRANSACTION_COMMIT: return "COMMIT";
    case TRANSACTION_ROLLBACK: return "ROLLBACK";
    case TRANSACTION_BEGIN:
    case TRANSACTION_START: return NULL; /* PostgreSQL warns */
    }
    return NULL;
}

/* A Sync and nothing else. */
static bool is_lone_sync(const struct request *request)
{
    return request->kind == REQUEST_BATCH && request->complete && !request->flush_as_sync &&
           request->bytes.len == FRAME_HEADER_LEN;
}

/* What the request is answered with here; NULL: nothing. *next is the session's state behind it, *status that
   of its transaction. */
static const char *tag_of(const struct session *session, struct begin *next, char *status)
{
    const struct request *request = session->request;
    struct transaction_statement statement;
    struct slice text;
    bool runs, owed = session->begin.state == BEGIN_OWED;
    *next = session->begin;
    *status = 'T';
    if (owed && is_lone_sync(request))
        return "";
    if ((!owed && !(request->flags & STATEMENT_BEGIN)) || request->class != STATEMENT_TRANSACTION ||
        !is_shared(session) || !lone_statement(session, &text, &runs) || !runs ||
        !transaction_statement(text, !session->escape_strings, &statement))
        return NULL;
    if (!owed) {
        *next = (struct begin){.state = BEGIN_OWED, .modes = statement.modes};
        return tag_of_begin(session, &statement);
    }
    if (statement.verb == TRANSACTION_COMMIT || statement.verb == TRANSACTION_ROLLBACK)
        *status = 'I';
    return tag_behind_begin(session, &statement, &next->modes);
}

bool begin_answers(const struct session *session)
{
    struct begin next;
    char status;
    return tag_of(session, &next, &status) != NULL;
}

bool begin_answer(struct session *session)
{
    struct begin next;
    char status;
    const char *tag = tag_of(session, &next, &status);
    if (!tag)
        return false;
    if (!tag[0]) {
        local_finish(session, &(struct local_result){.tag = ""}, 'T');
        return true;
    }
    session->begin = next;
    answer(session, tag, status);
    return true;
}

bool begin_answer_ahead(struct session *session)
{
    struct request *request = session->request;
    bool read_only = request->flags & STATEMENT_BEGIN_READ_ONLY || session->settings->read_only;
    if (!(request->flags & STATEMENT_BEGIN) || request->noted_of[CAUSE_EXECUTE] == 0 || !read_only ||
        !session_is_split(session))
        return false;
    request->kind = REQUEST_BATCH;
    request->complete = request->flush_as_sync = true;
    if (begin_answer(session))
        return true;
    request->complete = request->flush_as_sync = false;
    return false;
}

/* ---- where it goes ---- */

bool begin_is_read_committed(const struct session *session, const struct transaction_modes *modes)
{
    if (modes->isolation != ISOLATION_DEFAULT)
        return modes->isolation <= ISOLATION_READ_COMMITTED;
    if (settings_value(session->settings, "default_transaction_isolation"))
        return !session->settings->isolated;
    return session->default_isolation == DEFAULT_ISOLATION_COMMITTED;
}

static bool is_read_only(const struct session *session)
{
    enum transaction_switch said = session->begin.modes.read_only;
    return said == SWITCH_ON || (said == SWITCH_DEFAULT && session->settings->read_only);
}

bool begin_is_of_transaction(const struct request *request)
{
    const uint32_t block = STATEMENT_BEGIN | STATEMENT_COMMIT | STATEMENT_ROLLBACK | STATEMENT_ISOLATION;
    if (request->statements != 1 || request->pins || request->frees || request->names_statements)
        return false;
    if (request->class == STATEMENT_TRANSACTION)
        return !(request->flags & block);
    return request->reason == REASON_SESSION && !(request->flags & ~(uint32_t)STATEMENT_SETS_PARSING);
}

bool begin_leaves_primary(const struct session *session)
{
    const struct request *request = session->request;
    return is_read_only(session) && begin_is_read_committed(session, &session->begin.modes) &&
           session->begin.transfer != TRANSFER_DUE &&
           (request->class == STATEMENT_READ || transfer_may_keep(session));
}

/* ---- at a server ---- */

bool begin_send(struct session *session, struct server *server)
{
    char text[TRANSACTION_TEXT_MAX];
    if (session->begin.state != BEGIN_OWED)
        return true;
    assert(server->tx_status == 'I');
    transaction_begin_text(&session->begin.modes, text);
    session->begin.state = BEGIN_SENT;
    session->begin.reads_only = is_read_only(session);
    return server_inject_begin(server, text) && transfer_on_begin(session, server);
}

void begin_on_error(struct session *session, struct server *server, const struct answer *answer)
{
    const struct expect *head = expect_head(&server->expect);
    if (session->begin.state != BEGIN_SENT)
        return;
    if (server->tx_status == 'I')
        session->begin.state = BEGIN_REFUSED;
    if (!head || head->kind != EXPECT_QUERY || answer->kind == EXPECT_QUERY)
        return; /* the client's own Sync ends what is skipped */
    if (session->passing > 0)
        session_fatal(session, SQLSTATE_CONNECTION_FAILURE, "the transaction could not begin");
    else
        server_send(server, "S\0\0\0\4", 5);
}

void begin_on_answer(struct session *session)
{
    if (session->begin.state == BEGIN_SENT)
        session->begin.state = BEGIN_NONE;
}

void begin_again(struct session *session)
{
    if (session->begin.state == BEGIN_SENT || session->begin.state == BEGIN_REFUSED)
        session->begin.state = BEGIN_OWED;
}

void begin_fail(struct session *session)
{
    session->begin = (struct begin){.state = BEGIN_NONE};
    session->lost = LOST_REPORTED;
}

char begin_status(struct session *session, char status)
{
    if (session->begin.state != BEGIN_REFUSED)
        return status;
    begin_fail(session);
    return 'E';
}

/* COMMIT or ROLLBACK AND CHAIN, whose transaction has the modes of the one before; or only a Parse of it. */
static bool chains(const struct request *request)
{
    return request->statements == 1 && !(request->flags & STATEMENT_MULTIPLE) &&
           request->flags & (STATEMENT_COMMIT | STATEMENT_ROLLBACK);
}

void begin_settle(struct session *session, char status)
{
    const struct request *request = session->request;
    if (status == 'I')
        session->begin = (struct begin){.state = BEGIN_NONE};
    else if (request->class != STATEMENT_READ && !chains(request))
        session->begin.reads_only = false;
}

bool begin_only_reads(const struct session *session)
{
    const struct request *request = session->request;
    return session->begin.reads_only &&
           (request->class == STATEMENT_READ ||
               (request->class == STATEMENT_TRANSACTION && request->statements == 1));
}

bool begin_forbids(const struct session *session, struct error *error)
{
    const struct server *server = session->claim.server;
    const struct request *request = session->request;
    uint32_t pins = request->pins & ~(uint32_t)(PIN_SEQUENCE | PIN_SETTING);
    if (!session_is_split(session) || !server || server->role != ROLE_REPLICA || session->tx_status != 'T' ||
        !pins || !request->complete || request->stream)
        return false;
    error_set(error, "25006",
        "this READ ONLY transaction runs on a replica, and the statement would leave something (%s) that "
        "belongs to the primary",
        pin_name((enum pin)(pins & (~pins + 1))));
    return true;
}
