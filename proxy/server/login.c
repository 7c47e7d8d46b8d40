/*
 * Login to a node; see login.h.
 *
 * All well: [SSLRequest, 'S', TLS,] StartupMessage, an authentication exchange, ParameterStatus and
 * BackendKeyData, ReadyForQuery. Protocol 3.2 is offered; a node that knows only 3.0 says so with
 * NegotiateProtocolVersion. Failure: the node's own ErrorResponse is passed up with its SQLSTATE; what the
 * node asks that the secret cannot answer is 28P01 in words.
 */
#include "proxy/server/login.h"

#include "proxy/auth/md5.h"
#include "proxy/wire/frontend.h"
#include "proxy/wire/startup.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define PACKET_MAX (STARTUP_PACKET_MAX + 64)

struct login {
    struct tls_context *tls;
    bool tls_required, unix_socket;
    char host[256];
    char user[256];
    const struct secret *secret;
    struct secret *cached_keys;
    char *connect_query;
    bool raw;
    struct scram_client scram;
    bool scram_used, scram_done;
    size_t packet_len;
    char packet[PACKET_MAX];
};

static struct slice text(const char *value)
{
    return slice_from(value);
}

static bool build_packet(struct login *login, const struct server_target *target)
{
    struct builder builder = builder_of(login->packet, sizeof login->packet);
    const char *name, *value;
    startup_build_begin(&builder, PROTOCOL_3_2);
    startup_build_param(&builder, text("user"), text(target->user));
    startup_build_param(&builder, text("database"), text(target->database));
    if (target->replication)
        startup_build_param(&builder, text("replication"), text(target->replication));
    for (uint32_t at = 0; target->settings && params_next(target->settings, &at, &name, &value);)
        startup_build_param(&builder, text(name), text(value));
    bool fits = startup_build_end(&builder);
    login->packet_len = builder.len;
    return fits;
}

struct login *login_new(const struct server_target *target)
{
    struct login *login = calloc(1, sizeof *login);
    if (!login)
        return NULL;
    login->tls_required = target->tls_required;
    login->unix_socket = target->node->host[0] == '/';
    snprintf(login->host, sizeof login->host, "%s", target->node->host);
    snprintf(login->user, sizeof login->user, "%s", target->user ? target->user : "");
    login->secret = target->secret;
    login->cached_keys = target->cached_keys;
    if (target->connect_query && !(login->connect_query = strdup(target->connect_query)))
        goto fail;
    if (target->startup.data) {
        if (target->startup.len > sizeof login->packet)
            goto fail;
        login->raw = true;
        memcpy(login->packet, target->startup.data, target->startup.len);
        login->packet_len = target->startup.len;
    } else if (!build_packet(login, target)) {
        goto fail;
    }
    if (target->tls && !login->unix_socket)
        login->tls = tls_context_ref(target->tls);
    return login;
fail:
    login_free(login);
    return NULL;
}

void login_free(struct login *login)
{
    if (!login)
        return;
    tls_context_unref(login->tls);
    scram_client_wipe(&login->scram);
    free(login->connect_query);
    explicit_bzero(login, sizeof *login);
    free(login);
}

bool login_wants_tls(const struct login *login)
{
    return login->tls != NULL;
}

bool login_is_raw(const struct login *login)
{
    return login->raw;
}

const char *login_connect_query(const struct login *login)
{
    return login->connect_query;
}

void login_send_ssl_request(struct server *server)
{
    char packet[16];
    struct builder builder = builder_of(packet, sizeof packet);
    bool fits = startup_build_ssl_request(&builder);
    assert(fits);
    stream_write(&server->stream, packet, builder.len);
}

void login_send_startup(struct server *server)
{
    stream_write(&server->stream, server->login->packet, server->login->packet_len);
}

bool login_on_ssl_answer(struct server *server, char byte, struct error *error)
{
    struct login *login = server->login;
    if (byte == 'S') {
        server->state = SERVER_HANDSHAKE;
        if (!stream_start_tls(&server->stream, login->tls, false, login->host))
            return error_set(error, SQLSTATE_CONNECTION_FAILURE, "TLS could not be started");
        return true;
    }
    if (byte != 'N')
        return error_set(error, SQLSTATE_PROTOCOL_VIOLATION, "unexpected answer to SSLRequest");
    if (login->tls_required)
        return error_set(
            error, SQLSTATE_CONNECTION_FAILURE, "the node does not offer TLS, which is required");
    server->state = SERVER_LOGIN;
    login_send_startup(server);
    return true;
}

