/*
 * A client's life: states, deadlines, the end. What each state does with bytes is in the files named in
 * session.h.
 *
 * All well: startup -> (TLS) -> secret -> auth -> idle <-> waiting/active. Failure: whatever ends a session
 * goes through session_close, once, with a reason; its claim is given up, its server is reset or closed, its
 * slot is freed.
 */
#include "proxy/session/session.h"

#include "proxy/session/inquiry.h"

#include "conf/base/log.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BIT(state) (1u << (state))

static const struct {
    const char *name;
    unsigned to; /* states that may follow; CLOSED always may */
} moves[] = {
    [SESSION_PROXY_HEADER] = {"proxy_header", BIT(SESSION_STARTUP)},
    [SESSION_STARTUP] = {"startup", BIT(SESSION_TLS) | BIT(SESSION_SECRET) | BIT(SESSION_AUTH) |
                                        BIT(SESSION_WAITING) | BIT(SESSION_HELD) | BIT(SESSION_IDLE) |
                                        BIT(SESSION_ACTIVE) | BIT(SESSION_RELAY) | BIT(SESSION_CONSOLE)},
    [SESSION_TLS] = {"tls_handshake", BIT(SESSION_STARTUP)},
    [SESSION_SECRET] = {"fetching_secret", BIT(SESSION_AUTH) | BIT(SESSION_IDLE) | BIT(SESSION_WAITING) |
                                               BIT(SESSION_HELD) | BIT(SESSION_ACTIVE) | BIT(SESSION_RELAY)},
    [SESSION_AUTH] = {"authentication", BIT(SESSION_IDLE) | BIT(SESSION_WAITING) | BIT(SESSION_HELD) |
                                            BIT(SESSION_ACTIVE) | BIT(SESSION_RELAY) | BIT(SESSION_CONSOLE)},
    [SESSION_IDLE] = {"idle", BIT(SESSION_HELD) | BIT(SESSION_WAITING) | BIT(SESSION_ACTIVE)},
    [SESSION_HELD] = {"held",
        BIT(SESSION_IDLE) | BIT(SESSION_WAITING) | BIT(SESSION_ACTIVE) | BIT(SESSION_RELAY)},
    [SESSION_WAITING] = {"waiting",
        BIT(SESSION_IDLE) | BIT(SESSION_HELD) | BIT(SESSION_ACTIVE) | BIT(SESSION_RELAY)},
    [SESSION_ACTIVE] = {"active", BIT(SESSION_IDLE) | BIT(SESSION_HELD) | BIT(SESSION_WAITING) |
                                      BIT(SESSION_STREAMING) | BIT(SESSION_COPY_IN) | BIT(SESSION_RELAY)},
    [SESSION_STREAMING] = {"streaming", BIT(SESSION_ACTIVE) | BIT(SESSION_IDLE) | BIT(SESSION_COPY_IN)},
    [SESSION_COPY_IN] = {"copy_in", BIT(SESSION_ACTIVE) | BIT(SESSION_IDLE) | BIT(SESSION_STREAMING)},
    [SESSION_RELAY] = {"relay", 0},
    [SESSION_CONSOLE] = {"console", 0},
    [SESSION_CLOSED] = {"closed", 0},
};

const char *session_state_name(enum session_state state)
{
    return moves[state].name;
}

const struct runtime_listener *session_listening(const struct session *session)
{
    return &session->runtime->listeners[session->listener - session->runtime->config->listeners];
}

bool session_is_split(const struct session *session)
{
    return session->listener->route == ROUTE_SPLIT;
}

/* Reading is the client's while it may speak, the proxy's while a request is on its way. */
static bool listens(enum session_state state)
{
    switch (state) {
    case SESSION_PROXY_HEADER:
    case SESSION_STARTUP:
    case SESSION_TLS:
    case SESSION_AUTH:
    case SESSION_IDLE:
    case SESSION_STREAMING:
    case SESSION_COPY_IN:
    case SESSION_CONSOLE:
    case SESSION_RELAY: return true;
    case SESSION_SECRET:
    case SESSION_HELD:
    case SESSION_WAITING:
    case SESSION_ACTIVE:
    case SESSION_CLOSED: return false;
    }
    return false;
}

