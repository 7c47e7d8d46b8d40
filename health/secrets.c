/*
 * auth_query; see secrets.h.
 *
 *     request -> cache, young enough? reply : queue -> a fit node -> query -> cache -> reply to all who wait
 *
 * One persistent connection, one query at a time. A node that cannot be asked makes the lookup go to the next
 * one; when there is none left, an old answer is given, or the lookup waits for a verdict, at most until its
 * deadline.
 */
#include "health/secrets.h"

#include "conf/base/clock.h"
#include "conf/base/log.h"
#include "health/memory.h"
#include "health/pgconn.h"
#include "health/secret_cache.h"

#include <inttypes.h>
#include <stdio.h>

#define MAX_LOOKUPS 1024
#define MAX_WAITERS 64 /* of one lookup */
#define MAX_CACHED 10000
#define TICK_MS 100
#define REFRESH_GAP_US 200000u /* a failed proof asks the primary again at most that often per user */

struct waiter {
    uint32_t worker;
    uint64_t ticket;
};

struct lookup {
    struct lookup *next;
    char user[MESSAGE_NAME_MAX];
    bool refresh;
    uint64_t deadline_us;
    size_t attempt; /* nodes that failed it */
    size_t n_waiters;
    struct waiter waiters[MAX_WAITERS];
};

struct secrets {
    uv_loop_t *loop;
    const struct settings *settings;
    const struct subscribers *subscribers;
    struct secrets_nodes nodes;
    struct secret_cache *cache;
    uv_timer_t timer;
    struct lookup *first, **last;
    size_t n_lookups;
    struct lookup *asked; /* in the list too; NULL when the connection is idle */
    struct pgconn *conn;
    struct endpoint *endpoint; /* of conn */
    char told[ERROR_TEXT_MAX]; /* the last failure that was logged */
};

static void proceed(struct secrets *secrets);
static void on_tick(uv_timer_t *timer);

/* --- replies --- */

/* value NULL: nobody could be asked. */
static void reply(
    struct secrets *secrets, const struct waiter *waiter, const char *user, const struct cached_secret *value)
{
    if (waiter->worker >= secrets->subscribers->n)
        return;
    struct message *message = message_new(MESSAGE_SECRET_REPLY);
    message->secret_reply.ticket = waiter->ticket;
    message->secret_reply.answered = value != NULL;
    message->secret_reply.found = value && value->found;
    snprintf(message->secret_reply.user, sizeof message->secret_reply.user, "%s", user);
    if (value && value->found)
        snprintf(message->secret_reply.secret, sizeof message->secret_reply.secret, "%s", value->secret);
    mailbox_post(secrets->subscribers->mailboxes[waiter->worker], &message->letter);
}

static void unlink_lookup(struct secrets *secrets, struct lookup *lookup)
{
    struct lookup **link = &secrets->first;
    while (*link != lookup)
        link = &(*link)->next;
    *link = lookup->next;
    if (!*link)
        secrets->last = link;
    secrets->n_lookups--;
}

/* Answers everybody from the cache, whatever the age, or with "not answered". */
static void settle(struct secrets *secrets, struct lookup *lookup)
{
    const struct cached_secret *value = secret_cache_get(secrets->cache, lookup->user);
    unlink_lookup(secrets, lookup);
    for (size_t i = 0; i < lookup->n_waiters; i++)
        reply(secrets, &lookup->waiters[i], lookup->user, value);
    free(lookup);
}

/* --- asking a node --- */

static void drop_connection(struct secrets *secrets)
{
    pgconn_close(secrets->conn);
    secrets->conn = NULL;
    secrets->endpoint = NULL;
}

static void tell(struct secrets *secrets, const struct error *error)
{
    if (strcmp(secrets->told, error->text) == 0)
        return;
    snprintf(secrets->told, sizeof secrets->told, "%s", error->text);
    log_event(LOG_WARNING, "auth_query_failed", "cluster=%s sqlstate=%s error=%s",
        secrets->settings->cluster->name, error->sqlstate, error->text);
}

/* The lookup goes to the next node. */
static void attempt_failed(struct secrets *secrets, const struct pgconn_answer *answer)
{
    tell(secrets, &answer->error);
    drop_connection(secrets);
    if (secrets->asked)
        secrets->asked->attempt++;
    secrets->asked = NULL;
    proceed(secrets);
}

/* One column: the verifier. More: name and verifier, as PgBouncer's auth_query gives them. */
static const char *verifier(const struct pgconn_answer *answer)
{
    return pgconn_value(answer, 0, answer->columns > 1 ? 1 : 0);
}

