/* Prepared statements on their way to scripted nodes: what is sent where, and what happens when the client or
 * the node goes in the middle of it. */
#include "tests/unit/session/world.h"

#include "proxy/session/inquiry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct world world;
static struct client one, two;

static void open_world(const char *more)
{
    world_open(&world, "pool = transaction", more);
    world_topology(&world, ROLE_PRIMARY, ROLE_REPLICA);
    client_login(&world, &one);
    client_login(&world, &two);
}

static void close_world(void)
{
    client_close(&one);
    client_close(&two);
    world_turns(&world, 5);
    assert_null(world.sessions.first);
    world_close(&world);
}

static struct session *first_session(void)
{
    struct session *session = world.sessions.first;
    while (session->next)
        session = session->next;
    return session;
}

static const char *heard(int peer)
{
    return world.nodes[0].peers[peer].heard;
}

static void forget(int peer)
{
    world.nodes[0].peers[peer].heard[0] = 0;
}

static const char *ask(const char *words)
{
    return client_ask(&world, &one, words);
}

/* The second client takes the first connection: the first one gets another. */
static void take_first_connection(void)
{
    assert_string_equal(client_ask(&world, &two, "Q:begin Q:lock~t"), "C:BEGIN Z:T C:OK Z:T");
}

static void schema_changes(void)
{
    sessions_catalogue_changed(&world.sessions, 0, "shop");
}

/* ---- by SQL ---- */

#define BY_SQL(id, text) "Cs:rc_t P:rc_t=PREPARE~" id text " B:rc_t E Cp:rc_t Cs:rc_t"

static void what_sql_prepares_is_prepared_where_it_is_needed(void **state)
{
    (void)state;
    open_world("");
    assert_string_equal(ask("Q:prepare~p~(int)~as~select~$1"), "C:OK Z:I");
    assert_string_equal(heard(0), "Q:prepare~rc_1~(int)~as~select~$1");
    assert_int_equal(first_session()->pins, 0);
    forget(0);
    ask("Q:execute~p(1)");
    assert_string_equal(heard(0), "Q:execute~rc_1(1)");
    take_first_connection();
    ask("Q:execute~p(2)");
    assert_string_equal(heard(1), BY_SQL("rc_1", "~(int)~as~select~$1") " S Q:execute~rc_1(2)");
    forget(1);
    assert_string_equal(ask("B:p E: S"), "2 C:SELECT~1 Z:I");
    assert_string_equal(heard(1), "B:rc_1 E S");
    close_world();
}

static void two_sessions_share_what_they_prepare_by_sql(void **state)
{
    (void)state;
    open_world("");
    ask("Q:prepare~p~as~select~1");
    forget(0);
    client_ask(&world, &two, "Q:PREPARE~other~as~select~1");
    assert_string_equal(heard(0), "Cs:rc_1 S Q:PREPARE~rc_1~as~select~1"); /* looked at by the node again */
    assert_int_equal(prepared_count(world.sessions.pools.prepared), 1);
    client_ask(&world, &two, "Q:deallocate~other");
    forget(0);
    ask("Q:execute~p");
    assert_string_equal(heard(0), "Q:execute~rc_1"); /* it is there still */
    assert_string_equal(ask("Cs:p S"), "3 Z:I");
    assert_int_equal(prepared_count(world.sessions.pools.prepared), 0);
    close_world();
}

static void a_prepare_that_fails_leaves_no_name(void **state)
{
    (void)state;
    open_world("");
    fake_node_script(&world.nodes[0], "E:42P01 Z:I");
    assert_string_equal(ask("Q:prepare~p~as~select~x"), "E:42P01 Z:I");
    assert_int_equal(names_count(&first_session()->names), 0);
    forget(0);
    ask("Q:execute~p");
    assert_memory_equal(heard(0), "Q:execute~p ", 12);
    ask("Q:prepare~p~as~select~x"); /* what the server holds is not sure: closed before */
    assert_non_null(strstr(heard(0), "S Q:prepare~rc_"));
    close_world();
}

