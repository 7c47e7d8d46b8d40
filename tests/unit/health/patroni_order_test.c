/* A switchover that is ordered of Patroni: what is sent, and what each answer is taken for. */
#include "health/manager/patroni_order.h"

#include "tests/unit/health/unit.h"

static void the_candidate_is_named_only_when_there_is_one(void **state)
{
    (void)state;
    char body[PATRONI_ORDER_MAX];
    patroni_order_write("db1", "db\"2", body);
    assert_string_equal(body, "{\"leader\":\"db1\",\"candidate\":\"db\\\"2\"}");
    patroni_order_write("db1", NULL, body);
    assert_string_equal(body, "{\"leader\":\"db1\"}");
}

static void names_of_nothing_but_escapes_have_room(void **state)
{
    (void)state;
    char name[NODE_NAME_MAX], body[PATRONI_ORDER_MAX];
    memset(name, 1, sizeof name - 1);
    name[sizeof name - 1] = '\0';
    patroni_order_write(name, name, body);
    assert_int_equal(strlen(body), strlen("{\"leader\":\"\",\"candidate\":\"\"}") + 2 * 6 * strlen(name));
}

static void each_answer_is_told_in_words(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body;
        bool accepted;
        const char *words;
    } table[] = {
        {200, "Successfully switched over to \"db2\"", true,
            "Patroni: Successfully switched over to \"db2\""},
        {202, "Switchover scheduled", true, "Patroni: Switchover scheduled"},
        {412, "leader name does not match", false, "Patroni refuses: leader name does not match"},
        {400, "only to a specific candidate\nin a pause", false,
            "Patroni refuses: only to a specific candidate"},
        {401, "no auth header received", false,
            "Patroni does not let rolecall in (patroni_user, patroni_cert_file): no auth header received"},
        {409, "", false, "Patroni is at something else: status 409"},
        {503, "Switchover failed", false, "Patroni has given up: Switchover failed"},
        {502, "<html>\n", false, "Patroni gives an answer that is not known: status 502"},
        {200, "a\tb\xff", true, "Patroni: a?b?"},
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        char words[MANAGER_ANSWER_MAX];
        const struct rest_answer answer = {
            .came = true, .status = table[i].status, .body = table[i].body, .len = strlen(table[i].body)};
        assert_int_equal(patroni_order_read(&answer, words), table[i].accepted);
        assert_string_equal(words, table[i].words);
    }
}

static void no_answer_and_a_long_one_are_told_as_well(void **state)
{
    (void)state;
    char words[MANAGER_ANSWER_MAX], body[5000];
    struct rest_answer answer = {.error = "Connection refused"};
    assert_false(patroni_order_read(&answer, words));
    assert_string_equal(words, "Patroni cannot be asked: Connection refused");
    memset(body, 'x', sizeof body);
    answer = (struct rest_answer){.came = true, .status = 503, .body = body, .len = sizeof body};
    assert_false(patroni_order_read(&answer, words));
    assert_int_equal(strspn(words + strlen("Patroni has given up: "), "x"), 160);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_candidate_is_named_only_when_there_is_one),
        cmocka_unit_test(names_of_nothing_but_escapes_have_room),
        cmocka_unit_test(each_answer_is_told_in_words),
        cmocka_unit_test(no_answer_and_a_long_one_are_told_as_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
