/*
 * What is asked of a database's system catalogues; see catalogue_query.h for when, catalogue_rules.h for what
 * becomes of it.
 *
 * Only objects of users and extensions are read: PostgreSQL's own are known from the generated list. What
 * they stand on is in pg_depend, but for PostgreSQL's own objects; those are looked for in the stored trees:
 * all functions in views and policies, only those that change a session in what is behind a write. With an
 * empty search_path the names in all texts are qualified.
 *
 * Rows of dependencies: class and oid of who stands; class, oid and name of what it stands on. The classes: f
 * function, r reading a relation, w writing to it, o operator, t type, v having a value of a type, d DDL. A
 * row of class = tells the name, and the schema, of an operator or a type.
 */
#include "health/catalogue_sql.h"

#include "health/catalogue_query.h"

#define TEXT_(value) #value
#define TEXT(value) TEXT_(value)
#define LIMIT " LIMIT " TEXT(CATALOGUE_MAX_ROWS)

/* SQL is easier to read in lines of its own. */
/* clang-format off */

/* --- looking whether anything has changed --- */

/* Of one catalogue: how many rows, and a sum over their identities and versions. */
#define SUM(table, sum, where) \
    ", (SELECT concat(count(*), '/', sum((" sum ")::bigint)) FROM " table " WHERE " where ")\n"
#define VERSION "hashtext(xmin::text)"
#define LASTING(relation) relation " NOT IN (SELECT oid FROM temporary)"

/* Temporary objects come and go, TRUNCATE and REFRESH make new versions of a relation: neither shall look
 * like DDL. A column's type is looked at where there are types that matter. The last column: how long it took
 * the server, in seconds. */
#define FINGERPRINT \
    "WITH temporary AS MATERIALIZED (SELECT oid FROM pg_class WHERE oid >= 16384 AND relpersistence = 't'),\n" \
    "special AS MATERIALIZED (\n" \
    "  SELECT oid, typarray FROM pg_type WHERE oid >= 16384 AND (typtype = 'd' OR oid IN (\n" \
    "    SELECT castsource FROM pg_cast WHERE oid >= 16384 AND castfunc >= 16384 UNION\n" \
    "    SELECT casttarget FROM pg_cast WHERE oid >= 16384 AND castfunc >= 16384))),\n" \
    "typed AS MATERIALIZED (SELECT attrelid, attnum, atttypid FROM pg_attribute\n" \
    "  WHERE EXISTS (SELECT FROM special) AND atttypid >= 16384 AND attrelid >= 16384\n" \
    "  AND atttypid IN (SELECT oid FROM special UNION SELECT typarray FROM special))\n" \
    "SELECT current_setting('server_version_num'), concat_ws(' ', pg_postmaster_start_time()\n" \
    SUM("pg_proc", VERSION, "oid >= 16384") \
    SUM("pg_class", "hashint8((oid::int8 << 32) # hashname(relname)) # hashint8((relnamespace::int8 << 32)" \
        " # (relnatts << 16) # (ascii(relkind::text) << 8) # ascii(relpersistence::text) # relrowsecurity::int)", \
        "oid >= 16384 AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND relpersistence <> 't'") \
    SUM("typed", "hashint8((attrelid::int8 << 32) # (attnum::int8 << 16) # atttypid::int8)", LASTING("attrelid")) \
    SUM("pg_rewrite", VERSION, "oid >= 16384 AND " LASTING("ev_class")) \
    SUM("pg_policy", VERSION, LASTING("polrelid")) \
    SUM("pg_inherits", VERSION, LASTING("inhrelid")) \
    SUM("pg_namespace", "hashname(nspname) # hashoid(oid)", "nspname !~ '^pg_(toast_)?temp_'") \
    SUM("pg_aggregate", VERSION, "aggfnoid >= 16384") \
    SUM("pg_trigger", VERSION, "tgfoid >= 16384 AND " LASTING("tgrelid")) \
    SUM("pg_attrdef", "hashoid(oid)", LASTING("adrelid")) \
    SUM("pg_constraint", "hashoid(oid)", "oid >= 16384 AND contype IN ('c', 'f', 'x') AND " LASTING("conrelid")) \
    SUM("pg_index", "hashoid(indexrelid)", \
        "indexrelid >= 16384 AND (indexprs IS NOT NULL OR indpred IS NOT NULL) AND " LASTING("indrelid")) \
    SUM("pg_type", VERSION, "oid >= 16384 AND typtype IN ('b', 'd', 'r') AND typcategory <> 'A'") \
    SUM("pg_operator", VERSION, "oid >= 16384") \
    SUM("pg_cast", "hashoid(oid)", "oid >= 16384") \
    SUM("pg_opclass", "hashoid(oid)", "oid >= 16384") \
    SUM("pg_amproc", "hashoid(oid)", "oid >= 16384") \
    SUM("pg_event_trigger", VERSION, "true") \
    "), extract(epoch FROM clock_timestamp() - statement_timestamp())"

