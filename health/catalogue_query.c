/*
 * What is asked of a database's system catalogues; see catalogue_query.h.
 *
 * Only objects of users and extensions are read: PostgreSQL's own are known from the generated list. What a
 * view or a policy stands on is read from its stored tree, since pg_depend leaves built-in functions out.
 * With an empty search_path all names in the texts of SQL-standard function bodies are qualified.
 */
#include "health/catalogue_query.h"

#include "health/memory.h"

#define TEXT_(value) #value
#define TEXT(value) TEXT_(value)

#define NOT_SHIPPED(oid, schema)                                                                             \
    "(" oid " >= 16384 OR " schema " NOT IN ('pg_catalog', 'information_schema')) AND " schema               \
    " !~ '^pg_toast'"

/* Of one catalogue: how many rows, and a sum over their identities and versions. */
#define SUM(table, condition)                                                                                \
    "(SELECT concat(count(*), '/', sum(hashtext(concat(t.ctid, t.xmin))::bigint)) FROM " table               \
    " t WHERE " condition ")"

#define FINGERPRINT                                                                                          \
    "SELECT current_setting('server_version_num'), concat_ws(' ', " SUM("pg_proc", "oid >= 16384") ", " SUM( \
        "pg_class", "oid >= 16384") ", " SUM("pg_rewrite", "oid >= 16384") ", " SUM("pg_policy",             \
        "true") ", " SUM("pg_inherits", "true") ", " SUM("pg_namespace", "true") ", " SUM("pg_aggregate",    \
        "aggfnoid >= 16384") ")"

/* Trigger functions cannot be called. Defaults of arguments are evaluated by the caller: they belong to the
 * text. The volatile ones are read for what they leave in the session; in other languages than these nothing
 * can be seen. A procedure matters where a function calls it. */
#define READABLE "l.lanname IN ('sql', 'plpgsql')"
#define FUNCTIONS(body)                                                                                      \
    "SELECT p.oid, n.nspname, p.proname,"                                                                    \
    " CASE WHEN " READABLE " AND length(p.prosrc) > 65536 THEN 'session'"                                    \
    "  WHEN p.prokind = 'p' OR p.provolatile = 'v' THEN 'special'"                                           \
    "  WHEN p.prokind = 'a' THEN 'dependent'"                                                                \
    "  WHEN l.lanname = 'internal' THEN 'builtin'"                                                           \
    "  WHEN " READABLE " THEN 'text' ELSE 'special' END,"                                                    \
    " CASE WHEN p.prokind = 'a' THEN NULL"                                                                   \
    "  WHEN l.lanname = 'internal' AND p.provolatile <> 'v' THEN p.prosrc"                                   \
    "  WHEN " READABLE " AND length(p.prosrc) <= 65536 THEN concat_ws(E'\\n;\\n', " body                     \
    ", pg_get_expr(p.proargdefaults, 0)) END"                                                                \
    " FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang"  \
    " WHERE " NOT_SHIPPED("p.oid", "n.nspname") " AND p.prorettype NOT IN ('trigger'::regtype,"              \
                                                " 'event_trigger'::regtype) LIMIT " TEXT(CATALOGUE_MAX_ROWS)

/* Sequences and foreign tables; unlogged and temporary anything. */
#define RELATIONS                                                                                            \
    "SELECT c.oid, n.nspname, c.relname, c.relkind IN ('S', 'f') OR c.relpersistence <> 'p'"                 \
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"                                         \
    " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND " NOT_SHIPPED(                                   \
        "c.oid", "n.nspname") " LIMIT " TEXT(CATALOGUE_MAX_ROWS)

/* The functions and relations in a stored tree. */
#define CALLED(tree)                                                                                         \
    "(SELECT DISTINCT m[1]::oid AS oid FROM regexp_matches(" tree "::text,"                                  \
    " ':(?:funcid|aggfnoid|winfnoid) ([0-9]+)', 'g') m)"
#define NAMED(tree)                                                                                          \
    "(SELECT DISTINCT m[1]::oid AS oid FROM regexp_matches(" tree "::text, ':relid ([0-9]+)', 'g') m)"

#define VIEWS "pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class AND c.relkind = 'v' AND c.oid >= 16384"
#define POLICIES "pg_policy r JOIN pg_class c ON c.oid = r.polrelid AND c.relrowsecurity"

