/*
 * EXPLAIN ROUTE: the verdict that a new session's statement would get now, by the same functions that the
 * data plane uses (classify, target_choose), on the main thread's own copies of catalogue and topology.
 *
 * With FOR a session that lives is asked what it would do, with its state, on its worker's thread
 * (proxy/session/explain.c).
 *
 * DATABASE names the database as clients call it; without it the catalogue of the only database that is in
 * use is taken. While a catalogue is not known the verdict is no_catalogue, as for a session, and the control
 * thread is asked for it.
 */
#include "proxy/front/command_handlers.h"

#include "conf/base/clock.h"
#include "router/classify.h"
#include "router/setting.h"
#include "router/target.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct result_column explain_columns[] = {
    {"verdict", COLUMN_TEXT},                     /* as counted in SHOW ROUTES */
    {"text", COLUMN_TEXT}, {"role", COLUMN_TEXT}, /* of the node */
    {"node", COLUMN_TEXT}, /* the choice of this moment; NULL: none is fit, and `wait` says why */
    {"wait", COLUMN_TEXT}, {"class", COLUMN_TEXT},
    {"reason", COLUMN_TEXT},                         /* what the statement itself gave rise to */
    {"culprit", COLUMN_TEXT}, {"pins", COLUMN_TEXT}, /* what it may leave in the session */
    {"frees", COLUMN_TEXT},                          /* what it may take away there */
    {"flags", COLUMN_TEXT},                          /* what it does beside */
    {"settings", COLUMN_TEXT},                       /* of the session, by their names */
    {"statements", COLUMN_NUMBER}, {"listener", COLUMN_TEXT}, {"cluster", COLUMN_TEXT},
    {"database", COLUMN_TEXT}, {"catalogue", COLUMN_TEXT},
    {"answered_by", COLUMN_TEXT}, /* node or rolecall; from here on only with FOR */
    {"session", COLUMN_TEXT}, {"state", COLUMN_TEXT},
    {"transaction", COLUMN_TEXT},                          /* open, failed; begun: no node has heard of it */
    {"session_pins", COLUMN_TEXT}, {"route", COLUMN_TEXT}, /* rolecall.route, and the next two */
    {"consistency", COLUMN_TEXT}, {"max_lag", COLUMN_TEXT},
    {"write_epoch", COLUMN_NUMBER},    /* what a replica must have replayed */
    {"seen_epoch", COLUMN_NUMBER},     /* ... unless the session's last answer was its own */
    {"replayed_epoch", COLUMN_NUMBER}, /* the node's */
    {"search_path", COLUMN_TEXT},      /* the session's own; NULL: the server's */
};
#define STATE_COLUMNS 12 /* at the end */
const struct result_shape explain_shape = RESULT_SHAPE(explain_columns);

struct question {
    struct slice sql;
    const char *database_name, *listener_name, *session; /* as given; NULL = not */
    const struct config_listener *listener;
    const struct config_cluster *cluster;
    const char *database; /* as the node calls it; NULL = none was given and none is known */
    const struct catalogue *catalogue;
    const struct topology *topology;
};

/* ---- the question ---- */

static bool read_arguments(const struct command_call *call, struct question *out, struct error *error)
{
    static const char quotes[] =
        "EXPLAIN ROUTE wants the statement in quotes: EXPLAIN ROUTE 'select 1' (or $$select 1$$)";
    const struct word *words = call->arguments;
    if (call->n_arguments == 0)
        return error_set(error, SQLSTATE_SYNTAX_ERROR, "%s", quotes);
    out->sql = slice_of(words[0].text, words[0].len);
    for (size_t i = 1; i < call->n_arguments; i += 2) {
        bool database = strcasecmp(words[i].text, "DATABASE") == 0;
        bool listener = strcasecmp(words[i].text, "LISTENER") == 0;
        bool session = strcasecmp(words[i].text, "FOR") == 0;
        bool known = database || listener || session;
        if (!known && !words[0].quoted)
            return error_set(error, SQLSTATE_SYNTAX_ERROR, "%s", quotes);
        if (!known || i + 1 == call->n_arguments)
            return error_set(error, SQLSTATE_SYNTAX_ERROR, "behind the statement EXPLAIN ROUTE takes %s",
                strchr(call->command->arguments, '['));
        *(database ? &out->database_name : session ? &out->session : &out->listener_name) = words[i + 1].text;
    }
    if (out->session && (out->database_name || out->listener_name))
        return error_set(error, SQLSTATE_SYNTAX_ERROR, "a session has its database and its listener");
    return true;
}

bool prepare_explain(struct command_call *call, struct error *error)
{
    struct question question = {0};
    if (!read_arguments(call, &question, error))
        return false;
    if (!question.session)
        return true;
    if (!session_id_parse(question.session, &call->errand.worker, &call->errand.serial))
        return error_set(error, SQLSTATE_SYNTAX_ERROR,
            "FOR wants the id of a session as SHOW SESSIONS has it, such as 0.17");
    call->asks = SURVEY_ROUTE;
    call->errand.kind = ERRAND_EXPLAIN;
    call->errand.text = question.sql;
    return true;
}