/* Rows that were ever written to a catalogue, as the statistics know: sent by a backend a second after its
 * change, or when it ends. Before PostgreSQL 15 to ask is dear. */
#define WRITTEN(oid) \
    ", pg_stat_get_tuples_inserted(" oid "), pg_stat_get_tuples_updated(" oid "), pg_stat_get_tuples_deleted(" oid ")"

/* pg_proc, class, rewrite, trigger, attrdef, constraint, policy, inherits, type, operator, cast, namespace,
 * event_trigger. */
#define LOOK \
    "SELECT txid_current_snapshot()::text, CASE WHEN current_setting('server_version_num')::int >= 150000 THEN" \
    " concat_ws(' '" WRITTEN("1255") WRITTEN("1259") WRITTEN("2618") WRITTEN("2620") WRITTEN("2604") \
    WRITTEN("2606") WRITTEN("3256") WRITTEN("2611") WRITTEN("1247") WRITTEN("2617") WRITTEN("2605") \
    WRITTEN("2615") WRITTEN("3466") ") END"

const char catalogue_sql_prepare[] =
    "PREPARE rolecall_look AS " LOOK ";\n"
    "PREPARE rolecall_fingerprint AS " FINGERPRINT;

/* --- functions and relations --- */

#define OWN(oid, schema) \
    "(" oid " >= 16384 OR " schema " NOT IN ('pg_catalog', 'information_schema')) AND " schema " !~ '^pg_toast'"

/* Words of what cannot be asked for afterwards, in a text that is not read. */
#define SUSPICIOUS \
    "set_config|setseed|dblink_connect|replication_origin_session|\\mload\\s*(''|\\$)|\\mset\\s+(session\\s+)?\"?\\w+\"?\\."

/* Defaults of arguments are evaluated by the caller: they belong to the text. For a volatile function that is
 * a built-in one by another name, the text is a name that SQL has for it. Trigger functions cannot be called.
 */
