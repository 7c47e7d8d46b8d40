/*
 * The PROXY protocol's header, in its text form (v1) and its binary form (v2).
 *
 * The first byte tells the two apart. A header is consumed as a whole or not at all; bytes that cannot become
 * one are refused at once, so that a client that forgot to send it gets an answer instead of a timeout. Forms
 * that carry no address we can use (LOCAL, UNKNOWN, datagrams) leave the connection's own addresses in force,
 * as the specification asks. TLVs are skipped.
 */
#include "proxy/wire/proxy_protocol.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define V1_PREFIX "PROXY "
#define V1_MAX 107
#define V2_SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V2_SIGNATURE_LEN 12
#define V2_HEADER_LEN 16
#define V2_UNIX_PATH_LEN 108

static enum frame_result bad(struct error *error, const char *what)
{
    error_set(error, SQLSTATE_PROTOCOL_VIOLATION, "invalid PROXY protocol header: %s", what);
    return FRAME_BAD;
}

/* The next word of a v1 line, copied with a NUL; words are divided by exactly one blank. */
static bool next_word(const char **at, const char *end, char *out, size_t size)
{
    const char *stop = memchr(*at, ' ', (size_t)(end - *at));
    size_t len = (size_t)((stop ? stop : end) - *at);
    if (len == 0 || len >= size || memchr(*at, '\0', len) != NULL)
        return false;
    memcpy(out, *at, len);
    out[len] = '\0';
    *at = stop ? stop + 1 : end;
    return true;
}

static bool parse_port(const char *word, in_port_t *port)
{
    size_t len = strlen(word);
    if (len > 5 || strspn(word, "0123456789") != len || (len > 1 && word[0] == '0'))
        return false;
    unsigned long value = strtoul(word, NULL, 10);
    *port = htons((uint16_t)value);
    return value <= 65535;
}

static void store_inet(struct sockaddr_storage *out, int family, const void *address, in_port_t port)
{
    memset(out, 0, sizeof *out);
    if (family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)out;
        in->sin_family = AF_INET;
        in->sin_port = port;
        memcpy(&in->sin_addr, address, sizeof in->sin_addr);
    } else {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
        in6->sin6_family = AF_INET6;
        in6->sin6_port = port;
        memcpy(&in6->sin6_addr, address, sizeof in6->sin6_addr);
    }
}

/* "TCP4 source destination port port", up to `end`. */
static bool parse_v1_addresses(const char *at, const char *end, struct proxy_header *out)
{
    char protocol[8], source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN], from[8], to[8];
    unsigned char from_address[16], to_address[16];
    in_port_t from_port, to_port;
    if (!next_word(&at, end, protocol, sizeof protocol))
        return false;
    int family = strcmp(protocol, "TCP4") == 0 ? AF_INET : strcmp(protocol, "TCP6") == 0 ? AF_INET6 : 0;
    if (family == 0 || !next_word(&at, end, source, sizeof source) ||
        !next_word(&at, end, destination, sizeof destination) || !next_word(&at, end, from, sizeof from) ||
        !next_word(&at, end, to, sizeof to) || at != end)
        return false;
    /* `at` stops at the end for a trailing blank too. */
    if (end[-1] == ' ')
        return false;
    if (inet_pton(family, source, from_address) != 1 || inet_pton(family, destination, to_address) != 1 ||
        !parse_port(from, &from_port) || !parse_port(to, &to_port))
        return false;
    store_inet(&out->source, family, from_address, from_port);
    store_inet(&out->destination, family, to_address, to_port);
    return true;
}

