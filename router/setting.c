/*
 * Which settings a text changes, and which matter when a statement is parsed; see setting.h.
 *
 * setting_names() goes over the tokens once: SET and RESET where a statement begins, set_config() anywhere,
 * DO by the reader of functions' texts. It may tell a name too many (of a statement that fails, or that is
 * only planned), which costs a question; none too few, as far as the text says them.
 *
 * The list of what does not matter holds only what is read when a statement is planned or run. Prepared
 * statements that differ in nothing else are the same statement. What is not in it matters: search_path and
 * role decide what names mean, DateStyle, IntervalStyle, TimeZone, timezone_abbreviations, lc_*, xmloption,
 * array_nulls, default_text_search_config how constants are read, standard_conforming_strings,
 * backslash_quote, escape_string_warning, transform_null_equals and client_encoding how the text itself is,
 * extra_float_digits, bytea_output, xmlbinary and quote_all_identifiers what casts to text give;
 * row_security, session_replication_role and restrict_nonsystem_relation_kind how queries are rewritten;
 * check_function_bodies is seldom set and left there.
 */
#include "router/setting.h"

#include "router/sql/function_text.h"
#include "router/sql/inline_code.h"
#include "router/sql/name.h"
#include "router/sql/set_clause.h"
#include "router/sql/set_config.h"

#include <string.h>

/* ---- what matters ---- */

