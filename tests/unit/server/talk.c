/* Messages as words; see talk.h. Failure is a mistake of the test: it aborts with the word. */
#include "tests/unit/server/talk.h"

#include "proxy/wire/backend.h"
#include "proxy/wire/frontend.h"
#include "proxy/wire/startup.h"

#include <stdio.h>
#include <stdlib.h>

#define WORD_MAX (64 * 1024)

/* ---- words ---- */

/* The next word, with ~ as blank; false at the end. */
static bool next_word(const char **words, char *word)
{
    const char *at = *words + strspn(*words, " ");
    size_t len = strcspn(at, " ");
    if (len == 0 || len >= WORD_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        word[i] = at[i] == '~' ? ' ' : at[i];
    word[len] = 0;
    *words = at + len;
    return true;
}

static void add_word(char *words, size_t cap, const char *head, struct slice text)
{
    size_t at = strlen(words);
    int wrote = snprintf(words + at, cap - at, "%s%s%.*s", at ? " " : "", head, (int)text.len, text.data);
    if (wrote < 0 || (size_t)wrote >= cap - at)
        return;
    for (char *c = words + at + (at ? 1 : 0); *c; c++)
        if (*c == ' ')
            *c = '~';
}

static void unknown(const char *side, const char *word)
{
    fprintf(stderr, "no %s word: %s\n", side, word);
    abort();
}

/* ---- the node's words ---- */

static void say_row(struct builder *builder, const char *text)
{
    struct slice value = slice_from(text);
    backend_build_text_row(builder, &value, 1);
}

static void say_bytes(struct builder *builder, char type, const char *bytes, size_t len)
{
    builder_begin(builder, type);
    builder_bytes(builder, bytes, len);
    builder_end(builder);
}

static void say_authentication(struct builder *builder, const char *code)
{
    static const unsigned char salt[4] = {1, 2, 3, 4};
    switch (atoi(code)) {
    case 0: backend_build_authentication_ok(builder); return;
    case 3: backend_build_authentication_cleartext(builder); return;
    case 5: backend_build_authentication_md5(builder, salt); return;
    case 10: backend_build_authentication_sasl(builder, false); return;
    default:
        builder_begin(builder, BACKEND_AUTHENTICATION);
        builder_u32(builder, (uint32_t)atoi(code));
        builder_end(builder);
    }
}

static void say_pair(struct builder *builder, const char *text)
{
    const char *equals = strchr(text, '=');
    if (!equals)
        unknown("ParameterStatus", text);
    backend_build_parameter_status(builder, slice_of(text, (size_t)(equals - text)), slice_from(equals + 1));
}

/* An ERROR that says which of the node's functions it comes from: sqlstate=function. */
static void say_error_of(struct builder *builder, const char *text)
{
    const char *equals = strchr(text, '=');
    if (!equals)
        unknown("ErrorResponse", text);
    builder_begin(builder, BACKEND_ERROR);
    builder_bytes(builder, "SERROR\0VERROR\0C", 15);
    builder_cstring(builder, slice_of(text, (size_t)(equals - text)));
    builder_bytes(builder, "Man error\0R", 11);
    builder_cstring(builder, slice_from(equals + 1));
    builder_u8(builder, 0);
    builder_end(builder);
}

static void say_notification(struct builder *builder, const char *channel)
{
    builder_begin(builder, BACKEND_NOTIFICATION);
    builder_u32(builder, 7);
    builder_cstring(builder, slice_from(channel));
    builder_cstring(builder, slice_from(""));
    builder_end(builder);
}

static void say(struct builder *builder, const char *word)
{
    const char *text = word[1] == ':' ? word + 2 : "", *column = *text ? text : "column";
    if (word[1] && word[1] != ':')
        unknown("backend", word);
    switch (word[0]) {
    case 'R': say_authentication(builder, text); return;
    case 'S': say_pair(builder, text); return;
    case 'K': backend_build_key_data(builder, 4711, slice_from("KEY!")); return;
    case 'Z': backend_build_ready(builder, text[0]); return;
    case 'T': backend_build_text_columns(builder, &column, 1); return;
    case 'D': say_row(builder, text); return;
    case 'C': backend_build_command_complete(builder, slice_from(text)); return;
    case 'E': backend_build_error(builder, SEVERITY_ERROR, text, "an error", NULL, NULL); return;
    case 'F': backend_build_error(builder, SEVERITY_FATAL, text, "the end", NULL, NULL); return;
    case 'e': say_error_of(builder, text); return;
    case 'N': backend_build_notice(builder, SEVERITY_WARNING, text, "a warning", NULL, NULL); return;
    case 'A': say_notification(builder, text); return;
    case 't': say_bytes(builder, word[0], "\0\0", 2); return;
    case 'G':
    case 'H': say_bytes(builder, word[0], "\0\0\0", 3); return;
    case 'd': say_bytes(builder, word[0], text, strlen(text)); return;
    case 'V': say_bytes(builder, word[0], "\xff\xff\xff\xff", 4); return;
    case 'v': backend_build_negotiate(builder, PROTOCOL_3_0, NULL, 0); return;
    case '1':
    case '2':
    case '3':
    case 'n':
    case 's':
    case 'I':
    case 'c': builder_empty(builder, word[0]); return;
    default: unknown("backend", word);
    }
}

size_t talk_backend(const char *words, char *out, size_t cap)
{
    static char word[WORD_MAX];
    struct builder builder = builder_of(out, cap);
    while (next_word(&words, word))
        say(&builder, word);
    return builder.len;
}

static void hear_error(char *words, size_t cap, const struct frame *frame)
{
    struct backend_error error;
    char head[3] = {frame->type, ':', 0};
    if (!backend_parse_error(frame_body(frame), &error)) {
        add_word(words, cap, "malformed-error", slice_from(""));
        return;
    }
    if (error.severity >= SEVERITY_FATAL)
        head[0] = 'F';
    add_word(words, cap, head, slice_from(error.sqlstate));
}

static void hear_pair(char *words, size_t cap, struct slice body)
{
    struct slice name, value;
    char text[512] = "?";
    if (backend_parse_parameter_status(body, &name, &value))
        snprintf(text, sizeof text, "%.*s=%.*s", (int)name.len, name.data, (int)value.len, value.data);
    add_word(words, cap, "S:", slice_from(text));
}

static void hear_authentication(char *words, size_t cap, struct slice body)
{
    struct backend_authentication request = {.code = 999};
    char text[16];
    backend_parse_authentication(body, &request);
    snprintf(text, sizeof text, "%u", request.code);
    add_word(words, cap, "R:", slice_from(text));
}

static void hear_from_node(const struct frame *frame, char *words, size_t cap)
{
    struct slice body = frame_body(frame);
    char head[3] = {frame->type, ':', 0};
    switch (frame->type) {
    case 'E':
    case 'N': hear_error(words, cap, frame); return;
    case 'R': hear_authentication(words, cap, body); return;
    case 'S': hear_pair(words, cap, body); return;
    case 'Z': add_word(words, cap, head, slice_of(body.data, body.len)); return;
    case 'd': add_word(words, cap, head, body); return;
    case 'C': add_word(words, cap, head, slice_of(body.data, body.len ? body.len - 1 : 0)); return;
    case 'D':
        add_word(words, cap, head, body.len >= 6 ? slice_of(body.data + 6, body.len - 6) : slice_from("?"));
        return;
    case 'A': add_word(words, cap, head, body.len > 4 ? slice_from(body.data + 4) : slice_from("?")); return;
    default: head[1] = 0; add_word(words, cap, head, slice_from(""));
    }
}

static size_t hear(const char *bytes, size_t len, char *words, size_t cap,
    void (*hear_one)(const struct frame *frame, char *words, size_t cap))
{
    struct frame frame;
    size_t at = 0;
    while (frame_parse(bytes + at, len - at, &frame) == FRAME_OK && frame.whole) {
        hear_one(&frame, words, cap);
        at += frame.total;
    }
    return at;
}

size_t talk_hear_backend(const char *bytes, size_t len, char *words, size_t cap)
{
    return hear(bytes, len, words, cap, hear_from_node);
}

/* ---- the client's words ---- */

static void ask_bind(struct builder *builder, const char *statement)
{
    builder_begin(builder, FRONTEND_BIND);
    builder_cstring(builder, slice_from(""));
    builder_cstring(builder, slice_from(statement));
    builder_u16(builder, 0);
    builder_u16(builder, 0);
    builder_u16(builder, 0);
    builder_end(builder);
}

static void ask_parse(struct builder *builder, const char *text)
{
    const char *equals = strchr(text, '=');
    if (!equals)
        unknown("Parse", text);
    builder_begin(builder, FRONTEND_PARSE);
    builder_cstring(builder, slice_of(text, (size_t)(equals - text)));
    builder_cstring(builder, slice_from(equals + 1));
    builder_u16(builder, 0);
    builder_end(builder);
}

static void ask(struct builder *builder, const char *word)
{
    bool target = (word[0] == 'D' || word[0] == 'C') && (word[1] == 's' || word[1] == 'p') && word[2] == ':';
    if (target) {
        frontend_build_target(builder, word[0], word[1] == 's' ? 'S' : 'P', slice_from(word + 3));
        return;
    }
    const char *text = word[1] == ':' ? word + 2 : "";
    if (word[1] && word[1] != ':')
        unknown("frontend", word);
    switch (word[0]) {
    case 'Q': frontend_build_query(builder, slice_from(text)); return;
    case 'P': ask_parse(builder, text); return;
    case 'B': ask_bind(builder, text); return;
    case 'E': frontend_build_execute(builder, slice_from(""), 0); return;
    case 'F': say_bytes(builder, word[0], "\0\0\0\1\0\0\0\0\0\0", 10); return;
    case 'd': say_bytes(builder, word[0], text, strlen(text)); return;
    case 'f': frontend_build_copy_fail(builder, slice_from(text)); return;
    case 'p': frontend_build_password(builder, slice_from(text)); return;
    case 'S':
    case 'H':
    case 'c':
    case 'X': builder_empty(builder, word[0]); return;
    default: unknown("frontend", word);
    }
}

size_t talk_frontend(const char *words, char *out, size_t cap)
{
    static char word[WORD_MAX];
    struct builder builder = builder_of(out, cap);
    while (next_word(&words, word))
        ask(&builder, word);
    return builder.len;
}

static void hear_target(const struct frame *frame, char *words, size_t cap)
{
    struct frontend_target target;
    char head[4] = {frame->type, '?', ':', 0};
    if (!frontend_parse_target(frame_body(frame), &target))
        return;
    head[1] = target.kind == 'S' ? 's' : 'p';
    add_word(words, cap, head, target.name);
}

static void hear_from_client(const struct frame *frame, char *words, size_t cap)
{
    struct slice body = frame_body(frame), text = {0};
    struct frontend_parse parse;
    struct frontend_bind bind;
    char head[3] = {frame->type, ':', 0};
    static char both[WORD_MAX];
    switch (frame->type) {
    case 'Q':
        frontend_parse_query(body, &text);
        add_word(words, cap, head, text);
        return;
    case 'P':
        if (!frontend_parse_parse(body, &parse))
            return;
        snprintf(both, sizeof both, "%.*s=%.*s", (int)parse.name.len, parse.name.data, (int)parse.query.len,
            parse.query.data);
        add_word(words, cap, head, slice_from(both));
        return;
    case 'B':
        if (frontend_parse_bind(body, &bind))
            add_word(words, cap, head, bind.statement);
        return;
    case 'D':
    case 'C': hear_target(frame, words, cap); return;
    case 'd': add_word(words, cap, head, body); return;
    default: head[1] = 0; add_word(words, cap, head, slice_from(""));
    }
}

size_t talk_hear_frontend(const char *bytes, size_t len, char *words, size_t cap)
{
    return hear(bytes, len, words, cap, hear_from_client);
}

size_t talk_startup(const char *params, char *out, size_t cap)
{
    static char word[WORD_MAX];
    struct builder builder = builder_of(out, cap);
    startup_build_begin(&builder, PROTOCOL_3_0);
    while (next_word(&params, word)) {
        char *equals = strchr(word, '=');
        if (!equals)
            unknown("startup", word);
        startup_build_param(&builder, slice_of(word, (size_t)(equals - word)), slice_from(equals + 1));
    }
    startup_build_end(&builder);
    return builder.len;
}