static void a_hidden_prepare_that_fails_fails_the_execute_once(void **state)
{
    (void)state;
    open_world("");
    ask("Q:prepare~p~as~select~1");
    take_first_connection();
    fake_node_script(&world.nodes[0], "3 E:42P01 Z:I");
    fake_node_script(&world.nodes[0], "E:26000 Z:I");
    assert_string_equal(ask("Q:execute~p"), "E:42P01 Z:I");
    forget(1);
    ask("Q:execute~p"); /* not held: tried again */
    assert_string_equal(heard(1), BY_SQL("rc_1", "~as~select~1") " S Q:execute~rc_1");
    close_world();
}

static void deallocate_takes_nothing_from_others(void **state)
{
    (void)state;
    open_world("");
    ask("Q:prepare~p~as~select~1");
    forget(0);
    ask("Q:deallocate~p");
    assert_string_equal(heard(0), "Cs:rc_x0 P:rc_x0= S Q:deallocate~rc_x0");
    assert_int_equal(names_count(&first_session()->names), 0);
    forget(0);
    ask("Q:deallocate~p");
    assert_string_equal(heard(0), "Q:deallocate~p");
    close_world();
}

/* A driver may ask for the columns first. */
static void what_is_bound_and_not_run_gives_and_takes_no_name(void **state)
{
    (void)state;
    open_world("");
    ask("P:a=select~1 S");
    ask("P:=deallocate~a B: Dp: S");
    ask("P:=prepare~p~as~select~1 B: Dp: S");
    forget(0);
    assert_string_equal(ask("B:a E: S"), "2 C:SELECT~1 Z:I");
    fake_node_script(&world.nodes[0], "E:26000 Z:I");
    ask("Q:execute~p");
    assert_non_null(strstr(heard(0), "Q:execute~p"));
    ask("P:=deallocate~a B: E: S");
    fake_node_script(&world.nodes[0], "E:26000 Z:I");
    assert_string_equal(ask("B:a E: S"), "E:26000 Z:I");
    close_world();
}

static void after_deallocate_all_a_server_holds_nothing(void **state)
{
    (void)state;
    open_world("");
    ask("P:a=select~1 S");
    client_ask(&world, &two, "P:b=select~2 S");
    ask("Q:deallocate~all");
    forget(0);
    client_ask(&world, &two, "B:b E: S");
    assert_string_equal(heard(0), "P:rc_2=select~2 B:rc_2 E S");
    fake_node_script(&world.nodes[0], "E:53200 Z:I"); /* whether it was done is not known */
    ask("Q:deallocate~all");
    forget(0);
    client_ask(&world, &two, "B:b E: S");
    assert_string_equal(heard(0), "Cs:rc_2 P:rc_2=select~2 B:rc_2 E S");
    close_world();
}

static void nobody_runs_anothers_statement_by_its_name_there(void **state)
{
    (void)state;
    open_world("");
    client_ask(&world, &two, "P:secret=select~1 S");
    forget(0);
    ask("B:rc_1 E: S");
    ask("Q:deallocate~rc_1");
    assert_string_equal(heard(0), "B:rc_rc_1 E S Q:deallocate~rc_rc_1");
    ask("Q:execute~rc_1");
    assert_non_null(strstr(heard(0), "Q:execute~rc_rc_1 "));
    close_world();
}

/* ---- settings ---- */

static void set(const char *name, const char *value)
{
    struct params params;
    params_init(&params);
    params_set(&params, slice_from(name), slice_from(value));
    session_set_settings(first_session(), settings_get(world.sessions.pools.settings, &params));
    params_fini(&params);
}

#define PUT(value)                                                                                           \
    "Q:SET~exit_on_error=on;SELECT~pg_catalog.set_config(E'timezone',E'" value                               \
    "',false);SET~exit_on_error=off"

