/*
 * A client's first packets: [PROXY header,] [SSLRequest or direct TLS,] [GSSENCRequest,] StartupMessage or
 * CancelRequest.
 *
 * All well: the startup packet becomes the session's user, database and settings, then authenticate.c takes
 * over. Failure: a malformed packet gets FATAL with PostgreSQL's SQLSTATE and is closed; nothing is kept of
 * it.
 */
#include "proxy/session/own_settings.h"
#include "proxy/session/session.h"

#include "conf/base/log.h"
#include "proxy/wire/proxy_protocol.h"
#include "router/date_style.h"

#include <stdlib.h>
#include <string.h>

#define TLS_FIRST_BYTE 0x16 /* a handshake record: direct TLS, without SSLRequest */

static size_t on_proxy_header(struct session *session, const char *bytes, size_t len)
{
    struct proxy_header header;
    struct error error;
    switch (proxy_protocol_parse(bytes, len, &header, &error)) {
    case FRAME_MORE: return 0;
    case FRAME_BAD: session_close(session, error.text); return len;
    case FRAME_OK: break;
    }
    if (!header.local)
        memcpy(&session->peer, &header.source, sizeof session->peer);
    session_move(session, SESSION_STARTUP);
    return header.total;
}

static bool may_have_tls(const struct session *session)
{
    return session_listening(session)->tls != NULL && session->stream.tls == NULL &&
           session->peer.any.sa_family != AF_UNIX;
}

static void start_tls(struct session *session)
{
    session_move(session, SESSION_TLS);
    if (!stream_start_tls(&session->stream, session_listening(session)->tls, true, NULL))
        session_close(session, "TLS could not be started");
}

void startup_on_tls(struct session *session)
{
    if (session->tls_direct && !tls_alpn_postgresql(session->stream.tls)) {
        session_close(session, "direct TLS without ALPN postgresql");
        return;
    }
    session_move(session, SESSION_STARTUP);
}

static size_t on_ssl_request(struct session *session, const struct startup *startup, size_t len)
{
    if (session->ssl_asked || session->stream.tls) {
        session_fatal(session, SQLSTATE_PROTOCOL_VIOLATION, "SSL was requested twice");
        return len;
    }
    session->ssl_asked = true;
    if (!may_have_tls(session)) {
        session_write(session, "N", 1);
        return startup->total;
    }
    if (len > startup->total) { /* plain text that pretends to come from inside */
        session_fatal(session, SQLSTATE_PROTOCOL_VIOLATION, "received unencrypted data after SSL request");
        return len;
    }
    session_write(session, "S", 1);
    start_tls(session);
    return startup->total;
}

/* ---- the startup packet's parameters ---- */

static bool is_ignored(const struct config *config, struct slice name)
{
    for (char **ignored = config->ignore_startup_parameters; ignored && *ignored; ignored++)
        if (strlen(*ignored) == name.len && strncasecmp(*ignored, name.data, name.len) == 0)
            return true;
    return false;
}

static bool is_ours(struct slice name)
{
    return slice_is(name, "user") || slice_is(name, "database") || slice_is(name, "replication") ||
           slice_is(name, "options") || (name.len >= 5 && memcmp(name.data, "_pq_.", 5) == 0);
}

/* The one setting of which a second value may leave a part of the first. */
static bool keep_setting(struct params *asked, struct slice name, struct slice value)
{
    char both[DATE_STYLE_MAX];
    bool twofold = name.len == 9 && strncasecmp(name.data, "datestyle", 9) == 0;
    const char *before = twofold ? params_get(asked, "datestyle") : NULL;
    return params_set(asked, name, before ? date_style_then(slice_from(before), value, both) : value);
}

static bool add_setting(struct session *session, struct slice name, struct slice value)
{
    static const char own[] = "rolecall.";
    size_t prefix = sizeof own - 1;
    struct error error;
    if (is_ignored(session->runtime->config, name))
        return true;
    if (name.len <= prefix || strncasecmp(name.data, own, prefix) != 0)
        return (session->asked || (session->asked = calloc(1, sizeof *session->asked))) &&
               keep_setting(session->asked, name, value);
    if (own_begin(session, slice_of(name.data + prefix, name.len - prefix), value, &error))
        return true;
    session_fatal(session, error.sqlstate, "%s", error.text);
    return false;
}

