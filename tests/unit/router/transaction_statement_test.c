/* The statements around transactions that are understood to the last word, and those that are not. */
#include "router/transaction_statement.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct row {
    const char *text;
    enum transaction_verb verb;
    const char *begin; /* what it becomes */
};

static const struct row known[] = {
    {"begin", TRANSACTION_BEGIN, "BEGIN"},
    {" /* a */ BEGIN;; -- b", TRANSACTION_BEGIN, "BEGIN"},
    {"begin work", TRANSACTION_BEGIN, "BEGIN"},
    {"begin transaction read only", TRANSACTION_BEGIN, "BEGIN READ ONLY"},
    {"begin read write, isolation level serializable", TRANSACTION_BEGIN,
        "BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE"},
    {"begin isolation level read committed read only not deferrable", TRANSACTION_BEGIN,
        "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY NOT DEFERRABLE"},
    {"begin isolation level read uncommitted", TRANSACTION_BEGIN, "BEGIN ISOLATION LEVEL READ UNCOMMITTED"},
    {"begin read only read write", TRANSACTION_BEGIN, "BEGIN READ WRITE"},
    {"start transaction isolation level repeatable read, read write, not deferrable", TRANSACTION_START,
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE NOT DEFERRABLE"},
    {"set transaction read only", TRANSACTION_SET, "BEGIN READ ONLY"},
    {"set local transaction deferrable", TRANSACTION_SET, "BEGIN DEFERRABLE"},
    {"commit", TRANSACTION_COMMIT, "BEGIN"},
    {"END TRANSACTION AND NO CHAIN;", TRANSACTION_COMMIT, "BEGIN"},
    {"rollback work", TRANSACTION_ROLLBACK, "BEGIN"},
    {"abort", TRANSACTION_ROLLBACK, "BEGIN"},
};

static const char *const unknown[] = {"", "begin; select 1", "begin nonsense", "begin read",
    "begin read only,", "begin , read only", "begin isolation level", "begin isolation level repeatable",
    "begin isolation read only", "begin deferrable not", "begin 'x'", "begin \"read\" only", "start",
    "start transaction read", "set transaction", "set transaction snapshot '1'",
    "set session transaction read only", "set transaction_read_only = on",
    "set session characteristics as transaction read only", "commit and chain", "commit prepared 'x'",
    "commit and no", "rollback to a", "rollback to savepoint a", "rollback and chain",
    "rollback prepared 'x'", "prepare transaction 'x'", "savepoint a", "release a", "end if", "begin; begin",
    "begin '"};

static void what_is_known_is_read_to_the_last_word(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct transaction_statement got;
        char text[TRANSACTION_TEXT_MAX];
        if (!transaction_statement(slice_from(known[i].text), true, &got))
            fail_msg("\"%s\" is not known", known[i].text);
        assert_int_equal(got.verb, known[i].verb);
        size_t len = transaction_begin_text(&got.modes, text);
        assert_string_equal(text, known[i].begin);
        assert_int_equal(len, strlen(text));
    }
}

static void everything_else_is_postgresqls(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        struct transaction_statement got;
        if (transaction_statement(slice_from(unknown[i]), true, &got))
            fail_msg("\"%s\" was taken for known", unknown[i]);
    }
}

static void the_longest_text_has_room(void **state)
{
    (void)state;
    char text[TRANSACTION_TEXT_MAX];
    for (int isolation = 0; isolation <= ISOLATION_SERIALIZABLE; isolation++)
        for (int read_only = 0; read_only <= SWITCH_OFF; read_only++)
            for (int deferrable = 0; deferrable <= SWITCH_OFF; deferrable++) {
                struct transaction_modes modes = {(enum isolation)isolation,
                    (enum transaction_switch)read_only, (enum transaction_switch)deferrable};
                struct transaction_statement again;
                size_t len = transaction_begin_text(&modes, text);
                assert_true(len < sizeof text);
                assert_true(transaction_statement(slice_of(text, len), true, &again));
                assert_memory_equal(&again.modes, &modes, sizeof modes);
            }
}

static void what_is_said_later_stands(void **state)
{
    (void)state;
    struct transaction_modes modes = {ISOLATION_SERIALIZABLE, SWITCH_ON, SWITCH_DEFAULT};
    const struct transaction_modes later = {ISOLATION_DEFAULT, SWITCH_OFF, SWITCH_ON};
    transaction_modes_add(&modes, &later);
    assert_int_equal(modes.isolation, ISOLATION_SERIALIZABLE);
    assert_int_equal(modes.read_only, SWITCH_OFF);
    assert_int_equal(modes.deferrable, SWITCH_ON);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_known_is_read_to_the_last_word),
        cmocka_unit_test(everything_else_is_postgresqls),
        cmocka_unit_test(the_longest_text_has_room),
        cmocka_unit_test(what_is_said_later_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