#define FUNCTIONS(body) \
    "SELECT p.oid, n.nspname, p.proname, f.language,\n" \
    "  CASE WHEN p.prokind = 'p' THEN 'v' ELSE p.provolatile END, p.prokind = 'a',\n" \
    "  p.prorettype IN ('trigger'::regtype, 'event_trigger'::regtype),\n" \
    "  l.lanname NOT IN ('c', 'internal') AND (f.language = 'other' OR f.long) AND p.prosrc ~* '" SUSPICIOUS "',\n" \
    "  l.lanname NOT IN ('c', 'internal') AND (f.language = 'other' OR f.long) AND p.prosrc ~* 'currval|lastval',\n" \
    "  x.extname,\n" \
    "  CASE WHEN p.prokind = 'a' THEN NULL\n" \
    "    WHEN f.language = 'internal' AND p.provolatile = 'i' THEN p.prosrc\n" \
    "    WHEN f.language = 'internal' THEN coalesce((SELECT min(b.proname) FROM pg_proc b\n" \
    "      WHERE b.oid < 16384 AND b.prolang = p.prolang AND b.prosrc = p.prosrc), p.prosrc)\n" \
    "    WHEN f.language = 'text' AND NOT f.long\n" \
    "    THEN concat_ws(E'\\n;\\n', " body ", pg_get_expr(p.proargdefaults, 0)) END\n" \
    "FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang\n" \
    "  CROSS JOIN LATERAL (SELECT CASE WHEN l.lanname IN ('sql', 'plpgsql') THEN 'text'\n" \
    "    WHEN l.lanname = 'internal' THEN 'internal' ELSE 'other' END AS language,\n" \
    "    length(p.prosrc) > 65536 AS long) f\n" \
    "  LEFT JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'\n" \
    "  LEFT JOIN pg_extension x ON x.oid = d.refobjid\n" \
    "WHERE " OWN("p.oid", "n.nspname") LIMIT

const char catalogue_sql_functions[] = FUNCTIONS("coalesce(pg_get_function_sqlbody(p.oid), p.prosrc)");
const char catalogue_sql_functions_12[] = FUNCTIONS("p.prosrc");

/* Special are sequences and foreign tables; unlogged and temporary anything. */
const char catalogue_sql_relations[] =
    "SELECT c.oid, n.nspname, c.relname, c.relkind IN ('S', 'f') OR c.relpersistence <> 'p'\n"
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace\n"
    "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND " OWN("c.oid", "n.nspname") LIMIT;

/* --- what stands on what --- */

/* The functions and relations in a stored tree. */
#define CALLED(tree) \
    "(SELECT DISTINCT m[1]::oid AS oid FROM regexp_matches(" tree "::text," \
    " ':(?:funcid|aggfnoid|winfnoid) ([0-9]+)', 'g') m)"
#define NAMED(tree) \
    "(SELECT DISTINCT m[1]::oid AS oid FROM regexp_matches(" tree "::text, ':relid ([0-9]+)', 'g') m)"

#define VIEWS "pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class AND c.relkind = 'v' AND c.oid >= 16384"
#define POLICIES "pg_policy r JOIN pg_class c ON c.oid = r.polrelid AND c.relrowsecurity"

#define READS_FUNCTIONS(owner, from, tree) \
    "SELECT 'r', " owner ", 'f', x.oid, p.proname FROM " from \
    ", LATERAL " CALLED(tree) " x JOIN pg_proc p ON p.oid = x.oid\n"
#define READS_RELATIONS(owner, from, tree) \
    "SELECT 'r', " owner ", 'r', x.oid, d.relname FROM " from \
    ", LATERAL " NAMED(tree) " x JOIN pg_class d ON d.oid = x.oid WHERE x.oid <> " owner "\n"

/* Who has trees, and what stands on them: as the catalogue and oid that pg_depend knows, and as class and
 * oid here. A view's rule counts as a write, too, since most views can be written to. */
