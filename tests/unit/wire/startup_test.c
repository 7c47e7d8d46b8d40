/* First packets: kinds, versions, parameters, bounds, and every number of bytes that may have arrived. */
#include "proxy/wire/startup.h"

#include "proxy/wire/backend.h"
#include "wire_test.h"

/* A packet from its body, in a static buffer. */
static struct slice packet(struct slice body)
{
    static char buffer[STARTUP_PACKET_MAX + 100];
    struct builder builder = builder_of(buffer, sizeof buffer);
    builder_begin_untyped(&builder);
    builder_slice(&builder, body);
    assert_true(builder_end(&builder));
    return slice_of(buffer, builder.len);
}

#define PACKET(body) packet(LITERAL(body))

static enum frame_result parse(struct slice bytes, struct startup *startup, struct error *error)
{
    memset(error, 0, sizeof *error);
    return startup_parse(bytes.data, bytes.len, startup, error);
}

static void assert_refused(struct slice bytes, const char *sqlstate, const char *text)
{
    struct startup startup;
    struct error error;
    assert_int_equal(parse(bytes, &startup, &error), FRAME_BAD);
    assert_string_equal(error.sqlstate, sqlstate);
    assert_non_null(strstr(error.text, text));
}

static void a_session_packet_gives_its_parameters(void **state)
{
    (void)state;
    struct startup startup;
    struct error error;
    struct slice bytes = PACKET("\0\3\0\0user\0ann\0database\0shop\0options\0-c a=b\0DateStyle\0ISO\0\0");
    assert_int_equal(parse(bytes, &startup, &error), FRAME_OK);
    assert_int_equal(startup.kind, STARTUP_SESSION);
    assert_int_equal(startup.total, bytes.len);
    assert_int_equal(startup.version, PROTOCOL_3_0);
    assert_false(startup.negotiate);
    assert_slice(startup.user, "ann");
    assert_slice(startup.database, "shop");
    assert_slice(startup.options, "-c a=b");
    assert_int_equal(startup.replication, REPLICATION_NONE);
    assert_slice(startup_param(&startup, "DateStyle"), "ISO");
    assert_null(startup_param(&startup, "datestyle").data);
    struct slice name, value;
    size_t at = 0, n = 0;
    while (startup_next(&startup, &at, &name, &value))
        n++;
    assert_int_equal(n, 4);
}

static void every_split_of_a_packet_waits_for_the_rest(void **state)
{
    (void)state;
    struct startup startup;
    struct error error;
    struct slice whole = PACKET("\0\3\0\2user\0ann\0database\0shop\0\0");
    for (size_t len = 0; len <= whole.len; len++) {
        char *copy = exact_copy(whole.data, len);
        assert_int_equal(
            parse(slice_of(copy, len), &startup, &error), len < whole.len ? FRAME_MORE : FRAME_OK);
        free(copy);
    }
    assert_int_equal(startup.version, PROTOCOL_3_2);
}

static void bytes_after_the_packet_are_left_alone(void **state)
{
    (void)state;
    struct startup startup;
    struct error error;
    static const char bytes[] = "\0\0\0\x08\x04\xd2\x16\x2f\x16\x03\x01";
    assert_int_equal(parse(slice_of(bytes, sizeof bytes - 1), &startup, &error), FRAME_OK);
    assert_int_equal(startup.kind, STARTUP_SSL_REQUEST);
    assert_int_equal(startup.total, 8);
}

static void the_requests_for_encryption_are_told_apart(void **state)
{
    (void)state;
    struct startup startup;
    struct error error;
    assert_int_equal(parse(PACKET("\x04\xd2\x16\x2f"), &startup, &error), FRAME_OK);
    assert_int_equal(startup.kind, STARTUP_SSL_REQUEST);
    assert_int_equal(parse(PACKET("\x04\xd2\x16\x30"), &startup, &error), FRAME_OK);
    assert_int_equal(startup.kind, STARTUP_GSSENC_REQUEST);
}

static void a_missing_or_empty_database_is_the_users_name(void **state)
{
    (void)state;
    struct startup startup;
    struct error error;
    assert_int_equal(parse(PACKET("\0\3\0\0user\0ann\0\0"), &startup, &error), FRAME_OK);
    assert_slice(startup.database, "ann");
    assert_int_equal(parse(PACKET("\0\3\0\0database\0\0user\0ann\0\0"), &startup, &error), FRAME_OK);
    assert_slice(startup.database, "ann");
    assert_null(startup.options.data);
}

