/*
 * Compares the router's lexer and classifier with PostgreSQL's own parser (libpg_query).
 *
 *     lexer_oracle [--mutate N [SEED]] < strings      query strings, each with a NUL behind it
 *
 * For each string: (a) the tokens are the same, place by place; (b) what is classed as a read is one by the
 * parse tree: only SELECT, VALUES, TABLE, EXPLAIN and COPY TO STDOUT, no INTO, no row lock, no data-modifying
 * statement anywhere, no function and no view that is not known to be harmless; (c) of what the parse tree
 * shows to be such a read, most is classed so; (d) flags and the number of statements agree. With --mutate, N
 * tokens of each query are replaced by a call of an unknown function, one at a time: wherever PostgreSQL
 * parses a call, the verdict must not be a read. Prints the figures; exit 1 when (a), (b) or (d) fail once or
 * (c) falls below 95 %. Flags, pins, frees and the names of settings may be more than the tree says, not
 * less.
 */
#include "router/classify.h"
#include "router/setting.h"
#include "router/sql/builtins.h"
#include "router/sql/lex.h"
#include "router/sql/set_clause.h"

#include <jansson.h>
#include <pg_query.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Numbers of libpg_query's tokens (pg_query.proto, enum Token). */
enum { UIDENT = 259, USCONST = 262, SQL_COMMENT = 275, C_COMMENT = 276 };

struct figures {
    unsigned long strings, scanned, tokens, parsed, reads, oracle_reads, both, mutants, mutant_calls,
        settings;
    unsigned long violations;
};

static void violation(struct figures *figures, const char *what, const char *text)
{
    if (figures->violations++ < 40)
        printf("VIOLATION %s: %.300s\n", what, text);
}

/* One ScanToken of the protobuf message: fields 1 start, 2 end, 4 token. */
struct scan_token {
    uint64_t start, end, token;
};

static uint64_t varint(const unsigned char **at)
{
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
        unsigned char byte = *(*at)++;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80)
            return value;
    }
}

/* The next token of a ScanResult; false at its end. Comments are left out. */
static bool next_scan_token(const unsigned char **at, const unsigned char *end, struct scan_token *out)
{
    while (*at < end) {
        uint64_t tag = varint(at);
        uint64_t len = varint(at);
        if (tag != (2 << 3 | 2)) /* the version */
            continue;
        const unsigned char *last = *at + len;
        *out = (struct scan_token){0, 0, 0};
        while (*at < last) {
            uint64_t field = varint(at) >> 3, value = varint(at);
            if (field == 1)
                out->start = value;
            else if (field == 2)
                out->end = value;
            else if (field == 4)
                out->token = value;
        }
        if (out->token != SQL_COMMENT && out->token != C_COMMENT)
            return true;
    }
    return false;
}

/* The kinds of ours that a token of PostgreSQL's may have. */
static bool same_kind(uint64_t theirs, const struct token *ours)
{
    switch (theirs) {
    case 258: return ours->kind == TOKEN_QUOTED || (ours->kind == TOKEN_WORD && ours->keyword == NO_KEYWORD);
    case UIDENT: return ours->kind == TOKEN_UNICODE;
    case 260:
    case 266: return ours->kind == TOKEN_NUMBER;
    case 261: return ours->kind == TOKEN_STRING;
    case USCONST: return ours->kind == TOKEN_UNICODE_STRING;
    case 263:
    case 264: return ours->kind == TOKEN_BITS;
    case 265:
    case 272:
    case 273:
    case 274: return ours->kind == TOKEN_OPERATOR;
    case 267: return ours->kind == TOKEN_PARAMETER;
    case 268: return ours->kind == TOKEN_TYPECAST;
    case 269: return ours->kind == TOKEN_DOT_DOT;
    case 270: return ours->kind == TOKEN_COLON_EQUALS;
    case 271: return ours->kind == TOKEN_EQUALS_GREATER;
    default: return theirs < 256 ? ours->character == (char)theirs : ours->keyword != NO_KEYWORD;
    }
}

