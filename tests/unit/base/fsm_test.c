/* Allowed moves pass, any other one is reported and ends the process. */
#include "conf/base/fsm.h"
#include "conf/base/log.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum state { STATE_NEW, STATE_OPEN, STATE_CLOSED };

static const char *const names[] = {"new", "open", "closed"};
static const uint64_t moves[] = {[STATE_NEW] = FSM_TO(STATE_OPEN) | FSM_TO(STATE_CLOSED),
    [STATE_OPEN] = FSM_TO(STATE_CLOSED),
    [STATE_CLOSED] = 0};
static const struct fsm door = {"door", names, moves, 3};

static void an_allowed_move_changes_the_state(void **context)
{
    (void)context;
    int state = STATE_NEW;
    fsm_move(&door, &state, STATE_OPEN);
    assert_int_equal(state, STATE_OPEN);
    fsm_move(&door, &state, STATE_CLOSED);
    assert_int_equal(state, STATE_CLOSED);
}

static void only_listed_moves_between_states_are_allowed(void **context)
{
    (void)context;
    assert_true(fsm_allows(&door, STATE_NEW, STATE_CLOSED));
    assert_false(fsm_allows(&door, STATE_OPEN, STATE_NEW));
    assert_false(fsm_allows(&door, STATE_OPEN, STATE_OPEN));
    assert_false(fsm_allows(&door, STATE_CLOSED, STATE_OPEN));
    assert_false(fsm_allows(&door, -1, STATE_OPEN));
    assert_false(fsm_allows(&door, STATE_NEW, 3));
    assert_false(fsm_allows(&door, STATE_NEW, 64));
}

static void a_number_that_is_no_state_is_called_invalid(void **context)
{
    (void)context;
    assert_string_equal(fsm_state_name(&door, STATE_OPEN), "open");
    assert_string_equal(fsm_state_name(&door, 3), "invalid");
    assert_string_equal(fsm_state_name(&door, -1), "invalid");
}

static void a_forbidden_move_is_logged_with_both_names_and_aborts(void **context)
{
    (void)context;
    int ends[2];
    char text[1024] = "";
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        signal(SIGABRT, SIG_DFL);
        log_set_fd(ends[1]);
        int state = STATE_CLOSED;
        fsm_move(&door, &state, STATE_OPEN);
        _exit(0);
    }
    close(ends[1]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    ssize_t len = read(ends[0], text, sizeof text - 1);
    close(ends[0]);
    assert_true(len > 0);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(
        strstr(text, "level=error event=forbidden_move machine=door from=closed from_number=2 to=open "
                     "to_number=1\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_allowed_move_changes_the_state),
        cmocka_unit_test(only_listed_moves_between_states_are_allowed),
        cmocka_unit_test(a_number_that_is_no_state_is_called_invalid),
        cmocka_unit_test(a_forbidden_move_is_logged_with_both_names_and_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