/* tests/oracle/settings.py compares these with pg_settings. */
static const char *const harmless_beginnings[] = {
    "cpu_",
    "debug_",
    "default_transaction_",
    "effective_",
    "enable_",
    "geqo",
    "jit",
    "log_",
    "maintenance_",
    "max_parallel_",
    "min_parallel_",
    "parallel_",
    "tcp_",
    "trace_",
    "track_",
    "transaction_",
    "vacuum_",
    "wal_",
};
static const char *const harmless_endings[] = {"_cost", "_timeout"};
static const char *const harmless_names[] = {
    "application_name",
    "backend_flush_after",
    "backtrace_functions",
    "client_connection_check_interval",
    "client_min_messages",
    "commit_delay",
    "commit_siblings",
    "compute_query_id", /* a statement shared has the first one's */
    "constraint_exclusion",
    "createrole_self_grant",
    "cursor_tuple_fraction",
    "default_statistics_target",
    /* where CREATE TABLE puts what it makes: read when it runs */
    "default_table_access_method",
    "default_tablespace",
    "default_toast_compression",
    "temp_tablespaces",
    "exit_on_error",
    "force_parallel_mode",
    "from_collapse_limit",
    "gin_fuzzy_search_limit",
    "gin_pending_list_limit",
    "hash_mem_multiplier",
    "io_combine_limit",
    "join_collapse_limit",
    "logical_decoding_work_mem",
    "max_stack_depth",
    "password_encryption",
    "plan_cache_mode",
    "recursive_worktable_factor",
    "scram_iterations",
    "seed",
    "stats_fetch_consistency",
    "synchronize_seqscans",
    "synchronous_commit",
    "temp_buffers",
    "temp_file_limit",
    "update_process_title",
    "work_mem",
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static bool begins(struct slice name, const char *with)
{
    size_t len = strlen(with);
    return name.len >= len && memcmp(name.data, with, len) == 0;
}

static bool ends(struct slice name, const char *with)
{
    size_t len = strlen(with);
    return name.len >= len && memcmp(name.data + name.len - len, with, len) == 0;
}

bool setting_is_custom(struct slice name)
{
    return name.len > 0 && memchr(name.data, '.', name.len);
}

bool setting_matters_when_parsing(struct slice name)
{
    char storage[SETTING_NAME_MAX];
    if (setting_is_custom(name))
        return false;
    if (!setting_name_fold(name, storage, &name))
        return true;
    for (size_t i = 0; i < COUNT(harmless_beginnings); i++)
        if (begins(name, harmless_beginnings[i]))
            return false;
    for (size_t i = 0; i < COUNT(harmless_endings); i++)
        if (ends(name, harmless_endings[i]))
            return false;
    for (size_t i = 0; i < COUNT(harmless_names); i++)
        if (slice_is(name, harmless_names[i]))
            return false;
    return true;
}

bool setting_is_authority(struct slice name)
{
    char storage[SETTING_NAME_MAX];
    return setting_name_fold(name, storage, &name) &&
           (slice_is(name, "role") || slice_is(name, "session_authorization"));
}

bool setting_ends_with_transaction(struct slice name)
{
    char storage[SETTING_NAME_MAX];
    return setting_name_fold(name, storage, &name) &&
           (slice_is(name, "transaction_isolation") || slice_is(name, "transaction_read_only") ||
               slice_is(name, "transaction_deferrable"));
}

/* ---- what a text changes ---- */

struct scan {
    struct tokens tokens;
    struct token before; /* TOKEN_END at the start of the text */
    struct token before_that;
    unsigned depth;
    struct set_config call;
    void *context;
    void (*named)(void *context, struct slice name);
};

static void tell(void *context, struct slice name)
{
    const struct scan *scan = context;
    if (name.len == 0 || slice_is(name, "seed") || setting_ends_with_transaction(name) ||
        setting_is_fixed(name))
        return;
    scan->named(scan->context, name);
    if (slice_is(name, "session_authorization")) /* sets the role back, too */
        scan->named(scan->context, slice_from("role"));
}

static void on_set(void *context, const char *name, bool local)
{
    if (!local)
        tell(context, slice_from(name));
}

static void on_dotted(void *context, const char *name)
{
    tell(context, slice_from(name));
}

static void scan_do(struct scan *scan)
{
    const struct function_text_events events = {.context = scan, .set = on_set, .setting = on_dotted};
    struct inline_code code;
    inline_code_read(&scan->tokens, &code);
    function_text_read(code.text, &events);
}

/* At the first word of a statement. True when it has been read up to somewhere behind that word. */
static bool scan_statement(struct scan *scan)
{
    enum keyword word = scan->tokens.now.keyword;
    struct set_clause clause;
    if (word == KEYWORD_DO) {
        scan_do(scan);
    } else if (word == KEYWORD_SET || word == KEYWORD_RESET) {
        set_clause_read(&scan->tokens, &clause);
        if (!clause.local)
            set_clause_names(&clause, scan, tell);
    } else {
        return false;
    }
    return true;
}

/* One inside another's arguments is not told apart: it is taken to be for the session. */
static void open_call(struct scan *scan)
{
    struct set_config inner;
    bool nested = scan->call.depth != 0;
    struct set_config *call = nested ? &inner : &scan->call;
    set_config_open(call, &scan->tokens, scan->depth);
    if (nested && inner.named)
        tell(scan, inner.name);
}

static void end_call(struct scan *scan, bool local)
{
    if (scan->call.named && !local)
        tell(scan, scan->call.name);
    scan->call.depth = 0;
    scan->call.named = false;
}

static void scan_token(struct scan *scan)
{
    const struct token *token = &scan->tokens.now;
    char storage[LEX_NAME_MAX];
    struct slice name;
    switch (token->character) {
    case '(': scan->depth++; return;
    case ',': set_config_comma(&scan->call, scan->depth); return;
    case ')':
        if (scan->depth > 0 && scan->depth == scan->call.depth)
            end_call(scan, set_config_is_local(&scan->call, &scan->before, &scan->before_that));
        scan->depth -= scan->depth > 0;
        return;
    default: break;
    }
    bool called = token_is(&scan->tokens.next, '(') &&
                  (token->kind == TOKEN_WORD || token->kind == TOKEN_QUOTED || token->kind == TOKEN_UNICODE);
    if (called && name_of(token, storage, &name) && slice_is(name, "set_config"))
        open_call(scan);
}

void setting_names(
    struct slice text, bool standard_strings, void *context, void (*named)(void *context, struct slice name))
{
    struct scan scan = {.context = context, .named = named};
    bool begins_statement = true;
    tokens_init(&scan.tokens, text, standard_strings);
    while (scan.tokens.now.kind != TOKEN_END && scan.tokens.now.kind != TOKEN_ERROR) {
        bool ended = token_is(&scan.tokens.now, ';');
        if (begins_statement && !ended && scan_statement(&scan)) {
            begins_statement = false;
            continue;
        }
        if (ended) {
            end_call(&scan, false);
            scan.depth = 0;
        } else {
            scan_token(&scan);
        }
        begins_statement = ended;
        scan.before_that = scan.before;
        scan.before = scan.tokens.now;
        tokens_advance(&scan.tokens);
    }
    end_call(&scan, false);
}

/* ---- in strings ---- */

#define STRING_MAX 1024 /* no longer one is told to set something */

static bool is_of_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
}

static void tell_dotted(struct slice text, void *context, void (*named)(void *context, struct slice name))
{
    for (size_t at = 0, end; at < text.len; at = end + 1) {
        for (end = at; end < text.len && is_of_name(text.data[end]);)
            end++;
        struct slice word = slice_of(text.data + at, end - at), name;
        char storage[SETTING_NAME_MAX];
        const char *dot = memchr(word.data, '.', word.len);
        bool inside = dot && dot > word.data && dot < word.data + word.len - 1;
        if (inside && (*word.data < '0' || *word.data > '9') && setting_name_fold(word, storage, &name))
            named(context, name);
    }
}

void setting_names_in_strings(
    struct slice text, bool standard_strings, void *context, void (*named)(void *context, struct slice name))
{
    struct tokens tokens;
    tokens_init(&tokens, text, standard_strings);
    for (; tokens.now.kind != TOKEN_END && tokens.now.kind != TOKEN_ERROR; tokens_advance(&tokens))
        if (tokens.now.kind == TOKEN_STRING && tokens.now.text.len <= STRING_MAX)
            tell_dotted(tokens.now.text, context, named);
}