static void compare_tokens(const char *text, struct figures *figures)
{
    PgQueryScanResult scan = pg_query_scan(text);
    const unsigned char *at = (const unsigned char *)scan.pbuf.data, *end = at + scan.pbuf.len;
    struct lexer lexer;
    lex_init(&lexer, slice_from(text), true);
    bool refused = scan.error != NULL;
    while (!refused) {
        struct scan_token theirs;
        struct token ours = lex_next(&lexer);
        bool more = next_scan_token(&at, end, &theirs);
        if (!more) {
            if (ours.kind != TOKEN_END)
                violation(figures, "token past the end", text);
            break;
        }
        figures->tokens++;
        if (ours.kind == TOKEN_ERROR && theirs.token < 256 && !strchr(",()[].;:+-*/%^<>=", (int)theirs.token))
            break; /* a character that begins no token: PostgreSQL's grammar refuses it a little later */
        /* The scan gives Unicode names and strings no right end; the next token's start shows where they end.
         */
        bool no_end = theirs.token == UIDENT || theirs.token == USCONST;
        if (ours.kind == TOKEN_END || (uint64_t)(ours.text.data - text) != theirs.start ||
            (!no_end && theirs.start + ours.text.len != theirs.end) || !same_kind(theirs.token, &ours)) {
            printf("  at %lu-%lu token %lu, ours kind %d '%.*s'\n", (unsigned long)theirs.start,
                (unsigned long)theirs.end, (unsigned long)theirs.token, (int)ours.kind, (int)ours.text.len,
                ours.text.data);
            violation(figures, "tokens differ", text);
            break;
        }
    }
    figures->scanned += !refused;
    pg_query_free_scan_result(scan);
}

static const char *last_name(const json_t *names, const char **schema)
{
    size_t count = json_array_size(names);
    const char *name = NULL;
    *schema = NULL;
    if (count > 0)
        name = json_string_value(
            json_object_get(json_object_get(json_array_get(names, count - 1), "String"), "sval"));
    if (count > 1)
        *schema = json_string_value(
            json_object_get(json_object_get(json_array_get(names, count - 2), "String"), "sval"));
    return name ? name : "";
}

static bool harmless_function(const json_t *names)
{
    const char *schema, *name = last_name(names, &schema);
    bool shipped = !schema || strcmp(schema, "pg_catalog") == 0 || strcmp(schema, "information_schema") == 0;
    return shipped && builtin_function(slice_from(name)) == NAME_HARMLESS;
}

static bool harmless_relation(const json_t *relation)
{
    const char *name = json_string_value(json_object_get(relation, "relname"));
    const char *schema = json_string_value(json_object_get(relation, "schemaname"));
    if (schema && strncmp(schema, "pg_temp", 7) == 0)
        return false;
    return !name || (schema && strcmp(schema, "pg_catalog") != 0) ||
           builtin_relation(slice_from(name)) != NAME_SPECIAL;
}

struct seen {
    bool changes;  /* data-modifying statement, INTO, row lock */
    bool unknown;  /* a function or relation not known to be harmless */
    bool function; /* ... a function */
};

/* Walks the parse tree, key by key. `plan`: EXPLAIN without ANALYZE. */
static void see(const json_t *node, bool plan, struct seen *seen)
{
    const char *key;
    json_t *value;
    size_t i;
    if (json_is_array(node))
        json_array_foreach((json_t *)node, i, value) see(value, plan, seen);
    if (!json_is_object(node))
        return;
    json_object_foreach((json_t *)node, key, value)
    {
        if (!strcmp(key, "InsertStmt") || !strcmp(key, "UpdateStmt") || !strcmp(key, "DeleteStmt") ||
            !strcmp(key, "MergeStmt") || !strcmp(key, "lockingClause"))
            seen->changes |= !plan;
        if (!strcmp(key, "intoClause"))
            seen->changes = true;
        if ((!strcmp(key, "FuncCall") && !harmless_function(json_object_get(value, "funcname"))) ||
            (!strcmp(key, "RangeTableSample") && !harmless_function(json_object_get(value, "method"))))
            seen->unknown = seen->function = true;
        if (!strcmp(key, "RangeVar") && !harmless_relation(value))
            seen->unknown = true;
        if (!strcmp(key, "relation") && json_object_get(value, "relname") && !harmless_relation(value))
            seen->unknown = true;
        see(value, plan, seen);
    }
}

