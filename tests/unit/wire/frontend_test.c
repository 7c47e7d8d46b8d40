/* What a client says: parsed, rewritten under another name, and refused when cut. */
#include "proxy/wire/frontend.h"

#include "wire_test.h"

static char buffer[1024];

static struct builder fresh(void)
{
    return builder_of(buffer, sizeof buffer);
}

static struct slice built(const struct builder *builder)
{
    return slice_of(builder->data, builder->len);
}

static void a_query_ends_with_its_nul(void **state)
{
    (void)state;
    struct slice query;
    assert_true(frontend_parse_query(LITERAL("SELECT 1\0"), &query));
    assert_slice(query, "SELECT 1");
    assert_false(frontend_parse_query(LITERAL("SELECT 1"), &query));
    assert_false(frontend_parse_query(LITERAL("SELECT 1\0;"), &query));
    assert_false(frontend_parse_query(LITERAL(""), &query));
    struct builder builder = fresh();
    assert_true(frontend_build_query(&builder, slice_from("BEGIN")));
    assert_slice(built(&builder), "Q\0\0\0\x0a"
                                  "BEGIN\0");
}

static const char parse_body[] = "s1\0SELECT $1, $2\0\0\2\0\0\0\x17\0\0\0\x19";
#define PARSE_BODY slice_of(parse_body, sizeof parse_body - 1)

static void a_parse_gives_name_text_and_types(void **state)
{
    (void)state;
    struct frontend_parse parse;
    assert_true(frontend_parse_parse(PARSE_BODY, &parse));
    assert_slice(parse.name, "s1");
    assert_slice(parse.query, "SELECT $1, $2");
    assert_int_equal(parse.n_types, 2);
    assert_slice(parse.types, "\0\0\0\x17\0\0\0\x19");
}

static void a_parse_cut_anywhere_is_malformed(void **state)
{
    (void)state;
    struct frontend_parse parse;
    for (size_t len = 0; len < sizeof parse_body - 1; len++) {
        char *copy = exact_copy(parse_body, len);
        assert_false(frontend_parse_parse(slice_of(copy, len), &parse));
        free(copy);
    }
    assert_false(frontend_parse_parse(slice_of(parse_body, sizeof parse_body), &parse));
}

static void a_parse_is_rewritten_under_another_name(void **state)
{
    (void)state;
    struct frontend_parse parse, again;
    struct frame frame;
    struct builder builder = fresh();
    assert_true(frontend_parse_parse(PARSE_BODY, &parse));
    assert_true(frontend_build_parse(&builder, &parse, slice_from("rolecall_17")));
    assert_int_equal(frame_parse(buffer, builder.len, &frame), FRAME_OK);
    assert_true(frame.whole);
    assert_true(frontend_parse_parse(frame_body(&frame), &again));
    assert_slice(again.name, "rolecall_17");
    assert_true(slice_equal(again.query, parse.query));
    assert_true(slice_equal(again.types, parse.types));
}

static const char bind_body[] = "p\0s1\0\0\0\0\1\0\0\0\3abc\0\0";
#define BIND_BODY slice_of(bind_body, sizeof bind_body - 1)

static void a_bind_gives_portal_statement_and_the_rest(void **state)
{
    (void)state;
    struct frontend_bind bind;
    assert_true(frontend_parse_bind(BIND_BODY, &bind));
    assert_slice(bind.portal, "p");
    assert_slice(bind.statement, "s1");
    assert_slice(bind.rest, "\0\0\0\1\0\0\0\3abc\0\0");
    assert_int_equal(bind.head_len, 5);
}

static void a_bind_is_understood_as_soon_as_its_names_are_there(void **state)
{
    (void)state;
    struct frontend_bind bind;
    for (size_t len = 0; len < sizeof bind_body; len++) {
        char *copy = exact_copy(bind_body, len);
        assert_int_equal(frontend_parse_bind(slice_of(copy, len), &bind), len >= 5);
        if (len >= 5)
            assert_int_equal(bind.rest.len, len - 5);
        free(copy);
    }
}

static void a_bind_is_rewritten_whole_or_by_its_head(void **state)
{
    (void)state;
    struct frontend_bind bind, again;
    struct frame frame;
    struct builder builder = fresh();
    assert_true(frontend_parse_bind(BIND_BODY, &bind));
    assert_true(frontend_build_bind(&builder, &bind, slice_from("longer")));
    assert_int_equal(frame_parse(buffer, builder.len, &frame), FRAME_OK);
    assert_true(frame.whole);
    assert_true(frontend_parse_bind(frame_body(&frame), &again));
    assert_slice(again.portal, "p");
    assert_slice(again.statement, "longer");
    assert_true(slice_equal(again.rest, bind.rest));

    struct builder head = fresh();
    assert_true(frontend_build_bind_head(&head, &bind, slice_from("longer"), 5000));
    assert_int_equal(frame_parse(buffer, head.len, &frame), FRAME_OK);
    assert_int_equal(frame.body_len, 2 + 7 + 5000);
    assert_int_equal(head.len, 5 + 2 + 7);
}