static void a_statement_is_parsed_under_the_settings_that_it_began_with(void **state)
{
    (void)state;
    open_world("");
    set("timezone", "MDY");
    ask("P:a=select~1 S");
    set("timezone", "DMY");
    take_first_connection();
    assert_string_equal(ask("B:a E: S"), "2 C:SELECT~1 Z:I");
    assert_string_equal(heard(1), PUT("MDY") " P:rc_1=select~1 S " PUT("DMY") " B:rc_1 E S");
    forget(1);
    ask("B:a E: S");
    assert_string_equal(heard(1), "B:rc_1 E S");
    close_world();
}

static void in_a_transaction_a_savepoint_puts_the_settings_back(void **state)
{
    (void)state;
    open_world("");
    set("timezone", "MDY");
    ask("P:a=select~1 S");
    set("timezone", "DMY");
    take_first_connection();
    ask("Q:begin Q:lock~t");
    forget(1);
    assert_string_equal(ask("B:a E: S"), "2 C:SELECT~1 Z:T");
    assert_string_equal(heard(1),
        "Q:SAVEPOINT~rolecall_parse " PUT(
            "MDY") " P:rc_1=select~1 S "
                   "Q:ROLLBACK~TO~SAVEPOINT~rolecall_parse;RELEASE~SAVEPOINT~rolecall_parse B:rc_1 E S");
    close_world();
}

/* ---- a schema that changes ---- */

#define STALE "e:0A000=RevalidateCachedQuery"

static void a_stale_statement_is_parsed_anew_unseen(void **state)
{
    (void)state;
    open_world("");
    ask("P:a=select~1 S");
    forget(0);
    fake_node_script(&world.nodes[0], STALE " Z:I");
    assert_string_equal(ask("B:a E: S"), "2 C:SELECT~1 Z:I");
    assert_string_equal(heard(0), "B:rc_1 E S P:rc_2=select~1 B:rc_2 E S");
    close_world();
}

static void told_of_columns(void)
{
    open_world("");
    world.nodes[0].columns = "T:a";
    assert_string_equal(ask("P:a=select~1 Ds:a S"), "1 t T Z:I");
    forget(0);
}

/* Where the text in it stands, it is 0A000. */
#define NEVER_THERE "B:rc_0 E S"

static void a_stale_one_whose_columns_were_told_is_compared(void **state)
{
    (void)state;
    told_of_columns();
    fake_node_script(&world.nodes[0], STALE " Z:I");
    assert_string_equal(ask("B:a E: S"), "2 C:SELECT~1 Z:I"); /* the same ones: it was for another reason */
    assert_string_equal(heard(0), "B:rc_1 E S P:rc_2=select~1 Ds:rc_2 B:rc_2 E S");
    forget(0);
    world.nodes[0].columns = "T:b";
    fake_node_script(&world.nodes[0], STALE " Z:I");
    ask("B:a E: S");
    assert_string_equal(heard(0), "B:rc_2 E S P:rc_3=select~1 Ds:rc_3 B:rc_3 E S "
                                  "Cs:rc_3 P:rc_3=select~1 Ds:rc_3 S " NEVER_THERE);
    forget(0);
    assert_string_equal(ask("B:a Dp: E: S"), "2 T C:SELECT~1 Z:I"); /* told again */
    assert_string_equal(heard(0), "Cs:rc_3 P:rc_3=select~1 B:rc_3 Dp: E S");
    forget(0);
    ask("B:a E: S");
    assert_string_equal(heard(0), "B:rc_3 E S");
    close_world();
}

static void in_a_transaction_or_when_it_began_to_answer_it_is_an_error(void **state)
{
    (void)state;
    open_world("");
    ask("P:a=select~1 S");
    fake_node_script(&world.nodes[0], "2 D:1 C:SELECT~1 " STALE " Z:I");
    assert_string_equal(ask("B:a E: B:a E: S"), "2 D:1 C:SELECT~1 E:0A000 Z:I");
    ask("Q:begin Q:lock~t");
    fake_node_script(&world.nodes[0], STALE " Z:E");
    assert_string_equal(ask("B:a E: S"), "E:0A000 Z:E");
    close_world();
}