static bool option_is_on(const json_t *options, const char *name)
{
    size_t i;
    json_t *item;
    bool on = false;
    json_array_foreach((json_t *)options, i, item)
    {
        json_t *option = json_object_get(item, "DefElem");
        const char *found = json_string_value(json_object_get(option, "defname"));
        if (!found || strcmp(found, name) != 0)
            continue;
        char *arg = json_object_get(option, "arg")
                        ? json_dumps(json_object_get(option, "arg"), JSON_ENCODE_ANY)
                        : NULL;
        on |= !arg || !(strstr(arg, "\"off\"") || strstr(arg, "\"false\"") || strstr(arg, "\"ival\": {}"));
        free(arg);
    }
    return on;
}

/* True when a statement is a read by its tree; `seen` tells what of its names. */
static bool reads(const json_t *statement, struct seen *seen)
{
    const char *kind = json_object_iter_key(json_object_iter((json_t *)statement));
    const json_t *body = json_object_get(statement, kind ? kind : "");
    bool plan = false;
    *seen = (struct seen){0};
    if (kind && !strcmp(kind, "ExplainStmt")) {
        plan = !option_is_on(json_object_get(body, "options"), "analyze");
        statement = json_object_get(body, "query");
        kind = json_object_iter_key(json_object_iter((json_t *)statement));
        if (plan && kind && strcmp(kind, "SelectStmt") != 0 && strcmp(kind, "InsertStmt") != 0 &&
            strcmp(kind, "UpdateStmt") != 0 && strcmp(kind, "DeleteStmt") != 0 &&
            strcmp(kind, "MergeStmt") != 0)
            return false;
        if (!plan && kind && strcmp(kind, "SelectStmt") != 0)
            return false;
    } else if (kind && !strcmp(kind, "CopyStmt")) {
        if (json_is_true(json_object_get(body, "is_from")) || json_object_get(body, "filename"))
            return false;
    } else if (!kind || strcmp(kind, "SelectStmt") != 0) {
        return false;
    }
    see(statement, plan, seen);
    return !seen->changes;
}

static uint32_t transaction_flag(const char *kind)
{
    if (!strcmp(kind, "TRANS_STMT_BEGIN") || !strcmp(kind, "TRANS_STMT_START"))
        return STATEMENT_BEGIN;
    if (!strcmp(kind, "TRANS_STMT_COMMIT") || !strcmp(kind, "TRANS_STMT_PREPARE") ||
        !strcmp(kind, "TRANS_STMT_COMMIT_PREPARED"))
        return STATEMENT_COMMIT;
    return !strcmp(kind, "TRANS_STMT_ROLLBACK") ? STATEMENT_ROLLBACK : 0;
}

/* What all statements of a string must be found to leave: what is certain from their kinds. */
struct left {
    uint32_t flags, pins, frees;
    char names[1024]; /* settings of the session, each with a line's end behind it */
};

static void add_name(void *context, struct slice name)
{
    struct left *left = context;
    size_t len = strlen(left->names);
    snprintf(left->names + len, sizeof left->names - len, "%.*s\n", (int)name.len, name.data);
}

