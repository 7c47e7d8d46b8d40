/*
 * The rules of a state machine: which state may follow which, with names for logs.
 *
 *     static const char *const names[] = {[STATE_IDLE] = "idle", [STATE_BUSY] = "busy"};
 *     static const uint64_t moves[] = {[STATE_IDLE] = FSM_TO(STATE_BUSY), [STATE_BUSY] = FSM_TO(STATE_IDLE)};
 *     static const struct fsm fsm = {"server", names, moves, 2};
 *
 * A table is constant and may be shared by all threads; the state belongs to whoever owns the machine. A move
 * to the same state must be listed like any other. At most 64 states.
 */
#ifndef ROLECALL_BASE_FSM_H
#define ROLECALL_BASE_FSM_H

#include <stdbool.h>
#include <stdint.h>

#define FSM_TO(state) (UINT64_C(1) << (state))

struct fsm {
    const char *name;         /* of the machine: "session", "server" */
    const char *const *names; /* of the states, by number */
    const uint64_t *moves;    /* by number: FSM_TO(...) of every state that may follow, ored together */
    int n_states;
};

/* False also for numbers that are no state. */
bool fsm_allows(const struct fsm *fsm, int from, int to);

/* A move that is not allowed is our own bug: logs machine, from and to at error and aborts. */
void fsm_check(const struct fsm *fsm, int from, int to);

/* fsm_check, then the state is `to`. For a typed enum: fsm_check(&fsm, x->state, to); x->state = to; */
void fsm_move(const struct fsm *fsm, int *state, int to);

/* Static text; "invalid" for a number that is no state. */
const char *fsm_state_name(const struct fsm *fsm, int state);

#endif
