/* The names and sentences of the enums in classify.h. No failure: a value out of range is written as
 * "unknown". */
#include "router/classify.h"

struct words {
    const char *name, *text;
};

static const struct words reasons[REASON_COUNT] = {
    [REASON_READ] = {"read", "sure to be read-only and to answer alike on a replica"},
    [REASON_EMPTY] = {"empty", "nothing but blanks and comments"},
    [REASON_WRITE] = {"write", "it changes data"},
    [REASON_DDL] = {"ddl", "it changes the schema, privileges or other definitions"},
    [REASON_TRANSACTION] = {"transaction", "it begins or ends a transaction or a part of one"},
    [REASON_READ_ONLY_TRANSACTION] = {"read_only_transaction",
        "a READ ONLY transaction under READ COMMITTED"},
    [REASON_ROW_LOCK] = {"row_lock", "it locks rows"},
    [REASON_INTO] = {"into", "SELECT INTO makes a table"},
    [REASON_FUNCTION_SPECIAL] = {"function_special", "it calls a function that belongs to the primary"},
    [REASON_FUNCTION_UNKNOWN] = {"function_unknown", "it calls a function that nothing is known of"},
    [REASON_RELATION_SPECIAL] = {"relation_special",
        "it reads a sequence, an unlogged, temporary or foreign table, or a view over something that belongs "
        "to the primary"},
    [REASON_SESSION] = {"session", "it belongs to the session's state"},
    [REASON_SHOW] = {"show", "SHOW is answered by the primary"},
    [REASON_UTILITY] = {"utility", "it is no query"},
    [REASON_MULTIPLE] = {"multiple", "several statements in one string, and not all of them are reads"},
    [REASON_NOT_LEXED] = {"not_lexed", "it was not understood as SQL"},
    [REASON_NO_CATALOGUE] = {"no_catalogue", "the database's functions and relations are not known yet"},
    [REASON_HINT_PRIMARY] = {"hint_primary", "a hint asks for the primary"},
    [REASON_HINT_REPLICA] = {"hint_replica", "a hint asks for a replica"},
    [REASON_IN_TRANSACTION] = {"in_transaction", "its transaction already has a server"},
    [REASON_PINNED] = {"pinned", "the session is pinned to its server"},
    [REASON_REFUSED_BEFORE] = {"refused_before", "a replica refused a statement of this shape before"},
    [REASON_RETRY] = {"retry", "a replica answered with an error, so the primary was asked"},
    [REASON_CONSISTENCY] = {"consistency", "no replica has replayed what the session must see"},
    [REASON_NO_REPLICA] = {"no_replica", "no replica is fit"},
    [REASON_LISTENER] = {"listener", "the listener's route leaves no choice"},
    [REASON_COPY] = {"copy", "COPY FROM STDIN, or a batch too large to be looked at as a whole"},
    [REASON_FLUSH] = {"flush", "a Flush behind an Execute makes it a transaction"},
};

static const struct words *words_of(enum reason reason)
{
    static const struct words unknown = {"unknown", "unknown"};
    return (unsigned)reason < REASON_COUNT ? &reasons[reason] : &unknown;
}

const char *reason_name(enum reason reason)
{
    return words_of(reason)->name;
}

const char *reason_text(enum reason reason)
{
    return words_of(reason)->text;
}

const char *statement_flag_name(enum statement_flag flag)
{
    switch (flag) {
    case STATEMENT_BEGIN: return "begin";
    case STATEMENT_BEGIN_READ_ONLY: return "begin_read_only";
    case STATEMENT_COMMIT: return "commit";
    case STATEMENT_ROLLBACK: return "rollback";
    case STATEMENT_DDL: return "ddl";
    case STATEMENT_MULTIPLE: return "multiple";
    case STATEMENT_CALL: return "call";
    case STATEMENT_RESET_ALL: return "reset_all";
    case STATEMENT_COPY_FROM: return "copy_from";
    case STATEMENT_ISOLATION: return "isolation";
    case STATEMENT_SETS: return "sets";
    case STATEMENT_SETS_ANY: return "sets_any";
    case STATEMENT_SETS_PARSING: return "sets_parsing";
    case STATEMENT_RESETS: return "resets";
    case STATEMENT_SURVEY: return "survey";
    }
    return "unknown";
}

const char *pin_name(enum pin pin)
{
    switch (pin) {
    case PIN_SETTING: return "setting";
    case PIN_LISTEN: return "listen";
    case PIN_TEMPORARY: return "temporary";
    case PIN_CURSOR: return "cursor";
    case PIN_ADVISORY_LOCK: return "advisory_lock";
    case PIN_LOAD: return "load";
    case PIN_PREPARE: return "prepare";
    case PIN_FUNCTION: return "function";
    case PIN_SEQUENCE: return "sequence";
    case PIN_UNKNOWN: return "unknown";
    }
    return "unknown";
}
