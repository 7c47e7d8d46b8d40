/*
 * A session that has proved who it is gets its pool, its key and the parameters of its server.
 *
 * All well: the ParameterStatus values for (cluster, route, database, user, settings) are remembered from an
 * earlier login and the client is welcomed at once. Else a server is claimed, the startup settings are put in
 * place on it, and what it then reports is passed on and remembered for a minute. During an outage what is
 * remembered serves beyond that, so that logins wait with their first statement instead of failing; and what
 * a replica reports in the primary's stead serves only then.
 */
#include "proxy/session/inquiry.h"
#include "proxy/session/prefix.h"
#include "proxy/session/session.h"

#include "conf/base/log.h"
#include "proxy/session/census.h"
#include "proxy/wire/reader.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define FRESH_MS 60000
#define WELCOMES_MAX 1000
#define ISOLATION_QUERY "SELECT pg_catalog.current_setting('default_transaction_isolation')"

struct welcome {
    struct params params;
    uint64_t learnt_ms; /* 0: it serves without a primary only */
    enum default_isolation isolation;
    UT_hash_handle hh;
    size_t key_len;
    char key[]; /* cluster, route, database, user, settings */
};

void welcomes_clear(struct sessions *sessions)
{
    struct welcome *welcome, *next;
    HASH_ITER(hh, sessions->welcomes, welcome, next)
    {
        HASH_DELETE(hh, sessions->welcomes, welcome);
        params_fini(&welcome->params);
        free(welcome);
    }
}

static struct welcome *welcome_new(const struct session *session)
{
    size_t cluster = pool_cluster(session->pool);
    const char *database = pool_database(session->pool), *user = pool_user(session->pool);
    size_t d = strlen(database) + 1, u = strlen(user) + 1;
    size_t key_len = sizeof cluster + 1 + d + u + session->startup->params.len;
    struct welcome *welcome = calloc(1, sizeof *welcome + key_len);
    if (!welcome)
        abort();
    char *at = welcome->key;
    memcpy(at, &cluster, sizeof cluster);
    at += sizeof cluster;
    *at++ = (char)session->listener->route;
    memcpy(at, database, d);
    memcpy(at + d, user, u);
    const struct params *startup = &session->startup->params;
    if (startup->len)
        memcpy(at + d + u, startup->block, startup->len);
    welcome->key_len = key_len;
    return welcome;
}

static struct welcome *find(struct session *session, bool make)
{
    struct sessions *all = session->all;
    struct welcome *fresh = welcome_new(session), *welcome;
    HASH_FIND(hh, all->welcomes, fresh->key, fresh->key_len, welcome);
    if (welcome || !make) {
        free(fresh);
        return welcome;
    }
    if (HASH_COUNT(all->welcomes) >= WELCOMES_MAX)
        welcomes_clear(all);
    HASH_ADD_KEYPTR(hh, all->welcomes, fresh->key, fresh->key_len, fresh);
    return fresh;
}

/* ---- the greeting ---- */

void session_parameter(struct session *session, const char *name, const char *value)
{
    char head[8];
    struct builder builder = builder_of(head, sizeof head);
    size_t name_len = strlen(name) + 1, value_len = strlen(value) + 1;
    builder_begin(&builder, BACKEND_PARAMETER_STATUS);
    if (!builder_end_plus(&builder, name_len + value_len))
        return;
    session_write(session, head, builder.len);
    session_write(session, name, name_len);
    session_write(session, value, value_len);
}

static void write_parameters(struct session *session, const struct params *params)
{
    const char *name, *value;
    for (uint32_t at = 0; params_next(params, &at, &name, &value);)
        session_parameter(
            session, name, session_is_split(session) && strcmp(name, "in_hot_standby") == 0 ? "off" : value);
}

static void greet(struct session *session, const struct params *params)
{
    char out[512];
    unsigned char random[CANCEL_KEY_RANDOM];
    struct builder builder = builder_of(out, sizeof out);
    if (!cancel_random(random, sizeof random)) {
        session_close(session, "no random bytes");
        return;
    }
    const char *standard = params_get(params, "standard_conforming_strings");
    session->escape_strings = standard && strcmp(standard, "off") == 0;
    backend_build_authentication_ok(&builder);
    session_write(session, out, builder.len);
    write_parameters(session, params);
    cancel_key_build(&session->runtime->issuer, (uint8_t)session->all->pools.worker, session->slot,
        session->version == PROTOCOL_3_2, random, &session->key);
    builder = builder_of(out, sizeof out);
    backend_build_key_data(
        &builder, session->key.pid, slice_of((const char *)session->key.secret, session->key.secret_len));
    session_write(session, out, builder.len);
    session_ready_for_query(session, 'I');
    count(&session->all->counters.logins);
    log_event(LOG_DEBUG, "login", "user=%s database=%s listener=%s", session->user, session->database,
        session->listener->name);
}

