/* What a logged-in node says, settled against what it owes. */
#include "tests/unit/server/rig.h"

#include "proxy/server/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void open_active(void)
{
    rig_open();
    rig_connect();
    server_link(rig.server, &rig_user, &rig);
}

static void owe(enum expect_kind kind, bool hidden, uint64_t about)
{
    assert_true(expect_push(
        &rig.server->expect, (struct expect){.kind = (uint8_t)kind, .hidden = hidden, .about = about}));
}

static void owe_local(char type)
{
    assert_true(expect_push(&rig.server->expect, (struct expect){.kind = EXPECT_LOCAL, .local = type}));
}

static void say(const char *words)
{
    fake_node_say(&rig.node, 0, words);
    rig_turns(4);
}

/* P B D E, S as a client would have sent them; upper case = hidden. */
static void owe_all(const char *kinds)
{
    for (; *kinds; kinds++)
        switch (*kinds | 32) {
        case 'p': owe(EXPECT_PARSE, *kinds < 'a', EXPECT_ABOUT_NOTHING); break;
        case 'b': owe(EXPECT_BIND, *kinds < 'a', 0); break;
        case 'd': owe(EXPECT_DESCRIBE, *kinds < 'a', 0); break;
        case 'e': owe(EXPECT_EXECUTE, *kinds < 'a', 0); break;
        case 'c': owe(EXPECT_CLOSE, *kinds < 'a', 0); break;
        case 's': owe(EXPECT_SYNC, *kinds < 'a', 0); break;
        case 'q': owe(EXPECT_QUERY, *kinds < 'a', 0); break;
        case 'l': owe_local('1'); break;
        default: fail_msg("%c", *kinds);
        }
    answer_local(rig.server);
}

static const struct {
    const char *owed, *said, *heard;
    uint32_t left;
} cases[] = {
    {"q", "T D:1 D:2 C:SELECT~2 Z:I", "T D:1 D:2 C:SELECT~2 Z:I", 0},
    {"q", "E:42601 Z:I", "E:42601 Z:I", 0},
    {"q", "I Z:I", "I Z:I", 0},
    {"pbdes", "1 2 T D:1 C:SELECT~1 Z:I", "1 2 T D:1 C:SELECT~1 Z:I", 0},
    {"pds", "1 t n Z:T", "1 t n Z:T", 0},
    {"besbes", "2 s Z:T 2 C:X Z:I", "2 s Z:T 2 C:X Z:I", 0},
    {"Pbes", "1 2 C:X Z:I", "2 C:X Z:I", 0},
    {"CPbes", "3 1 2 C:X Z:I", "2 C:X Z:I", 0},
    {"Qq", "S:a=b C:SELECT~1 Z:I C:X Z:I", "C:X Z:I", 0},
    {"lbes", "2 C:X Z:I", "1 2 C:X Z:I", 0},
    {"belbes", "2 C:X 2 C:Y Z:I", "2 C:X 1 2 C:Y Z:I", 0},
    {"pbespbes", "E:42601 Z:I 1 2 C:X Z:I", "E:42601 Z:I 1 2 C:X Z:I", 0},
    {"pbepbes", "1 2 E:22012 Z:I", "1 2 E:22012 Z:I", 0},
    {"pbelpbes", "1 2 E:22012 Z:I", "1 2 E:22012 Z:I", 0},
    {"bes", "2 C:X E:40001 Z:I", "2 C:X E:40001 Z:I", 0}, /* fails at the commit */
    {"Pbes", "E:42601 Z:I", "E:42601 Z:I", 0},            /* a hidden Parse fails the client's Bind */
    {"q", "N:01000 S:a=b A:channel C:X Z:I", "N:01000 S:a=b A:channel C:X Z:I", 0},
    {"q", "H d:1 d:2 c C:COPY~2 Z:I", "H d:1 d:2 c C:COPY~2 Z:I", 0},
    {"q", "V Z:I", "V Z:I", 0},
    {"pbes", "1 2", "1 2", 2},
    {"q", "C:X C:Y Z:I", "C:X C:Y Z:I", 0},
};

static void answers_are_matched_with_what_is_owed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        open_active();
        owe_all(cases[i].owed);
        say(cases[i].said);
        if (strcmp(rig.heard, cases[i].heard) != 0)
            fail_msg("%s: heard \"%s\", expected \"%s\"", cases[i].owed, rig.heard, cases[i].heard);
        assert_int_equal(rig.server->expect.count, cases[i].left);
        assert_int_equal(rig.ends, 0);
        rig_close();
    }
}

static void every_split_of_an_answer_is_the_same_answer(void **state)
{
    (void)state;
    static char bytes[1024];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t len = talk_backend(cases[i].said, bytes, sizeof bytes);
        for (size_t split = 1; split < len; split++) {
            open_active();
            owe_all(cases[i].owed);
            fake_node_send(&rig.node, 0, bytes, split);
            rig_turns(2);
            fake_node_send(&rig.node, 0, bytes + split, len - split);
            rig_turns(2);
            assert_string_equal(rig.heard, cases[i].heard);
            assert_int_equal(rig.server->expect.count, cases[i].left);
            rig_close();
        }
    }
}