static void send_message(struct server *server, struct builder *builder)
{
    stream_write(&server->stream, builder->data, builder->len);
    explicit_bzero(builder->data, builder->len);
}

static enum login_result no_secret(const char *method, struct error *error)
{
    error_set(error, SQLSTATE_INVALID_PASSWORD,
        "the node asks for %s authentication, but no fitting secret of this user is known", method);
    return LOGIN_FAILED;
}

static enum login_result on_cleartext(struct server *server, struct error *error)
{
    const struct secret *secret = server->login->secret;
    char out[SECRET_PLAIN_MAX + 16];
    struct builder builder = builder_of(out, sizeof out);
    if (!secret || secret->kind != SECRET_PLAIN)
        return no_secret("password", error);
    if (!frontend_build_password(&builder, slice_of(secret->plain.text, secret->plain.len)))
        return no_secret("password", error);
    send_message(server, &builder);
    return LOGIN_MORE;
}

static enum login_result on_md5(
    struct server *server, const struct backend_authentication *request, struct error *error)
{
    struct login *login = server->login;
    char response[MD5_TEXT_LEN + 1], out[64];
    struct builder builder = builder_of(out, sizeof out);
    if (!login->secret || !md5_response(login->secret, text(login->user), request->salt, response))
        return no_secret("md5", error);
    if (!frontend_build_password(&builder, slice_of(response, MD5_TEXT_LEN)))
        return no_secret("md5", error);
    send_message(server, &builder);
    return LOGIN_MORE;
}

static enum login_result on_sasl(
    struct server *server, const struct backend_authentication *request, struct error *error)
{
    struct login *login = server->login;
    const struct secret *secret = login->secret;
    if (!secret || (secret->kind != SECRET_PLAIN && secret->kind != SECRET_SCRAM_KEYS))
        return no_secret("scram-sha-256", error);
    unsigned char binding[64];
    size_t binding_len = server->stream.tls ? tls_server_end_point(server->stream.tls, binding) : 0;
    const struct secret *cached =
        login->cached_keys && login->cached_keys->kind == SECRET_SCRAM_KEYS ? login->cached_keys : NULL;
    scram_client_init(&login->scram, secret, cached, slice_of((const char *)binding, binding_len));
    login->scram_used = true;
    struct slice mechanism;
    struct scram_message message;
    if (scram_client_first(&login->scram, request, &mechanism, &message, error) != SCRAM_MORE)
        return LOGIN_FAILED;
    char out[SCRAM_MESSAGE_MAX + 64];
    struct builder builder = builder_of(out, sizeof out);
    if (!frontend_build_sasl_initial(&builder, mechanism, slice_of(message.data, message.len)))
        return LOGIN_FAILED;
    send_message(server, &builder);
    return LOGIN_MORE;
}

static enum login_result on_sasl_continue(
    struct server *server, const struct backend_authentication *request, struct error *error)
{
    struct login *login = server->login;
    struct scram_message message;
    if (!login->scram_used)
        goto unexpected;
    if (scram_client_continue(&login->scram, request->data, &message, error) != SCRAM_MORE)
        return LOGIN_FAILED;
    char out[SCRAM_MESSAGE_MAX + 64];
    struct builder builder = builder_of(out, sizeof out);
    if (!frontend_build_sasl_response(&builder, slice_of(message.data, message.len)))
        goto unexpected;
    send_message(server, &builder);
    return LOGIN_MORE;
unexpected:
    error_set(error, SQLSTATE_PROTOCOL_VIOLATION, "unexpected SASL message from the node");
    return LOGIN_FAILED;
}

static enum login_result on_sasl_final(
    struct server *server, const struct backend_authentication *request, struct error *error)
{
    struct login *login = server->login;
    if (!login->scram_used || scram_client_final(&login->scram, request->data, error) != SCRAM_DONE) {
        if (!login->scram_used)
            error_set(error, SQLSTATE_PROTOCOL_VIOLATION, "unexpected SASL message from the node");
        return LOGIN_FAILED;
    }
    login->scram_done = true;
    if (login->cached_keys && login->secret->kind == SECRET_PLAIN)
        scram_client_keys(&login->scram, login->cached_keys);
    return LOGIN_MORE;
}