static void the_last_of_several_values_counts(void **state)
{
    (void)state;
    struct startup startup;
    struct error error;
    assert_int_equal(
        parse(PACKET("\0\3\0\0user\0ann\0user\0bob\0x\0001\0x\0002\0\0"), &startup, &error), FRAME_OK);
    assert_slice(startup.user, "bob");
    assert_slice(startup_param(&startup, "x"), "2");
}

static void other_minor_versions_are_negotiated(void **state)
{
    (void)state;
    static const struct {
        const char *asked;
        uint32_t version;
        bool negotiate;
    } cases[] = {{"\0\3\0\0", PROTOCOL_3_0, false}, {"\0\3\0\1", PROTOCOL_3_0, true},
        {"\0\3\0\2", PROTOCOL_3_2, false}, {"\0\3\0\3", PROTOCOL_3_2, true},
        {"\0\3\x27\x0f", PROTOCOL_3_2, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct startup startup;
        struct error error;
        char body[14] = "....user\0a\0\0";
        memcpy(body, cases[i].asked, 4);
        assert_int_equal(parse(packet(slice_of(body, 12)), &startup, &error), FRAME_OK);
        assert_int_equal(startup.version, cases[i].version);
        assert_int_equal(startup.negotiate, cases[i].negotiate);
    }
}

static void unknown_protocol_options_are_named_in_the_negotiation(void **state)
{
    (void)state;
    struct startup startup;
    struct error error;
    char buffer[200];
    struct builder builder = builder_of(buffer, sizeof buffer);
    struct slice bytes = PACKET("\0\3\0\0_pq_.zip\0on\0user\0ann\0_pq_.x\0001\0\0");
    assert_int_equal(parse(bytes, &startup, &error), FRAME_OK);
    assert_true(startup.negotiate);
    assert_true(startup_build_negotiate(&builder, &startup));
    assert_slice(slice_of(buffer, builder.len), "v\0\0\0\x1c\0\3\0\0\0\0\0\2_pq_.zip\0_pq_.x\0");
    uint32_t version, unknown;
    assert_true(backend_parse_negotiate(slice_of(buffer + 5, builder.len - 5), &version, &unknown));
    assert_int_equal(version, PROTOCOL_3_0);
    assert_int_equal(unknown, 2);
}

static void other_major_versions_are_refused(void **state)
{
    (void)state;
    assert_refused(PACKET("\0\2\0\0user\0ann\0\0"), "0A000", "unsupported frontend protocol 2.0");
    assert_refused(PACKET("\0\4\0\1user\0ann\0\0"), "0A000", "unsupported frontend protocol 4.1");
    assert_refused(PACKET("\0\0\0\0"), "0A000", "unsupported frontend protocol 0.0");
}

static void lengths_out_of_bounds_are_refused_at_once(void **state)
{
    (void)state;
    assert_refused(LITERAL("\0\0\0\0"), "08P01", "invalid length of startup packet");
    assert_refused(LITERAL("\0\0\0\7"), "08P01", "invalid length of startup packet");
    assert_refused(LITERAL("\0\0\x27\x15"), "08P01", "invalid length of startup packet");
    assert_refused(LITERAL("GET / HTTP/1.1\r\n"), "08P01", "invalid length of startup packet");
    struct startup startup;
    struct error error;
    assert_int_equal(parse(LITERAL("\0\0\x27\x14"), &startup, &error), FRAME_MORE);
}

static void a_list_without_its_end_is_refused(void **state)
{
    (void)state;
    const char *text = "expected terminator as last byte";
    assert_refused(PACKET("\0\3\0\0"), "08P01", text);
    assert_refused(PACKET("\0\3\0\0user\0ann\0"), "08P01", text);
    assert_refused(PACKET("\0\3\0\0user\0ann\0\0x"), "08P01", text);
    assert_refused(PACKET("\0\3\0\0user\0ann\0database\0\0"), "08P01", text);
    assert_refused(PACKET("\0\3\0\0user\0ann"), "08P01", text);
    assert_refused(PACKET("\0\3\0\0user\0"), "08P01", text);
}

static void a_packet_needs_a_user(void **state)
{
    (void)state;
    assert_refused(PACKET("\0\3\0\0\0"), "28000", "no PostgreSQL user name");
    assert_refused(PACKET("\0\3\0\0user\0\0\0"), "28000", "no PostgreSQL user name");
}

static void replication_has_postgresqls_values(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        int expected; /* -1: refused */
    } cases[] = {{"true", REPLICATION_PHYSICAL}, {"on", REPLICATION_PHYSICAL}, {"YES", REPLICATION_PHYSICAL},
        {"1", REPLICATION_PHYSICAL}, {"t", REPLICATION_PHYSICAL}, {"database", REPLICATION_DATABASE},
        {"false", REPLICATION_NONE}, {"off", REPLICATION_NONE}, {"0", REPLICATION_NONE},
        {"n", REPLICATION_NONE}, {"o", -1}, {"2", -1}, {"", -1}, {"truest", -1}, {"Database", -1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct startup startup;
        struct error error;
        char buffer[100];
        struct builder builder = builder_of(buffer, sizeof buffer);
        startup_build_begin(&builder, PROTOCOL_3_0);
        startup_build_param(&builder, slice_from("user"), slice_from("ann"));
        startup_build_param(&builder, slice_from("replication"), slice_from(cases[i].value));
        assert_true(startup_build_end(&builder));
        enum frame_result result = parse(slice_of(buffer, builder.len), &startup, &error);
        assert_int_equal(result, cases[i].expected < 0 ? FRAME_BAD : FRAME_OK);
        if (cases[i].expected < 0)
            assert_string_equal(error.sqlstate, "22023");
        else
            assert_int_equal(startup.replication, cases[i].expected);
    }
}

static void a_cancel_request_carries_keys_of_4_to_256_bytes(void **state)
{
    (void)state;
    for (size_t len = 0; len <= 300; len++) {
        char buffer[400] = {0}, secret[300];
        memset(secret, 'k', sizeof secret);
        struct builder builder = builder_of(buffer, sizeof buffer);
        builder_begin_untyped(&builder);
        builder_u32(&builder, 80877102);
        builder_u32(&builder, 4711);
        builder_bytes(&builder, secret, len);
        assert_true(builder_end(&builder));
        struct startup startup;
        struct error error;
        bool good = len >= 4 && len <= 256;
        assert_int_equal(parse(slice_of(buffer, builder.len), &startup, &error), good ? FRAME_OK : FRAME_BAD);
        if (!good)
            continue;
        assert_int_equal(startup.kind, STARTUP_CANCEL);
        assert_int_equal(startup.cancel_pid, 4711);
        assert_slice_bytes(startup.cancel_secret, secret, len);
    }
    assert_refused(PACKET("\x04\xd2\x16\x2e"), "08P01", "invalid length of cancel request packet");
}

static void packets_for_a_node_are_understood_by_our_own_parser(void **state)
{
    (void)state;
    char buffer[200];
    struct builder builder = builder_of(buffer, sizeof buffer);
    struct startup startup;
    struct error error;
    assert_true(startup_build_ssl_request(&builder));
    assert_int_equal(parse(slice_of(buffer, builder.len), &startup, &error), FRAME_OK);
    assert_int_equal(startup.kind, STARTUP_SSL_REQUEST);
    builder = builder_of(buffer, sizeof buffer);
    assert_true(startup_build_cancel(&builder, 99, LITERAL("12345678")));
    assert_int_equal(parse(slice_of(buffer, builder.len), &startup, &error), FRAME_OK);
    assert_int_equal(startup.cancel_pid, 99);
    assert_slice(startup.cancel_secret, "12345678");
    builder = builder_of(buffer, 30);
    startup_build_begin(&builder, PROTOCOL_3_2);
    startup_build_param(&builder, slice_from("user"), slice_from("a name that does not fit"));
    assert_false(startup_build_end(&builder));
    assert_int_equal(builder.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_packet_gives_its_parameters),
        cmocka_unit_test(every_split_of_a_packet_waits_for_the_rest),
        cmocka_unit_test(bytes_after_the_packet_are_left_alone),
        cmocka_unit_test(the_requests_for_encryption_are_told_apart),
        cmocka_unit_test(a_missing_or_empty_database_is_the_users_name),
        cmocka_unit_test(the_last_of_several_values_counts),
        cmocka_unit_test(other_minor_versions_are_negotiated),
        cmocka_unit_test(unknown_protocol_options_are_named_in_the_negotiation),
        cmocka_unit_test(other_major_versions_are_refused),
        cmocka_unit_test(lengths_out_of_bounds_are_refused_at_once),
        cmocka_unit_test(a_list_without_its_end_is_refused),
        cmocka_unit_test(a_packet_needs_a_user),
        cmocka_unit_test(replication_has_postgresqls_values),
        cmocka_unit_test(a_cancel_request_carries_keys_of_4_to_256_bytes),
        cmocka_unit_test(packets_for_a_node_are_understood_by_our_own_parser),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