static void healing_has_an_end(void **state)
{
    (void)state;
    open_world("");
    ask("P:a=select~1 S");
    fake_node_script(&world.nodes[0], STALE " Z:I");
    for (int i = 0; i < 20; i++)
        fake_node_script(&world.nodes[0], "1 " STALE " Z:I");
    client_say(&one, "B:a E: S");
    world_turns(&world, 200);
    assert_string_equal(client_listen(&world, &one), "E:0A000 Z:I");
    close_world();
}

static void a_batch_of_stale_statements_is_healed_at_once(void **state)
{
    (void)state;
    open_world("");
    ask("P:a=select~1 P:b=select~2 S");
    forget(0);
    fake_node_script(&world.nodes[0], STALE " Z:I");
    assert_string_equal(ask("B:a E: B:b E: S"), "2 C:SELECT~1 2 C:SELECT~1 Z:I");
    assert_non_null(strstr(heard(0), " S P:rc_3=select~1 B:rc_3 E P:rc_4=select~2 B:rc_4 E S"));
    close_world();
}

static void what_was_taken_away_is_parsed_again(void **state)
{
    (void)state;
    open_world("");
    ask("P:a=select~1 S");
    forget(0);
    fake_node_script(&world.nodes[0], "e:26000=exec_bind_message Z:I");
    assert_string_equal(ask("B:a E: S"), "2 C:SELECT~1 Z:I");
    assert_string_equal(heard(0), "B:rc_1 E S Cs:rc_1 P:rc_1=select~1 B:rc_1 E S");
    close_world();
}

static void what_was_told_is_compared_where_it_is_parsed_anew(void **state)
{
    (void)state;
    told_of_columns();
    take_first_connection();
    assert_string_equal(ask("B:a E: S"), "2 C:SELECT~1 Z:I");
    assert_string_equal(heard(1), "P:rc_1=select~1 Ds:rc_1 B:rc_1 E S"); /* a read: in one write */
    forget(1);
    ask("B:a E: S");
    assert_string_equal(heard(1), "B:rc_1 E S"); /* guarded by the node from now on */
    client_ask(&world, &two, "Q:commit");
    close_world();
}

static void other_columns_than_those_told_are_never_seen(void **state)
{
    (void)state;
    told_of_columns();
    take_first_connection();
    world.nodes[0].columns = "T:b";
    fake_node_script(&world.nodes[0], "1 t T:b 2 D:1 C:SELECT~1 Z:I");
    fake_node_script(&world.nodes[0], "3 1 t T:b Z:I");
    fake_node_script(&world.nodes[0], "E:26000 Z:I");
    assert_string_equal(ask("B:a E: S"), "E:26000 Z:I");
    assert_string_equal(heard(1), "P:rc_1=select~1 Ds:rc_1 B:rc_1 E S "
                                  "Cs:rc_1 P:rc_1=select~1 Ds:rc_1 S " NEVER_THERE);
    close_world();
}

static void what_cannot_run_twice_waits_until_its_columns_are_known(void **state)
{
    (void)state;
    open_world("");
    world.nodes[0].columns = "T:a";
    ask("P:a=lock~t Ds:a S");
    take_first_connection();
    ask("B:a E: B:a E: S");
    assert_string_equal(heard(1), "P:rc_1=lock~t Ds:rc_1 S B:rc_1 E B:rc_1 E S");
    forget(0);
    world.nodes[0].columns = "T:b";
    client_ask(&world, &two, "Q:commit");
    ask("P:b=select~1 Ds:b S");
    forget(0);
    take_first_connection();
    ask("Q:begin");
    forget(1);
    ask("B:b E: S"); /* in a transaction */
    assert_string_equal(heard(1), "P:rc_2=select~1 Ds:rc_2 S P:=BEGIN B: E B:rc_2 E S");
    close_world();
}

