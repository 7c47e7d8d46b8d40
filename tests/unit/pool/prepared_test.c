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
    const struct prepared_key key = {.space = space,
        .query = slice_from(query),
        .n_types = n_types,
        .types = slice_of(types, n_types * 4u)};
    return prepared_get(registry, &key);
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

static void what_is_prepared_by_sql_is_another_statement(void **state)
{
    (void)state;
    struct prepared_registry *registry = prepared_registry_new(0);
    struct prepared *parsed = get(registry, 0, " as select 1", "", 0);
    struct prepared_key key = {.sql = true, .query = slice_from(" as select 1")};
    key.statement = slice_of(key.query.data + 4, 8);
    struct prepared *by_sql = prepared_get(registry, &key);
    assert_ptr_not_equal(parsed, by_sql);
    assert_ptr_equal(prepared_get(registry, &key), by_sql);
    assert_true(slice_is(by_sql->statement, "select 1"));
    assert_ptr_equal(by_sql->statement.data, by_sql->query.data + 4);
    assert_true(slice_equal(parsed->statement, parsed->query));
    prepared_unref(registry, parsed);
    prepared_unref(registry, by_sql);
    prepared_unref(registry, by_sql);
    prepared_registry_free(registry);
}

static void a_renewed_one_has_another_id(void **state)
{
    (void)state;
    struct prepared_registry *registry = prepared_registry_new(0);
    struct prepared *prepared = get(registry, 0, "select 1", "", 0);
    uint64_t key = prepared->key, id = prepared->id;
    prepared_renew(registry, prepared);
    assert_int_equal(prepared->key, key);
    assert_int_not_equal(prepared->id, id);
    assert_ptr_equal(get(registry, 0, "select 1", "", 0), prepared);
    prepared_unref(registry, prepared);
    prepared_unref(registry, prepared);
    prepared_registry_free(registry);
}

static void it_keeps_the_settings_that_it_is_parsed_under(void **state)
{
    (void)state;
    struct settings_table *table = settings_table_new();
    struct prepared_registry *registry = prepared_registry_new(0);
    const struct settings *none = settings_none(table);
    const struct prepared_key key = {.query = slice_from("select 1"), .settings = none};
    struct prepared *prepared = prepared_get(registry, &key);
    settings_unref(none);
    assert_ptr_equal(prepared->settings, none);
    prepared_unref(registry, prepared);
    prepared_registry_free(registry);
    settings_table_free(table); /* aborts when a reference is left */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_same_statement_is_shared),
        cmocka_unit_test(an_id_is_never_given_twice),
        cmocka_unit_test(what_is_prepared_by_sql_is_another_statement),
        cmocka_unit_test(a_renewed_one_has_another_id),
        cmocka_unit_test(it_keeps_the_settings_that_it_is_parsed_under),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
