/*
 * Who the client is: by the listener's method or the HBA file's line, with a secret from the user list or
 * auth_query.
 *
 * All well: the limits in force are found, the secret is found (or fetched by the control thread), the
 * exchange runs, and welcome.c takes over with what logs in to the nodes. Failure: every wrong name, password
 * or rule ends in the same words as PostgreSQL's; unknown users go through the whole exchange first.
 */
#include "proxy/session/session.h"

#include "conf/base/log.h"
#include "proxy/auth/md5.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct auth {
    enum auth_method method;
    struct secret secret;
    bool known; /* the user has a secret */
    bool from_query;
    uint64_t ticket;
    unsigned char salt[4];
    bool sasl_begun;
    char mechanism[32];
    struct scram_server scram;
};

void auth_free(struct auth *auth)
{
    if (!auth)
        return;
    explicit_bzero(auth, sizeof *auth);
    free(auth);
}

uint64_t auth_ticket(const struct auth *auth)
{
    return auth ? auth->ticket : 0;
}

static void write_message(struct session *session, struct builder *builder)
{
    session_write(session, builder->data, builder->len);
}

static void refuse(struct session *session, const char *sqlstate, const char *why)
{
    count(&session->all->counters.login_failures);
    log_event(LOG_WARNING, "login_failed", "user=%s database=%s listener=%s reason=%s", session->user,
        session->database, session->listener->name, why);
    failed_logins_note(
        &session->all->failed_logins, session->user, session->database, session->listener->name, why);
    session_fatal(session, sqlstate, "%s", why);
}

static void refuse_password(struct session *session)
{
    char why[ERROR_TEXT_MAX];
    snprintf(why, sizeof why, "password authentication failed for user \"%s\"", session->user);
    if (session->auth->from_query &&
        session->all->control) { /* the next login shall see a changed password */
        struct message *message = message_new(MESSAGE_SECRET_REQUEST);
        const struct config *config = session->runtime->config;
        message->secret_request.worker = session->all->pools.worker;
        message->secret_request.refresh = true;
        snprintf(message->secret_request.cluster, MESSAGE_NAME_MAX, "%s",
            config->clusters[session->listener->cluster].name);
        snprintf(message->secret_request.user, MESSAGE_NAME_MAX, "%s", session->user);
        snprintf(message->secret_request.database, MESSAGE_NAME_MAX, "%s", session->database);
        mailbox_post(session->all->control, &message->letter);
    }
    refuse(session, SQLSTATE_INVALID_PASSWORD, why);
}

static void accepted(struct session *session, const struct secret *login_secret)
{
    struct secret copy = *login_secret;
    auth_free(session->auth);
    session->auth = NULL;
    struct error error;
    if (!console_is_wanted(session))
        welcome_begin(session, &copy);
    else if (console_admits(session, &error))
        console_open(session);
    else
        refuse(session, error.sqlstate, error.text);
    secret_wipe(&copy);
}

/* ---- the exchange ---- */

static void ask_scram(struct session *session)
{
    struct auth *auth = session->auth;
    unsigned char binding[64];
    char out[128];
    struct builder builder = builder_of(out, sizeof out);
    size_t len = session->stream.tls ? tls_server_end_point(session->stream.tls, binding) : 0;
    scram_server_init(&auth->scram, slice_from(session->user), auth->known ? &auth->secret : NULL,
        session->runtime->mock_key, slice_of((char *)binding, len));
    backend_build_authentication_sasl(&builder, len > 0);
    write_message(session, &builder);
}

static void ask(struct session *session)
{
    struct auth *auth = session->auth;
    char out[64];
    struct builder builder = builder_of(out, sizeof out);
    session_move(session, SESSION_AUTH);
    if (auth->method == AUTH_MD5 && auth->known && auth->secret.kind == SECRET_SCRAM)
        auth->method = AUTH_SCRAM; /* as PostgreSQL does: the stored form decides */
    switch (auth->method) {
    case AUTH_SCRAM: ask_scram(session); return;
    case AUTH_MD5:
        if (!cancel_random(auth->salt, sizeof auth->salt)) {
            session_close(session, "no random bytes");
            return;
        }
        backend_build_authentication_md5(&builder, auth->salt);
        break;
    case AUTH_PASSWORD: backend_build_authentication_cleartext(&builder); break;
    case AUTH_TRUST:
    case AUTH_CERT:
    case AUTH_HBA:
    case AUTH_PASSTHROUGH: abort();
    }
    write_message(session, &builder);
}