static void two_names_of_one_statement_are_told_together(void **state)
{
    (void)state;
    told_of_columns();
    ask("P:b=select~1 S");
    forget(0);
    take_first_connection();
    world.nodes[0].columns = "T:b";
    ask("Q:set~application_name~=~x");
    forget(1);
    assert_string_equal(ask("Ds:b S"), "t T Z:I");
    ask("B:a E: S"); /* whichever name was described: it is the same statement */
    assert_string_equal(heard(1), "P:rc_1=select~1 Ds:rc_1 S B:rc_1 E S");
    close_world();
}

static void the_unnamed_one_is_compared_too(void **state)
{
    (void)state;
    open_world("");
    world.nodes[0].columns = "T:a";
    assert_string_equal(ask("P:=select~1 Ds: S"), "1 t T Z:I");
    forget(0);
    ask("B: E: S");
    assert_string_equal(heard(0), "B: E S");
    take_first_connection();
    assert_string_equal(ask("B: E: S"), "2 C:SELECT~1 Z:I");
    assert_string_equal(heard(1), "P:=select~1 Ds: S B: E S");
    client_ask(&world, &two, "Q:commit");
    world.nodes[0].columns = "T:b";
    for (int i = 0; i < 2; i++) {
        forget(0);
        ask("B: E: S");
        assert_string_equal(heard(0), "P:=select~1 Ds: S " NEVER_THERE);
    }
    forget(0);
    assert_string_equal(ask("B: Dp: E: S"), "2 T C:SELECT~1 Z:I"); /* told again */
    close_world();
}

static void a_parse_after_a_change_is_a_real_one(void **state)
{
    (void)state;
    open_world("");
    ask("P:a=select~1 S");
    schema_changes();
    forget(0);
    assert_string_equal(client_ask(&world, &two, "P:b=select~1 S"), "1 Z:I");
    assert_string_equal(heard(0), "P:rc_2=select~1 S");
    close_world();
}

static void what_cannot_be_described_any_more_is_the_clients_error(void **state)
{
    (void)state;
    open_world("");
    world.nodes[0].columns = "T:a";
    ask("P:a=lock~t Ds:a S");
    take_first_connection();
    fake_node_script(&world.nodes[0], "E:42P01 Z:I");
    fake_node_script(&world.nodes[0], "E:42P01 Z:I");
    assert_string_equal(ask("B:a E: S"), "E:42P01 Z:I");
    close_world();
}

/* ---- a transaction that no server has heard of ---- */

static void what_precedes_the_first_statement_precedes_its_begin(void **state)
{
    (void)state;
    open_world("");
    set("timezone", "MDY");
    ask("P:a=select~1 S");
    ask("Q:prepare~p~as~select~1");
    set("timezone", "DMY");
    take_first_connection();
    ask("Q:begin");
    assert_string_equal(ask("B:a E: S"), "2 C:SELECT~1 Z:T");
    assert_string_equal(heard(1), PUT("MDY") " P:rc_1=select~1 S " PUT("DMY") " P:=BEGIN B: E B:rc_1 E S");
    ask("Q:commit");
    ask("Q:begin");
    forget(1);
    assert_string_equal(ask("Q:execute~p"), "C:OK Z:T");
    assert_string_equal(heard(1),
        PUT("MDY") " " BY_SQL("rc_2", "~as~select~1") " S " PUT("DMY") " P:=BEGIN B: E Q:execute~rc_2");
    close_world();
}

/* ---- somebody goes ---- */

static void begin_probing(void)
{
    open_world("");
    world.nodes[0].columns = "T:a";
    ask("P:a=lock~t Ds:a S");
    take_first_connection();
    ask("Q:set~application_name~=~x");
    world.nodes[0].peers[1].silent = true;
    assert_string_equal(ask("B:a E: S"), "");
    assert_true(first_session()->request->probing);
}

static void the_client_may_go_while_a_statement_is_described_again(void **state)
{
    (void)state;
    begin_probing();
    client_close(&one);
    world_turns(&world, 5);
    assert_null(world.sessions.first->next);
    close_world();
}

