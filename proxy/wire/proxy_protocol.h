/*
 * The PROXY protocol, versions 1 and 2, that a load balancer puts before a client's first byte. Pure; any
 * thread.
 *
 * Source: "The PROXY protocol", HAProxy, doc/proxy-protocol.txt. Believe it only on a listener that says so.
 */
#ifndef ROLECALL_WIRE_PROXY_PROTOCOL_H
#define ROLECALL_WIRE_PROXY_PROTOCOL_H

#include "conf/base/error.h"
#include "proxy/wire/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* A v1 line has at most 107 bytes; v2 headers with more than this (16 + addresses + TLVs) are refused. */
#define PROXY_PROTOCOL_MAX 4096

struct proxy_header {
    size_t total; /* bytes to be consumed */
    /* No addresses were given (LOCAL, UNKNOWN, UNSPEC): keep those of the connection itself. */
    bool local;
    struct sockaddr_storage source, destination; /* AF_INET, AF_INET6 or AF_UNIX */
};

/* FRAME_BAD (error 08P01) when the bytes cannot be a PROXY header, as soon as that is sure. */
enum frame_result proxy_protocol_parse(
    const char *bytes, size_t len, struct proxy_header *out, struct error *error);

#endif
