/* A node's addresses: kept, tried in turn, and asked for again after a failure. */
#include "health/endpoint.h"
#include "tests/unit/health/unit.h"

#include <arpa/inet.h>

/* A resolver's answer of IPv4 addresses, on the caller's stack. */
struct answer {
    struct addrinfo items[12];
    struct sockaddr_in addresses[12];
};

static const struct addrinfo *make(struct answer *answer, const char *const *texts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        answer->addresses[i] = (struct sockaddr_in){.sin_family = AF_INET};
        assert_int_equal(inet_pton(AF_INET, texts[i], &answer->addresses[i].sin_addr), 1);
        answer->items[i] = (struct addrinfo){.ai_family = AF_INET,
            .ai_addr = (struct sockaddr *)&answer->addresses[i],
            .ai_addrlen = sizeof answer->addresses[i],
            .ai_next = i + 1 < n ? &answer->items[i + 1] : NULL};
    }
    return answer->items;
}

static void addresses_and_sockets_need_no_resolver(void **state)
{
    (void)state;
    static const char *const hosts[] = {"127.0.0.1", "::1", "/run/postgresql", "fe80::1%lo"};
    for (size_t i = 0; i < COUNT(hosts); i++) {
        struct endpoint endpoint;
        endpoint_init(&endpoint, hosts[i], 5432);
        endpoint_failed(&endpoint);
        assert_false(endpoint_must_resolve(&endpoint));
        if (hosts[i][0] == '/')
            assert_null(endpoint_address(&endpoint));
        else
            assert_string_equal(endpoint_address(&endpoint), hosts[i]);
        endpoint_fini(&endpoint);
    }
}

static void a_name_is_asked_for_once_and_again_after_a_failure(void **state)
{
    (void)state;
    struct endpoint endpoint;
    struct answer answer;
    static const char *const one[] = {"10.0.0.1"}, *const two[] = {"10.0.0.2"};
    endpoint_init(&endpoint, "db", 5432);
    assert_true(endpoint_must_resolve(&endpoint));
    assert_null(endpoint_address(&endpoint));
    endpoint_resolved(&endpoint, make(&answer, one, 1));
    assert_false(endpoint_must_resolve(&endpoint));
    assert_string_equal(endpoint_address(&endpoint), "10.0.0.1");
    endpoint_failed(&endpoint);
    assert_true(endpoint_must_resolve(&endpoint));
    assert_string_equal(endpoint_address(&endpoint), "10.0.0.1"); /* kept in case the resolver fails too */
    endpoint_resolved(&endpoint, make(&answer, two, 1));
    assert_string_equal(endpoint_address(&endpoint), "10.0.0.2");
    endpoint_fini(&endpoint);
}

static void a_name_has_moved_when_all_its_addresses_are_others(void **state)
{
    (void)state;
    struct endpoint endpoint;
    struct answer answer;
    static const char *const first[] = {"10.0.0.1", "10.0.0.2"}, *const other[] = {"10.0.0.2", "10.0.0.3"},
                             *const away[] = {"10.0.0.1"};
    endpoint_init(&endpoint, "db", 5432);
    endpoint_resolved(&endpoint, make(&answer, first, 2));
    endpoint_resolved(&endpoint, make(&answer, other, 2)); /* one of them is still there */
    assert_int_equal(endpoint.moves, 0);
    endpoint_resolved(&endpoint, make(&answer, away, 1));
    assert_int_equal(endpoint.moves, 1);
    endpoint_resolved(&endpoint, make(&answer, away, 1));
    assert_int_equal(endpoint.moves, 1);
    endpoint_resolved(&endpoint, make(&answer, other, 2));
    assert_int_equal(endpoint.moves, 2);
    endpoint_fini(&endpoint);
}

static void the_address_that_worked_is_tried_first(void **state)
{
    (void)state;
    struct endpoint endpoint;
    struct answer answer;
    static const char *const three[] = {"10.0.0.1", "10.0.0.2", "10.0.0.3"};
    static const char *const turned[] = {"10.0.0.3", "10.0.0.1", "10.0.0.2", "10.0.0.1"};
    endpoint_init(&endpoint, "db", 5432);
    endpoint_resolved(&endpoint, make(&answer, three, 3));
    assert_string_equal(endpoint_nth(&endpoint, 1), "10.0.0.2");
    endpoint_worked(&endpoint, 1);
    assert_string_equal(endpoint_address(&endpoint), "10.0.0.2");
    assert_string_equal(endpoint_nth(&endpoint, 2), "10.0.0.1");
    assert_null(endpoint_nth(&endpoint, 3));
    endpoint_resolved(&endpoint, make(&answer, turned, 4));
    assert_int_equal(endpoint.n_addresses, 3);
    assert_string_equal(endpoint_address(&endpoint), "10.0.0.2");
    endpoint_failed(&endpoint); /* perhaps this one drops packets: the next connect begins elsewhere */
    assert_string_equal(endpoint_address(&endpoint), "10.0.0.3");
    endpoint_fini(&endpoint);
}

static void many_addresses_are_cut_to_the_first(void **state)
{
    (void)state;
    struct endpoint endpoint;
    struct answer answer;
    char texts[12][16];
    const char *list[12];
    for (int i = 0; i < 12; i++) {
        snprintf(texts[i], sizeof texts[i], "10.0.0.%d", i + 1);
        list[i] = texts[i];
    }
    endpoint_init(&endpoint, "db", 5432);
    endpoint_resolved(&endpoint, make(&answer, list, 12));
    assert_int_equal(endpoint.n_addresses, ENDPOINT_MAX_ADDRESSES);
    assert_null(endpoint_nth(&endpoint, ENDPOINT_MAX_ADDRESSES));
    endpoint_fini(&endpoint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_and_sockets_need_no_resolver),
        cmocka_unit_test(a_name_is_asked_for_once_and_again_after_a_failure),
        cmocka_unit_test(a_name_has_moved_when_all_its_addresses_are_others),
        cmocka_unit_test(the_address_that_worked_is_tried_first),
        cmocka_unit_test(many_addresses_are_cut_to_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