static const struct config_listener *find_listener(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->n_listeners; i++) {
        const struct config_listener *listener = &config->listeners[i];
        if (name ? strcmp(listener->name, name) == 0 : listener->route == ROUTE_SPLIT)
            return listener;
    }
    return name ? NULL : &config->listeners[0];
}

/* The one database of the cluster whose catalogue is known; NULL when there are none or several. */
static const struct catalogue *only_catalogue(const struct admin_view *view, const char *cluster)
{
    const struct catalogue *found = NULL;
    for (size_t i = 0; i < view->n_catalogues; i++) {
        if (strcmp(catalogue_cluster(view->catalogues[i]), cluster) != 0)
            continue;
        if (found)
            return NULL;
        found = view->catalogues[i];
    }
    return found;
}

static bool prepare(const struct command_call *call, struct question *out, struct error *error)
{
    struct admin_view *view = call->view;
    const struct config *config = view->config;
    if (config->n_listeners == 0 || !(out->listener = find_listener(config, out->listener_name)))
        return error_set(error, SQLSTATE_INVALID_PARAMETER, "there is no listener \"%s\"",
            out->listener_name ? out->listener_name : "");
    size_t cluster = out->listener->cluster;
    const struct config_database *database =
        out->database_name ? config_database(config, out->database_name) : NULL;
    if (database && database->cluster && admin_view_cluster(view, database->cluster) >= 0)
        cluster = (size_t)admin_view_cluster(view, database->cluster);
    out->cluster = &config->clusters[cluster];
    out->topology = view->topologies[cluster];
    if (out->database_name) {
        out->database = database && database->dbname ? database->dbname : out->database_name;
        out->catalogue = admin_view_catalogue(view, out->cluster->name, out->database);
        if (!out->catalogue && out->listener->route == ROUTE_SPLIT)
            view->actions->ask_catalogue(view->context, out->cluster->name, out->database);
    } else if ((out->catalogue = only_catalogue(view, out->cluster->name))) {
        out->database = catalogue_database(out->catalogue);
    }
    return true;
}

/* ---- the answer ---- */

static bool may_read(const struct question *question, const struct classification *class, enum reason *reason)
{
    *reason = class->reason;
    if (question->listener->route == ROUTE_ANY)
        return true;
    if (class->class == STATEMENT_TRANSACTION && class->statements == 1 &&
        (class->flags & STATEMENT_BEGIN_READ_ONLY)) {
        *reason = REASON_READ_ONLY_TRANSACTION;
        return true;
    }
    if (class->class != STATEMENT_READ)
        return false;
    if (question->listener->route == ROUTE_SPLIT && question->database && !question->catalogue) {
        *reason = REASON_NO_CATALOGUE;
        return false;
    }
    return true;
}

static struct target_answer choose(const struct question *question, bool read)
{
    bool strong =
        question->listener->route == ROUTE_SPLIT && question->cluster->consistency == CONSISTENCY_STRONG;
    struct target_request request = {
        .route = question->listener->route,
        .want_read = read && !strong,
        .fallback = question->cluster->fallback,
        .random = clock_now_us() * UINT64_C(0x9e3779b97f4a7c15),
    };
    if (!question->topology)
        return (struct target_answer){.node = -1, .reason = REASON_NO_REPLICA, .wait = true};
    return target_choose(question->topology, &request);
}

static const char *why_none(const struct question *question, bool read)
{
    if (!question->topology)
        return "no node has been probed yet";
    if (!read && question->topology->no_primary_reason)
        return question->topology->no_primary_reason;
    return read ? "no fit replica" : "there is no primary";
}

static const char *catalogue_state(const struct question *question)
{
    if (question->catalogue)
        return "known";
    return question->database ? "not known yet, has been asked for" : "built-in names only; name a DATABASE";
}

static void add_node(struct result *result, const struct question *question, bool read, int node)
{
    const struct topology_node *chosen = node < 0 ? NULL : &question->topology->nodes[node];
    result_text(result, chosen ? node_role_name(chosen->role) : NULL);
    result_text(result, chosen ? chosen->name : NULL);
    result_text(result, chosen ? NULL : why_none(question, read));
}

/* Words with commas between them; what does not fit is left out. */
struct list {
    char text[512];
    size_t len;
};

static void add_word(void *context, struct slice word)
{
    struct list *list = context;
    if (list->len + word.len + 2 > sizeof list->text)
        return;
    list->len += (size_t)snprintf(list->text + list->len, sizeof list->text - list->len, "%s%.*s",
        list->len ? "," : "", (int)word.len, word.data);
}

