/* What a server still owes: order over growth, skipping to Sync, COPY. */
#include "proxy/server/expect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char letters[] = {[EXPECT_QUERY] = 'Q',
    [EXPECT_PARSE] = 'P',
    [EXPECT_BIND] = 'B',
    [EXPECT_DESCRIBE] = 'D',
    [EXPECT_EXECUTE] = 'E',
    [EXPECT_CLOSE] = 'C',
    [EXPECT_SYNC] = 'S',
    [EXPECT_COPY_END] = 'c',
    [EXPECT_LOCAL] = 'L'};

static void push(struct expect_queue *queue, const char *kinds)
{
    for (; *kinds; kinds++) {
        uint8_t kind = 0;
        while (letters[kind] != *kinds)
            kind++;
        assert_true(expect_push(queue, (struct expect){.kind = kind}));
    }
}

/* Empties it. */
static void assert_queue(struct expect_queue *queue, const char *kinds)
{
    for (; *kinds; kinds++) {
        assert_non_null(expect_head(queue));
        assert_int_equal(letters[expect_head(queue)->kind], *kinds);
        expect_pop(queue);
    }
    assert_null(expect_head(queue));
}

static void entries_come_in_order_while_the_ring_grows_and_turns(void **state)
{
    (void)state;
    struct expect_queue queue;
    uint64_t in = 0, out = 0;
    expect_init(&queue);
    assert_null(expect_head(&queue));
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 7 + round; i++)
            assert_true(expect_push(&queue, (struct expect){.kind = EXPECT_PARSE, .about = in++}));
        for (int i = 0; i < 5 + round; i++) {
            assert_int_equal(expect_head(&queue)->about, out++);
            expect_pop(&queue);
        }
    }
    assert_int_equal(queue.count, in - out);
    expect_clear(&queue);
    assert_null(expect_head(&queue));
    expect_fini(&queue);
}

static void note(void *context, const struct expect *entry)
{
    char *dropped = context;
    dropped[strlen(dropped)] = letters[entry->kind];
}

static void an_error_skips_to_the_next_sync_or_query(void **state)
{
    (void)state;
    static const struct {
        const char *before, *dropped, *after;
    } cases[] = {
        {"PBES", "EBP", "S"},
        {"S", "", "S"},
        {"BDESPBES", "EDB", "SPBES"},
        {"PBEQ", "EBP", "Q"},
        {"Q", "", "Q"},
        {"LELcS", "cLEL", "S"},
        {"PBE", "EBP", ""},
        {"", "", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct expect_queue queue;
        char dropped[32] = "";
        expect_init(&queue);
        push(&queue, cases[i].before);
        expect_skip_to_sync(&queue, dropped, note);
        assert_string_equal(dropped, cases[i].dropped);
        assert_queue(&queue, cases[i].after);
        push(&queue, cases[i].before);
        expect_skip_to_sync(&queue, NULL, NULL);
        assert_queue(&queue, cases[i].after);
        expect_fini(&queue);
    }
}

/* PostgreSQL ignores Sync (and Flush) while it waits for COPY data. */
static void what_is_owed_is_found_by_kind_and_word(void **state)
{
    (void)state;
    struct expect_queue queue;
    expect_init(&queue);
    push(&queue, "PPP");
    while (queue.count > 0)
        expect_pop(&queue);
    for (uint64_t about = 0; about < 20; about++) /* around the ring, which grows */
        assert_true(expect_push(&queue, (struct expect){.kind = EXPECT_DESCRIBE, .about = about}));
    assert_true(expect_has(&queue, EXPECT_DESCRIBE, 0));
    assert_true(expect_has(&queue, EXPECT_DESCRIBE, 19));
    assert_false(expect_has(&queue, EXPECT_DESCRIBE, 20));
    assert_false(expect_has(&queue, EXPECT_BIND, 19));
    expect_pop(&queue);
    assert_false(expect_has(&queue, EXPECT_DESCRIBE, 0));
    expect_fini(&queue);
}

static void what_comes_next_is_what_is_not_hidden(void **state)
{
    (void)state;
    struct expect_queue queue;
    expect_init(&queue);
    assert_false(expect_next_is(&queue, EXPECT_BIND));
    assert_true(expect_push(&queue, (struct expect){.kind = EXPECT_BIND, .hidden = true}));
    assert_false(expect_next_is(&queue, EXPECT_BIND));
    assert_true(expect_push(&queue, (struct expect){.kind = EXPECT_DESCRIBE}));
    assert_true(expect_push(&queue, (struct expect){.kind = EXPECT_BIND}));
    assert_true(expect_next_is(&queue, EXPECT_DESCRIBE));
    assert_false(expect_next_is(&queue, EXPECT_BIND));
    expect_mark_within(&queue, 1);
    assert_false(expect_head(&queue)->within);
    expect_pop(&queue);
    assert_true(expect_head(&queue)->within);
    expect_fini(&queue);
}

static void copy_in_swallows_syncs_up_to_the_end_of_the_data(void **state)
{
    (void)state;
    static const struct {
        const char *before, *after;
        bool ended;
    } cases[] = {
        {"ES", "E", false},
        {"ESc", "E", true},
        {"EcS", "ES", true},
        {"EScS", "ES", true},
        {"EcSEcS", "ESEcS", true},
        {"E", "E", false},
        {"ESS", "E", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct expect_queue queue;
        expect_init(&queue);
        push(&queue, "QQQQQQQQQQQQ"); /* so that the ring has turned */
        for (int n = 0; n < 12; n++)
            expect_pop(&queue);
        push(&queue, cases[i].before);
        assert_int_equal(expect_copy_in(&queue), cases[i].ended);
        assert_queue(&queue, cases[i].after);
        expect_fini(&queue);
    }
}

static void parses_and_binds_are_counted_but_for_rolecalls_own(void **context)
{
    (void)context;
    static const struct expect entries[] = {
        {.kind = EXPECT_PARSE},                             /* unnamed, the client's */
        {.kind = EXPECT_PARSE, .about = 7},                 /* named */
        {.kind = EXPECT_PARSE, .about = 8, .hidden = true}, /* put in place for it */
        {.kind = EXPECT_PARSE, .hidden = true},             /* a BEGIN ahead */
        {.kind = EXPECT_PARSE, .hidden = true, .about = EXPECT_ABOUT_NOTHING},
        {.kind = EXPECT_BIND},
        {.kind = EXPECT_BIND, .hidden = true},
        {.kind = EXPECT_EXECUTE},
        {.kind = EXPECT_SYNC},
    };
    struct expect_queue queue;
    expect_init(&queue);
    for (int round = 0; round < 5; round++) /* while the ring grows */
        for (size_t i = 0; i < sizeof entries / sizeof *entries; i++)
            assert_true(expect_push(&queue, entries[i]));
    assert_int_equal(queue.parses, 15);
    assert_int_equal(queue.binds, 5);
    expect_fini(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_come_in_order_while_the_ring_grows_and_turns),
        cmocka_unit_test(an_error_skips_to_the_next_sync_or_query),
        cmocka_unit_test(what_is_owed_is_found_by_kind_and_word),
        cmocka_unit_test(what_comes_next_is_what_is_not_hidden),
        cmocka_unit_test(copy_in_swallows_syncs_up_to_the_end_of_the_data),
        cmocka_unit_test(parses_and_binds_are_counted_but_for_rolecalls_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
