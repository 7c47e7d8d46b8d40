/* What the files of failover share: the machine, its state, and its helpers. For health/failover alone. */
#ifndef ROLECALL_HEALTH_FAILOVER_HANDOVER_PRIVATE_H
#define ROLECALL_HEALTH_FAILOVER_HANDOVER_PRIVATE_H

#include "health/failover/handover.h"
#include "health/failover/plan.h"
#include "health/failover/repoint.h"
#include "health/pgconn.h"

enum handover_state {
    HANDOVER_IDLE,
    HANDOVER_CONFIRMING,  /* the primary does not answer: for how long, and does anybody hear from it? */
    HANDOVER_CHOOSING,    /* it is gone: who can be promoted? */
    HANDOVER_FENCING,     /* before_promote runs */
    HANDOVER_LOOKING,     /* a switchover was ordered: what is true now? */
    HANDOVER_PREPARING,   /* the primary makes a checkpoint, so that it stops quickly */
    HANDOVER_DRAINING,    /* new work is held, open transactions end */
    HANDOVER_DEMOTING,    /* the demote hook runs */
    HANDOVER_CATCHING_UP, /* the target gets the rest of the log */
    HANDOVER_DELEGATED,   /* the manager makes another node the primary */
    HANDOVER_UNDOING,     /* the demote hook makes the old one primary again */
    HANDOVER_PROMOTING,   /* until the target takes writes */
    HANDOVER_REPOINTING,
    HANDOVER_STOPPED /* the fence failed */
};

/* What came of the hook, the errand or the order that the state waits for. */
enum outcome { OUTCOME_PENDING, OUTCOME_DONE, OUTCOME_FAILED };

struct handover {
    uv_loop_t *loop;
    const struct settings *settings;
    const struct roster *roster;
    struct hook_queue *hooks;
    const struct news *news;
    struct handover_owner owner;
    enum handover_state state;
    uint64_t since_us; /* the state was entered */
    uint64_t began_us; /* the primary was lost, or the switchover ordered */
    uv_timer_t timer;
    int last;                     /* who was seen as the primary, in whatever state; -1 = nobody */
    struct observation last_seen; /* and its last answer as such */
    int old, target;              /* of the handover that is under way, or of the next one */
    struct observation primary;   /* the old one's last answer before it */
    uint64_t gone_since_us;       /* 0 = it is not */
    bool fenced;
    bool switchover;
    bool told_unsafe;
    uint64_t excluded; /* bits of nodes that could not be promoted */
    enum outcome outcome;
    unsigned stale_hooks;        /* that run still, and that nobody waits for any more */
    char words[PLAN_REASON_MAX]; /* what failed, or is waited for */
    char told[PLAN_REASON_MAX];  /* what the log was told last */
    char cause[PLAN_REASON_MAX]; /* why a switchover is being undone */
    bool promote_sent;           /* the target may become primary, whatever happens */
    struct handover_census census;
    struct message *order;
    struct pgconn *conn;
    struct repoint *repoint;
    uint64_t repointed_us; /* when replicas were last made to follow */
};

/* What one step works with. */
struct view {
    struct handover *handover;
    const struct verdict *verdict;
    const struct evidence *evidence;
    uint64_t now_us;
};

/* handover.c */
const char *handover_cluster(const struct handover *handover);
const char *handover_node(const struct handover *handover, int node);
bool handover_is_builtin(const struct handover *handover);
/* Somebody else decides who is primary, and can be asked to decide anew. */
bool handover_is_managed(const struct handover *handover);
void handover_move(struct handover *handover, enum handover_state to);
/* Into `words`. */
void handover_say(struct handover *handover, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* An event for operators, of a switchover or a failover; node -1 = of none. */
void handover_event(const struct handover *handover, int node, const char *reason, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Tells what is waited for, once. */
void handover_tell(struct handover *handover, const char *event, const char *reason);
/* Has the state lasted that long? */
bool handover_waited(const struct view *view, uint64_t ms);
/* Of the order, if it is still waited for. */
void handover_answer(struct handover *handover, bool ok, const char *text);
void handover_rest(struct handover *handover);
/* The switchover is done: another node is the primary. `but`: what is amiss, or "". */
void handover_done(const struct view *view, int primary, const char *but);
/* A hook about a node, whose end the state waits for. False when there is none. */
bool handover_hook(const struct view *view, enum hook hook, int node, bool undo);
/* A hook that only tells. */
void handover_tell_hook(const struct view *view, enum hook hook, int node);
struct plan_facts handover_facts(const struct view *view, uint64_t since_us);
/* Has the node answered since then? */
bool handover_fresh(const struct view *view, int node, uint64_t since_us);
/* Every node but one (-1 = none) that may have something to say has said it in this state, or had its time.
 */
bool handover_all_asked(const struct view *view, int but);

/* promotion.c */
void handover_promote(struct handover *handover);
void promotion_step(const struct view *view);
/* Replicas that can be asked. `lone`: only those without a connection to a primary. */
uint64_t handover_replicas(const struct view *view, bool lone);
void handover_start_repoint(const struct view *view, int primary, uint64_t nodes);
void promotion_repoint(const struct view *view);

/* failover.c */
/* Remembers who the primary is, and what it said. */
void failover_see(const struct view *view);
/* The primary that was seen last is the one to be replaced. */
void failover_take_old(struct handover *handover);
void failover_confirm(const struct view *view);
void failover_choose(const struct view *view);
void failover_fence(const struct view *view);

/* switchover.c */
void switchover_begin(const struct view *view);
void switchover_look(const struct view *view);
void switchover_prepare(const struct view *view);
void switchover_drain(const struct view *view);
void switchover_demote(const struct view *view);
void switchover_catch_up(const struct view *view);
/* Back to the old primary. */
void switchover_undo(const struct view *view, const char *why);
void switchover_end_undo(const struct view *view);
void switchover_call_off(struct handover *handover, const char *why);

/* delegated.c */
void delegated_begin(const struct view *view);
void delegated_wait(const struct view *view);

#endif
