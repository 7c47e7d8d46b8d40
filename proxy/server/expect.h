/*
 * What a server still owes: one entry for each request sent, in order (PostgreSQL documentation, 55.2 Message
 * Flow).
 *
 * An entry says which answer ends it, whether the answer is for the client or for rolecall itself, and which
 * prepared statement it is about. Entries that rolecall answers itself (EXPECT_LOCAL) keep their place in the
 * order. One thread.
 */
#ifndef ROLECALL_SERVER_EXPECT_H
#define ROLECALL_SERVER_EXPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum expect_kind {
    EXPECT_QUERY,    /* simple Query or FunctionCall: ends with ReadyForQuery */
    EXPECT_PARSE,    /* ParseComplete */
    EXPECT_BIND,     /* BindComplete */
    EXPECT_DESCRIBE, /* RowDescription or NoData, after an optional ParameterDescription */
    EXPECT_EXECUTE,  /* CommandComplete, EmptyQueryResponse or PortalSuspended */
    EXPECT_CLOSE,    /* CloseComplete */
    EXPECT_SYNC,     /* ReadyForQuery */
    EXPECT_COPY_END, /* nothing: CopyDone or CopyFail was sent before the node asked for data */
    EXPECT_LOCAL     /* nothing: rolecall answers with a message of type `local` and no body */
};

#define EXPECT_ABOUT_NOTHING UINT64_MAX /* a Parse that touches no statement, named or unnamed */

struct expect {
    uint8_t kind;
    bool hidden; /* the answer is not for the client */
    bool ahead;  /* ... and precedes the client's request */
    bool within; /* ... and is of what the client runs next: an error is told behind a BindComplete */
    char local;  /* EXPECT_LOCAL: the message type to give */
    /* 0 = none. Parse and Close, and a hidden Execute that prepares by SQL: the statement's id. Bind,
       Describe, and what the client executes: the user's own word for the statement. A hidden Query: enum
       injected. */
    uint64_t about;
};

struct expect_queue {
    struct expect *entries;
    uint32_t head, count, cap;
    /* Pushed so far: Parses of the client's or of prepared statements, and Binds of the client's. For who
       counts them. */
    uint32_t parses, binds;
};

void expect_init(struct expect_queue *queue);
void expect_fini(struct expect_queue *queue);
bool expect_push(struct expect_queue *queue, struct expect entry);
static inline struct expect *expect_head(struct expect_queue *queue)
{
    return queue->count ? &queue->entries[queue->head] : NULL;
}
void expect_pop(struct expect_queue *queue);
/* After ErrorResponse in the extended protocol: drops what is skipped, up to but not including the next SYNC
   or QUERY. `dropped` (may be NULL) is called for each, the last one first: what was there before the first
   of them stays. */
void expect_skip_to_sync(
    struct expect_queue *queue, void *context, void (*dropped)(void *context, const struct expect *entry));
/* The server went into copy-in mode. A Sync that was sent before the end of the data is ignored by it:
   dropped here. True when the end of the data has been sent already. */
bool expect_copy_in(struct expect_queue *queue);
/* Whether something of this kind, about this, is owed. */
bool expect_has(const struct expect_queue *queue, enum expect_kind kind, uint64_t about);
/* What comes next that is not hidden is of this kind. */
bool expect_next_is(const struct expect_queue *queue, enum expect_kind kind);
/* Marks the entries behind the first `from`. */
void expect_mark_ahead(struct expect_queue *queue, uint32_t from);
void expect_mark_within(struct expect_queue *queue, uint32_t from);
void expect_clear(struct expect_queue *queue);

#endif
