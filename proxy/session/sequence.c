/*
 * currval() and lastval(): values that a connection remembers of the session that used it.
 *
 * Most applications never ask for them, and for those nothing is done but to note on a server whose writes it
 * ran last. Once a database's user has asked, or the catalogue shows that something in the database does, its
 * sessions stay on their server from their first write on (PIN_SEQUENCE), and a server that remembers another
 * session's values forgets them first (DISCARD SEQUENCES, in the same write). The very first question goes to
 * the server of the session's last write, when that is still to be had; else PostgreSQL says that there is no
 * value, as it would in a new session.
 */
#include "proxy/session/sequence.h"

#include "proxy/session/session.h"

static bool keeps(const struct session *session, const struct server *server)
{
    return server->ledger &&
           (ledger_reads_sequences(server->ledger) || sessions_reads_sequences(session->known));
}

static bool applies(const struct session *session, const struct server *server)
{
    return SESSION_TRACKING && session->limits->pool != POOL_SESSION && server->role != ROLE_REPLICA;
}

bool sequence_guard(struct session *session, struct server *server)
{
    const struct request *request = session->request;
    bool asks = request->pins & PIN_SEQUENCE;
    if (!applies(session, server) || (!asks && request->class != STATEMENT_WRITE))
        return true;
    if (asks && !ledger_reads_sequences(server->ledger))
        ledger_set_reads_sequences(server->ledger);
    if (!server->writer || server->writer == session->id || server->tx_status == 'E' ||
        !(asks || keeps(session, server)))
        return true;
    server->writer = session->id;
    return server_inject_query(server, "DISCARD SEQUENCES", INJECTED_PREFIX);
}

void sequence_settle(struct session *session, struct server *server)
{
    const struct request *request = session->request;
    if (!applies(session, server))
        return;
    if (request->frees & PIN_SEQUENCE && request->completed && !request->error_seen) {
        session->id = session->all->stamp++;
        server->writer = 0;
        session_unpin(session, PIN_SEQUENCE);
        return;
    }
    if (request->class != STATEMENT_WRITE || request->reason == REASON_SHOW)
        return;
    server->writer = session->id;
    if (keeps(session, server))
        session_pin(session, PIN_SEQUENCE);
}
