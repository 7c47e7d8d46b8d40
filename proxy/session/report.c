/*
 * Copies for those who look on; see report.h.
 *
 * A session is found by its slot, which it keeps for life, so that a walk may stop after some slots and go on
 * in a later turn of the loop. Pools and their connections are few and are told in one go.
 */
#include "proxy/session/report.h"

#include "proxy/session/decide.h"
#include "proxy/session/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_A_CALL 1024

static void copy_name(char out[REPORT_NAME_MAX], const char *name)
{
    size_t len = name ? strnlen(name, REPORT_NAME_MAX - 1) : 0;
    if (len)
        memcpy(out, name, len);
    out[len] = 0;
}

static void copy_address(struct report_address *out, const union peer *from)
{
    *out = (struct report_address){.family = from->any.sa_family};
    if (from->any.sa_family == AF_INET) {
        memcpy(&out->address, &from->in.sin_addr, sizeof from->in.sin_addr);
        out->port = ntohs(from->in.sin_port);
    } else if (from->any.sa_family == AF_INET6) {
        out->address = from->in6.sin6_addr;
        out->port = ntohs(from->in6.sin6_port);
    }
}

/* ---- sessions ---- */

static const struct server *server_of(const struct session *session)
{
    return session->relay ? session->relay : session->claim.server;
}

static const char *what_for(const struct session *session)
{
    if (session->state == SESSION_WAITING)
        return "connection";
    if (session->state == SESSION_HELD)
        return pool_is_paused(session->pool) ? "resume" : "node";
    return NULL;
}

/* Why its request goes where it goes; of one that has no node yet, as it would be decided now. */
static void tell_verdict(struct session *session, struct session_report *out)
{
    struct decision decision;
    out->has_verdict = session->request->sent || out->waits_for;
    out->verdict = session->request->verdict;
    if (session->state != SESSION_HELD)
        return;
    decide(session, &decision);
    out->verdict = decision.verdict;
    if (decision.why)
        snprintf(out->why, sizeof out->why, "%s", decision.why);
}

static void tell_session(struct session *session, struct session_report *out)
{
    const struct sessions *all = session->all;
    const struct server *server = server_of(session);
    uint64_t now = uv_now(all->reactor->loop);
    uint64_t state_age = now - session->state_since_ms;
    bool waits = session->state == SESSION_HELD || session->state == SESSION_WAITING;
    *out = (struct session_report){
        .worker = all->pools.worker,
        .serial = session->serial,
        .state = session_state_name(session->state),
        .server_pid = server ? server->key_pid : 0,
        .pins = session->pins,
        .prepared = (uint32_t)names_count(&session->names),
        .tx_status = session->tx_status,
        .tls = session->stream.tls != NULL,
        .relay = session->relay != NULL,
        .age_ms = now - session->began_ms,
        .state_age_ms = state_age,
        .wait_us = waits ? state_age * 1000 : 0,
        .waits_for = what_for(session),
    };
    copy_name(out->user, session->user);
    copy_name(out->database, session->database);
    copy_name(out->listener, session->listener->name);
    copy_name(out->application_name, settings_value(session->settings, "application_name")
                                         ? settings_value(session->settings, "application_name")
                                         : settings_value(session->startup, "application_name"));
    copy_name(out->node, server                  ? server->node->name
                         : session->claim.queued ? session->claim.asked->name
                                                 : NULL);
    copy_address(&out->peer, &session->peer);
    tell_verdict(session, out);
}

/* The next session at or behind *cursor, looking at no more than *left slots. */
static struct session *next_session(const struct sessions *sessions, uint32_t *cursor, uint32_t *left)
{
    while (*cursor<sessions->n_slots && * left> 0) {
        struct session *session = sessions->slots[(*cursor)++];
        --*left;
        if (session)
            return session;
    }
    return NULL;
}

size_t report_sessions(struct sessions *sessions, uint32_t *cursor, struct session_report *out, size_t max)
{
    uint32_t left = SLOTS_A_CALL;
    size_t n = 0;
    struct session *session;
    while (n < max && (session = next_session(sessions, cursor, &left)))
        tell_session(session, &out[n++]);
    if (*cursor >= sessions->n_slots)
        *cursor = UINT32_MAX;
    return n;
}

/* ---- servers ---- */

static void tell_server(
    const struct sessions *sessions, const struct server *server, struct server_report *out)
{
    uint64_t now = uv_now(sessions->reactor->loop);
    *out = (struct server_report){
        .worker = sessions->pools.worker,
        .session = REPORT_NO_SESSION,
        .state = server_state_name(server->state),
        .pid = server->key_pid,
        .generation = server->generation,
        .prepared = server->statements.count,
        .role = server->role,
        .tx_status = server->tx_status,
        .tls = server->stream.tls != NULL,
        .dirty = server->dirty,
        .age_ms = now - server->opened_ms,
        .idle_ms = server->state == SERVER_IDLE ? now - server->used_ms : 0,
    };
    copy_name(out->node, server->node->name);
    copy_address(&out->address, (const union peer *)&server->address);
}