#define OWNERS \
    "owners(catalogue, object, class, oid) AS (\n" \
    "  SELECT 'pg_rewrite'::regclass, r.oid, 'w', r.ev_class FROM pg_rewrite r\n" \
    "    WHERE r.oid >= 16384 AND r.ev_enabled <> 'D'\n" \
    "  UNION ALL SELECT 'pg_rewrite'::regclass, r.oid, 'r', r.ev_class FROM " VIEWS "\n" \
    "  UNION ALL SELECT 'pg_policy'::regclass, r.oid, x.class, r.polrelid FROM " POLICIES \
    ", (VALUES ('r'), ('w')) x (class)\n" \
    "  UNION ALL SELECT 'pg_attrdef'::regclass, oid, 'w', adrelid FROM pg_attrdef\n" \
    "  UNION ALL SELECT 'pg_constraint'::regclass, oid, 'w', conrelid FROM pg_constraint\n" \
    "    WHERE oid >= 16384 AND contype IN ('c', 'x') AND conrelid <> 0\n" \
    "  UNION ALL SELECT 'pg_constraint'::regclass, oid, 't', contypid FROM pg_constraint\n" \
    "    WHERE oid >= 16384 AND contypid <> 0\n" \
    "  UNION ALL SELECT 'pg_class'::regclass, indexrelid, 'w', indrelid FROM pg_index\n" \
    "    WHERE indexrelid >= 16384 AND (indexprs IS NOT NULL OR indpred IS NOT NULL)\n" \
    "  UNION ALL SELECT 'pg_class'::regclass, partrelid, 'w', partrelid FROM pg_partitioned_table\n" \
    "    WHERE partexprs IS NOT NULL\n" \
    "  UNION ALL SELECT 'pg_trigger'::regclass, oid, 'w', tgrelid FROM pg_trigger\n" \
    "    WHERE tgfoid >= 16384 AND tgenabled <> 'D'\n" \
    "  UNION ALL SELECT 'pg_type'::regclass, oid, 't', oid FROM pg_type\n" \
    "    WHERE oid >= 16384 AND typtype = 'd' AND typdefaultbin IS NOT NULL)"

/* Views and policies; what is behind a write: triggers' functions and all trees, what a rule or a view leads
 * to, foreign keys with actions; partitions and children; support functions of indexes; aggregates; event
 * triggers. */
const char catalogue_sql_dependencies[] =
    "WITH " OWNERS "\n"
    READS_FUNCTIONS("r.ev_class", VIEWS, "r.ev_action")
    " UNION ALL " READS_RELATIONS("r.ev_class", VIEWS, "r.ev_action")
    " UNION ALL " READS_FUNCTIONS("r.polrelid", POLICIES, "r.polqual")
    " UNION ALL " READS_RELATIONS("r.polrelid", POLICIES, "r.polqual")
    " UNION ALL SELECT DISTINCT o.class, o.oid, CASE d.refclassid WHEN 'pg_proc'::regclass THEN 'f'\n"
    "   WHEN 'pg_operator'::regclass THEN 'o' ELSE 't' END, d.refobjid, ''\n"
    "  FROM owners o JOIN pg_depend d ON d.classid = o.catalogue AND d.objid = o.object AND d.deptype = 'n'\n"
    "  WHERE d.refobjid >= 16384 AND (d.refclassid IN ('pg_operator'::regclass, 'pg_type'::regclass)\n"
    "   OR (d.refclassid = 'pg_proc'::regclass AND o.class <> 'r'))\n"
    " UNION ALL SELECT DISTINCT 'w', r.ev_class, x.class, c.oid, c.relname FROM pg_rewrite r\n"
    "  JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid\n"
    "   AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class\n"
    "  JOIN pg_class c ON c.oid = d.refobjid, (VALUES ('r'), ('w')) x (class)\n"
    "  WHERE r.oid >= 16384 AND r.ev_enabled <> 'D' AND (x.class = 'w' OR r.ev_type <> '1')\n"
    " UNION ALL SELECT 'w', tgrelid, 'f', tgfoid, '' FROM pg_trigger WHERE tgfoid >= 16384 AND tgenabled <> 'D'\n"
    " UNION ALL SELECT DISTINCT 'w', confrelid, 'w', conrelid, '' FROM pg_constraint\n"
    "  WHERE contype = 'f' AND (confdeltype IN ('c', 'n', 'd') OR confupdtype IN ('c', 'n', 'd'))\n"
    " UNION ALL SELECT x.class, i.inhparent, x.class, c.oid, c.relname FROM pg_inherits i\n"
    "  JOIN pg_class c ON c.oid = i.inhrelid AND c.relkind IN ('r', 'p', 'f'), (VALUES ('r'), ('w')) x (class)\n"
    " UNION ALL SELECT DISTINCT x.class, i.indrelid, 'f', p.oid, p.proname FROM pg_index i\n"
    "  CROSS JOIN LATERAL unnest(i.indclass::oid[]) u (oid)\n"
    "  JOIN pg_opclass o ON o.oid = u.oid AND o.oid >= 16384\n"
    "  JOIN pg_amproc a ON a.amprocfamily = o.opcfamily JOIN pg_proc p ON p.oid = a.amproc AND p.oid >= 16384\n"
    "  JOIN pg_language l ON l.oid = p.prolang AND l.lanname IN ('sql', 'plpgsql'), (VALUES ('r'), ('w')) x (class)\n"
    " UNION ALL SELECT 'f', a.aggfnoid, 'f', p.oid, p.proname FROM pg_aggregate a JOIN pg_proc p\n"
    "  ON p.oid IN (a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn,\n"
    "   a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn) WHERE a.aggfnoid >= 16384\n"
    " UNION ALL SELECT 'd', 0, 'f', evtfoid, '' FROM pg_event_trigger WHERE evtenabled <> 'D'\n" LIMIT;

