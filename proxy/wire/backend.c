/*
 * What a server says.
 *
 * Every parser reads its whole body through a cursor that remembers a failure, and asks once at the end.
 * Bytes that follow what is understood are refused, save in errors and authentication requests, which may
 * grow.
 */
#include "proxy/wire/backend.h"

#include "proxy/wire/reader.h"
#include "proxy/wire/startup.h"

#include <assert.h>
#include <string.h>

static const struct {
    const char *word;
    enum severity severity;
} severities[] = {{"ERROR", SEVERITY_ERROR}, {"FATAL", SEVERITY_FATAL}, {"PANIC", SEVERITY_PANIC},
    {"WARNING", SEVERITY_WARNING}, {"NOTICE", SEVERITY_NOTICE}, {"INFO", SEVERITY_INFO},
    {"LOG", SEVERITY_LOG}, {"DEBUG", SEVERITY_DEBUG}};

const char *severity_name(enum severity severity)
{
    for (size_t i = 0; i < sizeof severities / sizeof severities[0]; i++)
        if (severities[i].severity == severity)
            return severities[i].word;
    return "UNKNOWN";
}

static enum severity severity_of(struct slice word)
{
    for (size_t i = 0; i < sizeof severities / sizeof severities[0]; i++)
        if (slice_is(word, severities[i].word))
            return severities[i].severity;
    return SEVERITY_UNKNOWN;
}

bool backend_parse_error(struct slice body, struct backend_error *out)
{
    struct reader reader = reader_of(body);
    struct slice severity = {NULL, 0}, localized = {NULL, 0};
    *out = (struct backend_error){.sqlstate = SQLSTATE_INTERNAL_ERROR};
    for (char field; (field = (char)reader_u8(&reader)) != '\0';) {
        struct slice value = reader_cstring(&reader);
        switch (field) {
        case 'V': severity = value; break;
        case 'S': localized = value; break;
        case 'M': out->message = value; break;
        case 'D': out->detail = value; break;
        case 'H': out->hint = value; break;
        case 'C':
            if (value.len == 5)
                memcpy(out->sqlstate, value.data, 5);
            break;
        default: break;
        }
    }
    out->severity = severity_of(severity.data ? severity : localized);
    return !reader.failed;
}

static void put_field(struct builder *builder, char field, const char *text)
{
    if (text == NULL)
        return;
    builder_u8(builder, (uint8_t)field);
    builder_cstring(builder, slice_from(text));
}

static bool build_report(struct builder *builder, char type, enum severity severity, const char *sqlstate,
    const char *message, const char *detail, const char *hint)
{
    builder_begin(builder, type);
    put_field(builder, 'S', severity_name(severity));
    put_field(builder, 'V', severity_name(severity));
    put_field(builder, 'C', sqlstate);
    put_field(builder, 'M', message);
    put_field(builder, 'D', detail);
    put_field(builder, 'H', hint);
    builder_u8(builder, 0);
    return builder_end(builder);
}

bool backend_build_error(struct builder *builder, enum severity severity, const char *sqlstate,
    const char *message, const char *detail, const char *hint)
{
    return build_report(builder, BACKEND_ERROR, severity, sqlstate, message, detail, hint);
}

bool backend_build_notice(struct builder *builder, enum severity severity, const char *sqlstate,
    const char *message, const char *detail, const char *hint)
{
    return build_report(builder, BACKEND_NOTICE, severity, sqlstate, message, detail, hint);
}

bool backend_parse_ready(struct slice body, char *status)
{
    struct reader reader = reader_of(body);
    *status = (char)reader_u8(&reader);
    return reader_done(&reader) && (*status == 'I' || *status == 'T' || *status == 'E');
}

bool backend_build_ready(struct builder *builder, char status)
{
    builder_begin(builder, BACKEND_READY);
    builder_u8(builder, (uint8_t)status);
    return builder_end(builder);
}

bool backend_parse_parameter_status(struct slice body, struct slice *name, struct slice *value)
{
    struct reader reader = reader_of(body);
    *name = reader_cstring(&reader);
    *value = reader_cstring(&reader);
    return reader_done(&reader) && name->len > 0;
}

bool backend_build_parameter_status(struct builder *builder, struct slice name, struct slice value)
{
    builder_begin(builder, BACKEND_PARAMETER_STATUS);
    builder_cstring(builder, name);
    builder_cstring(builder, value);
    return builder_end(builder);
}

bool backend_parse_key_data(struct slice body, uint32_t *pid, struct slice *secret)
{
    struct reader reader = reader_of(body);
    *pid = reader_u32(&reader);
    *secret = reader_rest(&reader);
    return !reader.failed && secret->len >= CANCEL_SECRET_MIN && secret->len <= CANCEL_SECRET_MAX;
}

bool backend_build_key_data(struct builder *builder, uint32_t pid, struct slice secret)
{
    assert(secret.len >= CANCEL_SECRET_MIN && secret.len <= CANCEL_SECRET_MAX);
    builder_begin(builder, BACKEND_KEY_DATA);
    builder_u32(builder, pid);
    builder_slice(builder, secret);
    return builder_end(builder);
}