void session_move(struct session *session, enum session_state to)
{
    if (session->state == to)
        return;
    if (to != SESSION_CLOSED && !(moves[session->state].to & BIT(to))) {
        log_event(LOG_ERROR, "bad_session_move", "from=%s to=%s", session_state_name(session->state),
            session_state_name(to));
        abort();
    }
    session->state = to;
    session->state_since_ms = uv_now(session->all->reactor->loop);
    if (to == SESSION_CLOSED)
        return;
    if (listens(to))
        stream_release(&session->stream);
    else
        stream_hold(&session->stream);
}

void session_deadline(struct session *session, uint64_t in_ms)
{
    if (in_ms == 0) {
        session->deadline_ms = 0;
        return;
    }
    session->deadline_ms = uv_now(session->all->reactor->loop) + in_ms;
    if (session->deadline_ms < session->all->earliest_ms)
        session->all->earliest_ms = session->deadline_ms;
}

/* ---- messages of our own ---- */

void session_write(struct session *session, const void *bytes, size_t len)
{
    session->sent_bytes += len;
    stream_write(&session->stream, bytes, len);
}

static void write_error(
    struct session *session, enum severity severity, const char *sqlstate, const char *text)
{
    char out[ERROR_TEXT_MAX + 256];
    struct builder builder = builder_of(out, sizeof out);
    if (severity >= SEVERITY_ERROR)
        backend_build_error(&builder, severity, sqlstate, text, NULL, NULL);
    else
        backend_build_notice(&builder, severity, sqlstate, text, NULL, NULL);
    session_write(session, out, builder.len);
}

void session_error(struct session *session, const char *sqlstate, const char *text)
{
    write_error(session, SEVERITY_ERROR, sqlstate, text);
}

void session_notice(struct session *session, enum severity severity, const char *sqlstate, const char *text)
{
    write_error(session, severity, sqlstate, text);
}

void session_ready_for_query(struct session *session, char status)
{
    const char bytes[6] = {BACKEND_READY, 0, 0, 0, 5, status};
    session_write(session, bytes, sizeof bytes);
}

