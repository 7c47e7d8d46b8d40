/* What Patroni's answers mean; they are those of a real 3.0.2, shortened. */
#include "health/manager/patroni_json.h"
#include "tests/unit/health/unit.h"

static bool read_status(const char *body, struct patroni_status *status)
{
    const char *why = NULL;
    bool good = patroni_read_status(body, strlen(body), status, &why);
    assert_true(good == (why == NULL));
    return good;
}

static bool read_cluster(const char *body, struct patroni_cluster *cluster)
{
    const char *why = NULL;
    bool good = patroni_read_cluster(body, strlen(body), cluster, &why);
    assert_true(good == (why == NULL));
    return good;
}

struct row {
    const char *says, *body;
    bool lock;
    enum manager_role role;
    bool no_reads;
    const char *why;
};

static const struct row rows[] = {
    {"the leader",
        "{\"state\":\"running\",\"role\":\"master\",\"timeline\":1,\"xlog\":{\"location\":67274048}}", true,
        MANAGER_PRIMARY, false, "Patroni says that it holds the leader lock"},
    {"the leader of a later version", "{\"state\":\"running\",\"role\":\"primary\"}", true, MANAGER_PRIMARY,
        false, "Patroni says that it holds the leader lock"},
    {"the leader that is being stopped", "{\"state\":\"stopping\",\"role\":\"master\"}", true,
        MANAGER_LEAVING, false, "Patroni is stopping it"},
    {"the leader whose PostgreSQL was killed", "{\"state\":\"starting\",\"role\":\"master\"}", true,
        MANAGER_PRIMARY, false, "Patroni says that it holds the leader lock"},
    {"the next leader, in recovery still", "{\"state\":\"running\",\"role\":\"replica\"}", true,
        MANAGER_PRIMARY, false, "Patroni says that it holds the leader lock"},
    {"no leader any more", "{\"state\":\"running\",\"role\":\"master\",\"cluster_unlocked\":true}", false,
        MANAGER_NONE, false, "it does not hold Patroni's leader lock"},
    {"a demoted one", "{\"state\":\"stopping\",\"role\":\"demoted\"}", false, MANAGER_NONE, false,
        "Patroni has demoted it"},
    {"a replica", "{\"state\":\"running\",\"role\":\"replica\",\"xlog\":{\"paused\":false}}", false,
        MANAGER_REPLICA, false, "Patroni calls it a replica"},
    {"a replica with tags",
        "{\"role\":\"replica\",\"tags\":{\"noloadbalance\":true,\"nofailover\":true,\"x\":3}}", false,
        MANAGER_REPLICA, true, "Patroni calls it a replica, noloadbalance, nofailover"},
    {"a tag that is a text",
        "{\"role\":\"replica\",\"tags\":{\"noloadbalance\":\"Yes\",\"nosync\":\"false\"}}", false,
        MANAGER_REPLICA, true, "Patroni calls it a replica, noloadbalance"},
    {"a synchronous one", "{\"role\":\"replica\",\"sync_standby\":true}", false, MANAGER_REPLICA, false,
        "Patroni calls it a replica, sync standby"},
    {"the leader of a standby cluster", "{\"state\":\"running\",\"role\":\"standby_leader\"}", false,
        MANAGER_REPLICA, false, "Patroni calls it the leader of a standby cluster"},
    {"a node that is being made", "{\"state\":\"creating replica\",\"role\":\"uninitialized\"}", false,
        MANAGER_NONE, false, "Patroni has not initialized it"},
    {"failsafe mode is no loss of the lock",
        "{\"role\":\"master\",\"state\":\"running\",\"cluster_unlocked\":true,\"failsafe_mode_is_active\":"
        "true}",
        true, MANAGER_PRIMARY, false, "Patroni says that it holds the leader lock, in failsafe mode"},
    {"a paused cluster", "{\"role\":\"master\",\"state\":\"running\",\"pause\":true}", true, MANAGER_PRIMARY,
        false, "Patroni says that it holds the leader lock, paused"},
    {"a role from the future", "{\"role\":\"quorum_standby\"}", false, MANAGER_NONE, false,
        "Patroni gives it no role"},
};

static void each_answer_becomes_the_word_of_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct patroni_status status;
        struct manager_word word;
        if (!read_status(rows[i].body, &status))
            fail_msg("%s: refused", rows[i].says);
        patroni_word(&status, rows[i].lock, &word);
        if (word.role != rows[i].role || word.no_reads != rows[i].no_reads ||
            strcmp(word.why, rows[i].why) != 0)
            fail_msg("%s: role %d, no reads %d, \"%s\"", rows[i].says, word.role, word.no_reads, word.why);
        assert_false(word.heard);
        assert_int_equal(word.leads_standbys, strstr(rows[i].body, "standby_leader") != NULL);
    }
}