static void on_scram(struct session *session, struct slice body)
{
    struct auth *auth = session->auth;
    struct scram_message message;
    struct error error;
    enum scram_result result;
    char out[SCRAM_MESSAGE_MAX + 64];
    struct builder builder = builder_of(out, sizeof out);
    bool first = !auth->sasl_begun;
    if (first) {
        struct slice data = body;
        if (!auth->mechanism[0]) {
            struct frontend_sasl_initial initial;
            if (!frontend_parse_sasl_initial(body, &initial) ||
                initial.mechanism.len >= sizeof auth->mechanism) {
                session_fatal(session, SQLSTATE_PROTOCOL_VIOLATION, "malformed SASLInitialResponse message");
                return;
            }
            memcpy(auth->mechanism, initial.mechanism.data, initial.mechanism.len);
            data = initial.data;
        }
        auth->sasl_begun = data.data != NULL;
        result = scram_server_first(&auth->scram, slice_from(auth->mechanism), data, &message, &error);
    } else {
        result = scram_server_final(&auth->scram, body, &message, &error);
    }
    if (result == SCRAM_FAILED) {
        if (strcmp(error.sqlstate, SQLSTATE_INVALID_PASSWORD) == 0)
            refuse_password(session);
        else
            refuse(session, error.sqlstate, error.text);
        return;
    }
    struct slice data = slice_of(message.data, message.len);
    if (result == SCRAM_MORE) {
        backend_build_authentication_sasl_continue(&builder, data);
        write_message(session, &builder);
        return;
    }
    backend_build_authentication_sasl_final(&builder, data);
    write_message(session, &builder);
    struct secret keys;
    if (auth->secret.kind == SECRET_SCRAM && scram_server_keys(&auth->scram, &keys)) {
        accepted(session, &keys);
        secret_wipe(&keys);
    } else {
        accepted(session, &auth->secret);
    }
}

static void on_md5(struct session *session, struct slice body)
{
    struct auth *auth = session->auth;
    struct slice response;
    if (!frontend_parse_password(body, &response)) {
        session_fatal(session, SQLSTATE_PROTOCOL_VIOLATION, "malformed password message");
        return;
    }
    if (md5_verify(auth->known ? &auth->secret : NULL, slice_from(session->user), auth->salt, response))
        accepted(session, &auth->secret);
    else
        refuse_password(session);
}

static void on_password(struct session *session, struct slice body)
{
    struct auth *auth = session->auth;
    struct slice password;
    struct secret plain = {0};
    if (!frontend_parse_password(body, &password) || password.len > SECRET_PLAIN_MAX) {
        session_fatal(session, SQLSTATE_PROTOCOL_VIOLATION, "malformed password message");
        return;
    }
    if (!auth->known || !secret_check_password(&auth->secret, slice_from(session->user), password)) {
        refuse_password(session);
        return;
    }
    plain.kind = SECRET_PLAIN;
    plain.plain.len = password.len;
    memcpy(plain.plain.text, password.data, password.len);
    accepted(session, &plain);
    secret_wipe(&plain);
}

size_t authenticate_on_data(struct session *session, const char *bytes, size_t len)
{
    struct frame frame;
    enum frame_result result = frame_parse(bytes, len, &frame);
    if (result == FRAME_OK && frame.type == FRONTEND_TERMINATE) {
        session_close(session, "terminated by the client");
        return len;
    }
    if (result == FRAME_BAD ||
        (result == FRAME_OK && (frame.type != FRONTEND_PASSWORD || frame.total > SECRET_PLAIN_MAX + 64))) {
        session_fatal(session, SQLSTATE_PROTOCOL_VIOLATION, "expected a password response");
        return len;
    }
    if (result == FRAME_MORE || !frame.whole)
        return 0;
    switch (session->auth->method) {
    case AUTH_SCRAM: on_scram(session, frame_body(&frame)); break;
    case AUTH_MD5: on_md5(session, frame_body(&frame)); break;
    case AUTH_PASSWORD: on_password(session, frame_body(&frame)); break;
    case AUTH_TRUST:
    case AUTH_CERT:
    case AUTH_HBA:
    case AUTH_PASSTHROUGH: abort();
    }
    return frame.total;
}

/* ---- the secret ---- */

static void fetch_secret(struct session *session)
{
    const struct config_cluster *cluster = &session->runtime->config->clusters[session->listener->cluster];
    if (!cluster->auth_query || !cluster->auth_query[0] || !session->all->control) {
        ask(session); /* nobody knows the user: the exchange fails at its end */
        return;
    }
    struct message *message = message_new(MESSAGE_SECRET_REQUEST);
    session->auth->ticket = session->all->ticket++;
    session->auth->from_query = true;
    message->secret_request.worker = session->all->pools.worker;
    message->secret_request.ticket = session->auth->ticket;
    snprintf(message->secret_request.cluster, MESSAGE_NAME_MAX, "%s", cluster->name);
    snprintf(message->secret_request.user, MESSAGE_NAME_MAX, "%s", session->user);
    snprintf(message->secret_request.database, MESSAGE_NAME_MAX, "%s", session->database);
    session_move(session, SESSION_SECRET);
    mailbox_post(session->all->control, &message->letter);
}