void session_fatal(struct session *session, const char *sqlstate, const char *format, ...)
{
    char text[ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (session->state != SESSION_CLOSED && session->stream.state == STREAM_OPEN)
        write_error(session, SEVERITY_FATAL, sqlstate, text);
    session_close(session, text);
}

/* ---- the stream's events ---- */

static size_t take_data(struct session *session, const char *bytes, size_t len)
{
    switch (session->state) {
    case SESSION_PROXY_HEADER:
    case SESSION_STARTUP: return startup_on_data(session, bytes, len);
    case SESSION_AUTH: return authenticate_on_data(session, bytes, len);
    case SESSION_IDLE: return collect_on_data(session, bytes, len);
    case SESSION_STREAMING: return streaming_on_data(session, bytes, len);
    case SESSION_COPY_IN: return copy_on_data(session, bytes, len);
    case SESSION_RELAY: return relay_on_data(session, bytes, len);
    case SESSION_CONSOLE: return console_on_data(session, bytes, len);
    case SESSION_TLS:
    case SESSION_SECRET:
    case SESSION_HELD:
    case SESSION_WAITING:
    case SESSION_ACTIVE:
    case SESSION_CLOSED: break;
    }
    return 0;
}

static size_t on_data(void *owner, const char *bytes, size_t len)
{
    struct session *session = owner;
    size_t taken = take_data(session, bytes, len);
    session->received_bytes += taken;
    return taken;
}

static void on_open(void *owner)
{
    startup_on_tls(owner);
}

static bool on_first_byte(void *owner, unsigned char byte)
{
    return startup_on_first_byte(owner, byte);
}

static void on_drained(void *owner)
{
    struct session *session = owner;
    settle_unblocked(session);
    if (session->claim.server)
        stream_release(&session->claim.server->stream);
    if (session->relay)
        stream_release(&session->relay->stream);
    if (session->console)
        console_on_drained(session);
    if (listens(session->state))
        stream_release(&session->stream);
}

static void on_end(void *owner, enum stream_end end, const struct error *error)
{
    struct session *session = owner;
    (void)end;
    session_close(session, error->text);
}

const struct stream_events session_stream_events = {
    .on_first_byte = on_first_byte,
    .on_data = on_data,
    .on_open = on_open,
    .on_drained = on_drained,
    .on_end = on_end,
};

/* ---- beginning and end ---- */

struct session *session_new(struct sessions *all)
{
    struct session *session = calloc(1, sizeof *session);
    if (!session)
        return NULL;
    session->all = all;
    session->tx_status = 'I';
    session->state = SESSION_STARTUP;
    session->began_ms = session->state_since_ms = uv_now(all->reactor->loop);
    session->claim.events = &route_claim_events;
    session->claim.user = session;
    session->request = all->no_request;
    session->startup = settings_ref(all->no_settings);
    session->settings = settings_ref(all->no_settings);
    session->id = all->stamp++;
    return session;
}

static void free_session(void *object)
{
    struct session *session = object;
    free(session->user);
    runtime_unref(session->runtime);
    free(session->parked);
    node_live_unref(session->sticky);
    node_live_unref(session->last_node);
    explicit_bzero(&session->key, sizeof session->key);
    free(session);
}

/* Gives up the server: clean ones go back, one that is in the middle of something is closed, one that may
   carry state is reset. */
static void leave_server(struct session *session)
{
    pool_unclaim(&session->claim);
    if (session->parked && session->parked->server) {
        session->parked->server->dirty = true;
        pool_release(session->parked, false);
    }
    if (!session->claim.server)
        return;
    struct server *server = session->claim.server;
    bool busy = session->state == SESSION_RELAY || session->request->sent || server->expect.count > 0;
    /* DISCARD ALL takes none of this away, or leaves what others could tell. */
    busy |= (session->pins & (PIN_TEMPORARY | PIN_LOAD | PIN_FUNCTION)) != 0;
    request_leaves(session, server);
    if (session->pins || session->limits->pool == POOL_SESSION)
        server->dirty = true;
    pool_release(&session->claim, busy);
}

static void unlink_session(struct session *session)
{
    struct sessions *all = session->all;
    if (session->prev)
        session->prev->next = session->next;
    else
        all->first = session->next;
    if (session->next)
        session->next->prev = session->prev;
    all->slots[session->slot] = NULL;
    if (session->slot < all->free_slot)
        all->free_slot = session->slot;
}

static void drop_counts(struct session *session)
{
    struct sessions *all = session->all;
    count_down(&all->counters.clients);
    (*all->process_clients)--;
    if (session->pins)
        count_down(&all->counters.pinned);
}

void session_close(struct session *session, const char *reason)
{
    if (session->state == SESSION_CLOSED)
        return;
    struct sessions *all = session->all;
    log_event(LOG_DEBUG, "client_closed", "user=%s database=%s state=%s reason=%s", session->user,
        session->database, session_state_name(session->state), reason);
    held_remove(session);
    stream_close(&session->stream);
    leave_server(session);
    relay_close(session);
    console_close(session);
    session_move(session, SESSION_CLOSED);
    request_reset(session);
    session_forget_unnamed(session);
    names_clear(&session->names, all->pools.prepared);
    buffer_release(&session->unnamed, &all->spares);
    inquiry_free(session);
    buffer_release(&session->transfer_said, &session->all->spares);
    own_free(session);
    settings_replace(&session->startup, NULL);
    settings_replace(&session->settings, NULL);
    if (session->asked)
        params_fini(session->asked);
    free(session->asked);
    session->asked = NULL;
    auth_free(session->auth);
    session->auth = NULL;
    if (session->pool)
        pool_leave(session->pool);
    session->pool = NULL;
    welcome_leave(session);
    drop_counts(session);
    unlink_session(session);
    reactor_bury(all->reactor, session, free_session);
}

void session_next(struct session *session)
{
    request_reset(session);
    if (session->skipping) { /* what is left of a message goes nowhere in this state too */
        session->passing = session->skipping;
        session->skipping = 0;
    }
    session->passing_ends = false;
    session_move(session, SESSION_IDLE);
    if (session->all->draining && session->tx_status == 'I') {
        session_fatal(session, SQLSTATE_ADMIN_SHUTDOWN, "rolecall is shutting down");
        return;
    }
    uint64_t idle = session->tx_status == 'I' ? session->limits->client_idle_timeout_ms
                                              : session->limits->idle_transaction_timeout_ms;
    session_deadline(session, idle);
}
