/* Commands about connections: SHOW SESSIONS (CLIENTS), SHOW PINS, SHOW SERVERS. From a survey of the workers.
 */
#include "proxy/front/command_handlers.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

/* worker and serial name a session in every table, and nothing else ever after. */
static void add_id(struct result *result, uint32_t worker, uint64_t serial)
{
    result_format(result, "%u.%llu", worker, (unsigned long long)serial);
}

static void add_address(struct result *result, const struct report_address *address)
{
    char text[INET6_ADDRSTRLEN];
    if (address->family != AF_INET && address->family != AF_INET6) {
        result_text(result, address->family == AF_UNIX ? "unix" : NULL);
        result_null(result);
        return;
    }
    result_text(result, inet_ntop(address->family, &address->address, text, sizeof text));
    result_number(result, address->port);
}

void result_pins(struct result *result, uint32_t pins)
{
    char text[256] = "";
    size_t len = 0;
    for (uint32_t pin = 1; pin <= PIN_UNKNOWN; pin <<= 1)
        if (pins & pin)
            len += (size_t)snprintf(
                text + len, sizeof text - len, "%s%s", len ? "," : "", pin_name((enum pin)pin));
    result_text(result, len ? text : NULL);
}

static const char *transaction_name(char status)
{
    return status == 'T' ? "open" : status == 'E' ? "failed" : NULL;
}

static const char *or_null(const char *text)
{
    return text[0] ? text : NULL;
}

/* ---- sessions ---- */

static const struct result_column sessions_columns[] = {
    {"id", COLUMN_TEXT},
    {"user", COLUMN_TEXT},
    {"database", COLUMN_TEXT},
    {"listener", COLUMN_TEXT},
    {"state", COLUMN_TEXT},
    {"transaction", COLUMN_TEXT},
    {"addr", COLUMN_TEXT},
    {"port", COLUMN_NUMBER},
    {"tls", COLUMN_BOOL},
    {"application_name", COLUMN_TEXT},
    {"node", COLUMN_TEXT},         /* of the server connection that it holds */
    {"remote_pid", COLUMN_NUMBER}, /* of that connection, on the node */
    {"verdict", COLUMN_TEXT},      /* why its request went there */
    {"pins", COLUMN_TEXT},
    {"prepared_statements", COLUMN_NUMBER},
    {"age_ms", COLUMN_NUMBER},
    {"state_age_ms", COLUMN_NUMBER},
    {"wait",
        COLUMN_NUMBER}, /* seconds, and microseconds beyond: for a node or a connection, as in PgBouncer */
    {"wait_us", COLUMN_NUMBER},
};
const struct result_shape sessions_shape = RESULT_SHAPE(sessions_columns);

static void add_session(struct result *result, const struct session_report *session)
{
    add_id(result, session->worker, session->serial);
    result_text(result, or_null(session->user));
    result_text(result, or_null(session->database));
    result_text(result, session->listener);
    result_text(result, session->state);
    result_text(result, transaction_name(session->tx_status));
    add_address(result, &session->peer);
    result_bool(result, session->tls);
    result_text(result, or_null(session->application_name));
    result_text(result, or_null(session->node));
    result_known_number(result, session->server_pid != 0, session->server_pid);
    result_text(result, session->has_verdict ? reason_name(session->verdict) : NULL);
    result_pins(result, session->pins);
    result_number(result, session->prepared);
    result_number(result, session->age_ms);
    result_number(result, session->state_age_ms);
    result_number(result, session->wait_us / 1000000);
    result_number(result, session->wait_us % 1000000);
}

bool show_sessions(struct command_call *call, struct error *error)
{
    (void)error;
    for (size_t i = 0; i < call->survey->n; i++)
        add_session(&call->result, &call->survey->sessions[i]);
    return true;
}

/* ---- pins ---- */

static const struct result_column pins_columns[] = {
    {"id", COLUMN_TEXT},
    {"user", COLUMN_TEXT},
    {"database", COLUMN_TEXT},
    {"listener", COLUMN_TEXT},
    {"state", COLUMN_TEXT},
    {"pins", COLUMN_TEXT},
    {"node", COLUMN_TEXT},
    {"remote_pid", COLUMN_NUMBER},
    {"age_ms", COLUMN_NUMBER},
};
const struct result_shape pins_shape = RESULT_SHAPE(pins_columns);