static void the_node_may_go_while_a_statement_is_described_again(void **state)
{
    (void)state;
    begin_probing();
    fake_node_drop(&world.nodes[0], 1);
    client_listen(&world, &one);
    world_topology(&world, ROLE_PRIMARY, ROLE_REPLICA); /* held until then */
    assert_string_equal(client_listen(&world, &one), "2 C:SELECT~1 Z:I");
    assert_string_equal(heard(2), "P:rc_1=lock~t Ds:rc_1 S B:rc_1 E S");
    close_world();
}

static void begin_healing(void)
{
    open_world("");
    ask("P:a=select~1 S");
    fake_node_script(&world.nodes[0], STALE);
    assert_string_equal(ask("B:a E: S"), "");
    assert_true(first_session()->request->healing);
}

static void the_client_may_go_while_a_statement_is_healed(void **state)
{
    (void)state;
    begin_healing();
    client_close(&one);
    world_turns(&world, 5);
    assert_null(world.sessions.first->next);
    close_world();
}

static void the_node_may_go_while_a_statement_is_healed(void **state)
{
    (void)state;
    begin_healing();
    client_close(&two);
    fake_node_say(&world.nodes[0], 0, "F:57P01 EOF");
    client_listen(&world, &one);
    world_topology(&world, ROLE_PRIMARY, ROLE_REPLICA);
    assert_string_equal(client_listen(&world, &one), "2 C:SELECT~1 Z:I");
    close_world();
}

/* ---- the unnamed statement ---- */

static void after_an_error_the_unnamed_statement_is_the_last_one_parsed(void **state)
{
    (void)state;
    open_world("");
    fake_node_script(&world.nodes[0], "1 2 E:25006 Z:I"); /* the second Parse is skipped */
    ask("P:=update~t~set~a=1 B: E: P:=update~u~set~a=1 B: E: S");
    forget(0);
    ask("B: E: S");
    assert_memory_equal(heard(0), "P:=update~t~set~a=1 B: E S ", 27);
    fake_node_script(&world.nodes[0], "1 2 C:OK E:42601 Z:I"); /* it fails itself */
    ask("P:=update~t~set~a=1 B: E: P:=update~set B: E: S");
    forget(0);
    ask("B: E: S");
    assert_string_equal(heard(0), "B: E S");
    close_world();
}

static void a_close_takes_the_unnamed_statement_away(void **state)
{
    (void)state;
    open_world("");
    ask("P:=select~1 B: E: S");
    ask("Cs: S");
    forget(0);
    ask("B: E: S");
    assert_string_equal(heard(0), "B: E S");
    close_world();
}

static void another_sessions_unnamed_statement_is_never_bound(void **state)
{
    (void)state;
    open_world("");
    client_ask(&world, &two, "P:=select~1 S");
    forget(0);
    ask("B: E: S");
    assert_string_equal(heard(0), "Cs: B: E S");
    close_world();
}

/* ---- taken names ---- */

static void a_taken_name_is_the_nodes_affair_also_in_a_longer_string_or_for_begin(void **state)
{
    (void)state;
    open_world("");
    ask("Q:prepare~p~as~select~1");
    forget(0);
    ask("Q:select~2;~prepare~p~as~select~3");
    assert_non_null(strstr(heard(0), "Q:select~2;~prepare~rc_ffffffffffffffff~as~select~3"));
    fake_node_script(&world.nodes[0], "3 1 E:42P05 Z:I");
    assert_string_equal(ask("P:p=begin B:p E: S"), "E:42P05 Z:I");
    close_world();
}

/* ---- bounds and flushes ---- */

static void a_batch_does_not_push_out_what_it_uses(void **state)
{
    (void)state;
    open_world("max_prepared_statements = 2");
    ask("P:a=select~1 P:b=select~2 S");
    client_ask(&world, &two, "P:c=select~3 S");
    forget(0);
    ask("B:b E: B:a E: B:b E: S");
    assert_string_equal(heard(0), "B:rc_2 E Cs:rc_3 P:rc_1=select~1 B:rc_1 E B:rc_2 E S");
    close_world();
}

