/*
 * A node's addresses; see endpoint.h. When all is well one name gives one address that never changes. A name
 * with several addresses ("localhost" on a host with IPv6) is tried in turn from the one that worked last. A
 * name that no longer resolves keeps its old addresses: a broken resolver must not take down nodes that still
 * answer. A name whose addresses are all others than before has moved: what was connected to the old ones is
 * not the node any more.
 */
#include "health/endpoint.h"

#include "health/memory.h"

#include <stdio.h>
#include <sys/socket.h>

static bool is_numeric(const char *host)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM}, *answer = NULL;
    if (getaddrinfo(host, NULL, &hints, &answer) != 0)
        return false;
    freeaddrinfo(answer);
    return true;
}

void endpoint_init(struct endpoint *endpoint, const char *host, uint16_t port)
{
    *endpoint = (struct endpoint){.host = memory_copy(host), .port = port};
    endpoint->is_socket = host[0] == '/';
    endpoint->is_numeric = !endpoint->is_socket && is_numeric(host);
    if (endpoint->is_numeric && strlen(host) < ENDPOINT_ADDRESS_MAX) {
        snprintf(endpoint->addresses[0], ENDPOINT_ADDRESS_MAX, "%s", host);
        endpoint->n_addresses = 1;
    }
}

void endpoint_fini(struct endpoint *endpoint)
{
    free(endpoint->host);
    endpoint->host = NULL;
}

bool endpoint_must_resolve(const struct endpoint *endpoint)
{
    if (endpoint->is_socket || endpoint->is_numeric)
        return false;
    return endpoint->stale || endpoint->n_addresses == 0;
}

static bool has_address(const struct endpoint *endpoint, const char *address)
{
    for (size_t i = 0; i < endpoint->n_addresses; i++) {
        if (strcmp(endpoint->addresses[i], address) == 0)
            return true;
    }
    return false;
}

static bool has_moved(const struct endpoint *before, const struct endpoint *now)
{
    bool moved = before->n_addresses > 0 && now->n_addresses > 0;
    for (size_t i = 0; i < before->n_addresses; i++)
        moved = moved && !has_address(now, before->addresses[i]);
    return moved;
}

void endpoint_resolved(struct endpoint *endpoint, const struct addrinfo *answer)
{
    const struct endpoint old = *endpoint;
    const char *before = old.n_addresses > 0 ? old.addresses[old.current] : "";
    endpoint->n_addresses = 0;
    endpoint->current = 0;
    for (; answer && endpoint->n_addresses < ENDPOINT_MAX_ADDRESSES; answer = answer->ai_next) {
        char text[ENDPOINT_ADDRESS_MAX];
        if (getnameinfo(answer->ai_addr, answer->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST) != 0)
            continue;
        if (has_address(endpoint, text))
            continue;
        if (strcmp(text, before) == 0)
            endpoint->current = endpoint->n_addresses;
        snprintf(endpoint->addresses[endpoint->n_addresses++], ENDPOINT_ADDRESS_MAX, "%s", text);
    }
    endpoint->moves += has_moved(&old, endpoint);
    endpoint->stale = false;
}

const char *endpoint_nth(const struct endpoint *endpoint, size_t nth)
{
    if (endpoint->is_socket || nth >= endpoint->n_addresses)
        return NULL;
    return endpoint->addresses[(endpoint->current + nth) % endpoint->n_addresses];
}

void endpoint_worked(struct endpoint *endpoint, size_t nth)
{
    if (endpoint->n_addresses > 0)
        endpoint->current = (endpoint->current + nth) % endpoint->n_addresses;
}

void endpoint_failed(struct endpoint *endpoint)
{
    endpoint->stale = true;
    if (endpoint->n_addresses > 1)
        endpoint->current = (endpoint->current + 1) % endpoint->n_addresses;
}

const char *endpoint_address(const struct endpoint *endpoint)
{
    return endpoint_nth(endpoint, 0);
}
