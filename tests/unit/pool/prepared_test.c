/* The registry of shared statements: one entry for the same text, types and space; ids of workers never meet.
 */
#include "proxy/pool/prepared.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct prepared *get(struct prepared_registry *registry, uint64_t space, const char *query,
    const char *types, uint16_t n_types)
{
    return prepared_get(registry, space, slice_from(query), n_types, slice_of(types, n_types * 4u));
}

static void only_the_same_statement_is_shared(void **state)
{
    (void)state;
    struct prepared_registry *registry = prepared_registry_new(3);
    struct prepared *one = get(registry, 1, "select $1", "\0\0\0\27", 1);
    assert_ptr_equal(get(registry, 1, "select $1", "\0\0\0\27", 1), one);
    struct prepared *others[] = {
        get(registry, 2, "select $1", "\0\0\0\27", 1),
        get(registry, 1, "select $2", "\0\0\0\27", 1),
        get(registry, 1, "select $1", "\0\0\0\30", 1),
        get(registry, 1, "select $1", "", 0),
        get(registry, 1, "", "", 0),
    };
    assert_int_equal(prepared_count(registry), 6);
    for (size_t i = 0; i < 5; i++) {
        assert_ptr_not_equal(others[i], one);
        assert_int_not_equal(others[i]->id, one->id);
        assert_int_equal(others[i]->id >> 48, 3);
        prepared_unref(registry, others[i]);
    }
    assert_int_equal(prepared_count(registry), 1);
    assert_true(slice_is(one->query, "select $1"));
    assert_int_equal(one->query.data[one->query.len], 0);
    assert_memory_equal(one->types.data, "\0\0\0\27", 4);
    prepared_unref(registry, prepared_ref(one));
    prepared_unref(registry, one);
    assert_int_equal(prepared_count(registry), 1);
    prepared_unref(registry, one);
    prepared_unref(registry, NULL);
    assert_int_equal(prepared_count(registry), 0);
    prepared_registry_free(registry);
}

static void an_id_is_never_given_twice(void **state)
{
    (void)state;
    struct prepared_registry *registry = prepared_registry_new(0);
    uint64_t last = 0;
    for (int i = 0; i < 100; i++) {
        struct prepared *prepared = get(registry, 0, "select 1", "", 0);
        assert_true(prepared->id > last);
        last = prepared->id;
        prepared_unref(registry, prepared);
    }
    prepared_registry_free(registry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_same_statement_is_shared),
        cmocka_unit_test(an_id_is_never_given_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
