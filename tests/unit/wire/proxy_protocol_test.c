/* PROXY headers of both versions: addresses, early refusals, and every number of bytes that may have arrived.
 */
#include "proxy/wire/proxy_protocol.h"

#include "wire_test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/un.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

static enum frame_result parse(struct slice bytes, struct proxy_header *header)
{
    struct error error = {"", ""};
    enum frame_result result = proxy_protocol_parse(bytes.data, bytes.len, header, &error);
    if (result == FRAME_BAD)
        assert_string_equal(error.sqlstate, "08P01");
    return result;
}

/* "address:port" */
static void assert_address(const struct sockaddr_storage *address, const char *expected)
{
    char host[INET6_ADDRSTRLEN], found[100];
    const struct sockaddr_in *in = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
    if (address->ss_family == AF_INET)
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
    else
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
    snprintf(found, sizeof found, "%s:%u", host,
        ntohs(address->ss_family == AF_INET ? in->sin_port : in6->sin6_port));
    assert_string_equal(found, expected);
}

static void a_line_gives_both_addresses(void **state)
{
    (void)state;
    struct proxy_header header;
    struct slice line = LITERAL("PROXY TCP4 192.0.2.1 198.51.100.7 56324 5432\r\nnext");
    assert_int_equal(parse(line, &header), FRAME_OK);
    assert_int_equal(header.total, line.len - 4);
    assert_false(header.local);
    assert_address(&header.source, "192.0.2.1:56324");
    assert_address(&header.destination, "198.51.100.7:5432");
    assert_int_equal(parse(LITERAL("PROXY TCP6 2001:db8::1 ::1 0 65535\r\n"), &header), FRAME_OK);
    assert_address(&header.source, "2001:db8::1:0");
    assert_address(&header.destination, "::1:65535");
}

static void an_unknown_line_keeps_the_connections_addresses(void **state)
{
    (void)state;
    struct proxy_header header;
    assert_int_equal(parse(LITERAL("PROXY UNKNOWN\r\n"), &header), FRAME_OK);
    assert_true(header.local);
    assert_int_equal(header.total, 15);
    assert_int_equal(parse(LITERAL("PROXY UNKNOWN whatever comes\r\n"), &header), FRAME_OK);
    assert_true(header.local);
}

static void malformed_lines_are_refused(void **state)
{
    (void)state;
    static const char *const lines[] = {"PROXY TCP4 192.0.2.1 198.51.100.7 56324\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.7 56324 5432 \r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.7 56324 5432 1\r\n",
        "PROXY  TCP4 192.0.2.1 198.51.100.7 56324 5432\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.7 65536 5432\r\n", "PROXY TCP4 192.0.2.1 198.51.100.7 056 5432\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.7 -1 5432\r\n", "PROXY TCP4 192.0.2 198.51.100.7 56324 5432\r\n",
        "PROXY TCP4 ::1 ::1 1 2\r\n", "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY UDP4 192.0.2.1 198.51.100.7 1 2\r\n", "PROXY \r\n", "PROXY UNKNOWNX\r\n", "PROXY UNKNOWN\n",
        "PROXY TCP4 192.0.2.1 198.51.100.7 1 2\n", "QROXY", "GET / HTTP", "PROXX", "\x16\x03\x01"};
    struct proxy_header header;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        assert_int_equal(parse(slice_from(lines[i]), &header), FRAME_BAD);
    char endless[107];
    memset(endless, 'x', sizeof endless);
    memcpy(endless, "PROXY UNKNOWN ", 14);
    assert_int_equal(parse(slice_of(endless, 106), &header), FRAME_MORE);
    assert_int_equal(parse(slice_of(endless, 107), &header), FRAME_BAD);
}

static void every_split_of_a_header_waits_for_the_rest(void **state)
{
    (void)state;
    static const struct slice headers[] = {{"PROXY TCP4 192.0.2.1 198.51.100.7 56324 5432\r\n", 46},
        {SIGNATURE "\x21\x11\0\x0f\1\2\3\4\5\6\7\x08\0\x50\x15\x38\4\0\0", 31}};
    for (size_t i = 0; i < 2; i++) {
        for (size_t len = 0; len <= headers[i].len; len++) {
            char *copy = exact_copy(headers[i].data, len);
            struct proxy_header header;
            assert_int_equal(
                parse(slice_of(copy, len), &header), len < headers[i].len ? FRAME_MORE : FRAME_OK);
            free(copy);
        }
    }
}

