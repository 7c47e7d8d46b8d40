/* What a server says: built, parsed again, and refused when cut or padded. */
#include "proxy/wire/backend.h"

#include "wire_test.h"

static char buffer[1024];

static struct builder fresh(void)
{
    return builder_of(buffer, sizeof buffer);
}

/* The body of the one message that was built. */
static struct slice body_of(const struct builder *builder, char type)
{
    struct frame frame;
    assert_int_equal(frame_parse(builder->data, builder->len, &frame), FRAME_OK);
    assert_int_equal(frame.type, type);
    assert_int_equal(frame.total, builder->len);
    return frame_body(&frame);
}

static void an_error_is_read_back_as_it_was_written(void **state)
{
    (void)state;
    struct builder builder = fresh();
    struct backend_error error;
    assert_true(backend_build_error(&builder, SEVERITY_FATAL, "57P03", "no primary", "why", "wait"));
    assert_true(backend_parse_error(body_of(&builder, BACKEND_ERROR), &error));
    assert_int_equal(error.severity, SEVERITY_FATAL);
    assert_string_equal(error.sqlstate, "57P03");
    assert_slice(error.message, "no primary");
    assert_slice(error.detail, "why");
    assert_slice(error.hint, "wait");
}

static void absent_fields_of_an_error_stay_empty(void **state)
{
    (void)state;
    struct builder builder = fresh();
    struct backend_error error;
    assert_true(backend_build_notice(&builder, SEVERITY_WARNING, "01000", "careful", NULL, NULL));
    assert_true(backend_parse_error(body_of(&builder, BACKEND_NOTICE), &error));
    assert_int_equal(error.severity, SEVERITY_WARNING);
    assert_null(error.detail.data);
    assert_null(error.hint.data);
}

static void the_severity_is_the_one_that_is_never_translated(void **state)
{
    (void)state;
    struct backend_error error;
    assert_true(backend_parse_error(LITERAL("SFEHLER\0VERROR\0C25006\0Mnein\0Fx.c\0L1\0\0"), &error));
    assert_int_equal(error.severity, SEVERITY_ERROR);
    assert_string_equal(error.sqlstate, "25006");
    assert_true(backend_parse_error(LITERAL("SPANIC\0C57P02\0Mx\0\0"), &error));
    assert_int_equal(error.severity, SEVERITY_PANIC);
    assert_true(backend_parse_error(LITERAL("SFEHLER\0Mx\0\0"), &error));
    assert_int_equal(error.severity, SEVERITY_UNKNOWN);
    assert_string_equal(error.sqlstate, "XX000");
    assert_true(backend_parse_error(LITERAL("C123456\0\0"), &error));
    assert_string_equal(error.sqlstate, "XX000");
}

static void an_error_cut_anywhere_is_malformed(void **state)
{
    (void)state;
    static const char body[] = "SERROR\0VERROR\0C25006\0Mno\0";
    struct backend_error error;
    for (size_t len = 0; len < sizeof body; len++) {
        char *copy = exact_copy(body, len);
        assert_false(backend_parse_error(slice_of(copy, len), &error));
        free(copy);
    }
    assert_true(backend_parse_error(slice_of(body, sizeof body), &error));
}

static void ready_has_one_of_three_states(void **state)
{
    (void)state;
    for (const char *status = "ITE"; *status; status++) {
        struct builder builder = fresh();
        char found;
        assert_true(backend_build_ready(&builder, *status));
        assert_true(backend_parse_ready(body_of(&builder, BACKEND_READY), &found));
        assert_int_equal(found, *status);
    }
    char found;
    assert_false(backend_parse_ready(LITERAL("X"), &found));
    assert_false(backend_parse_ready(LITERAL(""), &found));
    assert_false(backend_parse_ready(LITERAL("II"), &found));
}