static bool take_answer(struct secrets *secrets, const struct pgconn_answer *answer, const char *user)
{
    struct error error;
    if (answer->outcome == PGCONN_QUERY) {
        tell(secrets, &answer->error);
        return false;
    }
    if (answer->rows > 1)
        error_set(&error, SQLSTATE_INVALID_PARAMETER, "auth_query gave %d rows for one user", answer->rows);
    else if (secret_cache_put(secrets->cache, user, verifier(answer), clock_now_us()))
        return true;
    else
        error_set(&error, SQLSTATE_LIMIT_EXCEEDED, "auth_query gave a secret longer than %d bytes",
            MESSAGE_SECRET_MAX);
    tell(secrets, &error);
    return false;
}

static void on_answer(void *context, const struct pgconn_answer *answer)
{
    struct secrets *secrets = context;
    struct lookup *lookup = secrets->asked;
    if (answer->outcome != PGCONN_OK && answer->outcome != PGCONN_QUERY) {
        attempt_failed(secrets, answer);
        return;
    }
    if (take_answer(secrets, answer, lookup->user))
        secrets->told[0] = '\0';
    pgconn_wipe(answer);
    secrets->asked = NULL;
    settle(secrets, lookup);
    proceed(secrets);
}

static void send_query(struct secrets *secrets)
{
    const struct config_cluster *cluster = secrets->settings->cluster;
    const char *values[] = {secrets->asked->user};
    pgconn_query(
        secrets->conn, cluster->auth_query, values, 1, cluster->probe_timeout_ms, secrets, on_answer);
}

static void on_opened(void *context, const struct pgconn_answer *answer)
{
    struct secrets *secrets = context;
    if (answer->outcome != PGCONN_OK)
        attempt_failed(secrets, answer);
    else if (secrets->asked)
        send_query(secrets);
    else
        proceed(secrets);
}

static void on_lost(void *context, const struct pgconn_answer *answer)
{
    (void)answer;
    drop_connection(context);
}

static void open_connection(struct secrets *secrets, struct endpoint *endpoint)
{
    const struct config *config = secrets->settings->config;
    const struct config_cluster *cluster = secrets->settings->cluster;
    char options[64];
    drop_connection(secrets);
    snprintf(options, sizeof options, "-c statement_timeout=%" PRIu64, cluster->probe_timeout_ms);
    struct pgconn_params params = {.endpoint = endpoint,
        .user = cluster->auth_user ? cluster->auth_user : cluster->probe_user,
        .password = cluster->auth_user ? cluster->auth_password : cluster->probe_password,
        .database = cluster->auth_database ? cluster->auth_database : cluster->probe_database,
        .options = options,
        .tls = &cluster->tls,
        .tcp_user_timeout_ms = config->tcp_user_timeout_ms,
        .tcp_keepalive_ms = config->tcp_keepalive_ms,
        .connect_timeout_ms = cluster->probe_timeout_ms,
        .context = secrets,
        .opened = on_opened,
        .lost = on_lost};
    secrets->endpoint = endpoint;
    secrets->conn = pgconn_open(secrets->loop, &params);
}

static void ask(struct secrets *secrets, struct lookup *lookup, struct endpoint *endpoint)
{
    secrets->asked = lookup;
    if (!secrets->conn || secrets->endpoint != endpoint)
        open_connection(secrets, endpoint);
    else if (pgconn_ready(secrets->conn))
        send_query(secrets);
}

/* Starts the first lookup that a node can be found for; the others have an old answer, or wait. */
static void proceed(struct secrets *secrets)
{
    struct lookup *next;
    for (struct lookup *lookup = secrets->first; lookup && !secrets->asked; lookup = next) {
        next = lookup->next;
        struct endpoint *endpoint =
            secrets->nodes.nth(secrets->nodes.context, lookup->attempt, lookup->refresh);
        if (endpoint)
            ask(secrets, lookup, endpoint);
        else if (secret_cache_get(secrets->cache, lookup->user))
            settle(secrets, lookup);
    }
    if (secrets->first && !uv_is_active((uv_handle_t *)&secrets->timer))
        uv_timer_start(&secrets->timer, on_tick, TICK_MS, 0);
}

/* --- requests --- */

static void on_tick(uv_timer_t *timer)
{
    struct secrets *secrets = timer->data;
    struct lookup *next;
    uint64_t now_us = clock_now_us();
    for (struct lookup *lookup = secrets->first; lookup; lookup = next) {
        next = lookup->next;
        if (lookup == secrets->asked)
            continue;
        lookup->attempt = 0; /* nodes that failed are tried again */
        if (now_us >= lookup->deadline_us)
            settle(secrets, lookup);
    }
    proceed(secrets);
}