static enum login_result on_authentication(struct server *server, struct slice body, struct error *error)
{
    struct backend_authentication request;
    if (!backend_parse_authentication(body, &request)) {
        error_set(error, SQLSTATE_PROTOCOL_VIOLATION, "malformed authentication request from the node");
        return LOGIN_FAILED;
    }
    switch (request.code) {
    case AUTH_REQUEST_OK:
        if (server->login->scram_used && !server->login->scram_done) {
            error_set(error, SQLSTATE_INVALID_PASSWORD, "the node did not prove that it knows the password");
            return LOGIN_FAILED;
        }
        return LOGIN_MORE;
    case AUTH_REQUEST_CLEARTEXT: return on_cleartext(server, error);
    case AUTH_REQUEST_MD5: return on_md5(server, &request, error);
    case AUTH_REQUEST_SASL: return on_sasl(server, &request, error);
    case AUTH_REQUEST_SASL_CONTINUE: return on_sasl_continue(server, &request, error);
    case AUTH_REQUEST_SASL_FINAL: return on_sasl_final(server, &request, error);
    default:
        error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "the node asks for authentication method %u",
            request.code);
        return LOGIN_FAILED;
    }
}

static enum login_result on_error(struct server *server, struct slice body, struct error *error)
{
    struct backend_error said;
    if (!backend_parse_error(body, &said)) {
        error_set(error, SQLSTATE_PROTOCOL_VIOLATION, "malformed error from the node");
        return LOGIN_FAILED;
    }
    memcpy(server->fatal_sqlstate, said.sqlstate, sizeof server->fatal_sqlstate);
    error_set(error, said.sqlstate, "%.*s", (int)said.message.len, said.message.data);
    return LOGIN_FAILED;
}

static bool on_key(struct server *server, struct slice body)
{
    struct slice secret;
    if (!backend_parse_key_data(body, &server->key_pid, &secret) || secret.len > sizeof server->key)
        return false;
    memcpy(server->key, secret.data, secret.len);
    server->key_len = secret.len;
    return true;
}

static bool on_parameter(struct server *server, struct slice body)
{
    struct slice name, value;
    return backend_parse_parameter_status(body, &name, &value) && params_set(&server->params, name, value);
}

enum login_result login_on_message(struct server *server, const struct frame *frame, struct error *error)
{
    struct slice body = frame_body(frame);
    bool fine = true;
    switch ((enum backend_type)frame->type) {
    case BACKEND_AUTHENTICATION: return on_authentication(server, body, error);
    case BACKEND_ERROR: return on_error(server, body, error);
    case BACKEND_READY:
        if (backend_parse_ready(body, &server->tx_status))
            return LOGIN_READY;
        fine = false;
        break;
    case BACKEND_KEY_DATA: fine = on_key(server, body); break;
    case BACKEND_PARAMETER_STATUS: fine = on_parameter(server, body); break;
    case BACKEND_NOTICE:
    case BACKEND_NEGOTIATE_VERSION: break; /* the node speaks 3.0: so do we */
    case BACKEND_PARSE_COMPLETE:
    case BACKEND_BIND_COMPLETE:
    case BACKEND_CLOSE_COMPLETE:
    case BACKEND_NOTIFICATION:
    case BACKEND_COMMAND_COMPLETE:
    case BACKEND_DATA_ROW:
    case BACKEND_COPY_IN:
    case BACKEND_COPY_OUT:
    case BACKEND_EMPTY_QUERY:
    case BACKEND_ROW_DESCRIPTION:
    case BACKEND_FUNCTION_RESULT:
    case BACKEND_COPY_BOTH:
    case BACKEND_COPY_DONE:
    case BACKEND_COPY_DATA:
    case BACKEND_NO_DATA:
    case BACKEND_PORTAL_SUSPENDED:
    case BACKEND_PARAMETER_DESCRIPTION: fine = false; break;
    }
    if (fine)
        return LOGIN_MORE;
    error_set(error, SQLSTATE_PROTOCOL_VIOLATION, "unexpected %s from the node during login",
        frame_backend_name(frame->type));
    return LOGIN_FAILED;
}