static void describe_and_close_name_a_statement_or_a_portal(void **state)
{
    (void)state;
    struct frontend_target target;
    assert_true(frontend_parse_target(LITERAL("Ss1\0"), &target));
    assert_int_equal(target.kind, 'S');
    assert_slice(target.name, "s1");
    assert_true(frontend_parse_target(LITERAL("P\0"), &target));
    assert_int_equal(target.kind, 'P');
    assert_false(frontend_parse_target(LITERAL("X\0"), &target));
    assert_false(frontend_parse_target(LITERAL("S"), &target));
    assert_false(frontend_parse_target(LITERAL("Ss1\0x"), &target));
    assert_false(frontend_parse_target(LITERAL(""), &target));
    struct builder builder = fresh();
    assert_true(frontend_build_target(&builder, FRONTEND_CLOSE, 'S', slice_from("s1")));
    assert_slice(built(&builder), "C\0\0\0\x08Ss1\0");
}

static void an_execute_has_a_portal_and_a_limit(void **state)
{
    (void)state;
    struct frontend_execute execute;
    assert_true(frontend_parse_execute(LITERAL("p\0\0\0\0\x0a"), &execute));
    assert_slice(execute.portal, "p");
    assert_int_equal(execute.max_rows, 10);
    assert_false(frontend_parse_execute(LITERAL("p\0\0\0\0"), &execute));
    assert_false(frontend_parse_execute(LITERAL("p\0\0\0\0\0\0"), &execute));
    struct builder builder = fresh();
    assert_true(frontend_build_execute(&builder, slice_from(""), 0));
    assert_slice(built(&builder), "E\0\0\0\x09\0\0\0\0\0");
}

static void passwords_and_reasons_are_texts(void **state)
{
    (void)state;
    struct slice text;
    struct builder builder = fresh();
    assert_true(frontend_build_password(&builder, slice_from("secret")));
    assert_true(frontend_parse_password(slice_of(buffer + 5, builder.len - 5), &text));
    assert_slice(text, "secret");
    assert_false(frontend_parse_password(LITERAL("secret"), &text));
    builder = fresh();
    assert_true(frontend_build_copy_fail(&builder, slice_from("why")));
    assert_slice(built(&builder), "f\0\0\0\x08why\0");
    assert_true(frontend_parse_copy_fail(LITERAL("why\0"), &text));
    assert_slice(text, "why");
}

static void a_first_sasl_answer_may_come_without_data(void **state)
{
    (void)state;
    struct frontend_sasl_initial initial;
    struct builder builder = fresh();
    assert_true(frontend_build_sasl_initial(&builder, slice_from("SCRAM-SHA-256"), LITERAL("n,,")));
    assert_true(frontend_parse_sasl_initial(slice_of(buffer + 5, builder.len - 5), &initial));
    assert_slice(initial.mechanism, "SCRAM-SHA-256");
    assert_slice(initial.data, "n,,");
    assert_true(frontend_parse_sasl_initial(LITERAL("X\0\xff\xff\xff\xff"), &initial));
    assert_null(initial.data.data);
    assert_true(frontend_parse_sasl_initial(LITERAL("X\0\0\0\0\0"), &initial));
    assert_non_null(initial.data.data);
    assert_int_equal(initial.data.len, 0);
    assert_false(frontend_parse_sasl_initial(LITERAL("X\0\0\0\0\4abc"), &initial));
    assert_false(frontend_parse_sasl_initial(LITERAL("X\0\0\0\0\2abc"), &initial));
    assert_false(frontend_parse_sasl_initial(LITERAL("X\0\xff\xff\xff\xffx"), &initial));
    builder = fresh();
    assert_true(frontend_build_sasl_initial(&builder, slice_from("X"), slice_of(NULL, 0)));
    assert_slice(built(&builder), "p\0\0\0\x0aX\0\xff\xff\xff\xff");
    builder = fresh();
    assert_true(frontend_build_sasl_response(&builder, LITERAL("c=biws")));
    assert_slice(built(&builder), "p\0\0\0\x0a"
                                  "c=biws");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_query_ends_with_its_nul),
        cmocka_unit_test(a_parse_gives_name_text_and_types),
        cmocka_unit_test(a_parse_cut_anywhere_is_malformed),
        cmocka_unit_test(a_parse_is_rewritten_under_another_name),
        cmocka_unit_test(a_bind_gives_portal_statement_and_the_rest),
        cmocka_unit_test(a_bind_is_understood_as_soon_as_its_names_are_there),
        cmocka_unit_test(a_bind_is_rewritten_whole_or_by_its_head),
        cmocka_unit_test(describe_and_close_name_a_statement_or_a_portal),
        cmocka_unit_test(an_execute_has_a_portal_and_a_limit),
        cmocka_unit_test(passwords_and_reasons_are_texts),
        cmocka_unit_test(a_first_sasl_answer_may_come_without_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
