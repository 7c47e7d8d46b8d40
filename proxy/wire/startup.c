/*
 * The first packet: what a client wants of us, and what we say first to a node.
 *
 * startup_parse waits for the whole packet (at most 10,004 bytes), tells the four kinds apart by the code
 * word and, for a StartupMessage, picks out what every caller needs. The rest is iterated. Layout and words
 * of the errors follow PostgreSQL's ProcessStartupPacket; after any of them the connection is to be closed.
 */
#include "proxy/wire/startup.h"

#include "proxy/wire/backend.h"
#include "proxy/wire/reader.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#define CODE_CANCEL 80877102U
#define CODE_SSL 80877103U
#define CODE_GSSENC 80877104U
#define PQ_OPTION_PREFIX "_pq_."

static bool is_pq_option(struct slice name)
{
    return name.len >= strlen(PQ_OPTION_PREFIX) &&
           memcmp(name.data, PQ_OPTION_PREFIX, strlen(PQ_OPTION_PREFIX)) == 0;
}

bool startup_next(const struct startup *startup, size_t *at, struct slice *name, struct slice *value)
{
    struct reader reader = reader_of(startup->params);
    reader.at = *at;
    *name = reader_cstring(&reader);
    *value = reader_cstring(&reader);
    *at = reader.at;
    return !reader.failed;
}

struct slice startup_param(const struct startup *startup, const char *wanted)
{
    struct slice found = {NULL, 0}, name, value;
    for (size_t at = 0; startup_next(startup, &at, &name, &value);)
        if (slice_is(name, wanted))
            found = value;
    return found;
}

/* PostgreSQL's parse_bool: any unique beginning of true, false, yes, no, on, off, or a digit; in any case. */
static bool parse_bool(struct slice text, bool *out)
{
    static const struct {
        const char *word;
        size_t shortest;
        bool value;
    } words[] = {{"true", 1, true}, {"false", 1, false}, {"yes", 1, true}, {"no", 1, false}, {"on", 2, true},
        {"off", 2, false}, {"1", 1, true}, {"0", 1, false}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (text.len >= words[i].shortest && text.len <= strlen(words[i].word) &&
            strncasecmp(text.data, words[i].word, text.len) == 0) {
            *out = words[i].value;
            return true;
        }
    }
    return false;
}

static bool parse_replication(struct slice value, struct startup *out, struct error *error)
{
    bool on = false;
    if (slice_is(value, "database"))
        out->replication = REPLICATION_DATABASE;
    else if (parse_bool(value, &on))
        out->replication = on ? REPLICATION_PHYSICAL : REPLICATION_NONE;
    else
        return error_set(error, SQLSTATE_INVALID_PARAMETER,
            "invalid value for parameter \"replication\": \"%.*s\" (valid values are: \"false\", 0, "
            "\"true\", "
            "1, \"database\")",
            (int)(value.len < 64 ? value.len : 64), value.data);
    return true;
}

/* Finds the empty name that ends the list; it must be the packet's last byte. */
static bool find_params(struct slice body, struct slice *params)
{
    struct reader reader = reader_of(body);
    for (;;) {
        size_t before = reader.at;
        struct slice name = reader_cstring(&reader);
        if (reader.failed)
            return false;
        if (name.len == 0) {
            *params = slice_of(body.data, before);
            return reader_done(&reader);
        }
        reader_cstring(&reader);
    }
}

static bool read_params(struct startup *out, struct error *error)
{
    struct slice name, value;
    for (size_t at = 0; startup_next(out, &at, &name, &value);) {
        if (slice_is(name, "user"))
            out->user = value;
        else if (slice_is(name, "database"))
            out->database = value;
        else if (slice_is(name, "options"))
            out->options = value;
        else if (slice_is(name, "replication")) {
            if (!parse_replication(value, out, error))
                return false;
        } else if (is_pq_option(name))
            out->negotiate = true;
    }
    if (out->user.len == 0)
        return error_set(
            error, SQLSTATE_INVALID_AUTHORIZATION, "no PostgreSQL user name specified in startup packet");
    if (out->database.len == 0)
        out->database = out->user;
    return true;
}

