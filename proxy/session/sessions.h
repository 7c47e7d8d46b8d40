/*
 * All sessions of a worker, and what they share: pools, catalogues, the table of slots that cancel keys name,
 * waits for a node, waits for a secret, the memory of refused shapes, counters. One thread.
 */
#ifndef ROLECALL_SESSION_SESSIONS_H
#define ROLECALL_SESSION_SESSIONS_H

#include "proxy/pool/pool.h"
#include "proxy/session/buffer.h"
#include "proxy/session/failed_logins.h"
#include "proxy/session/held.h"
#include "router/classify.h"

#include <stdatomic.h>
#include <stdint.h>

struct session;

#define REFUSED_SHAPES 1024

/* Counters of a worker: one writer, read by anybody (relaxed). */
struct session_counters {
    _Atomic uint64_t clients; /* sessions now */
    _Atomic uint64_t taken;   /* connections handed over so far */
    _Atomic uint64_t logins, login_failures;
    _Atomic uint64_t exchanges, transactions;
    _Atomic uint64_t verdicts[REASON_COUNT];
    _Atomic uint64_t retries, held, reruns, lost_transactions, unknown_outcomes;
    _Atomic uint64_t pinned, waiting; /* sessions now */
};

struct welcome;
struct known_catalogue;

struct sessions {
    struct reactor *reactor;
    struct pools pools;
    struct mailbox *control, *main;
    _Atomic uint32_t *process_clients; /* clients of all workers */
    struct session *first;             /* all */
    struct session **slots;
    uint32_t n_slots, free_slot;
    uint64_t serial;  /* of the newest session */
    struct held held; /* no node to send to */
    struct known_catalogue *catalogues;
    uint64_t catalogue_serial; /* raised whenever one changes: what was classed before is stale */
    struct welcome *welcomes;
    uint64_t refused[REFUSED_SHAPES]; /* hashes of shapes that a replica refused */
    struct buffer_spares spares;
    struct request *no_request; /* what idle sessions point to: all zero, never written to */
    struct request *spare_requests;
    struct kept_limits *limits;         /* every combination in use, once */
    const struct settings *no_settings; /* the empty set; one reference */
    uint64_t random;                    /* state of the choice between replicas */
    uint64_t stamp;                     /* of unnamed statements; unique in the process */
    uint64_t ticket;                    /* of secret requests */
    uint64_t earliest_ms;               /* no session has a deadline before this */
    uint32_t consoles;                  /* sessions that are an administrator's */
    bool draining;                      /* no new sessions; idle ones are ended */
    struct cancel_request *cancels;
    uint64_t cancel_failures_ms, cancel_failures;
    struct failed_logins failed_logins;
    struct session_counters counters;
};

bool sessions_open(
    struct sessions *sessions, struct reactor *reactor, uint32_t worker, struct runtime *runtime);
void sessions_close(struct sessions *sessions); /* ends every session and server */

/* An accepted connection (takes the descriptor). */
void sessions_accept(struct sessions *sessions, struct message *message);
void sessions_on_topology(struct sessions *sessions, struct topology *topology);
void sessions_on_runtime(struct sessions *sessions, struct runtime *runtime);
void sessions_on_catalogue(struct sessions *sessions, struct catalogue *catalogue);
/* Another worker saw DDL go through; it has asked already. */
void sessions_on_catalogue_changed(struct sessions *sessions, const struct message *message);
void sessions_on_secret(struct sessions *sessions, struct message *message);
void sessions_on_cancel(struct sessions *sessions, struct message *message);
void sessions_tick(struct sessions *sessions);
/* Stop taking sessions; end each one as soon as it is idle. */
void sessions_drain(struct sessions *sessions);
/* ... and all have ended, but for those who look on. */
bool sessions_are_over(const struct sessions *sessions);

uint64_t sessions_random(struct sessions *sessions);

/* The memory of shapes that do not belong on a replica. */
void sessions_refuse(struct sessions *sessions, uint64_t shape);
bool sessions_refused(const struct sessions *sessions, uint64_t shape);

/* The same limits, kept for as long as the worker lives; equal ones are kept once. */
const struct limits *sessions_limits(struct sessions *sessions, const struct limits *limits);

/* What is known of a database; kept for as long as the worker lives. */
struct known_catalogue *sessions_know(struct sessions *sessions, size_t cluster, const char *database);
/* Its catalogue, NULL while it is unknown or stale; asks for it then, and anew now and then. */
const struct catalogue *sessions_catalogue(struct sessions *sessions, struct known_catalogue *known);
/* As it was last read, also when it is stale; NULL: never read. */
const struct catalogue *sessions_last_catalogue(const struct known_catalogue *known);
/* Something in the database asks for currval or lastval, as far as is known. */
bool sessions_reads_sequences(const struct known_catalogue *known);
/* Rises whenever DDL is known to have gone through; never 0. */
uint64_t sessions_schema(const struct known_catalogue *known);
/* The catalogue has what there was at this serial. */
bool sessions_has_read(const struct known_catalogue *known, uint64_t schema);
/* DDL went through: what is known of the database is stale until the control thread has read it again. */
void sessions_catalogue_changed(struct sessions *sessions, size_t cluster, const char *database);

static inline void count(_Atomic uint64_t *counter)
{
    atomic_store_explicit(
        counter, atomic_load_explicit(counter, memory_order_relaxed) + 1, memory_order_relaxed);
}

static inline void count_down(_Atomic uint64_t *counter)
{
    atomic_store_explicit(
        counter, atomic_load_explicit(counter, memory_order_relaxed) - 1, memory_order_relaxed);
}

#endif
