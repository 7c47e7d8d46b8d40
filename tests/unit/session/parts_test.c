/* The small parts of a session: names, buffers, the census. */
#include "proxy/session/buffer.h"
#include "proxy/session/census.h"
#include "proxy/session/names.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct prepared *get(struct prepared_registry *registry, const char *query)
{
    const struct prepared_key key = {.query = slice_from(query)};
    return prepared_get(registry, &key);
}

static void a_name_stands_for_one_statement(void **state)
{
    (void)state;
    struct prepared_registry *registry = prepared_registry_new(0);
    struct names names = {0};
    struct prepared *one = get(registry, "select 1"), *two = get(registry, "select 2");
    assert_true(names_add(&names, slice_from("a"), one));
    assert_false(names_add(&names, slice_from("a"), two)); /* the reference stays the caller's */
    assert_true(names_add(&names, slice_of("a\0b", 3), two));
    assert_int_equal(names_count(&names), 2);
    assert_ptr_equal(names_find(&names, slice_from("a")), one);
    assert_ptr_equal(names_find(&names, slice_of("a\0b", 3)), two);
    assert_null(names_find(&names, slice_from("A")));
    assert_null(names_find(&names, slice_from("")));
    assert_ptr_equal(names_remove(&names, slice_from("a")), one);
    assert_null(names_remove(&names, slice_from("a")));
    prepared_unref(registry, one);
    names_clear(&names, registry);
    assert_int_equal(names_count(&names), 0);
    assert_int_equal(prepared_count(registry), 0);
    prepared_registry_free(registry);
}

static void a_buffer_grows_and_gives_its_first_memory_to_the_next(void **state)
{
    (void)state;
    struct buffer_spares spares = {0};
    struct buffer one = {0}, two = {0};
    static char bytes[BUFFER_FIRST * 3];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7 >> 1);
    assert_true(buffer_append(&one, &spares, bytes, 10));
    char *first = one.data;
    assert_true(buffer_append(&one, &spares, "", 0));
    buffer_release(&one, &spares);
    assert_int_equal(spares.count, 1);
    assert_true(buffer_append(&two, &spares, bytes, 1));
    assert_ptr_equal(two.data, first);
    assert_int_equal(spares.count, 0);
    for (size_t at = 1; at < sizeof bytes; at += 1)
        assert_true(buffer_append(&two, &spares, bytes + at, 1));
    assert_int_equal(two.len, sizeof bytes);
    assert_memory_equal(two.data, bytes, sizeof bytes);
    buffer_release(&two, &spares); /* grown: not kept */
    assert_int_equal(spares.count, 0);
    assert_null(two.data);
    buffer_release(&two, &spares);
    struct buffer many[BUFFER_SPARES + 5] = {0};
    for (size_t i = 0; i < BUFFER_SPARES + 5; i++)
        assert_true(buffer_append(&many[i], &spares, "x", 1));
    for (size_t i = 0; i < BUFFER_SPARES + 5; i++)
        buffer_release(&many[i], &spares);
    assert_int_equal(spares.count, BUFFER_SPARES);
    buffer_spares_fini(&spares);
    assert_int_equal(spares.count, 0);
}

static void the_census_counts_by_kind_and_name(void **state)
{
    (void)state;
    assert_true(census_enter(CENSUS_USER, "ann", 2));
    assert_true(census_enter(CENSUS_USER, "ann", 2));
    assert_false(census_enter(CENSUS_USER, "ann", 2));
    assert_true(census_enter(CENSUS_USER, "ann", 0));
    assert_true(census_enter(CENSUS_DATABASE, "ann", 1));
    assert_int_equal(census_count(CENSUS_USER, "ann"), 3);
    assert_int_equal(census_count(CENSUS_DATABASE, "ann"), 1);
    assert_int_equal(census_count(CENSUS_LISTENER, "ann"), 0);
    for (int i = 0; i < 3; i++)
        census_leave(CENSUS_USER, "ann");
    census_leave(CENSUS_DATABASE, "ann");
    assert_int_equal(census_count(CENSUS_USER, "ann"), 0);
}

static void *come_and_go(void *argument)
{
    _Atomic uint32_t *worst = argument;
    for (int i = 0; i < 5000; i++) {
        if (!census_enter(CENSUS_USER, "crowd", 2))
            continue;
        uint32_t now = census_count(CENSUS_USER, "crowd"), before = *worst;
        while (now > before && !atomic_compare_exchange_weak(worst, &before, now))
            ;
        census_leave(CENSUS_USER, "crowd");
    }
    return NULL;
}

static void threads_never_pass_the_census_limit(void **state)
{
    (void)state;
    pthread_t threads[4];
    _Atomic uint32_t worst = 0;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &worst), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_true(worst >= 1 && worst <= 2);
    assert_int_equal(census_count(CENSUS_USER, "crowd"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_stands_for_one_statement),
        cmocka_unit_test(a_buffer_grows_and_gives_its_first_memory_to_the_next),
        cmocka_unit_test(the_census_counts_by_kind_and_name),
        cmocka_unit_test(threads_never_pass_the_census_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