/* 3.0 and 3.2 are spoken; 3.1 was never released and falls back to 3.0, whatever is newer to 3.2. */
static bool choose_version(struct startup *out, struct error *error)
{
    uint32_t major = out->asked_version >> 16, minor = out->asked_version & 0xffff;
    if (major != 3)
        return error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED,
            "unsupported frontend protocol %u.%u: server supports 3.0 to 3.2", major, minor);
    out->version = minor < 2 ? PROTOCOL_3_0 : PROTOCOL_3_2;
    out->negotiate = out->version != out->asked_version;
    return true;
}

static enum frame_result parse_session(struct slice body, struct startup *out, struct error *error)
{
    out->kind = STARTUP_SESSION;
    if (!choose_version(out, error))
        return FRAME_BAD;
    if (!find_params(body, &out->params)) {
        error_set(error, SQLSTATE_PROTOCOL_VIOLATION,
            "invalid startup packet layout: expected terminator as last byte");
        return FRAME_BAD;
    }
    return read_params(out, error) ? FRAME_OK : FRAME_BAD;
}

static enum frame_result parse_cancel(struct reader *reader, struct startup *out, struct error *error)
{
    out->kind = STARTUP_CANCEL;
    out->cancel_pid = reader_u32(reader);
    out->cancel_secret = reader_rest(reader);
    if (reader->failed || out->cancel_secret.len < CANCEL_SECRET_MIN ||
        out->cancel_secret.len > CANCEL_SECRET_MAX) {
        error_set(error, SQLSTATE_PROTOCOL_VIOLATION, "invalid length of cancel request packet");
        return FRAME_BAD;
    }
    return FRAME_OK;
}

enum frame_result startup_parse(const char *bytes, size_t len, struct startup *out, struct error *error)
{
    struct reader reader = reader_of(slice_of(bytes, len));
    uint32_t total = reader_u32(&reader);
    if (reader.failed)
        return FRAME_MORE;
    if (total < 8 || total > STARTUP_PACKET_MAX + 4) {
        error_set(error, SQLSTATE_PROTOCOL_VIOLATION, "invalid length of startup packet");
        return FRAME_BAD;
    }
    if (len < total)
        return FRAME_MORE;
    memset(out, 0, sizeof *out);
    out->total = total;
    reader.len = total;
    uint32_t code = reader_u32(&reader);
    if (code == CODE_CANCEL)
        return parse_cancel(&reader, out, error);
    if (code == CODE_SSL || code == CODE_GSSENC) {
        out->kind = code == CODE_SSL ? STARTUP_SSL_REQUEST : STARTUP_GSSENC_REQUEST;
        return FRAME_OK;
    }
    out->asked_version = code;
    return parse_session(reader_rest(&reader), out, error);
}

/* Written without a list in between, since there is no bound to how many options a packet of 10,000 bytes
 * holds. */
bool startup_build_negotiate(struct builder *builder, const struct startup *startup)
{
    struct slice name, value;
    uint32_t unknown = 0;
    for (size_t at = 0; startup_next(startup, &at, &name, &value);)
        unknown += is_pq_option(name);
    builder_begin(builder, BACKEND_NEGOTIATE_VERSION);
    builder_u32(builder, startup->version);
    builder_u32(builder, unknown);
    for (size_t at = 0; startup_next(startup, &at, &name, &value);)
        if (is_pq_option(name))
            builder_cstring(builder, name);
    return builder_end(builder);
}

void startup_build_begin(struct builder *builder, uint32_t version)
{
    builder_begin_untyped(builder);
    builder_u32(builder, version);
}

void startup_build_param(struct builder *builder, struct slice name, struct slice value)
{
    assert(name.len > 0);
    builder_cstring(builder, name);
    builder_cstring(builder, value);
}

bool startup_build_end(struct builder *builder)
{
    builder_u8(builder, 0);
    return builder_end(builder);
}

bool startup_build_ssl_request(struct builder *builder)
{
    builder_begin_untyped(builder);
    builder_u32(builder, CODE_SSL);
    return builder_end(builder);
}

bool startup_build_cancel(struct builder *builder, uint32_t pid, struct slice secret)
{
    assert(secret.len >= CANCEL_SECRET_MIN && secret.len <= CANCEL_SECRET_MAX);
    builder_begin_untyped(builder);
    builder_u32(builder, CODE_CANCEL);
    builder_u32(builder, pid);
    builder_slice(builder, secret);
    return builder_end(builder);
}