static bool take_options(struct session *session, struct slice text)
{
    struct startup_options options;
    struct slice name, value;
    struct error error;
    startup_options_init(&options, text);
    for (;;) {
        switch (startup_options_next(&options, &name, &value, &error)) {
        case OPTION_END: return true;
        case OPTION_BAD: session_fatal(session, error.sqlstate, "%s", error.text); return false;
        case OPTION_SETTING: break;
        }
        if (!add_setting(session, name, value)) {
            session_fatal(session, SQLSTATE_PROGRAM_LIMIT_EXCEEDED, "startup parameters are too long");
            return false;
        }
    }
}

static bool take_names(struct session *session, struct slice user, struct slice database)
{
    char *block = malloc(user.len + database.len + 2);
    if (!block)
        return false;
    memcpy(block, user.data, user.len);
    block[user.len] = 0;
    session->user = block;
    session->database = block + user.len + 1;
    memcpy(session->database, database.data, database.len);
    session->database[database.len] = 0;
    return true;
}

static bool take_params(struct session *session, const struct startup *startup)
{
    struct slice name, value;
    if (startup->options.data && !take_options(session, startup->options))
        return false;
    for (size_t at = 0; startup_next(startup, &at, &name, &value);)
        if (!is_ours(name) && !add_setting(session, name, value)) {
            session_fatal(session, SQLSTATE_PROGRAM_LIMIT_EXCEEDED, "startup parameters are too long");
            return false;
        }
    if (startup->user.len >= MESSAGE_NAME_MAX || startup->database.len >= MESSAGE_NAME_MAX) {
        session_fatal(
            session, SQLSTATE_INVALID_AUTHORIZATION, "user or database name is longer than 63 bytes");
        return false;
    }
    return take_names(session, startup->user, startup->database);
}

static void on_session_packet(struct session *session, const struct startup *startup, const char *packet)
{
    session->version = startup->version;
    session->replication = startup->replication;
    if (session->listener->tls.mode >= TLS_REQUIRE && !session->stream.tls &&
        session->peer.any.sa_family != AF_UNIX) {
        session_fatal(session, SQLSTATE_INVALID_AUTHORIZATION, "this listener requires TLS");
        return;
    }
    if (!take_params(session, startup)) {
        session_close(session, "bad startup packet");
        return;
    }
    if (startup->negotiate) {
        char out[2048];
        struct builder builder = builder_of(out, sizeof out);
        if (!startup_build_negotiate(&builder, startup)) {
            session_fatal(session, SQLSTATE_PROTOCOL_VIOLATION, "too many protocol options");
            return;
        }
        session_write(session, out, builder.len);
    }
    if (session->listener->auth == AUTH_PASSTHROUGH &&
        !buffer_append(&session->unnamed, &session->all->spares, packet, startup->total)) {
        session_fatal(session, SQLSTATE_OUT_OF_MEMORY, "out of memory");
        return;
    }
    authenticate_begin(session);
}

size_t startup_on_data(struct session *session, const char *bytes, size_t len)
{
    if (session->state == SESSION_PROXY_HEADER)
        return on_proxy_header(session, bytes, len);
    struct startup startup;
    struct error error;
    switch (startup_parse(bytes, len, &startup, &error)) {
    case FRAME_MORE: return 0;
    case FRAME_BAD: session_fatal(session, error.sqlstate, "%s", error.text); return len;
    case FRAME_OK: break;
    }
    switch (startup.kind) {
    case STARTUP_SSL_REQUEST: return on_ssl_request(session, &startup, len);
    case STARTUP_GSSENC_REQUEST:
        if (session->gss_asked) {
            session_fatal(session, SQLSTATE_PROTOCOL_VIOLATION, "GSSAPI encryption was requested twice");
            return len;
        }
        session->gss_asked = true;
        session_write(session, "N", 1);
        return startup.total;
    case STARTUP_CANCEL:
        cancel_from_client(session, startup.cancel_pid, startup.cancel_secret);
        session_close(session, "cancel request");
        return len;
    case STARTUP_SESSION: on_session_packet(session, &startup, bytes); return startup.total;
    }
    return len;
}

bool startup_on_first_byte(struct session *session, unsigned char byte)
{
    if (session->state != SESSION_STARTUP || byte != TLS_FIRST_BYTE || !may_have_tls(session))
        return false;
    session->tls_direct = true;
    start_tls(session);
    return true;
}