bool backend_parse_authentication(struct slice body, struct backend_authentication *out)
{
    struct reader reader = reader_of(body);
    *out = (struct backend_authentication){.code = reader_u32(&reader)};
    if (out->code == AUTH_REQUEST_MD5) {
        struct slice salt = reader_bytes(&reader, sizeof out->salt);
        if (!reader_done(&reader))
            return false;
        memcpy(out->salt, salt.data, sizeof out->salt);
    }
    out->data = reader_rest(&reader);
    if (out->code == AUTH_REQUEST_OK && out->data.len > 0)
        return false;
    return !reader.failed;
}

bool backend_next_mechanism(const struct backend_authentication *request, size_t *at, struct slice *name)
{
    struct reader reader = reader_of(request->data);
    reader.at = *at;
    *name = reader_cstring(&reader);
    *at = reader.at;
    return !reader.failed && name->len > 0;
}

static bool build_authentication(struct builder *builder, enum auth_request code, struct slice data)
{
    builder_begin(builder, BACKEND_AUTHENTICATION);
    builder_u32(builder, code);
    builder_slice(builder, data);
    return builder_end(builder);
}

bool backend_build_authentication_ok(struct builder *builder)
{
    return build_authentication(builder, AUTH_REQUEST_OK, slice_of(NULL, 0));
}

bool backend_build_authentication_cleartext(struct builder *builder)
{
    return build_authentication(builder, AUTH_REQUEST_CLEARTEXT, slice_of(NULL, 0));
}

bool backend_build_authentication_md5(struct builder *builder, const unsigned char salt[4])
{
    return build_authentication(builder, AUTH_REQUEST_MD5, slice_of((const char *)salt, 4));
}

bool backend_build_authentication_sasl(struct builder *builder, bool plus)
{
    static const char both[] = "SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0";
    size_t skipped = plus ? 0 : sizeof "SCRAM-SHA-256-PLUS";
    return build_authentication(builder, AUTH_REQUEST_SASL, slice_of(both + skipped, sizeof both - skipped));
}

bool backend_build_authentication_sasl_continue(struct builder *builder, struct slice data)
{
    return build_authentication(builder, AUTH_REQUEST_SASL_CONTINUE, data);
}

bool backend_build_authentication_sasl_final(struct builder *builder, struct slice data)
{
    return build_authentication(builder, AUTH_REQUEST_SASL_FINAL, data);
}

bool backend_parse_command_complete(struct slice body, struct slice *tag)
{
    struct reader reader = reader_of(body);
    *tag = reader_cstring(&reader);
    return reader_done(&reader);
}

bool backend_build_command_complete(struct builder *builder, struct slice tag)
{
    builder_begin(builder, BACKEND_COMMAND_COMPLETE);
    builder_cstring(builder, tag);
    return builder_end(builder);
}

bool backend_parse_negotiate(struct slice body, uint32_t *version, uint32_t *n_unknown)
{
    struct reader reader = reader_of(body);
    *version = reader_u32(&reader);
    *n_unknown = reader_u32(&reader);
    /* One byte at least for each: a count beyond that is a lie that would only keep us busy. */
    if (*n_unknown > reader_left(&reader))
        return false;
    for (uint32_t i = 0; i < *n_unknown; i++)
        reader_cstring(&reader);
    return reader_done(&reader);
}

bool backend_build_negotiate(
    struct builder *builder, uint32_t version, const struct slice *unknown, size_t n_unknown)
{
    builder_begin(builder, BACKEND_NEGOTIATE_VERSION);
    builder_u32(builder, version);
    builder_u32(builder, (uint32_t)n_unknown);
    for (size_t i = 0; i < n_unknown; i++)
        builder_cstring(builder, unknown[i]);
    return builder_end(builder);
}

bool backend_build_text_columns(struct builder *builder, const char *const *names, size_t n)
{
    assert(n <= UINT16_MAX);
    builder_begin(builder, BACKEND_ROW_DESCRIPTION);
    builder_u16(builder, (uint16_t)n);
    for (size_t i = 0; i < n; i++) {
        builder_cstring(builder, slice_from(names[i]));
        builder_u32(builder, 0);          /* no table */
        builder_u16(builder, 0);          /* no column of it */
        builder_u32(builder, 25);         /* text */
        builder_u16(builder, UINT16_MAX); /* of variable length */
        builder_u32(builder, UINT32_MAX); /* no type modifier */
        builder_u16(builder, 0);          /* text format */
    }
    return builder_end(builder);
}

bool backend_build_text_row(struct builder *builder, const struct slice *values, size_t n)
{
    assert(n <= UINT16_MAX);
    builder_begin(builder, BACKEND_DATA_ROW);
    builder_u16(builder, (uint16_t)n);
    for (size_t i = 0; i < n; i++) {
        if (values[i].data == NULL) {
            builder_u32(builder, UINT32_MAX);
            continue;
        }
        builder_u32(builder, (uint32_t)values[i].len);
        builder_slice(builder, values[i]);
    }
    return builder_end(builder);
}
