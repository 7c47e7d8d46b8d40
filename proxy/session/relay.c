/*
 * Sessions that need one server for good: replication, passthrough authentication, pool = none. Bytes both
 * ways, unparsed.
 *
 * All well: a connection of its own is opened to the chosen node (it counts against the node's
 * max_connections); with passthrough the client's startup packet is the node's, else rolecall logs in and
 * greets the client with what the node said. Then bytes pass as they come. Failure: either end's end is the
 * other's; a node that goes down or loses the role that the listener asks for closes its relays.
 */
#include "proxy/session/session.h"

#include "conf/base/log.h"
#include "proxy/session/cancel.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define GREETING_MAX (64 * 1024)

static void settle(struct session *session, struct server *server)
{
    session->relay = NULL;
    atomic_fetch_sub_explicit(&server->node->connections, 1, memory_order_relaxed);
    server_close(server);
}

void relay_close(struct session *session)
{
    if (session->relay)
        settle(session, session->relay);
}

bool session_is_relay(const struct session *session)
{
    return session->relay != NULL;
}

/* The node's greeting passes unparsed but for its key, which a cancel request will name. */
static void learn_key(struct session *session, struct server *server, const char *bytes, size_t len)
{
    struct buffer *kept = &session->unnamed;
    struct frame frame;
    size_t at = 0;
    bool done = !buffer_append(kept, &session->all->spares, bytes, len);
    while (!done && frame_parse(kept->data + at, kept->len - at, &frame) == FRAME_OK && frame.whole) {
        struct slice secret;
        if (frame.type == BACKEND_KEY_DATA &&
            backend_parse_key_data(frame_body(&frame), &server->key_pid, &secret)) {
            memcpy(server->key, secret.data, secret.len);
            server->key_len = secret.len;
        }
        done = frame.type == BACKEND_READY || frame.type == BACKEND_ERROR;
        at += frame.total;
    }
    if (done || kept->len > GREETING_MAX) {
        session->greeted = true;
        buffer_release(kept, &session->all->spares);
    } else {
        memmove(kept->data, kept->data + at, kept->len - at);
        kept->len -= at;
    }
}

static void measure(struct session *session)
{
    if (!session->relay_meter)
        return;
    meter_add(session->relay_meter, METER_RECEIVED_BYTES, session->received_bytes);
    meter_add(session->relay_meter, METER_SENT_BYTES, session->sent_bytes);
    session->received_bytes = session->sent_bytes = 0;
}

static void on_raw(void *user, struct server *server, const char *bytes, size_t len)
{
    struct session *session = user;
    if (!session->greeted)
        learn_key(session, server, bytes, len);
    session_write(session, bytes, len);
    measure(session);
    if (stream_is_full(&session->stream))
        stream_hold(&server->stream);
}

static void on_server_drained(void *user, struct server *server)
{
    struct session *session = user;
    (void)server;
    stream_release(&session->stream);
}

static void on_answer(void *user, struct server *server, const struct answer *answer)
{
    (void)server;
    session_write(user, answer->bytes, answer->len);
}

static void on_prefix_done(void *user, struct server *server)
{
    (void)user;
    (void)server;
}

static const struct server_user_events user_events = {.on_answer = on_answer,
    .on_raw = on_raw,
    .on_drained = on_server_drained,
    .on_prefix_done = on_prefix_done};

static struct meter_share *meter_of(const struct session *session, const struct server *server)
{
    const struct pools *pools = &session->all->pools;
    const struct config *config = pools->runtime->config;
    size_t cluster = pool_cluster(session->pool);
    if (cluster >= config->n_clusters)
        return NULL; /* a reload has taken it away meanwhile */
    return meter_share(config->clusters[cluster].name, pool_database(session->pool), pool_user(session->pool),
        server->node->name, pools->worker);
}

static void on_ready(struct server *server)
{
    struct session *session = server->claim;
    bool passthrough = server->state == SERVER_RAW; /* the node itself greets */
    if (server->state == SERVER_IDLE)
        server_link(server, &user_events, session);
    server->state = SERVER_RAW;
    server->user_events = &user_events;
    server->user = session;
    session_deadline(session, 0);
    session_move(session, SESSION_RELAY);
    session->stream.keeps_end = 1;
    session->relay_meter = meter_of(session, server);
    request_reset(session);
    buffer_release(&session->unnamed, &session->all->spares);
    session->greeted = !passthrough;
    if (!passthrough)
        welcome_relay(session, server);
}