/* --- operators and types --- */

/* A cast that nobody writes belongs to whoever has such a value. One that is written names its target, and so
 * belongs to that; but when the target is PostgreSQL's own, whose name stands everywhere, rather to the
 * source. Of PostgreSQL's own types only casts count whose function may matter: columns of those are many.
 * Ranges, domains and operator classes likewise. */
#define TYPE_EDGES \
    "edges(class, oid, to_class, to_oid) AS MATERIALIZED (\n" \
    "  SELECT 't', c.casttarget, 'f', c.castfunc FROM pg_cast c WHERE c.oid >= 16384 AND c.castfunc <> 0\n" \
    "    AND (c.casttarget >= 16384 OR (c.castsource < 16384 AND c.castfunc IN (SELECT oid FROM telling)))\n" \
    "  UNION ALL SELECT 'v', c.castsource, 'f', c.castfunc FROM pg_cast c\n" \
    "    WHERE c.oid >= 16384 AND c.castfunc <> 0\n" \
    "    AND (c.castcontext = 'i' OR (c.casttarget < 16384 AND c.castsource >= 16384))\n" \
    "    AND (c.castsource >= 16384 OR c.castfunc IN (SELECT oid FROM telling))\n" \
    "  UNION ALL SELECT x.class, t.oid, x.class, coalesce(nullif(b.typelem, 0), b.oid) FROM pg_type t\n" \
    "    JOIN pg_type b ON b.oid = t.typbasetype, (VALUES ('t'), ('v')) x (class)\n" \
    "    WHERE t.oid >= 16384 AND t.typtype = 'd'\n" \
    "  UNION ALL SELECT x.class, rngtypid, x.class, rngsubtype FROM pg_range, (VALUES ('t'), ('v')) x (class)\n" \
    "    WHERE rngtypid >= 16384\n" \
    "  UNION ALL SELECT 't', rngtypid, 'f', rngcanonical FROM pg_range WHERE rngtypid >= 16384 AND rngcanonical <> 0\n" \
    "  UNION ALL SELECT 'v', rngtypid, 'f', rngsubdiff FROM pg_range WHERE rngtypid >= 16384 AND rngsubdiff <> 0\n" \
    "  UNION ALL SELECT 'v', o.opcintype, 'f', a.amproc FROM pg_opclass o JOIN pg_amproc a ON a.amprocfamily = o.opcfamily\n" \
    "    WHERE o.oid >= 16384 AND o.opcdefault AND (o.opcintype >= 16384 OR a.amproc IN (SELECT oid FROM telling))\n" \
    "  UNION ALL SELECT 'v', o.opcintype, 'o', a.amopopr FROM pg_opclass o JOIN pg_amop a ON a.amopfamily = o.opcfamily\n" \
    "    WHERE o.oid >= 16384 AND o.opcdefault AND o.opcintype >= 16384 AND a.amopopr >= 16384\n" \
    "  UNION ALL SELECT CASE WHEN p.oid IN (t.typinput, t.typreceive) THEN 't' ELSE 'v' END, t.oid, 'f', p.oid\n" \
    "    FROM pg_type t JOIN pg_proc p ON p.oid IN (t.typinput, t.typreceive, t.typoutput, t.typsend)\n" \
    "    WHERE t.oid >= 16384 AND t.typtype = 'b' AND p.oid >= 16384 AND p.provolatile = 'v')"

