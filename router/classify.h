/*
 * What a query string is, as far as routing must know. Pure: bytes in, a verdict out; no allocation, linear
 * time.
 *
 * The text's encoding must be one that PostgreSQL knows as a server encoding, best UTF-8: where a session's
 * client_encoding is SJIS, BIG5, GBK, UHC, JOHAB, GB18030 or SHIFT_JIS_2004, do not ask and take it for a
 * write. Names that are no UTF-8 are not looked up: REASON_NOT_LEXED.
 *
 * The lexer skips comments, strings (standard and escape), dollar quotes, quoted and Unicode names exactly as
 * PostgreSQL's scanner does. A statement is *read* only when that is sure; everything else is a write.
 */
#ifndef ROLECALL_ROUTER_CLASSIFY_H
#define ROLECALL_ROUTER_CLASSIFY_H

#include "conf/base/slice.h"
#include "router/catalogue.h"

#include <stdbool.h>
#include <stdint.h>

/* Why a statement goes where it goes: one enum for counters, logs and EXPLAIN ROUTE. */
enum reason {
    REASON_READ,                  /* sure to be read-only and to answer alike on a replica */
    REASON_EMPTY,                 /* nothing but blanks and comments */
    REASON_WRITE,                 /* INSERT, UPDATE, DELETE, MERGE, TRUNCATE, COPY FROM, ... */
    REASON_DDL,                   /* CREATE, ALTER, DROP, GRANT, COMMENT, REFRESH, ... */
    REASON_TRANSACTION,           /* BEGIN, COMMIT, SAVEPOINT, ...: the block decides */
    REASON_READ_ONLY_TRANSACTION, /* BEGIN READ ONLY under READ COMMITTED */
    REASON_ROW_LOCK,              /* FOR UPDATE / SHARE */
    REASON_INTO,                  /* SELECT INTO */
    REASON_FUNCTION_SPECIAL,      /* a function known to belong to the primary */
    REASON_FUNCTION_UNKNOWN,      /* a function that nothing is known of */
    REASON_RELATION_SPECIAL,      /* sequence, unlogged or foreign table, view over something special */
    REASON_SESSION,               /* SET, RESET, LISTEN, PREPARE, DECLARE ..., belongs to the session */
    REASON_SHOW,                  /* SHOW belongs to the primary */
    REASON_UTILITY,               /* anything else that is no query */
    REASON_MULTIPLE,              /* several statements in one string that are not all reads */
    REASON_NOT_LEXED,             /* unterminated quote, too long, not understood */
    REASON_NO_CATALOGUE,          /* the database's catalogue is not known yet, or is stale */
    REASON_HINT_PRIMARY,          /* leading comment or rolecall.route */
    REASON_HINT_REPLICA,
    REASON_IN_TRANSACTION, /* the transaction is already on a server */
    REASON_PINNED,         /* the session is pinned to its server */
    REASON_REFUSED_BEFORE, /* a replica refused this shape before */
    REASON_RETRY,          /* a replica answered with an error: asked again on the primary */
    REASON_CONSISTENCY,    /* no replica has replayed this session's last write yet */
    REASON_NO_REPLICA,     /* no fit replica */
    REASON_LISTENER,       /* the listener's own route */
    REASON_COPY,           /* COPY FROM STDIN or a streamed, oversize batch */
    REASON_FLUSH,          /* Flush after an Execute */
    REASON_COUNT
};

enum statement_class { STATEMENT_READ, STATEMENT_WRITE, STATEMENT_TRANSACTION };