bool welcome_from_memory(struct session *session, bool stale_too)
{
    struct welcome *welcome = find(session, false);
    uint64_t now = uv_now(session->all->reactor->loop);
    bool fresh = welcome && welcome->learnt_ms && now - welcome->learnt_ms <= FRESH_MS;
    if (!welcome || (!stale_too && !fresh))
        return false;
    session->default_isolation = welcome->isolation;
    greet(session, &welcome->params);
    if (session->state != SESSION_CLOSED)
        session_next(session);
    return true;
}

void welcome_relay(struct session *session, struct server *server)
{
    greet(session, &server->params);
}

static void finish(struct session *session, struct server *server)
{
    struct welcome *welcome = find(session, true);
    params_copy(&welcome->params, &server->params);
    bool instead = session_is_split(session) && server->role == ROLE_REPLICA;
    welcome->learnt_ms = instead ? 0 : uv_now(session->all->reactor->loop);
    welcome->isolation = session->default_isolation;
    greet(session, &server->params);
    request_leaves(session, server);
    if (session->limits->pool != POOL_SESSION)
        pool_release(&session->claim, false);
    if (session->state != SESSION_CLOSED)
        session_next(session);
}

/* READ ONLY transactions go to replicas under READ COMMITTED only: what a session has that says nothing. */
void welcome_on_row(struct session *session, const struct answer *answer)
{
    struct frame frame;
    if (frame_parse(answer->bytes, answer->len, &frame) != FRAME_OK || !frame.whole)
        return;
    struct reader reader = reader_of(frame_body(&frame));
    uint16_t columns = reader_u16(&reader);
    struct slice value = reader_bytes(&reader, reader_u32(&reader));
    if (reader.failed || columns != 1)
        return;
    bool committed = slice_is(value, "read committed") || slice_is(value, "read uncommitted");
    session->default_isolation = committed ? DEFAULT_ISOLATION_COMMITTED : DEFAULT_ISOLATION_ABOVE;
}

void welcome_on_server(struct session *session, struct server *server)
{
    if (session->state != SESSION_ACTIVE) { /* just granted */
        session_move(session, SESSION_ACTIVE);
        request_arrives(session, server);
        bool asked = prefix_settings(session, server);
        if (session_is_split(session))
            asked |= server_inject_query(server, ISOLATION_QUERY, INJECTED_INQUIRY);
        if (asked)
            return;
    }
    if (!server->prefix_failed && server->expect.count > 0)
        return;
    if (server->prefix_failed)
        prefix_refused(session, server);
    else
        finish(session, server);
}

/* ---- the pool ---- */

void session_peer(const struct session *session, char out[MESSAGE_PEER_MAX])
{
    char host[INET6_ADDRSTRLEN] = "unix";
    unsigned port = 0;
    if (session->peer.any.sa_family == AF_INET) {
        const struct sockaddr_in *in = &session->peer.in;
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
        port = ntohs(in->sin_port);
    } else if (session->peer.any.sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = &session->peer.in6;
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
        port = ntohs(in6->sin6_port);
    }
    snprintf(out, MESSAGE_PEER_MAX, "%s:%u", host, port);
}

static void add_host(struct session *session)
{
    char peer[MESSAGE_PEER_MAX], name[128];
    const char *given = session->asked ? params_get(session->asked, "application_name") : NULL;
    session_peer(session, peer);
    snprintf(name, sizeof name, "%s%s%s", given ? given : "", given ? " - " : "", peer);
    if (session->asked || (session->asked = calloc(1, sizeof *session->asked)))
        params_set(session->asked, slice_from("application_name"), slice_from(name));
}