/* The types that have edges, those of columns of such a type, and so on; each also as an array. */
#define TYPES \
    "RECURSIVE telling(oid) AS MATERIALIZED (SELECT p.oid FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang\n" \
    "  WHERE p.oid >= 16384 AND (l.lanname IN ('sql', 'plpgsql') OR p.provolatile <> 'i')),\n" \
    TYPE_EDGES ",\n" \
    "wanted(oid, typarray) AS (\n" \
    "  SELECT oid, typarray FROM pg_type WHERE oid IN (SELECT oid FROM edges) OR (oid >= 16384 AND typtype = 'd')\n" \
    "  UNION SELECT t.oid, t.typarray FROM wanted w CROSS JOIN LATERAL unnest(ARRAY[w.oid, w.typarray]) u (oid)\n" \
    "    JOIN pg_attribute a ON a.atttypid = u.oid AND u.oid <> 0 AND a.attrelid >= 16384 AND NOT a.attisdropped\n" \
    "    JOIN pg_class c ON c.oid = a.attrelid JOIN pg_type t ON t.oid = c.reltype),\n" \
    "forms(form, oid) AS MATERIALIZED (\n" \
    "  SELECT oid, oid FROM wanted UNION ALL SELECT typarray, oid FROM wanted WHERE typarray <> 0),\n" \
    "columns(relation, rowtype, type) AS MATERIALIZED (\n" \
    "  SELECT DISTINCT c.oid, c.reltype, f.oid FROM forms f JOIN pg_attribute a ON a.atttypid = f.form\n" \
    "    AND a.attrelid >= 16384 AND a.attnum > 0 AND NOT a.attisdropped\n" \
    "  JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c'))"

const char catalogue_sql_types[] =
    "WITH " TYPES "\n"
    "SELECT e.class, e.oid, e.to_class, e.to_oid, p.proname, NULL FROM edges e\n"
    "  LEFT JOIN pg_proc p ON e.to_class = 'f' AND p.oid = e.to_oid\n"
    " UNION ALL SELECT 't', t.oid, '=', 0, t.typname, n.nspname FROM wanted w JOIN pg_type t ON t.oid = w.oid\n"
    "  JOIN pg_namespace n ON n.oid = t.typnamespace\n"
    " UNION ALL SELECT 'r', relation, 'v', type, '', NULL FROM columns\n"
    " UNION ALL SELECT 'w', relation, 't', type, '', NULL FROM columns\n"
    " UNION ALL SELECT x.class, rowtype, x.class, type, '', NULL FROM columns, (VALUES ('t'), ('v')) x (class)\n"
    " UNION ALL SELECT DISTINCT 'f', p.oid, 't', f.oid, '', NULL FROM pg_proc p\n"
    "  CROSS JOIN LATERAL unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) u (oid)\n"
    "  JOIN forms f ON f.form = u.oid AND f.oid >= 16384 WHERE p.oid >= 16384\n"
    " UNION ALL SELECT 'f', p.oid, x.class, f.oid, '', NULL FROM pg_proc p JOIN forms f ON f.form = p.prorettype,\n"
    "  (VALUES ('t'), ('v')) x (class) WHERE p.oid >= 16384 AND (x.class = 'v' OR f.oid >= 16384)\n"
    " UNION ALL SELECT 'o', oid, '=', 0, oprname, '' FROM pg_operator WHERE oid >= 16384\n"
    " UNION ALL SELECT 'o', o.oid, 'f', p.oid, p.proname, NULL FROM pg_operator o JOIN pg_proc p ON p.oid = o.oprcode\n"
    "  WHERE o.oid >= 16384\n"
    " UNION ALL SELECT 'o', o.oid, 'v', f.oid, '', NULL FROM pg_operator o JOIN forms f ON f.form = o.oprresult\n"
    "  WHERE o.oid >= 16384\n" LIMIT;