static void a_parameter_status_is_a_name_and_a_value(void **state)
{
    (void)state;
    struct builder builder = fresh();
    struct slice name, value;
    assert_true(backend_build_parameter_status(&builder, slice_from("TimeZone"), slice_from("UTC")));
    assert_true(backend_parse_parameter_status(body_of(&builder, BACKEND_PARAMETER_STATUS), &name, &value));
    assert_slice(name, "TimeZone");
    assert_slice(value, "UTC");
    assert_false(backend_parse_parameter_status(LITERAL("TimeZone\0UTC"), &name, &value));
    assert_false(backend_parse_parameter_status(LITERAL("TimeZone\0UTC\0x"), &name, &value));
    assert_false(backend_parse_parameter_status(LITERAL("\0UTC\0"), &name, &value));
}

static void key_data_has_secrets_of_4_to_256_bytes(void **state)
{
    (void)state;
    char body[4 + 300] = {0, 0, 1, 0};
    uint32_t pid;
    struct slice secret;
    for (size_t len = 0; len <= sizeof body; len++) {
        bool good = len >= 8 && len <= 260;
        assert_int_equal(backend_parse_key_data(slice_of(body, len), &pid, &secret), good);
        if (good)
            assert_int_equal(secret.len, len - 4);
    }
    struct builder builder = fresh();
    assert_true(backend_build_key_data(&builder, 4711, LITERAL("\1\2\3\4")));
    assert_true(backend_parse_key_data(body_of(&builder, BACKEND_KEY_DATA), &pid, &secret));
    assert_int_equal(pid, 4711);
    assert_slice(secret, "\1\2\3\4");
}

static void authentication_requests_are_told_apart(void **state)
{
    (void)state;
    struct backend_authentication request;
    struct builder builder = fresh();
    assert_true(backend_build_authentication_ok(&builder));
    assert_true(backend_parse_authentication(body_of(&builder, BACKEND_AUTHENTICATION), &request));
    assert_int_equal(request.code, AUTH_REQUEST_OK);
    builder = fresh();
    assert_true(backend_build_authentication_cleartext(&builder));
    assert_true(backend_parse_authentication(body_of(&builder, BACKEND_AUTHENTICATION), &request));
    assert_int_equal(request.code, AUTH_REQUEST_CLEARTEXT);
    builder = fresh();
    assert_true(backend_build_authentication_md5(&builder, (const unsigned char *)"salt"));
    assert_true(backend_parse_authentication(body_of(&builder, BACKEND_AUTHENTICATION), &request));
    assert_int_equal(request.code, AUTH_REQUEST_MD5);
    assert_memory_equal(request.salt, "salt", 4);
    builder = fresh();
    assert_true(backend_build_authentication_sasl_continue(&builder, LITERAL("r=x")));
    assert_true(backend_parse_authentication(body_of(&builder, BACKEND_AUTHENTICATION), &request));
    assert_int_equal(request.code, AUTH_REQUEST_SASL_CONTINUE);
    assert_slice(request.data, "r=x");
    builder = fresh();
    assert_true(backend_build_authentication_sasl_final(&builder, LITERAL("v=x")));
    assert_true(backend_parse_authentication(body_of(&builder, BACKEND_AUTHENTICATION), &request));
    assert_int_equal(request.code, AUTH_REQUEST_SASL_FINAL);
    assert_slice(request.data, "v=x");
}

static void malformed_authentication_requests_are_refused(void **state)
{
    (void)state;
    struct backend_authentication request;
    assert_false(backend_parse_authentication(LITERAL("\0\0\0"), &request));
    assert_false(backend_parse_authentication(LITERAL("\0\0\0\5sal"), &request));
    assert_false(backend_parse_authentication(LITERAL("\0\0\0\5salt!"), &request));
    assert_false(backend_parse_authentication(LITERAL("\0\0\0\0x"), &request));
    assert_true(backend_parse_authentication(LITERAL("\0\0\0\x63x"), &request));
    assert_int_equal(request.code, 99);
}

