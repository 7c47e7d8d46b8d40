/* Guards the moves of a state machine; see fsm.h. The check stays on in every build. */
#include "conf/base/fsm.h"

#include "conf/base/log.h"

#include <stdlib.h>

static bool is_state(const struct fsm *fsm, int state)
{
    return state >= 0 && state < fsm->n_states && state < 64;
}

bool fsm_allows(const struct fsm *fsm, int from, int to)
{
    return is_state(fsm, from) && is_state(fsm, to) && (fsm->moves[from] & FSM_TO(to)) != 0;
}

void fsm_check(const struct fsm *fsm, int from, int to)
{
    if (fsm_allows(fsm, from, to))
        return;
    log_event(LOG_ERROR, "forbidden_move", "machine=%s from=%s from_number=%d to=%s to_number=%d", fsm->name,
        fsm_state_name(fsm, from), from, fsm_state_name(fsm, to), to);
    abort();
}

void fsm_move(const struct fsm *fsm, int *state, int to)
{
    fsm_check(fsm, *state, to);
    *state = to;
}

const char *fsm_state_name(const struct fsm *fsm, int state)
{
    return is_state(fsm, state) && fsm->names[state] ? fsm->names[state] : "invalid";
}