static const char *cluster_name(const struct sessions *sessions, size_t cluster)
{
    const struct config *config = sessions->pools.runtime->config;
    return cluster < config->n_clusters ? config->clusters[cluster].name : NULL;
}

size_t report_relays(struct sessions *sessions, uint32_t *cursor, struct server_report *out, size_t max)
{
    uint32_t left = SLOTS_A_CALL;
    size_t n = 0;
    const struct session *session;
    while (n < max && (session = next_session(sessions, cursor, &left))) {
        if (!session->relay)
            continue;
        struct server_report *report = &out[n++];
        tell_server(sessions, session->relay, report);
        report->relay = true;
        report->session = session->serial;
        copy_name(report->user, session->user);
        copy_name(report->database, session->database);
        copy_name(
            report->cluster, session->pool ? cluster_name(sessions, pool_cluster(session->pool)) : NULL);
    }
    if (*cursor >= sessions->n_slots)
        *cursor = UINT32_MAX;
    return n;
}

/* A growing array of reports of one kind. */
struct reports {
    struct sessions *sessions;
    char *items;
    size_t n, cap, size;
};

static void *add(struct reports *reports)
{
    if (reports->n == reports->cap) {
        size_t cap = reports->cap ? reports->cap * 2 : 64;
        char *items = realloc(reports->items, cap * reports->size);
        if (!items)
            return NULL;
        reports->items = items;
        reports->cap = cap;
    }
    return reports->items + reports->n++ * reports->size;
}

static void add_server(void *context, const struct pool *pool, const struct server *server)
{
    struct reports *reports = context;
    struct server_report *out = add(reports);
    if (!out)
        return;
    tell_server(reports->sessions, server, out);
    const struct claim *claim = server->claim;
    if (claim)
        out->session = ((const struct session *)claim->user)->serial;
    copy_name(out->user, pool_user(pool));
    copy_name(out->database, pool_database(pool));
    copy_name(out->cluster, cluster_name(reports->sessions, pool_cluster(pool)));
}

size_t report_servers(struct sessions *sessions, struct server_report **out)
{
    struct reports reports = {.sessions = sessions, .size = sizeof **out};
    pools_each_server(&sessions->pools, &reports, add_server);
    *out = (struct server_report *)reports.items;
    return reports.n;
}

/* ---- pools ---- */

static void add_pool(void *context, const struct pool_numbers *numbers)
{
    struct reports *reports = context;
    struct pool_report *out = add(reports);
    if (!out)
        return;
    *out = (struct pool_report){
        .worker = reports->sessions->pools.worker,
        .idle = numbers->idle,
        .active = numbers->active,
        .resetting = numbers->resetting,
        .opening = numbers->opening,
        .cancels = numbers->cancels,
        .cancelled = numbers->cancelled,
        .waiting = numbers->waiting,
        .connections = numbers->connections,
        .pool_size = numbers->limits->pool_size,
        .mode = numbers->limits->pool,
        .oldest_wait_us = numbers->oldest_wait_us,
    };
    copy_name(out->cluster, numbers->cluster);
    copy_name(out->database, numbers->database);
    copy_name(out->user, numbers->user);
    copy_name(out->node, numbers->node);
}

size_t report_pools(struct sessions *sessions, struct pool_report **out)
{
    struct reports reports = {.sessions = sessions, .size = sizeof **out};
    pools_each(&sessions->pools, &reports, add_pool);
    *out = (struct pool_report *)reports.items;
    return reports.n;
}

/* ---- prepared statements ---- */

static void add_prepared(void *context, const struct prepared *prepared)
{
    struct reports *reports = context;
    struct prepared_report *out = add(reports);
    struct slice text = prepared->statement;
    if (!out)
        return;
    *out = (struct prepared_report){.worker = reports->sessions->pools.worker,
        .users = prepared->refs,
        .id = prepared->id,
        .sql = prepared->sql,
        .n_types = prepared->n_types,
        .len = (uint32_t)text.len};
    if (text.len)
        memcpy(out->text, text.data, text.len < REPORT_TEXT_MAX ? text.len : REPORT_TEXT_MAX);
}

size_t report_prepared(struct sessions *sessions, struct prepared_report **out)
{
    struct reports reports = {.sessions = sessions, .size = sizeof **out};
    prepared_each(sessions->pools.prepared, &reports, add_prepared);
    *out = (struct prepared_report *)reports.items;
    return reports.n;
}