/* SET and RESET. libpg_query gives the multi-word forms the names of their settings, as PostgreSQL does. */
static void expect_setting(const json_t *body, struct left *left)
{
    const char *kind = json_string_value(json_object_get(body, "kind"));
    const char *name = json_string_value(json_object_get(body, "name"));
    bool local = json_is_true(json_object_get(body, "is_local"));
    bool multi = !strcmp(kind, "VAR_SET_MULTI"), all = !strcmp(kind, "VAR_RESET_ALL");
    bool characteristics = multi && !strcmp(name, "SESSION CHARACTERISTICS");
    if (all)
        left->flags |= STATEMENT_RESETS | STATEMENT_SETS_PARSING;
    if (all || (multi && !characteristics) || setting_ends_with_transaction(slice_from(name)) ||
        setting_is_fixed(slice_from(name)))
        return;
    if (!multi && setting_matters_when_parsing(slice_from(name)))
        left->flags |= STATEMENT_SETS_PARSING;
    if (local)
        return;
    bool back = !strcmp(kind, "VAR_RESET") || !strcmp(kind, "VAR_SET_DEFAULT");
    if (!strcasecmp(name, "seed")) {
        left->pins |= back ? 0 : PIN_FUNCTION;
        return;
    }
    left->flags |= back ? STATEMENT_SETS_ANY : STATEMENT_SETS;
    char folded[SETTING_NAME_MAX];
    struct slice known = slice_from("default_transaction_read_only");
    if (characteristics || setting_name_fold(slice_from(name), folded, &known))
        add_name(left, known);
}

static void expect_discard(const char *target, struct left *left)
{
    if (!strcmp(target, "DISCARD_ALL")) {
        left->flags |= STATEMENT_RESET_ALL | STATEMENT_RESETS | STATEMENT_SETS_PARSING;
        left->frees |= PIN_ASKABLE | PIN_SEQUENCE | PIN_SETTING;
    } else if (!strcmp(target, "DISCARD_TEMP")) {
        left->frees |= PIN_TEMPORARY;
    } else if (!strcmp(target, "DISCARD_SEQUENCES")) {
        left->frees |= PIN_SEQUENCE;
    }
}

