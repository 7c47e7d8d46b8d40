/* Which prepared statements a server holds: least recently used first out. */
#include "proxy/server/statements.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void the_least_recently_used_is_the_oldest(void **state)
{
    (void)state;
    struct statements statements;
    statements_init(&statements);
    assert_int_equal(statements_excess(&statements, 0), 0);
    for (uint64_t id = 1; id <= 4; id++)
        assert_true(statements_add(&statements, id));
    assert_true(statements_use(&statements, 1));
    assert_int_equal(statements_excess(&statements, 0), 2);
    assert_true(statements_add(&statements, 2)); /* again: a use */
    assert_int_equal(statements.count, 4);
    assert_int_equal(statements_excess(&statements, 0), 3);
    assert_false(statements_use(&statements, 9));
    statements_remove(&statements, 9);
    for (uint64_t id = 3; statements.count > 0; id = statements_excess(&statements, 0)) {
        assert_int_equal(statements_excess(&statements, 0), id);
        statements_remove(&statements, id);
        assert_false(statements_use(&statements, id));
    }
    statements_fini(&statements);
}

static void removing_keeps_the_order_of_the_others(void **state)
{
    (void)state;
    for (uint64_t removed = 1; removed <= 3; removed++) {
        struct statements statements;
        uint64_t seen[2];
        statements_init(&statements);
        for (uint64_t id = 1; id <= 3; id++)
            statements_add(&statements, id);
        statements_remove(&statements, removed);
        for (int i = 0; i < 2; i++) {
            seen[i] = statements_excess(&statements, 0);
            statements_remove(&statements, seen[i]);
        }
        assert_int_equal(seen[0], removed == 1 ? 2 : 1);
        assert_int_equal(seen[1], removed == 3 ? 2 : 3);
        statements_fini(&statements);
    }
}

static void clearing_forgets_the_unnamed_one_too(void **state)
{
    (void)state;
    struct statements statements;
    statements_init(&statements);
    statements_add(&statements, 7);
    statements.unnamed = 9;
    statements_clear(&statements);
    assert_int_equal(statements.count, 0);
    assert_true(statements.unnamed == STATEMENTS_UNNAMED_UNKNOWN);
    assert_false(statements_use(&statements, 7));
    statements_fini(&statements);
}

static void what_a_batch_uses_does_not_make_room_for_what_it_needs(void **state)
{
    (void)state;
    struct statements statements;
    statements_init(&statements);
    statements_add(&statements, 1);
    statements_add(&statements, 2);
    assert_int_equal(statements_excess(&statements, 3), 0);
    statements_begin(&statements);
    assert_true(statements_use(&statements, 1));
    assert_int_equal(statements_excess(&statements, 2), 2);
    statements_remove(&statements, 2);
    statements_add(&statements, 3);
    assert_int_equal(statements_excess(&statements, 2), 0); /* both are in use */
    statements_add(&statements, 4);
    statements_add(&statements, 5);
    assert_int_equal(statements_excess(&statements, 2), 1); /* twice as many are enough */
    statements_begin(&statements);
    assert_true(statements_has(&statements, 1)); /* no use */
    assert_int_equal(statements_excess(&statements, 2), 1);
    statements_fini(&statements);
}

static void columns_are_those_of_what_is_held_now(void **state)
{
    (void)state;
    struct statements statements;
    statements_init(&statements);
    statements_describe(&statements, 7, 3); /* it is not there */
    assert_true(statements_add(&statements, 7));
    assert_int_equal(statements_columns(&statements, 7), 0);
    statements_describe(&statements, 7, 3);
    assert_true(statements_add(&statements, 7)); /* there already */
    assert_int_equal(statements_columns(&statements, 7), 3);
    statements_remove(&statements, 7);
    assert_int_equal(statements_columns(&statements, 7), 0);
    assert_true(statements_add(&statements, 7));
    assert_int_equal(statements_columns(&statements, 7), 0);
    statements_fini(&statements);
}

static void a_name_says_the_id(void **state)
{
    (void)state;
    char name[STATEMENT_NAME_MAX];
    assert_int_equal(statement_name(UINT64_MAX, name), 19);
    assert_string_equal(name, "rc_ffffffffffffffff");
    assert_int_equal(statement_name(26, name), 5);
    assert_string_equal(name, "rc_1a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_recently_used_is_the_oldest),
        cmocka_unit_test(removing_keeps_the_order_of_the_others),
        cmocka_unit_test(clearing_forgets_the_unnamed_one_too),
        cmocka_unit_test(what_a_batch_uses_does_not_make_room_for_what_it_needs),
        cmocka_unit_test(columns_are_those_of_what_is_held_now),
        cmocka_unit_test(a_name_says_the_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