#define STANDS_ON_FUNCTIONS(owner, from, tree)                                                               \
    "SELECT 'r', " owner ", 'f', x.oid, p.proname FROM " from                                                \
    ", LATERAL " CALLED(tree) " x JOIN pg_proc p ON p.oid = x.oid"
#define STANDS_ON_RELATIONS(owner, from, tree)                                                               \
    "SELECT 'r', " owner ", 'r', x.oid, d.relname FROM " from                                                \
    ", LATERAL " NAMED(tree) " x JOIN pg_class d ON d.oid = x.oid WHERE x.oid <> " owner

/* Partitions and children; what an aggregate calls. */
#define DEPENDENCIES                                                                                         \
    STANDS_ON_FUNCTIONS("r.ev_class", VIEWS, "r.ev_action")                                                  \
    " UNION ALL " STANDS_ON_RELATIONS("r.ev_class", VIEWS, "r.ev_action") " UNION ALL " STANDS_ON_FUNCTIONS( \
        "r.polrelid", POLICIES, "r.polqual") " UNION ALL " STANDS_ON_RELATIONS("r.polrelid", POLICIES,       \
        "r.polqual") " UNION ALL SELECT 'r', i.inhparent, 'r', c.oid, c.relname FROM pg_inherits i"          \
                     " JOIN pg_class c ON c.oid = i.inhrelid AND c.relkind IN ('r', 'p', 'f')"               \
                     " UNION ALL SELECT 'f', a.aggfnoid, 'f', p.oid, p.proname FROM pg_aggregate a JOIN "    \
                     "pg_proc p"                                                                             \
                     " ON p.oid IN (a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, "             \
                     "a.aggdeserialfn,"                                                                      \
                     " a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn) WHERE a.aggfnoid >= 16384"            \
                     " LIMIT " TEXT(CATALOGUE_MAX_ROWS)

const char *catalogue_question_text(enum catalogue_question question, int server_version)
{
    switch (question) {
    case CATALOGUE_BEGIN: return "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    case CATALOGUE_FINGERPRINT: return FINGERPRINT;
    case CATALOGUE_FUNCTIONS:
        return server_version >= 140000 ? FUNCTIONS("coalesce(pg_get_function_sqlbody(p.oid), p.prosrc)")
                                        : FUNCTIONS("p.prosrc");
    case CATALOGUE_RELATIONS: return RELATIONS;
    case CATALOGUE_DEPENDENCIES: return DEPENDENCIES;
    case CATALOGUE_QUESTIONS: break;
    }
    return NULL;
}

static const char *value(const struct pgconn_answer *answer, int row, int column)
{
    const char *text = pgconn_value(answer, row, column);
    return text ? text : "";
}

static uint32_t oid(const struct pgconn_answer *answer, int row, int column)
{
    return (uint32_t)strtoul(value(answer, row, column), NULL, 10);
}

static enum rule_body body_of(const char *word)
{
    if (strcmp(word, "text") == 0)
        return RULE_BODY_TEXT;
    if (strcmp(word, "builtin") == 0)
        return RULE_BODY_BUILTIN;
    if (strcmp(word, "session") == 0)
        return RULE_BODY_SESSION;
    return strcmp(word, "dependent") == 0 ? RULE_BODY_DEPENDENT : RULE_BODY_SPECIAL;
}

static void read_dependency(const struct pgconn_answer *answer, int row, struct catalogue_rules *rules)
{
    const struct rule_object from = {value(answer, row, 0)[0] == 'f', oid(answer, row, 1), NULL};
    const struct rule_object to = {
        value(answer, row, 2)[0] == 'f', oid(answer, row, 3), value(answer, row, 4)};
    catalogue_rules_depends(rules, &from, &to);
}

bool catalogue_answer_read(
    enum catalogue_question question, const struct pgconn_answer *answer, struct catalogue_rules *rules)
{
    if (answer->rows >= CATALOGUE_MAX_ROWS)
        return false;
    for (int row = 0; row < answer->rows; row++) {
        if (question == CATALOGUE_FUNCTIONS)
            catalogue_rules_function(rules, oid(answer, row, 0), value(answer, row, 1), value(answer, row, 2),
                body_of(value(answer, row, 3)), pgconn_value(answer, row, 4));
        else if (question == CATALOGUE_RELATIONS)
            catalogue_rules_relation(rules, oid(answer, row, 0), value(answer, row, 1), value(answer, row, 2),
                value(answer, row, 3)[0] == 't');
        else if (question == CATALOGUE_DEPENDENCIES)
            read_dependency(answer, row, rules);
    }
    return true;
}