/* What a statement (or any one of several in a string) does beside reading or writing. */
enum statement_flag {
    STATEMENT_BEGIN = 1 << 0,           /* BEGIN / START TRANSACTION */
    STATEMENT_BEGIN_READ_ONLY = 1 << 1, /* ... READ ONLY, and no isolation above READ COMMITTED named; not
                                           with MULTIPLE: what else is in the string decides */
    STATEMENT_COMMIT = 1 << 2,          /* COMMIT, END, PREPARE TRANSACTION, COMMIT PREPARED, AND CHAIN too */
    STATEMENT_ROLLBACK = 1 << 3,        /* ROLLBACK, ABORT; not ROLLBACK TO */
    STATEMENT_DDL = 1 << 4,             /* changes what a catalogue knows */
    STATEMENT_MULTIPLE = 1 << 5,
    STATEMENT_CALL = 1 << 6,      /* CALL or DO: may commit inside */
    STATEMENT_RESET_ALL = 1 << 7, /* DISCARD ALL */
    STATEMENT_COPY_FROM = 1 << 8, /* COPY ... FROM STDIN */
    STATEMENT_ISOLATION = 1 << 9, /* names an isolation level above READ COMMITTED; of a transaction that has
                                     begun, READ WRITE too: what a replica does not give */
    STATEMENT_SETS = 1 << 10,     /* changes settings of the session: those that setting_names() tells */
    STATEMENT_SETS_ANY = 1 << 11, /* ... and others, which the text does not tell or which go back to their
                                     defaults (RESET name, SET name TO DEFAULT): any that pg_settings shows */
    STATEMENT_SETS_PARSING = 1 << 12, /* changes, perhaps only until the transaction ends, a setting that
                                         matters when a statement is parsed, or one that is not known */
    STATEMENT_RESETS = 1 << 13,       /* RESET ALL or DISCARD ALL */
    STATEMENT_SURVEY = 1 << 14 /* may change the session in every way that can be asked for afterwards */
};

/* What a statement may leave in its session that no other server has: the reasons of a pin. Those of
   PIN_ASKABLE are asked for when the transaction ends; only what is really there pins. */
enum pin {
    PIN_SETTING = 1 << 0, /* set_config() of a name that only running it tells; a setting that cannot be put
                             in place elsewhere */
    PIN_LISTEN = 1 << 1,
    PIN_TEMPORARY = 1 << 2,     /* CREATE TEMP, SELECT INTO TEMP */
    PIN_CURSOR = 1 << 3,        /* DECLARE ... WITH HOLD */
    PIN_ADVISORY_LOCK = 1 << 4, /* session-level advisory lock functions */
    PIN_LOAD = 1 << 5,
    PIN_PREPARE = 1 << 6, /* SQL PREPARE that is not carried: inside a longer string or a function */
    PIN_FUNCTION =
        1 << 7, /* setseed, functions and views of NAME_OPAQUE: what they leave cannot be asked for */
    PIN_SEQUENCE = 1 << 8, /* currval, lastval */
    PIN_UNKNOWN = 1 << 9
};

#define PIN_ASKABLE (PIN_LISTEN | PIN_TEMPORARY | PIN_CURSOR | PIN_ADVISORY_LOCK | PIN_PREPARE)

struct classification {
    enum statement_class class;
    enum reason reason;
    uint32_t flags;       /* enum statement_flag of all statements in the string */
    uint32_t pins;        /* enum pin of all statements in the string: what they may leave */
    uint32_t frees;       /* enum pin: what they may take away (UNLISTEN, unlocking, DROP, CLOSE, ...) */
    uint32_t statements;  /* how many */
    struct slice culprit; /* the name or word that decided, inside the text; for EXPLAIN ROUTE */
};

/*
 * Classes a query string. `catalogue` may be NULL (then any name that is not built in is unknown, and what
 * reads a relation gets REASON_NO_CATALOGUE). `standard_strings` = the session's standard_conforming_strings.
 */
void classify(
    struct slice text, const struct catalogue *catalogue, bool standard_strings, struct classification *out);

/* "primary", "split", ... as written in messages: snake_case names and one sentence each; static storage. */
const char *reason_name(enum reason reason);
const char *reason_text(enum reason reason);
const char *pin_name(enum pin pin);
const char *statement_flag_name(enum statement_flag flag);

#endif