static void a_binary_header_gives_both_addresses_and_skips_what_follows_them(void **state)
{
    (void)state;
    struct proxy_header header;
    struct slice bytes = LITERAL(SIGNATURE "\x21\x11\0\x0f\1\2\3\4\5\6\7\x08\0\x50\x15\x38\4\0\0next");
    assert_int_equal(parse(bytes, &header), FRAME_OK);
    assert_int_equal(header.total, 31);
    assert_address(&header.source, "1.2.3.4:80");
    assert_address(&header.destination, "5.6.7.8:5432");
    bytes = LITERAL(SIGNATURE "\x21\x21\0\x24"
                              "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
                              "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2"
                              "\0\x50\x15\x38");
    assert_int_equal(parse(bytes, &header), FRAME_OK);
    assert_address(&header.source, "2001:db8::1:80");
    assert_address(&header.destination, "2001:db8::2:5432");
}

static void a_binary_header_may_name_unix_sockets(void **state)
{
    (void)state;
    struct proxy_header header;
    char bytes[16 + 216] = SIGNATURE "\x21\x31\0\xd8";
    strcpy(bytes + 16, "/run/a");
    strcpy(bytes + 16 + 108, "/run/b");
    assert_int_equal(parse(slice_of(bytes, sizeof bytes), &header), FRAME_OK);
    assert_int_equal(header.source.ss_family, AF_UNIX);
    assert_string_equal(((struct sockaddr_un *)&header.source)->sun_path, "/run/a");
    assert_string_equal(((struct sockaddr_un *)&header.destination)->sun_path, "/run/b");
}

static void headers_without_usable_addresses_keep_the_connections(void **state)
{
    (void)state;
    struct proxy_header header;
    assert_int_equal(parse(LITERAL(SIGNATURE "\x20\0\0\0"), &header), FRAME_OK);
    assert_true(header.local);
    assert_int_equal(header.total, 16);
    assert_int_equal(parse(LITERAL(SIGNATURE "\x20\x11\0\2xx"), &header), FRAME_OK);
    assert_true(header.local);
    assert_int_equal(header.total, 18);
    assert_int_equal(parse(LITERAL(SIGNATURE "\x21\0\0\0"), &header), FRAME_OK);
    assert_true(header.local);
    assert_int_equal(parse(LITERAL(SIGNATURE "\x21\x12\0\0"), &header), FRAME_OK);
    assert_true(header.local);
}

static void malformed_binary_headers_are_refused_as_soon_as_that_is_sure(void **state)
{
    (void)state;
    struct proxy_header header;
    assert_int_equal(parse(LITERAL("\r\n\r\n\0\r\nQUIX"), &header), FRAME_BAD);
    assert_int_equal(parse(LITERAL(SIGNATURE "\x11"), &header), FRAME_BAD);
    assert_int_equal(parse(LITERAL(SIGNATURE "\x22"), &header), FRAME_BAD);
    assert_int_equal(
        parse(LITERAL(SIGNATURE "\x21\x11\0\x0b\1\2\3\4\5\6\7\x08\0\x50\x15"), &header), FRAME_BAD);
    assert_int_equal(parse(LITERAL(SIGNATURE "\x21\x41\0\0"), &header), FRAME_BAD);
    assert_int_equal(parse(LITERAL(SIGNATURE "\x21\x13\0\0"), &header), FRAME_BAD);
    assert_int_equal(parse(LITERAL(SIGNATURE "\x21\x11\x0f\xf1"), &header), FRAME_BAD);
    assert_int_equal(parse(LITERAL(SIGNATURE "\x21\x11\x0f\xf0"), &header), FRAME_MORE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_gives_both_addresses),
        cmocka_unit_test(an_unknown_line_keeps_the_connections_addresses),
        cmocka_unit_test(malformed_lines_are_refused),
        cmocka_unit_test(every_split_of_a_header_waits_for_the_rest),
        cmocka_unit_test(a_binary_header_gives_both_addresses_and_skips_what_follows_them),
        cmocka_unit_test(a_binary_header_may_name_unix_sockets),
        cmocka_unit_test(headers_without_usable_addresses_keep_the_connections),
        cmocka_unit_test(malformed_binary_headers_are_refused_as_soon_as_that_is_sure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
