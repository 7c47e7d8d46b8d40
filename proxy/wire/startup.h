/*
 * The first packet of a connection, both ways. Pure; any thread.
 *
 * A client may send SSLRequest and GSSENCRequest (answered by one byte) and then CancelRequest or
 * StartupMessage. The packets have no type byte. Bounds are PostgreSQL's: 10,000 bytes
 * (MAX_STARTUP_PACKET_LENGTH).
 */
#ifndef ROLECALL_WIRE_STARTUP_H
#define ROLECALL_WIRE_STARTUP_H

#include "conf/base/error.h"
#include "conf/base/slice.h"
#include "proxy/wire/builder.h"
#include "proxy/wire/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STARTUP_PACKET_MAX 10000
#define PROTOCOL_3_0 0x00030000U
#define PROTOCOL_3_2 0x00030002U
/* Secrets of BackendKeyData and CancelRequest: 4 bytes on 3.0, up to 256 on 3.2. */
#define CANCEL_SECRET_MIN 4
#define CANCEL_SECRET_MAX 256

enum startup_kind { STARTUP_SESSION, STARTUP_SSL_REQUEST, STARTUP_GSSENC_REQUEST, STARTUP_CANCEL };
enum startup_replication { REPLICATION_NONE, REPLICATION_PHYSICAL, REPLICATION_DATABASE };

struct startup {
    enum startup_kind kind;
    size_t total; /* bytes of the packet, to be consumed */

    /* STARTUP_SESSION; slices point into the packet. */
    uint32_t asked_version; /* what the client asked for */
    uint32_t version;       /* what rolecall speaks to it: PROTOCOL_3_0 or PROTOCOL_3_2 */
    bool negotiate;      /* NegotiateProtocolVersion must be sent: another version, or unknown _pq_ options */
    struct slice params; /* name NUL value NUL ... */
    struct slice user;   /* never empty */
    struct slice database; /* the user's name when not given */
    struct slice options;  /* .data NULL when not given */
    enum startup_replication replication;

    /* STARTUP_CANCEL */
    uint32_t cancel_pid;
    struct slice cancel_secret;
};

/*
 * FRAME_BAD fills the error as PostgreSQL would word it: 08P01 for a malformed packet, 0A000 for protocol 2
 * and below or 4 and above, 28000 for no user name, 22023 for a bad `replication`. Nothing more should be
 * read afterwards; for a malformed length PostgreSQL closes without an answer.
 */
enum frame_result startup_parse(const char *bytes, size_t len, struct startup *out, struct error *error);

/* All parameters in order: start with *at = 0. False at the end. */
bool startup_next(const struct startup *startup, size_t *at, struct slice *name, struct slice *value);
/* The value of the last parameter of that name; .data NULL when it is not given. */
struct slice startup_param(const struct startup *startup, const char *name);

/* NegotiateProtocolVersion as `startup` needs it. */
bool startup_build_negotiate(struct builder *builder, const struct startup *startup);

/*
 * The settings of the `options` parameter: `-c name=value`, `-cname=value`, `--name=value`, divided by
 * blanks, with backslash escapes as pg_split_opts has it. Names have '-' turned into '_'.
 */
enum startup_option { OPTION_SETTING, OPTION_END, OPTION_BAD };
struct startup_options {
    struct slice text;
    size_t at;
    char buffer[STARTUP_PACKET_MAX]; /* the current name and value */
};
void startup_options_init(struct startup_options *options, struct slice text);
/* name and value are valid until the next call, and NUL-terminated. OPTION_BAD fills the error (any other
 * switch). */
enum startup_option startup_options_next(
    struct startup_options *options, struct slice *name, struct slice *value, struct error *error);

/* Towards a node: begin, any number of parameters (user first), end. */
void startup_build_begin(struct builder *builder, uint32_t version);
void startup_build_param(struct builder *builder, struct slice name, struct slice value);
bool startup_build_end(struct builder *builder);
bool startup_build_ssl_request(struct builder *builder);
bool startup_build_cancel(struct builder *builder, uint32_t pid, struct slice secret);

#endif