static enum frame_result parse_v1(
    const char *bytes, size_t len, struct proxy_header *out, struct error *error)
{
    size_t prefix = strlen(V1_PREFIX), seen = len < V1_MAX ? len : V1_MAX;
    if (memcmp(bytes, V1_PREFIX, seen < prefix ? seen : prefix) != 0)
        return bad(error, "it begins with neither \"PROXY \" nor the signature of version 2");
    const char *end = memchr(bytes, '\n', seen);
    if (end == NULL)
        return seen == V1_MAX ? bad(error, "no end of line within 107 bytes") : FRAME_MORE;
    if (end[-1] != '\r' || (size_t)(end - bytes) < prefix + 1)
        return bad(error, "the line does not end with CR LF");
    const char *at = bytes + prefix;
    end--;
    out->total = (size_t)(end + 2 - bytes);
    size_t rest = (size_t)(end - at);
    if (rest >= 7 && memcmp(at, "UNKNOWN", 7) == 0 && (rest == 7 || at[7] == ' ')) {
        out->local = true;
        return FRAME_OK;
    }
    return parse_v1_addresses(at, end, out) ? FRAME_OK : bad(error, "its addresses are malformed");
}

static void store_unix(struct sockaddr_storage *out, const unsigned char *path)
{
    memset(out, 0, sizeof *out);
    struct sockaddr_un *un = (struct sockaddr_un *)out;
    _Static_assert(sizeof un->sun_path == V2_UNIX_PATH_LEN, "the protocol's path is as long as Linux's");
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, V2_UNIX_PATH_LEN);
}

/* The address block of a PROXY command; `size` bytes of it and its TLVs are there. */
static enum frame_result parse_v2_addresses(
    unsigned family, const unsigned char *p, size_t size, struct proxy_header *out, struct error *error)
{
    in_port_t from, to;
    if (family >> 4 > 3 || (family & 15) > 2)
        return bad(error, "unknown address family");
    if ((family & 15) != 1 || family >> 4 == 0) {
        out->local = true;
        return FRAME_OK;
    }
    size_t address_len = family == 0x11 ? 4 : family == 0x21 ? 16 : V2_UNIX_PATH_LEN;
    size_t port_len = family == 0x31 ? 0 : sizeof from;
    if (size < 2 * (address_len + port_len))
        return bad(error, "its addresses are cut short");
    if (family == 0x31) {
        store_unix(&out->source, p);
        store_unix(&out->destination, p + address_len);
        return FRAME_OK;
    }
    memcpy(&from, p + 2 * address_len, sizeof from);
    memcpy(&to, p + 2 * address_len + port_len, sizeof to);
    int inet = family == 0x11 ? AF_INET : AF_INET6;
    store_inet(&out->source, inet, p, from);
    store_inet(&out->destination, inet, p + address_len, to);
    return FRAME_OK;
}

static enum frame_result parse_v2(
    const char *bytes, size_t len, struct proxy_header *out, struct error *error)
{
    const unsigned char *p = (const unsigned char *)bytes;
    if (memcmp(bytes, V2_SIGNATURE, len < V2_SIGNATURE_LEN ? len : V2_SIGNATURE_LEN) != 0)
        return bad(error, "it begins with neither \"PROXY \" nor the signature of version 2");
    if (len > 12 && (p[12] >> 4 != 2 || (p[12] & 15) > 1))
        return bad(error, "unknown version or command");
    if (len < V2_HEADER_LEN)
        return FRAME_MORE;
    size_t size = (size_t)p[14] << 8 | p[15];
    if (size > PROXY_PROTOCOL_MAX - V2_HEADER_LEN)
        return bad(error, "it is longer than 4096 bytes");
    if (len < V2_HEADER_LEN + size)
        return FRAME_MORE;
    out->total = V2_HEADER_LEN + size;
    if ((p[12] & 15) == 0) {
        out->local = true;
        return FRAME_OK;
    }
    return parse_v2_addresses(p[13], p + V2_HEADER_LEN, size, out, error);
}

enum frame_result proxy_protocol_parse(
    const char *bytes, size_t len, struct proxy_header *out, struct error *error)
{
    if (len == 0)
        return FRAME_MORE;
    memset(out, 0, sizeof *out);
    return bytes[0] == V2_SIGNATURE[0] ? parse_v2(bytes, len, out, error) : parse_v1(bytes, len, out, error);
}