static bool young(const struct secrets *secrets, const struct cached_secret *value, bool refresh)
{
    if (!value || value->expired)
        return false;
    uint64_t age_us = clock_now_us() - value->asked_at_us;
    return age_us < (refresh ? REFRESH_GAP_US : secrets->settings->cluster->auth_cache_ttl_ms * 1000);
}

/* One that is asked for already takes the waiter along; NULL when there is none with room. */
static struct lookup *find_lookup(struct secrets *secrets, const char *user, bool refresh)
{
    for (struct lookup *lookup = secrets->first; lookup; lookup = lookup->next) {
        if (lookup->refresh == refresh && lookup->n_waiters < MAX_WAITERS && strcmp(lookup->user, user) == 0)
            return lookup;
    }
    return NULL;
}

static struct lookup *add_lookup(struct secrets *secrets, const char *user, bool refresh)
{
    if (secrets->n_lookups >= MAX_LOOKUPS)
        return NULL;
    struct lookup *lookup = memory_new(1, sizeof *lookup);
    uint64_t wait_ms = secrets->settings->cluster->server_login_timeout_ms;
    snprintf(lookup->user, sizeof lookup->user, "%s", user);
    lookup->refresh = refresh;
    lookup->deadline_us = clock_now_us() + (wait_ms ? wait_ms : 10000) * 1000;
    *secrets->last = lookup;
    secrets->last = &lookup->next;
    secrets->n_lookups++;
    return lookup;
}

void secrets_request(struct secrets *secrets, struct message *message)
{
    char user[MESSAGE_NAME_MAX];
    bool refresh = message->secret_request.refresh;
    struct waiter waiter = {message->secret_request.worker, message->secret_request.ticket};
    snprintf(user, sizeof user, "%.*s", MESSAGE_NAME_MAX - 1, message->secret_request.user);
    message_free(message);
    if (!secrets->settings->cluster->auth_query) { /* switched off: nobody is known that way */
        const struct cached_secret nobody = {.found = false};
        reply(secrets, &waiter, user, &nobody);
        return;
    }
    const struct cached_secret *value = secret_cache_get(secrets->cache, user);
    if (young(secrets, value, refresh)) {
        reply(secrets, &waiter, user, value);
        return;
    }
    struct lookup *lookup = find_lookup(secrets, user, refresh);
    if (!lookup)
        lookup = add_lookup(secrets, user, refresh);
    if (!lookup) {
        reply(secrets, &waiter, user, value);
        return;
    }
    lookup->waiters[lookup->n_waiters++] = waiter;
    proceed(secrets);
}

void secrets_nodes_changed(struct secrets *secrets)
{
    for (struct lookup *lookup = secrets->first; lookup; lookup = lookup->next) {
        if (lookup != secrets->asked)
            lookup->attempt = 0;
    }
    proceed(secrets);
}

void secrets_settings_changed(struct secrets *secrets)
{
    drop_connection(secrets);
    secrets->asked = NULL;
    secret_cache_expire(secrets->cache);
    while (!secrets->settings->cluster->auth_query && secrets->first)
        settle(secrets, secrets->first);
    proceed(secrets);
}

void secrets_forget_endpoint(struct secrets *secrets, const struct endpoint *endpoint)
{
    if (secrets->endpoint != endpoint)
        return;
    drop_connection(secrets);
    secrets->asked = NULL;
}

/* --- life --- */

struct secrets *secrets_open(uv_loop_t *loop, const struct settings *settings,
    const struct subscribers *subscribers, const struct secrets_nodes *nodes)
{
    struct secrets *secrets = memory_new(1, sizeof *secrets);
    secrets->loop = loop;
    secrets->settings = settings;
    secrets->subscribers = subscribers;
    secrets->nodes = *nodes;
    secrets->cache = secret_cache_new(MAX_CACHED);
    secrets->last = &secrets->first;
    uv_timer_init(loop, &secrets->timer);
    secrets->timer.data = secrets;
    uv_timer_start(&secrets->timer, on_tick, TICK_MS, 0);
    return secrets;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void secrets_close(struct secrets *secrets)
{
    if (!secrets)
        return;
    drop_connection(secrets);
    while (secrets->first)
        settle(secrets, secrets->first);
    secret_cache_free(secrets->cache);
    uv_close((uv_handle_t *)&secrets->timer, on_closed);
}