void authenticate_on_secret(struct session *session, const struct message *reply)
{
    struct auth *auth = session->auth;
    auth->ticket = 0;
    if (!reply->secret_reply.answered) {
        session_fatal(session, SQLSTATE_CANNOT_CONNECT_NOW,
            "the password of user \"%s\" cannot be looked up: auth_query got no answer", session->user);
        return;
    }
    auth->known = reply->secret_reply.found &&
                  secret_parse(slice_from(reply->secret_reply.secret), &auth->secret) &&
                  auth->secret.kind != SECRET_NONE;
    ask(session);
}

static void with_secret(struct session *session)
{
    struct auth *auth = session->auth;
    auth->known =
        userlist_find(session_listening(session)->users, slice_from(session->user), &auth->secret) &&
        auth->secret.kind != SECRET_NONE;
    if (auth->known)
        ask(session);
    else
        fetch_secret(session);
}

/* ---- which method ---- */

static void by_certificate(struct session *session, bool name_must_match)
{
    char name[256];
    bool has = session->stream.tls && tls_peer_common_name(session->stream.tls, name, sizeof name);
    if (!has || (name_must_match && strcmp(name, session->user) != 0)) {
        char why[ERROR_TEXT_MAX];
        snprintf(why, sizeof why, "certificate authentication failed for user \"%s\"", session->user);
        refuse(session, SQLSTATE_INVALID_AUTHORIZATION, why);
    }
}

static bool by_hba(struct session *session, enum auth_method *method)
{
    static const enum auth_method methods[] = {[HBA_TRUST] = AUTH_TRUST,
        [HBA_SCRAM] = AUTH_SCRAM,
        [HBA_MD5] = AUTH_MD5,
        [HBA_PASSWORD] = AUTH_PASSWORD,
        [HBA_CERT] = AUTH_CERT};
    struct hba_request request = {
        .user = slice_from(session->user),
        .database = slice_from(session->database),
        .replication = session->replication == REPLICATION_PHYSICAL,
        .tls = session->stream.tls != NULL,
        .address = &session->peer.any,
    };
    struct hba_verdict verdict;
    bool found = hba_match(session_listening(session)->hba, &request, &verdict);
    if (!found || verdict.method == HBA_REJECT) {
        char why[ERROR_TEXT_MAX];
        snprintf(why, sizeof why, "%s user \"%s\", database \"%s\"%s",
            found ? "hba_file rejects connection for" : "no hba_file entry for", session->user,
            session->database, session->stream.tls ? "" : ", no encryption");
        refuse(session, SQLSTATE_INVALID_AUTHORIZATION, why);
        return false;
    }
    *method = methods[verdict.method];
    if (verdict.client_cert != HBA_CERT_NONE && verdict.method != HBA_CERT)
        by_certificate(session, verdict.client_cert == HBA_CERT_VERIFY_FULL);
    return session->state != SESSION_CLOSED;
}

/* What a listed user may use for the nodes although rolecall did not ask for a password. */
static void without_password(struct session *session)
{
    struct secret secret = {0};
    if (!userlist_find(session_listening(session)->users, slice_from(session->user), &secret))
        secret = (struct secret){0};
    accepted(session, &secret);
    secret_wipe(&secret);
}

void authenticate_begin(struct session *session)
{
    struct limits limits = {0};
    config_limits(session->runtime->config, session->listener, session->database, session->user, &limits);
    session->limits = sessions_limits(session->all, &limits);
    enum auth_method method = session->listener->auth;
    session->auth = calloc(1, sizeof *session->auth);
    if (!session->auth) {
        session_fatal(session, SQLSTATE_OUT_OF_MEMORY, "out of memory");
        return;
    }
    if (method == AUTH_HBA && !by_hba(session, &method))
        return;
    if (console_is_wanted(session) && (method == AUTH_TRUST || method == AUTH_PASSTHROUGH))
        method = AUTH_SCRAM; /* whoever it is has to prove it */
    if (method == AUTH_PASSTHROUGH) {
        struct secret none = {0};
        accepted(session, &none);
        return;
    }
    session->auth->method = method;
    switch (method) {
    case AUTH_CERT:
        by_certificate(session, true);
        if (session->state == SESSION_CLOSED)
            return;
        without_password(session);
        return;
    case AUTH_TRUST: without_password(session); return;
    case AUTH_SCRAM:
    case AUTH_MD5:
    case AUTH_PASSWORD: with_secret(session); return;
    case AUTH_HBA:
    case AUTH_PASSTHROUGH: abort();
    }
}
