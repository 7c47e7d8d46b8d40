/*
 * Where a node is reached: host and port as configured, and the addresses that the name stood for when last
 * asked.
 *
 * Owned by the node's watch, shared by all its connections (pgconn.c asks the resolver and stores here).
 * Control thread only. A numeric host or a socket directory never needs the resolver.
 */
#ifndef ROLECALL_HEALTH_ENDPOINT_H
#define ROLECALL_HEALTH_ENDPOINT_H

#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ENDPOINT_MAX_ADDRESSES 8
#define ENDPOINT_ADDRESS_MAX 64

struct endpoint {
    char *host;
    uint16_t port;
    bool is_socket;  /* host is the directory of a Unix socket */
    bool is_numeric; /* host is an address */
    bool stale;      /* ask the resolver before the next connect */
    char addresses[ENDPOINT_MAX_ADDRESSES][ENDPOINT_ADDRESS_MAX];
    size_t n_addresses;
    size_t current; /* the address that worked last, or that is to be tried first */
    uint32_t moves; /* how often the name has come to stand for none of the addresses that it had */
};

void endpoint_init(struct endpoint *endpoint, const char *host, uint16_t port);
void endpoint_fini(struct endpoint *endpoint);

/* True when the name must be resolved before connecting: never asked, or a connect failed since. */
bool endpoint_must_resolve(const struct endpoint *endpoint);
/* Takes over a resolver's answer; the current address stays current when it is still among them. */
void endpoint_resolved(struct endpoint *endpoint, const struct addrinfo *answer);
/* The nth address to try, counted from the current one; NULL past the last, and always for sockets. */
const char *endpoint_nth(const struct endpoint *endpoint, size_t nth);
/* The nth (counted as above) answered: it is the current one now. */
void endpoint_worked(struct endpoint *endpoint, size_t nth);
/* A connect failed for good: the name is asked again before the next one, which begins with the next address.
 */
void endpoint_failed(struct endpoint *endpoint);
/* The current address; NULL for sockets and when not known yet. */
const char *endpoint_address(const struct endpoint *endpoint);

#endif