static void what_is_not_owed_ends_the_connection(void **state)
{
    (void)state;
    static const struct {
        const char *owed, *said;
    } wrong[] = {{"", "Z:I"}, {"", "D:1"}, {"", "1"}, {"pbes", "Z:I"}, {"q", "Z:?"}, {"", "C:X"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        open_active();
        owe_all(wrong[i].owed);
        say(wrong[i].said);
        assert_int_equal(rig.ends, 1);
        assert_string_equal(rig.error.sqlstate, "08P01");
        rig_close();
    }
}

static void a_bad_length_ends_the_connection(void **state)
{
    (void)state;
    open_active();
    owe_all("q");
    fake_node_send(&rig.node, 0, "D\0\0\0\3", 5);
    rig_turns(3);
    assert_int_equal(rig.ends, 1);
    rig_close();
}

static void an_idle_server_takes_parameters_notices_and_a_fatal(void **state)
{
    (void)state;
    rig_open();
    rig_connect();
    say("S:TimeZone=UTC N:01000 A:channel");
    assert_string_equal(params_get(&rig.server->params, "timezone"), "UTC");
    assert_int_equal(rig.ends, 0);
    assert_false(rig.server->shutdown_warned);
    say("N:57P01");
    assert_true(rig.server->shutdown_warned);
    say("F:57P01 EOF");
    assert_int_equal(rig.ends, 1);
    assert_int_equal(rig.end, STREAM_END_EOF);
    rig_close();
}

static void a_fatal_leaves_its_sqlstate(void **state)
{
    (void)state;
    open_active();
    owe_all("q");
    say("F:57P01");
    assert_string_equal(rig.heard, "F:57P01");
    assert_string_equal(rig.server->fatal_sqlstate, "57P01");
    say("EOF");
    assert_int_equal(rig.ends, 1);
    rig_close();
}

static void large_messages_pass_in_parts(void **state)
{
    (void)state;
    static const size_t sizes[] = {30000, 70000, 130000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *words = malloc(sizes[i] + 64), *bytes = malloc(sizes[i] + 64);
        rig_open();
        rig_connect();
        server_link(rig.server, &rig_user, &rig);
        owe_all("q");
        uint32_t body = (uint32_t)sizes[i];
        bytes[0] = 'd';
        bytes[1] = (char)((body + 4) >> 24);
        bytes[2] = (char)((body + 4) >> 16);
        bytes[3] = (char)((body + 4) >> 8);
        bytes[4] = (char)(body + 4);
        memset(bytes + 5, 'x', body);
        fake_node_send(&rig.node, 0, bytes, 1000);
        rig_turns(3);
        assert_true(rig.parts > 0); /* what has come is passed on */
        fake_node_send(&rig.node, 0, bytes + 1000, 5 + body - 1000);
        rig_turns(10);
        assert_int_equal(rig.part_len, 0);
        assert_true(rig.parts > 1);
        rig.heard[0] = 0;
        say("c C:COPY~1 Z:I");
        assert_string_equal(rig.heard, "c C:COPY~1 Z:I");
        rig_close();
        free(words);
        free(bytes);
    }
}

static void a_failed_parse_is_forgotten_and_a_skipped_one_too(void **state)
{
    (void)state;
    open_active();
    for (uint64_t id = 1; id <= 3; id++)
        statements_add(&rig.server->statements, id);
    owe(EXPECT_PARSE, false, 1);
    owe(EXPECT_PARSE, false, 2);
    owe(EXPECT_PARSE, false, 3);
    owe(EXPECT_SYNC, false, 0);
    say("1 E:42601 Z:I");
    assert_true(statements_use(&rig.server->statements, 1));
    assert_false(statements_use(&rig.server->statements, 2));
    assert_false(statements_use(&rig.server->statements, 3));
    rig_close();
}

static void copy_in_says_whether_the_data_has_ended(void **state)
{
    (void)state;
    open_active();
    owe_all("bes");
    say("2 G");
    assert_int_equal(rig.server->expect.count, 1); /* the Sync came too early: it is ignored */
    assert_true(expect_push(&rig.server->expect, (struct expect){.kind = EXPECT_SYNC}));
    say("C:COPY~1 Z:I");
    assert_string_equal(rig.heard, "2 G C:COPY~1 Z:I");
    assert_int_equal(rig.server->expect.count, 0);
    rig_close();
}

static void an_injected_query_is_hidden_and_its_failure_kept(void **state)
{
    (void)state;
    open_active();
    assert_true(server_inject_query(rig.server, "set a = b", INJECTED_PREFIX));
    owe_all("q");
    fake_node_script(&rig.node, "E:22023 Z:I");
    rig_turns(4);
    assert_int_equal(rig.prefixes, 1);
    assert_true(rig.server->prefix_failed);
    assert_string_equal(rig.server->prefix_error.sqlstate, "22023");
    assert_string_equal(rig.heard, "");
    say("C:X Z:I");
    assert_string_equal(rig.heard, "C:X Z:I");
    rig_close();
}

static void a_reset_rolls_back_and_discards(void **state)
{
    (void)state;
    rig_open();
    rig_connect();
    rig.server->tx_status = 'T';
    rig.server->dirty = true;
    statements_add(&rig.server->statements, 1);
    server_reset(rig.server);
    assert_int_equal(rig.server->state, SERVER_RESETTING);
    rig_turns(5);
    assert_int_equal(rig.readies, 2);
    assert_int_equal(rig.server->state, SERVER_IDLE);
    assert_false(rig.server->dirty);
    assert_int_equal(rig.server->statements.count, 0);
    assert_string_equal(rig.node.peers[0].heard, "Q:ROLLBACK Q:DISCARD~ALL");
    rig_close();
}

static void a_reset_that_fails_ends_the_server(void **state)
{
    (void)state;
    rig_open();
    rig_connect();
    rig.server->tx_status = 'T';
    fake_node_script(&rig.node, "E:XX000 Z:I");
    server_reset(rig.server);
    rig_turns(5);
    assert_int_equal(rig.readies, 1);
    assert_int_equal(rig.ends, 1);
    assert_int_equal(rig.end_state, SERVER_RESETTING);
    rig_close();
}

static void a_user_may_close_the_server_in_any_answer(void **state)
{
    (void)state;
    static const char *const words[] = {"T", "D:1", "E:42601", "N:01000", "S:a=b", "Z:I", "F:57P01"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        open_active();
        owe_all("q");
        rig.close_on_answer = true;
        say(words[i]);
        assert_null(rig.server);
        assert_int_equal(rig.ends, 0);
        rig_turns(3);
        rig_close();
    }
}

static void the_node_may_go_in_any_state(void **state)
{
    (void)state;
    for (int stage = 0; stage < 3; stage++) {
        rig_open();
        rig_connect();
        enum server_state expected = SERVER_IDLE;
        if (stage == 1) {
            server_link(rig.server, &rig_user, &rig);
            owe_all("q");
            expected = SERVER_ACTIVE;
        } else if (stage == 2) {
            server_reset(rig.server);
            expected = SERVER_RESETTING;
        }
        fake_node_drop(&rig.node, 0);
        rig_turns(4);
        assert_int_equal(rig.ends, 1);
        assert_int_equal(rig.end_state, expected);
        rig_close();
    }
}

static void a_closed_server_lives_until_its_cancels_are_through(void **state)
{
    (void)state;
    rig_open();
    rig_connect();
    struct server *server = rig.server;
    server->cancels = 2;
    server_close(server);
    rig.server = NULL;
    rig_turns(3);
    assert_true(server->buried);
    server_cancel_done(server);
    server_cancel_done(server); /* frees it: the sanitizers look */
    rig_close();
}

static void only_a_quiet_server_is_movable(void **state)
{
    (void)state;
    rig_open();
    rig_connect();
    assert_true(server_is_movable(rig.server));
    rig.server->cancels = 1;
    assert_false(server_is_movable(rig.server));
    rig.server->cancels = 0;
    owe_all("q");
    assert_false(server_is_movable(rig.server));
    expect_clear(&rig.server->expect);
    server_link(rig.server, &rig_user, &rig);
    assert_false(server_is_movable(rig.server));
    server_unlink(rig.server);
    server_send(rig.server, "x", 1);
    assert_false(server_is_movable(rig.server));
    rig_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_matched_with_what_is_owed),
        cmocka_unit_test(every_split_of_an_answer_is_the_same_answer),
        cmocka_unit_test(what_is_not_owed_ends_the_connection),
        cmocka_unit_test(a_bad_length_ends_the_connection),
        cmocka_unit_test(an_idle_server_takes_parameters_notices_and_a_fatal),
        cmocka_unit_test(a_fatal_leaves_its_sqlstate),
        cmocka_unit_test(large_messages_pass_in_parts),
        cmocka_unit_test(a_failed_parse_is_forgotten_and_a_skipped_one_too),
        cmocka_unit_test(copy_in_says_whether_the_data_has_ended),
        cmocka_unit_test(an_injected_query_is_hidden_and_its_failure_kept),
        cmocka_unit_test(a_reset_rolls_back_and_discards),
        cmocka_unit_test(a_reset_that_fails_ends_the_server),
        cmocka_unit_test(a_user_may_close_the_server_in_any_answer),
        cmocka_unit_test(the_node_may_go_in_any_state),
        cmocka_unit_test(a_closed_server_lives_until_its_cancels_are_through),
        cmocka_unit_test(only_a_quiet_server_is_movable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