/* --- calls of PostgreSQL's own functions that change a session --- */

/* The names are those of router/sql/builtins.h that pin; a test compares them. */
#define CALLS(class, owner, tree, text, from) \
    "SELECT " class ", " owner ", p.proname, CASE WHEN p.proname = 'set_config' THEN " text " END\n" \
    "  FROM calls s, " from ", LATERAL (SELECT DISTINCT m[1]::oid AS oid\n" \
    "    FROM regexp_matches(" tree ", s.pattern, 'g') m) x JOIN pg_proc p ON p.oid = x.oid\n"
#define HAS_CALL(tree) tree "::text LIKE '%{FUNCEXPR%'"

/* The text, for set_config(), whose arguments say what it does. */
const char catalogue_sql_calls[] =
    "WITH calls AS MATERIALIZED (SELECT concat(':funcid (', string_agg(oid::text, '|'), ') ') AS pattern FROM pg_proc\n"
    " WHERE pronamespace = 'pg_catalog'::regnamespace AND proname IN (" CATALOGUE_PINNING_FUNCTIONS "))\n"
    CALLS("'r'", "r.ev_class", "r.ev_action::text", "pg_get_ruledef(r.oid)", VIEWS)
    " UNION ALL "
    CALLS("'w'", "r.ev_class", "concat(r.ev_qual, r.ev_action)", "pg_get_ruledef(r.oid)",
        "(SELECT * FROM pg_rewrite WHERE oid >= 16384 AND ev_enabled <> 'D') r")
    " UNION ALL "
    CALLS("'r'", "r.polrelid", "r.polqual::text", "pg_get_expr(r.polqual, r.polrelid)", POLICIES)
    " UNION ALL "
    CALLS("'w'", "r.polrelid", "concat(r.polqual, r.polwithcheck)", "concat_ws(E'\\n;\\n',"
        " pg_get_expr(r.polqual, r.polrelid), pg_get_expr(r.polwithcheck, r.polrelid))", POLICIES)
    " UNION ALL "
    CALLS("'w'", "d.adrelid", "d.adbin::text", "pg_get_expr(d.adbin, d.adrelid)",
        "(SELECT * FROM pg_attrdef WHERE " HAS_CALL("adbin") ") d")
    " UNION ALL "
    CALLS("CASE WHEN c.contypid = 0 THEN 'w' ELSE 't' END", "greatest(c.conrelid, c.contypid)",
        "c.conbin::text", "pg_get_constraintdef(c.oid)",
        "(SELECT * FROM pg_constraint WHERE oid >= 16384 AND contype = 'c' AND " HAS_CALL("conbin") ") c")
    " UNION ALL "
    CALLS("'t'", "t.oid", "t.typdefaultbin::text", "pg_get_expr(t.typdefaultbin, 0)",
        "(SELECT * FROM pg_type WHERE oid >= 16384 AND typdefaultbin IS NOT NULL) t")
    " UNION ALL "
    CALLS("'w'", "i.indrelid", "concat(i.indexprs, i.indpred)", "pg_get_indexdef(i.indexrelid)",
        "(SELECT * FROM pg_index WHERE indexrelid >= 16384 AND (indexprs IS NOT NULL OR indpred IS NOT NULL)) i")
    " UNION ALL "
    CALLS("'w'", "g.tgrelid", "g.tgqual::text", "pg_get_triggerdef(g.oid)",
        "(SELECT * FROM pg_trigger WHERE tgfoid >= 16384 AND tgqual IS NOT NULL AND tgenabled <> 'D') g") LIMIT;

/* clang-format on */
