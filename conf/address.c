/* Addresses of listeners; see address.h. Names are compared as text: whether two of them mean one is the
 * resolver's. */
#include "conf/address.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

static bool refuse(const char **why, const char *text)
{
    *why = text;
    return false;
}

static bool parse_port(const char *text, uint16_t *port, const char **why)
{
    size_t len = strlen(text);
    uint32_t number = 0;
    if (len == 0 || len > 5 || strspn(text, "0123456789") != len)
        return refuse(why, "expected a port from 1 to 65535 at its end");
    for (; *text; text++)
        number = number * 10 + (uint32_t)(*text - '0');
    if (number == 0 || number > 65535)
        return refuse(why, "the port must be from 1 to 65535");
    *port = (uint16_t)number;
    return true;
}

static bool parse_path(const char *path, struct address *address, const char **why)
{
    address->is_unix = true;
    if (*path != '/')
        return refuse(why, "the path of a Unix socket must begin with /");
    if (strlen(path) >= ADDRESS_PATH_MAX)
        return refuse(why, "the path of a Unix socket is longer than 107 bytes");
    memcpy(address->path, path, strlen(path) + 1);
    return true;
}

static bool parse_v6(const char *text, struct address *address, const char **why)
{
    const char *close = strchr(text, ']');
    struct in6_addr number;
    if (!close || close[1] != ':')
        return refuse(why, "expected [IPv6 address]:port");
    size_t len = (size_t)(close - text - 1);
    if (len >= ADDRESS_HOST_MAX)
        return refuse(why, "the host is too long");
    memcpy(address->host, text + 1, len);
    char *zone = strchr(address->host, '%'); /* fe80::1%eth0 */
    if (zone)
        *zone = '\0';
    bool valid = inet_pton(AF_INET6, address->host, &number) == 1;
    if (zone)
        *zone = '%';
    if (!valid)
        return refuse(why, "expected an IPv6 address between [ and ]");
    return parse_port(close + 2, &address->port, why);
}

bool address_parse(const char *text, struct address *address, const char **why)
{
    *address = (struct address){0};
    if (strncmp(text, "unix:", 5) == 0)
        return parse_path(text + 5, address, why);
    if (*text == '/')
        return refuse(why, "a Unix socket is written unix:/path");
    if (strpbrk(text, " \t"))
        return refuse(why, "an address holds no blanks");
    if (*text == '[')
        return parse_v6(text, address, why);
    const char *colon = strchr(text, ':');
    if (!colon)
        return refuse(why, "expected host:port, [IPv6]:port, *:port or unix:/path");
    if (strchr(colon + 1, ':'))
        return refuse(why, "an IPv6 address is written [address]:port");
    size_t len = (size_t)(colon - text);
    if (len == 0)
        return refuse(why, "the host is missing; *:port means every interface");
    if (len >= ADDRESS_HOST_MAX)
        return refuse(why, "the host is too long");
    memcpy(address->host, text, len);
    return parse_port(colon + 1, &address->port, why);
}

static bool is_any(const char *host)
{
    struct in6_addr v6;
    struct in_addr v4;
    if (strcmp(host, "*") == 0)
        return true;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return v4.s_addr == INADDR_ANY;
    return inet_pton(AF_INET6, host, &v6) == 1 && memcmp(&v6, &in6addr_any, sizeof v6) == 0;
}

static bool is_v6(const char *host)
{
    return strchr(host, ':') != NULL;
}

static bool same_host(const char *a, const char *b)
{
    struct in6_addr v6_a, v6_b;
    if (inet_pton(AF_INET6, a, &v6_a) == 1 && inet_pton(AF_INET6, b, &v6_b) == 1)
        return memcmp(&v6_a, &v6_b, sizeof v6_a) == 0;
    return strcasecmp(a, b) == 0;
}

bool address_collides(const struct address *a, const struct address *b)
{
    if (a->is_unix || b->is_unix)
        return a->is_unix && b->is_unix && strcmp(a->path, b->path) == 0;
    if (a->port != b->port)
        return false;
    if (same_host(a->host, b->host) || strcmp(a->host, "*") == 0 || strcmp(b->host, "*") == 0)
        return true;
    /* 0.0.0.0 and [::] side by side are two families and no collision */
    return (is_any(a->host) || is_any(b->host)) && is_v6(a->host) == is_v6(b->host);
}