static void on_end(struct server *server, enum stream_end end, const struct error *error)
{
    struct session *session = server->claim;
    bool established = server->state == SERVER_RAW;
    bool node_said = server->fatal_sqlstate[0] && strncmp(server->fatal_sqlstate, "57P", 3) != 0;
    struct error copy = *error;
    struct node_live *live = node_live_ref(server->node);
    uint32_t generation = server->generation;
    settle(session, server);
    if (!node_said && end != STREAM_END_EOF)
        pools_hint(&session->all->pools, live, generation, established ? HINT_LOST : HINT_REFUSED);
    if (established)
        session_close(session, copy.text);
    else if (node_said || session->request->reruns++ > 2)
        session_fatal(session, copy.sqlstate, "%s", copy.text);
    else
        route_retry_without(session, live);
    node_live_unref(live);
}

static const struct server_owner_events owner_events = {.on_ready = on_ready, .on_end = on_end};

void relay_claim(struct session *session, const struct topology_node *node)
{
    struct sessions *all = session->all;
    const struct config *config = all->pools.runtime->config;
    size_t index = pool_cluster(session->pool);
    const struct config_cluster *cluster = &config->clusters[index];
    static const char *const replication[] = {
        [REPLICATION_NONE] = NULL, [REPLICATION_PHYSICAL] = "true", [REPLICATION_DATABASE] = "database"};
    struct error error = {.sqlstate = SQLSTATE_CONNECTION_FAILURE};
    struct server_target target = {
        .node = node,
        .tls = all->pools.runtime->cluster_tls[index],
        .tls_required = cluster->tls.mode > TLS_ALLOW,
        .settings = &session->startup->params,
        .replication = replication[session->replication],
        .connect_timeout_ms = cluster->server_connect_timeout_ms,
        .login_timeout_ms = cluster->server_login_timeout_ms,
        .keepalive_ms = config->tcp_keepalive_ms,
        .user_timeout_ms = config->tcp_user_timeout_ms,
        .high_water = config->stream_buffer_bytes,
    };
    pool_fill_login(session->pool, &target);
    if (session->listener->auth == AUTH_PASSTHROUGH)
        target.startup = slice_of(session->unnamed.data, session->unnamed.len);
    if (node->max_connections && node->live->connections >= node->max_connections) {
        session_fatal(
            session, SQLSTATE_TOO_MANY_CONNECTIONS, "node %s has reached max_connections", node->name);
        return;
    }
    struct server *server = server_open(all->reactor, &target, &owner_events, &error);
    if (!server) {
        if (session->request->reruns++ < 3)
            route_retry_without(session, node->live);
        else
            session_fatal(session, SQLSTATE_CANNOT_CONNECT_NOW, "%s", error.text);
        return;
    }
    atomic_fetch_add_explicit(&node->live->connections, 1, memory_order_relaxed);
    server->claim = session;
    session->relay = server;
    session_deadline(session, cluster->server_connect_timeout_ms + cluster->server_login_timeout_ms);
}

size_t relay_on_data(struct session *session, const char *bytes, size_t len)
{
    struct server *server = session->relay;
    server_send(server, bytes, len);
    if (stream_is_full(&server->stream))
        stream_hold(&session->stream);
    return len;
}

void relay_review(struct session *session)
{
    const struct topology *topology = pool_topology(session->pool);
    struct server *server = session->relay;
    int index = topology ? topology_find(topology, server->node) : -1;
    const struct topology_node *node = index < 0 ? NULL : &topology->nodes[index];
    bool gone = !node || node->condition == CONDITION_DOWN || server_is_elsewhere(server, node);
    if (!gone && (node->generation == server->generation || node->role == server->role ||
                     session->listener->route == ROUTE_ANY))
        return;
    session_fatal(session, SQLSTATE_ADMIN_SHUTDOWN, "node %s is no longer %s", server->node->name,
        gone ? "reachable" : node_role_name(server->role));
}