bool show_pins(struct command_call *call, struct error *error)
{
    struct result *result = &call->result;
    (void)error;
    for (size_t i = 0; i < call->survey->n; i++) {
        const struct session_report *session = &call->survey->sessions[i];
        if (!session->pins)
            continue;
        add_id(result, session->worker, session->serial);
        result_text(result, or_null(session->user));
        result_text(result, or_null(session->database));
        result_text(result, session->listener);
        result_text(result, session->state);
        result_pins(result, session->pins);
        result_text(result, or_null(session->node));
        result_known_number(result, session->server_pid != 0, session->server_pid);
        result_number(result, session->age_ms);
    }
    return true;
}

/* ---- who waits ---- */

static const struct result_column waiting_columns[] = {
    {"id", COLUMN_TEXT}, {"user", COLUMN_TEXT}, {"database", COLUMN_TEXT}, {"listener", COLUMN_TEXT},
    {"application_name", COLUMN_TEXT},
    {"waits_for", COLUMN_TEXT}, /* connection; node: none is fit; resume: the database is paused */
    {"node", COLUMN_TEXT},      /* whose connection */
    {"wait_us", COLUMN_NUMBER}, {"verdict", COLUMN_TEXT}, /* why it goes there, or would */
    {"why", COLUMN_TEXT},                                 /* there is no node that takes it */
};
const struct result_shape waiting_shape = RESULT_SHAPE(waiting_columns);

static int longest_first(const void *left, const void *right)
{
    const struct session_report *a = *(const struct session_report *const *)left;
    const struct session_report *b = *(const struct session_report *const *)right;
    return (a->wait_us < b->wait_us) - (a->wait_us > b->wait_us);
}

static void add_waiting(struct result *result, const struct session_report *session)
{
    add_id(result, session->worker, session->serial);
    result_text(result, or_null(session->user));
    result_text(result, or_null(session->database));
    result_text(result, session->listener);
    result_text(result, or_null(session->application_name));
    result_text(result, session->waits_for);
    result_text(result, or_null(session->node));
    result_number(result, session->wait_us);
    result_text(result, session->has_verdict ? reason_name(session->verdict) : NULL);
    result_text(result, or_null(session->why));
}

bool show_waiting(struct command_call *call, struct error *error)
{
    size_t n = 0;
    const struct session_report **waiting = calloc(call->survey->n + 1, sizeof *waiting);
    if (!waiting)
        return error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    for (size_t i = 0; i < call->survey->n; i++)
        if (call->survey->sessions[i].waits_for)
            waiting[n++] = &call->survey->sessions[i];
    qsort(waiting, n, sizeof *waiting, longest_first);
    for (size_t i = 0; i < n; i++)
        add_waiting(&call->result, waiting[i]);
    free(waiting);
    return true;
}

/* ---- servers ---- */

static const struct result_column servers_columns[] = {
    {"node", COLUMN_TEXT},
    {"cluster", COLUMN_TEXT},
    {"user", COLUMN_TEXT},
    {"database", COLUMN_TEXT},
    {"state", COLUMN_TEXT},
    {"transaction", COLUMN_TEXT},
    {"addr", COLUMN_TEXT},
    {"port", COLUMN_NUMBER},
    {"tls", COLUMN_BOOL},
    {"remote_pid", COLUMN_NUMBER},
    {"role", COLUMN_TEXT}, /* and generation, of the node when the connection was made */
    {"generation", COLUMN_NUMBER},
    {"link", COLUMN_TEXT}, /* id of the session that uses it */
    {"relay", COLUMN_BOOL},
    {"dirty", COLUMN_BOOL}, /* is reset before anybody else uses it */
    {"prepared_statements", COLUMN_NUMBER},
    {"worker", COLUMN_NUMBER},
    {"age_ms", COLUMN_NUMBER},
    {"idle_ms", COLUMN_NUMBER},
};
const struct result_shape servers_shape = RESULT_SHAPE(servers_columns);

static void add_server(struct result *result, const struct server_report *server)
{
    result_text(result, server->node);
    result_text(result, or_null(server->cluster));
    result_text(result, or_null(server->user));
    result_text(result, or_null(server->database));
    result_text(result, server->state);
    result_text(result, transaction_name(server->tx_status));
    add_address(result, &server->address);
    result_bool(result, server->tls);
    result_known_number(result, server->pid != 0, server->pid);
    result_text(result, node_role_name(server->role));
    result_number(result, server->generation);
    if (server->session == REPORT_NO_SESSION)
        result_null(result);
    else
        add_id(result, server->worker, server->session);
    result_bool(result, server->relay);
    result_bool(result, server->dirty);
    result_number(result, server->prepared);
    result_number(result, server->worker);
    result_number(result, server->age_ms);
    result_number(result, server->idle_ms);
}

bool show_servers(struct command_call *call, struct error *error)
{
    (void)error;
    for (size_t i = 0; i < call->survey->n; i++)
        add_server(&call->result, &call->survey->servers[i]);
    return true;
}