static bool enter(struct session *session)
{
    const struct config *config = session->runtime->config;
    const struct config_database *database = config_database(config, session->database);
    const struct config_user *user = config_user(config, session->user);
    uint32_t of_database = database ? database->limits.max_clients : 0;
    uint32_t of_user = user ? user->limits.max_clients : 0;
    if (!census_enter(CENSUS_LISTENER, session->listener->name, session->listener->max_clients))
        return false;
    if (!census_enter(CENSUS_DATABASE, session->database, of_database)) {
        census_leave(CENSUS_LISTENER, session->listener->name);
        return false;
    }
    if (!census_enter(CENSUS_USER, session->user, of_user)) {
        census_leave(CENSUS_LISTENER, session->listener->name);
        census_leave(CENSUS_DATABASE, session->database);
        return false;
    }
    return session->counted = true;
}

void welcome_leave(struct session *session)
{
    if (!session->counted)
        return;
    session->counted = false;
    census_leave(CENSUS_LISTENER, session->listener->name);
    census_leave(CENSUS_DATABASE, session->database);
    census_leave(CENSUS_USER, session->user);
}

void session_respace(struct session *session)
{
    session->space = (session->startup->parsing * 31 + session->settings->parsing) ^
                     ((uint64_t)(uintptr_t)session->pool * 0x9E3779B97F4A7C15u);
}

static bool join(struct session *session, const struct secret *login_secret)
{
    const struct config *config = session->runtime->config;
    const struct config_database *section = config_database(config, session->database);
    struct sessions *all = session->all;
    const char *cluster =
        section && section->cluster ? section->cluster : config->clusters[session->listener->cluster].name;
    int index = runtime_cluster(all->pools.runtime, cluster);
    struct pool_key key = {
        .cluster = (size_t)index,
        .database = section && section->dbname ? section->dbname : session->database,
        .user = section && section->user ? section->user : session->user,
        .client_database = session->database,
        .client_user = session->user,
        .listener = session->listener->name,
    };
    if (index < 0 || !(session->pool = pool_join(&all->pools, &key, section ? section->connect_query : NULL)))
        return false;
    session->known = sessions_know(all, key.cluster, key.database);
    if (session_is_split(session) || session->limits->pool != POOL_SESSION)
        sessions_catalogue(all, session->known); /* it is asked for before the first statement comes */
    struct secret forced = {0};
    if (section && section->password && secret_parse(slice_from(section->password), &forced))
        pool_set_secret(session->pool, &forced);
    else if (login_secret->kind != SECRET_NONE && !(section && section->user))
        pool_set_secret(session->pool, login_secret);
    secret_wipe(&forced);
    session_respace(session);
    return true;
}

/* What the client asked for at the beginning is kept, and is what it has at first. */
static bool take_settings(struct session *session)
{
    if (session->asked) {
        const struct settings *startup = settings_get(session->all->pools.settings, session->asked);
        params_fini(session->asked);
        free(session->asked);
        session->asked = NULL;
        if (!startup)
            return false;
        settings_replace(&session->startup, startup);
    }
    session_set_settings(session, settings_ref(session_base(session)));
    return true;
}

void welcome_begin(struct session *session, const struct secret *login_secret)
{
    if (!enter(session)) {
        session_fatal(session, SQLSTATE_TOO_MANY_CONNECTIONS,
            "sorry, too many clients of this user, database or listener");
        return;
    }
    if (session->runtime->config->application_name_add_host)
        add_host(session);
    if (!take_settings(session)) {
        session_fatal(session, SQLSTATE_OUT_OF_MEMORY, "out of memory");
        return;
    }
    if (!join(session, login_secret)) {
        session_fatal(session, SQLSTATE_INVALID_DATABASE, "the cluster of database \"%s\" is not configured",
            session->database);
        return;
    }
    if (!request_begin(session))
        return;
    bool relay = session->replication != REPLICATION_NONE || session->listener->auth == AUTH_PASSTHROUGH ||
                 session->limits->pool == POOL_NONE;
    if (relay) {
        session->request->kind = REQUEST_RELAY;
    } else {
        if (welcome_from_memory(session, false))
            return;
        session->request->kind = REQUEST_WELCOME;
    }
    bool reads = session->listener->route == ROUTE_REPLICA || session->listener->route == ROUTE_ANY;
    session->request->class = reads ? STATEMENT_READ : STATEMENT_WRITE;
    session->request->complete = true;
    route_request(session);
}