static void one_prepare_too_many_is_the_nodes(void **state)
{
    (void)state;
    open_world("max_prepared_statements = 1");
    ask("Q:prepare~p~as~select~1");
    assert_int_equal(first_session()->pins, 0);
    ask("Q:prepare~q~as~select~2");
    assert_int_equal(first_session()->pins, PIN_PREPARE);
    assert_non_null(strstr(heard(0), "Q:prepare~q~as~select~2"));
    close_world();
}

static void a_flush_behind_a_bind_binds(void **state)
{
    (void)state;
    open_world("");
    client_say(&one, "P:=select~1 B: Dp: H");
    client_listen(&world, &one);
    assert_string_equal(heard(0), "P:=select~1 B: Dp: H");
    assert_string_equal(ask("E: S"), "1 2 n C:SELECT~1 Z:I");
    close_world();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_sql_prepares_is_prepared_where_it_is_needed),
        cmocka_unit_test(two_sessions_share_what_they_prepare_by_sql),
        cmocka_unit_test(a_prepare_that_fails_leaves_no_name),
        cmocka_unit_test(a_hidden_prepare_that_fails_fails_the_execute_once),
        cmocka_unit_test(deallocate_takes_nothing_from_others),
        cmocka_unit_test(what_is_bound_and_not_run_gives_and_takes_no_name),
        cmocka_unit_test(after_deallocate_all_a_server_holds_nothing),
        cmocka_unit_test(nobody_runs_anothers_statement_by_its_name_there),
        cmocka_unit_test(a_statement_is_parsed_under_the_settings_that_it_began_with),
        cmocka_unit_test(in_a_transaction_a_savepoint_puts_the_settings_back),
        cmocka_unit_test(a_stale_statement_is_parsed_anew_unseen),
        cmocka_unit_test(a_stale_one_whose_columns_were_told_is_compared),
        cmocka_unit_test(in_a_transaction_or_when_it_began_to_answer_it_is_an_error),
        cmocka_unit_test(healing_has_an_end),
        cmocka_unit_test(a_batch_of_stale_statements_is_healed_at_once),
        cmocka_unit_test(what_was_taken_away_is_parsed_again),
        cmocka_unit_test(what_was_told_is_compared_where_it_is_parsed_anew),
        cmocka_unit_test(other_columns_than_those_told_are_never_seen),
        cmocka_unit_test(what_cannot_run_twice_waits_until_its_columns_are_known),
        cmocka_unit_test(two_names_of_one_statement_are_told_together),
        cmocka_unit_test(the_unnamed_one_is_compared_too),
        cmocka_unit_test(a_parse_after_a_change_is_a_real_one),
        cmocka_unit_test(what_cannot_be_described_any_more_is_the_clients_error),
        cmocka_unit_test(what_precedes_the_first_statement_precedes_its_begin),
        cmocka_unit_test(the_client_may_go_while_a_statement_is_described_again),
        cmocka_unit_test(the_node_may_go_while_a_statement_is_described_again),
        cmocka_unit_test(the_client_may_go_while_a_statement_is_healed),
        cmocka_unit_test(the_node_may_go_while_a_statement_is_healed),
        cmocka_unit_test(after_an_error_the_unnamed_statement_is_the_last_one_parsed),
        cmocka_unit_test(a_close_takes_the_unnamed_statement_away),
        cmocka_unit_test(another_sessions_unnamed_statement_is_never_bound),
        cmocka_unit_test(a_taken_name_is_the_nodes_affair_also_in_a_longer_string_or_for_begin),
        cmocka_unit_test(a_batch_does_not_push_out_what_it_uses),
        cmocka_unit_test(one_prepare_too_many_is_the_nodes),
        cmocka_unit_test(a_flush_behind_a_bind_binds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