static void what_is_no_status_is_refused(void **state)
{
    (void)state;
    static const char *const bodies[] = {"", "<html>502</html>", "[]", "\"master\"", "{}", "{\"role\":null}",
        "{\"role\":7}", "{\"role\":\"a role that is longer than any that Patroni has\"}",
        "{\"role\":\"master\"} x", "{\"role\":\"mas\\u0000ter\"}"};
    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct patroni_status status;
        if (read_status(bodies[i], &status))
            fail_msg("accepted: %s", bodies[i]);
    }
}

static void the_members_of_a_cluster_are_listed_with_their_urls(void **state)
{
    (void)state;
    struct patroni_cluster cluster;
    assert_true(read_cluster(
        "{\"members\":[{\"name\":\"db1\",\"role\":\"leader\",\"state\":\"running\",\"api_url\":\"http://"
        "h1:8008/patroni\","
        "\"host\":\"h1\",\"port\":5432,\"timeline\":1},{\"name\":\"db2\",\"role\":\"replica\",\"state\":"
        "\"running\","
        "\"api_url\":\"https://[::1]:8008/"
        "patroni\",\"host\":\"::1\",\"port\":5433,\"lag\":\"unknown\"}],\"pause\":true,"
        "\"scheduled_switchover\":{\"at\":\"2026-11-29T23:00:00+00:00\",\"from\":\"db1\",\"to\":\"db2\"}}",
        &cluster));
    assert_int_equal(cluster.n, 2);
    assert_string_equal(cluster.members[0].member.name, "db1");
    assert_string_equal(cluster.members[0].member.host, "h1");
    assert_int_equal(cluster.members[0].member.port, 5432);
    assert_string_equal(cluster.members[0].url, "http://h1:8008");
    assert_string_equal(cluster.members[1].url, "https://[::1]:8008");
    assert_true(cluster.paused);
    assert_string_equal(cluster.switchover_at, "2026-11-29T23:00:00+00:00");
    assert_string_equal(cluster.switchover_from, "db1");
    assert_string_equal(cluster.switchover_to, "db2");
}

static void incomplete_members_are_left_out(void **state)
{
    (void)state;
#define MEMBER(more) "{\"name\":\"a\",\"api_url\":\"http://h:1/p\"," more "}"
    static const char *const members[] = {"7", "{}", "{\"name\":\"a\",\"host\":\"h\",\"port\":1}",
        MEMBER("\"host\":\"h\""), MEMBER("\"port\":5432"), MEMBER("\"host\":\"\",\"port\":5432"),
        MEMBER("\"host\":\"h\",\"port\":0"), MEMBER("\"host\":\"h\",\"port\":65536"),
        MEMBER("\"host\":\"h\",\"port\":\"5432\""), MEMBER("\"host\":\"h,i\",\"port\":5432"),
        MEMBER("\"host\":\"/tmp\",\"port\":5432"), MEMBER("\"host\":\"h\\ni\",\"port\":5432"),
        "{\"name\":\"a\",\"host\":\"h\",\"port\":1,\"api_url\":\"ftp://h:1/p\"}",
        "{\"name\":\"a\",\"host\":\"h\",\"port\":1,\"api_url\":\"http:///p\"}",
        "{\"name\":\"a\",\"host\":\"h\",\"port\":1,\"api_url\":\"http://h h/p\"}"};
    for (size_t i = 0; i < COUNT(members); i++) {
        char body[512];
        struct patroni_cluster cluster;
        snprintf(
            body, sizeof body, "{\"members\":[%s," MEMBER("\"host\":\"h\",\"port\":5432") "]}", members[i]);
        assert_true(read_cluster(body, &cluster));
        if (cluster.n != 1)
            fail_msg("%zu members with %s", cluster.n, members[i]);
        assert_int_equal(cluster.members[0].member.port, 5432);
    }
}

static void no_more_members_are_taken_than_a_cluster_may_have(void **state)
{
    (void)state;
    static char body[100 * 128];
    struct patroni_cluster cluster;
    size_t used = (size_t)snprintf(body, sizeof body, "{\"members\":[");
    for (int i = 0; i < 100; i++)
        used += (size_t)snprintf(
            body + used, sizeof body - used, "%s" MEMBER("\"host\":\"h\",\"port\":%d"), i ? "," : "", i + 1);
    snprintf(body + used, sizeof body - used, "]}");
    assert_true(read_cluster(body, &cluster));
    assert_int_equal(cluster.n, TOPOLOGY_MAX_NODES);
}

static void what_lists_no_members_is_refused(void **state)
{
    (void)state;
    static const char *const bodies[] = {"", "{}", "[]", "{\"members\":{}}", "{\"members\":[", "null"};
    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct patroni_cluster cluster;
        if (read_cluster(bodies[i], &cluster))
            fail_msg("accepted: %s", bodies[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_answer_becomes_the_word_of_the_table),
        cmocka_unit_test(what_is_no_status_is_refused),
        cmocka_unit_test(the_members_of_a_cluster_are_listed_with_their_urls),
        cmocka_unit_test(incomplete_members_are_left_out),
        cmocka_unit_test(no_more_members_are_taken_than_a_cluster_may_have),
        cmocka_unit_test(what_lists_no_members_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
