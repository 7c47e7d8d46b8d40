/* Asking workers: answered, asked again until all is told, silent, and given up before the answer. */
#include "proxy/front/admin_survey.h"
#include "router/message.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define WORKERS 2

/* Workers without threads, on the test's own loop: what they are asked waits until the test lets them answer.
 */
struct office {
    uv_loop_t loop;
    struct mailbox mailbox;
    struct worker workers[WORKERS];
    struct surveys surveys;
    struct message *asked[WORKERS];
    int questions, done;
    bool answers; /* at once */
};

struct desk {
    struct office *office;
    uint32_t worker;
};

static void reply(struct office *office, uint32_t worker)
{
    struct message *message = office->asked[worker];
    assert_non_null(message);
    office->asked[worker] = NULL;
    message->status.answer(message->status.request, &office->workers[worker].sessions, worker);
    message_free(message);
}

static void on_question(void *owner, struct letter *letter)
{
    struct desk *desk = owner;
    assert_int_equal(((struct message *)letter)->kind, MESSAGE_STATUS_REQUEST);
    desk->office->asked[desk->worker] = (struct message *)letter;
    desk->office->questions++;
    if (desk->office->answers)
        reply(desk->office, desk->worker);
}

static void on_reply(void *owner, struct letter *letter)
{
    struct office *office = owner;
    struct message *message = (struct message *)letter;
    assert_int_equal(message->kind, MESSAGE_STATUS_REPLY);
    surveys_on_reply(&office->surveys, message->status.request);
    message_free(message);
}

static void on_done(void *user, struct survey *survey)
{
    (void)survey;
    ((struct office *)user)->done++;
}

static struct desk desks[WORKERS];

static int open_office(void **state)
{
    struct office *office = calloc(1, sizeof *office);
    uv_loop_init(&office->loop);
    assert_true(mailbox_open(&office->mailbox, &office->loop, office, on_reply, message_drop));
    for (uint32_t i = 0; i < WORKERS; i++) {
        struct sessions *sessions = &office->workers[i].sessions;
        desks[i] = (struct desk){office, i};
        assert_true(
            mailbox_open(&office->workers[i].mailbox, &office->loop, &desks[i], on_question, message_drop));
        sessions->pools.worker = i;
        sessions->n_slots = 3000; /* nobody in them: a survey of sessions needs three turns */
        sessions->slots = calloc(sessions->n_slots, sizeof *sessions->slots);
    }
    surveys_init(&office->surveys, office->workers, WORKERS, &office->mailbox);
    *state = office;
    return 0;
}

static int close_office(void **state)
{
    struct office *office = *state;
    mailbox_close(&office->mailbox);
    for (uint32_t i = 0; i < WORKERS; i++) {
        mailbox_close(&office->workers[i].mailbox);
        message_free(office->asked[i]);
        free(office->workers[i].sessions.slots);
    }
    uv_run(&office->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&office->loop), 0);
    surveys_fini(&office->surveys);
    free(office);
    return 0;
}

static void turn(struct office *office)
{
    for (int i = 0; i < 50; i++)
        uv_run(&office->loop, UV_RUN_NOWAIT);
}

static void a_worker_is_asked_until_it_has_told_all(void **state)
{
    struct office *office = *state;
    office->answers = true;
    struct survey *survey = survey_start(&office->surveys, SURVEY_SESSIONS, NULL, on_done, office);
    assert_int_equal(office->done, 0); /* never from within */
    turn(office);
    assert_int_equal(office->done, 1);
    assert_int_equal(office->questions, 3 * WORKERS);
    assert_int_equal(survey->n, 0);
    assert_int_equal(survey->silent, 0);
    assert_false(survey->incomplete);
    survey_free(survey);
    assert_null(office->surveys.first);
}

static void pools_are_told_at_once(void **state)
{
    struct office *office = *state;
    office->answers = true;
    struct survey *survey = survey_start(&office->surveys, SURVEY_POOLS, NULL, on_done, office);
    turn(office);
    assert_int_equal(office->done, 1);
    assert_int_equal(office->questions, WORKERS);
    survey_free(survey);
}

static void several_surveys_may_be_on_their_way(void **state)
{
    struct office *office = *state;
    office->answers = true;
    struct survey *one = survey_start(&office->surveys, SURVEY_SESSIONS, NULL, on_done, office);
    struct survey *two = survey_start(&office->surveys, SURVEY_SERVERS, NULL, on_done, office);
    turn(office);
    assert_int_equal(office->done, 2);
    survey_free(two);
    survey_free(one);
    assert_null(office->surveys.first);
}

static void a_silent_worker_does_not_hold_up_the_others_for_ever(void **state)
{
    struct office *office = *state;
    struct survey *survey = survey_start(&office->surveys, SURVEY_POOLS, NULL, on_done, office);
    turn(office);
    reply(office, 0);
    turn(office);
    survey_check(survey); /* too early */
    assert_int_equal(office->done, 0);
    survey->progress_us -= 3000000;
    survey_check(survey);
    assert_int_equal(office->done, 1);
    assert_int_equal(survey->silent, 1);
    reply(office, 1); /* too late */
    turn(office);
    assert_int_equal(office->done, 1);
    survey_free(survey);
    assert_null(office->surveys.first);
}

static void an_answer_to_a_survey_given_up_is_dropped(void **state)
{
    struct office *office = *state;
    survey_free(survey_start(&office->surveys, SURVEY_SESSIONS, NULL, on_done, office));
    assert_non_null(office->surveys.first);
    turn(office);
    reply(office, 1);
    reply(office, 0);
    turn(office);
    assert_int_equal(office->done, 0);
    assert_null(office->surveys.first);
    assert_int_equal(office->questions, WORKERS); /* and nobody is asked again */
}

static void a_worker_that_has_ended_leaves_nothing_behind(void **state)
{
    struct office *office = *state;
    mailbox_close(&office->workers[0].mailbox);
    struct survey *survey = survey_start(&office->surveys, SURVEY_POOLS, NULL, on_done, office);
    turn(office);
    reply(office, 1);
    turn(office);
    survey->progress_us -= 3000000;
    survey_check(survey);
    assert_int_equal(survey->silent, 1);
    survey_free(survey);
    assert_non_null(office->surveys.first); /* freed by close_office; leaks are the sanitizer's to find */
    assert_true(
        mailbox_open(&office->workers[0].mailbox, &office->loop, &desks[0], on_question, message_drop));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_worker_is_asked_until_it_has_told_all, open_office, close_office),
        cmocka_unit_test_setup_teardown(pools_are_told_at_once, open_office, close_office),
        cmocka_unit_test_setup_teardown(several_surveys_may_be_on_their_way, open_office, close_office),
        cmocka_unit_test_setup_teardown(
            a_silent_worker_does_not_hold_up_the_others_for_ever, open_office, close_office),
        cmocka_unit_test_setup_teardown(an_answer_to_a_survey_given_up_is_dropped, open_office, close_office),
        cmocka_unit_test_setup_teardown(
            a_worker_that_has_ended_leaves_nothing_behind, open_office, close_office),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