static void add_flags(struct result *result, uint32_t flags)
{
    struct list list = {.len = 0};
    for (uint32_t flag = 1; flag <= STATEMENT_SURVEY; flag <<= 1)
        if (flags & flag)
            add_word(&list, slice_from(statement_flag_name((enum statement_flag)flag)));
    result_text(result, list.len ? list.text : NULL);
}

static void add_settings(struct result *result, struct slice sql)
{
    struct list list = {.len = 0};
    setting_names(sql, true, &list, add_word);
    result_text(result, list.len ? list.text : NULL);
}

/* What is told of a statement wherever it would go. */
static void add_class(struct result *result, const struct classification *class, struct slice culprit)
{
    static const char *const classes[] = {
        [STATEMENT_READ] = "read", [STATEMENT_WRITE] = "write", [STATEMENT_TRANSACTION] = "transaction"};
    result_text(result, classes[class->class]);
    result_text(result, reason_name(class->reason));
    result_slice(result, culprit.len ? culprit : slice_of(NULL, 0));
    result_pins(result, class->pins);
    result_pins(result, class->frees);
    add_flags(result, class->flags);
}

static void add_place(struct result *result, const char *listener, const char *cluster, const char *database,
    const char *catalogue)
{
    result_text(result, listener);
    result_text(result, cluster);
    result_text(result, database);
    result_text(result, catalogue);
}

/* ---- a session that lives ---- */

static const char *or_null(const char *text)
{
    return text[0] ? text : NULL;
}

static void add_state(struct result *result, const struct command_call *call, const struct explanation *told)
{
    result_text(result, told->by_rolecall ? "rolecall" : told->has_node ? "node" : NULL);
    result_format(result, "%u.%llu", call->errand.worker, (unsigned long long)call->errand.serial);
    result_text(result, told->state);
    result_text(result, told->owes_begin         ? "begun"
                        : told->tx_status == 'T' ? "open"
                        : told->tx_status == 'E' ? "failed"
                                                 : NULL);
    result_pins(result, told->pins);
    result_text(result, or_null(told->route));
    result_text(result, or_null(told->consistency));
    result_text(result, or_null(told->max_lag));
    result_number(result, told->write_epoch);
    result_number(result, told->seen_epoch);
    if (told->has_node)
        result_number(result, told->replayed_epoch);
    else
        result_null(result);
    result_text(result, or_null(told->search_path));
}

static void add_session(
    struct result *result, const struct command_call *call, const struct explanation *told)
{
    struct slice sql = slice_of(call->arguments[0].text, call->arguments[0].len);
    result_text(result, told->has_verdict ? reason_name(told->verdict) : NULL);
    result_text(result, told->has_verdict ? reason_text(told->verdict) : or_null(told->why));
    result_text(result, told->has_node ? node_role_name(told->role) : NULL);
    result_text(result, told->has_node ? told->node : NULL);
    result_text(result, told->has_verdict ? or_null(told->why) : NULL);
    add_class(result, &told->class, slice_of(sql.data + told->culprit_at, told->class.culprit.len));
    add_settings(result, sql);
    result_number(result, told->class.statements);
    add_place(result, told->listener, or_null(told->cluster), or_null(told->database),
        told->catalogue ? "known" : "not known yet, has been asked for");
    add_state(result, call, told);
}

static bool explain_for(struct command_call *call, struct error *error)
{
    for (size_t i = 0; i < call->survey->n; i++)
        if (call->survey->routes[i].found) {
            add_session(&call->result, call, &call->survey->routes[i]);
            return true;
        }
    if (call->survey->silent)
        return error_set(error, SQLSTATE_INTERNAL_ERROR, "the session's worker did not answer in time");
    return error_set(error, SQLSTATE_UNDEFINED_OBJECT, "there is no session %u.%llu", call->errand.worker,
        (unsigned long long)call->errand.serial);
}

bool explain_route(struct command_call *call, struct error *error)
{
    struct question question = {0};
    struct classification class;
    struct result *result = &call->result;
    enum reason reason;
    if (call->survey)
        return explain_for(call, error);
    if (!read_arguments(call, &question, error) || !prepare(call, &question, error))
        return false;
    classify(question.sql, question.catalogue, true, &class);
    bool read = may_read(&question, &class, &reason);
    struct target_answer answer = choose(&question, read);
    enum reason verdict = question.listener->route != ROUTE_SPLIT ? REASON_LISTENER
                          : read                                  ? answer.reason
                                                                  : reason;
    result_text(result, reason_name(verdict));
    result_text(result, reason_text(verdict));
    add_node(result, &question, read, answer.node);
    add_class(result, &class, class.culprit);
    add_settings(result, question.sql);
    result_number(result, class.statements);
    add_place(result, question.listener->name, question.cluster->name,
        question.database_name ? question.database_name : question.database, catalogue_state(&question));
    for (uint32_t i = STATE_COLUMNS; i > 0; i--)
        result_null(result);
    return true;
}