static void expect_freed(const json_t *statement, uint32_t *frees)
{
    static const struct {
        const char *kind;
        uint32_t frees;
    } rows[] = {{"UnlistenStmt", PIN_LISTEN}, {"ClosePortalStmt", PIN_CURSOR},
        {"DeallocateStmt", PIN_PREPARE}, {"DropStmt", PIN_TEMPORARY}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (json_object_get(statement, rows[i].kind))
            *frees |= rows[i].frees;
}

/* What the tree says of a statement beside reading. */
static void expect(const json_t *statement, struct left *left)
{
    uint32_t *flags = &left->flags, *pins = &left->pins;
    const json_t *body;
    expect_freed(statement, &left->frees);
    if ((body = json_object_get(statement, "TransactionStmt")))
        *flags |= transaction_flag(json_string_value(json_object_get(body, "kind")));
    if ((body = json_object_get(statement, "VariableSetStmt")))
        expect_setting(body, left);
    if (json_object_get(statement, "ListenStmt"))
        *pins |= PIN_LISTEN;
    if (json_object_get(statement, "LoadStmt"))
        *pins |= PIN_LOAD;
    if (json_object_get(statement, "PrepareStmt"))
        *pins |= PIN_PREPARE;
    if (json_object_get(statement, "DoStmt") || json_object_get(statement, "CallStmt"))
        *flags |= STATEMENT_CALL;
    if ((body = json_object_get(statement, "CopyStmt")) && json_is_true(json_object_get(body, "is_from")) &&
        !json_object_get(body, "filename"))
        *flags |= STATEMENT_COPY_FROM;
    if ((body = json_object_get(statement, "DiscardStmt")))
        expect_discard(json_string_value(json_object_get(body, "target")), left);
    if ((body = json_object_get(statement, "CreateStmt"))) {
        const char *kind =
            json_string_value(json_object_get(json_object_get(body, "relation"), "relpersistence"));
        *pins |= kind && !strcmp(kind, "t") ? PIN_TEMPORARY : 0;
    }
}

#define CHECKED_FLAGS                                                                                        \
    (STATEMENT_BEGIN | STATEMENT_COMMIT | STATEMENT_ROLLBACK | STATEMENT_CALL | STATEMENT_COPY_FROM |        \
        STATEMENT_RESET_ALL | STATEMENT_RESETS)

/* All statements of the string by the tree. False when it is not parsed. */
struct opinion {
    size_t statements;
    bool reads, known, call;
    struct left left;
};

static bool ask(const char *text, struct opinion *opinion)
{
    PgQueryParseResult parsed = pg_query_parse(text);
    json_t *tree = parsed.error ? NULL : json_loads(parsed.parse_tree, JSON_DECODE_ANY, NULL);
    pg_query_free_parse_result(parsed);
    if (!tree)
        return false;
    const json_t *statements = json_object_get(tree, "stmts");
    *opinion = (struct opinion){.statements = json_array_size(statements), .reads = true, .known = true};
    for (size_t i = 0; i < opinion->statements; i++) {
        const json_t *statement = json_object_get(json_array_get(statements, i), "stmt");
        struct seen seen;
        opinion->reads &= reads(statement, &seen);
        opinion->known &= !seen.unknown;
        opinion->call |= seen.function;
        expect(statement, &opinion->left);
    }
    json_decref(tree);
    return true;
}

/* Every setting that the tree names is told; that one too many is told does no harm. */
static void compare_names(const char *text, const struct left *theirs, struct figures *figures)
{
    struct left ours = {.names = "\n"};
    char name[SETTING_NAME_MAX + 2];
    setting_names(slice_from(text), true, &ours, add_name);
    for (const char *at = theirs->names, *end; (end = strchr(at, '\n')); at = end + 1) {
        snprintf(name, sizeof name, "\n%.*s", (int)(end + 1 - at), at);
        figures->settings++;
        if (!strstr(ours.names, name))
            violation(figures, "a setting is not told", text);
    }
}

static void judge(const char *text, const struct catalogue *catalogue, struct figures *figures)
{
    struct opinion theirs;
    struct classification ours;
    classify(slice_from(text), catalogue, true, &ours);
    if (!ask(text, &theirs) || theirs.statements == 0)
        return;
    figures->parsed++;
    if (ours.statements != theirs.statements)
        violation(figures, "another number of statements", text);
    if ((ours.flags & CHECKED_FLAGS) != (theirs.left.flags & CHECKED_FLAGS))
        violation(figures, "other flags", text);
    if ((ours.flags & theirs.left.flags) != theirs.left.flags)
        violation(figures, "a flag is missing", text);
    if ((ours.pins & theirs.left.pins) != theirs.left.pins)
        violation(figures, "a pin is missing", text);
    if ((ours.frees & theirs.left.frees) != theirs.left.frees)
        violation(figures, "what is freed is missing", text);
    compare_names(text, &theirs.left, figures);
    bool safe = theirs.reads && theirs.known;
    figures->oracle_reads += safe;
    figures->reads += ours.class == STATEMENT_READ;
    figures->both += safe && ours.class == STATEMENT_READ;
    if (ours.class == STATEMENT_READ && !safe)
        violation(figures, "classed as a read", text);
    if (safe && ours.class != STATEMENT_READ && getenv("ORACLE_SHOW_MISSED"))
        printf("missed (%s, %.*s): %.200s\n", reason_name(ours.reason), (int)ours.culprit.len,
            ours.culprit.data, text);
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

/* Replaces a token by another text, or puts the text behind it. The caller frees. */
static char *mutant(const char *text, const struct token *token, bool replace, const char *with)
{
    size_t before = (size_t)(token->text.data - text) + (replace ? 0 : token->text.len);
    size_t after = (size_t)(token->text.data - text) + token->text.len;
    char *out = NULL;
    if (asprintf(&out, "%.*s %s %s", (int)before, text, with, text + after) < 0)
        abort();
    return out;
}

static void mutate(const char *text, const struct catalogue *catalogue, unsigned count, uint64_t *random,
    struct figures *figures)
{
    static const char *const calls[] = {"evil(1)", "evil_schema.evil(a)", "\"evil\"(1)",
        "U&\"!0065vil\" uescape '!' (1)", "(evil(1))", ", evil(1)", "(delete from evil returning 1)",
        "as (update evil set a = 1 returning 1)", "for update", "into evil", "join(1)", "cube(1)",
        "rollup(1, 2)", "operator(*)", "operator(a.b)", "ilike(1, 2)", "first(1)", "next(1)", "path evil(1)",
        "zone(1)", "by(1)", "second(1)", "sets(1)", "over(1)", "filter(1)", "escape(1)", "materialized(1)",
        "varying(1)", "conflict(1)", "repeatable(1)", "on evil(1)", "distinct on (1) evil(1)",
        "escape evil(1)", "passing evil(1)", "rows evil(1) preceding", "group by cube(1), rollup(rollup(1))",
        "evil.system_user(1)", "time zone evil(1)", "operator(pg_catalog.+) evil(1)", "collate evil",
        "similar to second(1)", "tablesample evil(1)", "default evil(1)", "fetch first evil(1) rows only",
        "with e(a) as (select 1) select evil(1)", "union select cube(1)", "order by join(1)",
        "(select distinct cube(1))", "(with e as (insert into evil values (1) returning 1) select 1)"};
    struct token tokens[512];
    struct lexer lexer;
    size_t n = 0;
    lex_init(&lexer, slice_from(text), true);
    for (struct token token = lex_next(&lexer);
         n < 512 && token.kind != TOKEN_END && token.kind != TOKEN_ERROR; token = lex_next(&lexer))
        tokens[n++] = token;
    for (unsigned i = 0; i < count && n > 1; i++) {
        const struct token *token = &tokens[1 + next_random(random) % (n - 1)];
        const char *call = calls[next_random(random) % (sizeof calls / sizeof *calls)];
        char *changed = mutant(text, token, next_random(random) & 1, call);
        struct classification ours;
        struct opinion theirs;
        classify(slice_from(changed), catalogue, true, &ours);
        figures->mutants++;
        if (ours.class == STATEMENT_READ && ask(changed, &theirs) && (!theirs.reads || !theirs.known))
            violation(figures, "a mutant is classed as a read", changed);
        figures->mutant_calls += ours.class != STATEMENT_READ;
        free(changed);
    }
}

static char *read_all(size_t *len)
{
    size_t size = 1 << 20;
    char *data = malloc(size);
    for (*len = 0; data;) {
        size_t got = fread(data + *len, 1, size - *len, stdin);
        if (got == 0)
            return data;
        *len += got;
        if (*len == size)
            data = realloc(data, size *= 2);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    unsigned mutations = argc >= 3 && strcmp(argv[1], "--mutate") == 0 ? (unsigned)atoi(argv[2]) : 0;
    struct figures figures = {0};
    struct catalogue *catalogue = catalogue_new("oracle", "oracle");
    size_t len;
    char *data = read_all(&len);
    uint64_t random = 88172645463325252u + (argc == 4 ? strtoull(argv[3], NULL, 10) : 0);
    for (char *text = data; text && text < data + len; text += strlen(text) + 1) {
        figures.strings++;
        compare_tokens(text, &figures);
        judge(text, catalogue, &figures);
        mutate(text, catalogue, mutations, &random, &figures);
    }
    free(data);
    catalogue_unref(catalogue);
    double share = figures.oracle_reads ? 100.0 * (double)figures.both / (double)figures.oracle_reads : 0;
    printf("strings %lu, scanned by PostgreSQL %lu (%lu tokens compared), parsed %lu\n", figures.strings,
        figures.scanned, figures.tokens, figures.parsed);
    printf("reads: by the tree %lu, classed %lu, both %lu (%.2f %%)\n", figures.oracle_reads, figures.reads,
        figures.both, share);
    printf("settings %lu\n", figures.settings);
    printf("mutants %lu (%lu not classed as reads)\n", figures.mutants, figures.mutant_calls);
    printf("violations %lu\n", figures.violations);
    return figures.violations > 0 || figures.parsed == 0 || share < 95;
}