static void mechanisms_are_offered_with_and_without_channel_binding(void **state)
{
    (void)state;
    struct backend_authentication request;
    struct slice name;
    size_t at = 0;
    struct builder builder = fresh();
    assert_true(backend_build_authentication_sasl(&builder, true));
    assert_true(backend_parse_authentication(body_of(&builder, BACKEND_AUTHENTICATION), &request));
    assert_true(backend_next_mechanism(&request, &at, &name));
    assert_slice(name, "SCRAM-SHA-256-PLUS");
    assert_true(backend_next_mechanism(&request, &at, &name));
    assert_slice(name, "SCRAM-SHA-256");
    assert_false(backend_next_mechanism(&request, &at, &name));
    builder = fresh();
    assert_true(backend_build_authentication_sasl(&builder, false));
    assert_slice(body_of(&builder, BACKEND_AUTHENTICATION), "\0\0\0\x0aSCRAM-SHA-256\0\0");
    at = 0;
    request.data = LITERAL("unterminated");
    assert_false(backend_next_mechanism(&request, &at, &name));
}

static void a_command_tag_is_a_text_and_nothing_else(void **state)
{
    (void)state;
    struct slice tag;
    struct builder builder = fresh();
    assert_true(backend_build_command_complete(&builder, slice_from("INSERT 0 1")));
    assert_true(backend_parse_command_complete(body_of(&builder, BACKEND_COMMAND_COMPLETE), &tag));
    assert_slice(tag, "INSERT 0 1");
    assert_false(backend_parse_command_complete(LITERAL("SELECT 1"), &tag));
    assert_false(backend_parse_command_complete(LITERAL("SELECT 1\0x"), &tag));
}

static void a_negotiation_names_version_and_options(void **state)
{
    (void)state;
    const struct slice unknown[] = {slice_from("_pq_.a"), slice_from("_pq_.b")};
    uint32_t version, n;
    struct builder builder = fresh();
    assert_true(backend_build_negotiate(&builder, 0x30000, unknown, 2));
    assert_true(backend_parse_negotiate(body_of(&builder, BACKEND_NEGOTIATE_VERSION), &version, &n));
    assert_int_equal(version, 0x30000);
    assert_int_equal(n, 2);
    assert_false(backend_parse_negotiate(LITERAL("\0\3\0\0\xff\xff\xff\xff"), &version, &n));
    assert_false(backend_parse_negotiate(LITERAL("\0\3\0\0\0\0\0\1"), &version, &n));
    assert_false(backend_parse_negotiate(LITERAL("\0\3\0\0\0\0\0\1a\0b\0"), &version, &n));
}

static void rows_of_text_have_nulls(void **state)
{
    (void)state;
    const char *const names[] = {"a", "bc"};
    const struct slice values[] = {slice_from("x"), slice_of(NULL, 0)};
    struct builder builder = fresh();
    assert_true(backend_build_text_columns(&builder, names, 2));
    assert_slice(body_of(&builder, BACKEND_ROW_DESCRIPTION),
        "\0\2a\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0"
        "bc\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0");
    builder = fresh();
    assert_true(backend_build_text_row(&builder, values, 2));
    assert_slice(body_of(&builder, BACKEND_DATA_ROW), "\0\2\0\0\0\1x\xff\xff\xff\xff");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_is_read_back_as_it_was_written),
        cmocka_unit_test(absent_fields_of_an_error_stay_empty),
        cmocka_unit_test(the_severity_is_the_one_that_is_never_translated),
        cmocka_unit_test(an_error_cut_anywhere_is_malformed),
        cmocka_unit_test(ready_has_one_of_three_states),
        cmocka_unit_test(a_parameter_status_is_a_name_and_a_value),
        cmocka_unit_test(key_data_has_secrets_of_4_to_256_bytes),
        cmocka_unit_test(authentication_requests_are_told_apart),
        cmocka_unit_test(malformed_authentication_requests_are_refused),
        cmocka_unit_test(mechanisms_are_offered_with_and_without_channel_binding),
        cmocka_unit_test(a_command_tag_is_a_text_and_nothing_else),
        cmocka_unit_test(a_negotiation_names_version_and_options),
        cmocka_unit_test(rows_of_text_have_nulls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
