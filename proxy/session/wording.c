/*
 * A node speaks of prepared statements by the names that rolecall gave them; see wording.h.
 *
 * Whatever the language of the message, such a name stands in it as rc_ and an id. One whose id is 0 was sent
 * to make the node fail where a connection of the client's own would have failed: the whole message is then
 * another. What cannot be put into other words is written as it came.
 */
#include "proxy/session/wording.h"

#include "proxy/session/changes.h"
#include "proxy/session/prepare.h"
#include "proxy/session/statement_text.h"
#include "proxy/wire/reader.h"
#include "router/statement_names.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "rc_"
#define PREFIX_LEN 3
#define STALE_TEXT "cached plan must not change result type"

struct words {
    struct session *session;
    struct buffer out;
    enum expect_kind kind; /* of what the node was doing */
    char name[LEX_NAME_MAX];
    bool failed;
};

static void add(struct words *words, const void *bytes, size_t len)
{
    words->failed |= !buffer_append(&words->out, &words->session->all->spares, bytes, len);
}

static bool is_of_name(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$';
}

/* The length of rc_ and an id at the start of the text; 0: there is none. */
static size_t read_name(struct slice text, uint64_t *id)
{
    size_t at = PREFIX_LEN;
    *id = 0;
    if (text.len <= PREFIX_LEN || memcmp(text.data, PREFIX, PREFIX_LEN) != 0)
        return 0;
    for (; at < text.len && isxdigit((unsigned char)text.data[at]) && at < PREFIX_LEN + 16; at++) {
        char c = text.data[at];
        *id = *id << 4 | (uint64_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return at > PREFIX_LEN && (at == text.len || !is_of_name(text.data[at])) ? at : 0;
}

/* Finds the next name; false when there is none. A name that was made longer, since the client chose one of
   rolecall's, is found as its shorter self. */
static bool next_name(struct slice text, size_t *from, size_t *len, uint64_t *id, bool *longer)
{
    for (size_t at = *from; at + PREFIX_LEN < text.len; at++) {
        struct slice rest = slice_of(text.data + at, text.len - at);
        if (memcmp(rest.data, PREFIX, PREFIX_LEN) != 0 || (at > 0 && is_of_name(text.data[at - 1])))
            continue;
        *longer = false;
        *len = read_name(rest, id);
        if (*len == 0) {
            *len = read_name(slice_of(rest.data + PREFIX_LEN, rest.len - PREFIX_LEN), id);
            *longer = *len > 0;
            *len += PREFIX_LEN;
        }
        *from = at;
        if (*longer || *len > PREFIX_LEN)
            return true;
    }
    return false;
}

/* The name that the message gives which is the first of its kind behind *before others. */
static bool name_in_bytes(
    const struct buffer *bytes, enum frontend_type wanted, uint32_t *before, struct slice *name)
{
    struct frame frame;
    struct frontend_parse parse;
    struct frontend_bind bind;
    for (size_t at = 0; at < bytes->len; at += frame.total) {
        if (frame_parse(bytes->data + at, bytes->len - at, &frame) != FRAME_OK || !frame.whole)
            return false;
        if (frame.type != (char)wanted || (*before)-- > 0)
            continue;
        bool parses = wanted == FRONTEND_PARSE && frontend_parse_parse(frame_body(&frame), &parse);
        bool binds = wanted == FRONTEND_BIND && frontend_parse_bind(frame_body(&frame), &bind);
        *name = parses ? parse.name : binds ? bind.statement : slice_of("", 0);
        return true;
    }
    return false;
}

/* Several names may stand for one statement: the one that the failed message gives. */
static bool name_in_message(const struct words *words, uint64_t id, struct slice *name)
{
    const struct session *session = words->session;
    const struct request *request = session->request;
    enum frontend_type wanted = words->kind == EXPECT_PARSE ? FRONTEND_PARSE : FRONTEND_BIND;
    uint32_t before = wanted == FRONTEND_PARSE ? request->done_of[CAUSE_PARSE] : request->done_binds;
    bool looks = words->kind == EXPECT_PARSE || words->kind == EXPECT_BIND;
    if (!looks || (!name_in_bytes(&request->bytes, wanted, &before, name) &&
                      !name_in_bytes(&request->streamed, wanted, &before, name)))
        return false;
    const struct prepared *prepared = names_find(&session->names, *name);
    return name->len > 0 && prepared && prepared->id == id;
}

/* ... and by SQL: the one that the failed EXECUTE or PREPARE gives. */
static bool name_in_text(struct words *words, uint64_t id, struct slice *name)
{
    const struct session *session = words->session;
    uint32_t done = session->request->done_of[CAUSE_EXECUTE];
    bool runs = words->kind == EXPECT_QUERY || words->kind == EXPECT_EXECUTE;
    struct statement_name uses[STATEMENT_NAMES_MAX];
    struct slice text;
    if (!runs || !statement_text_run(session, done, &text))
        return false;
    size_t n = statement_names(text, !session->escape_strings, uses);
    for (size_t i = 0; n != SIZE_MAX && i < n; i++) {
        bool names = uses[i].verb == VERB_EXECUTE || uses[i].verb == VERB_PREPARE;
        if (!names || (words->kind == EXPECT_QUERY && uses[i].ordinal != done))
            continue;
        memcpy(words->name, uses[i].name, uses[i].name_len);
        *name = slice_of(words->name, uses[i].name_len);
        const struct prepared *prepared = names_find(&session->names, *name);
        return prepared && (prepared->id == id || id == PREPARE_TAKEN_ID);
    }
    return false;
}

static void add_text(struct words *words, struct slice text)
{
    size_t done = 0, at = 0, len;
    uint64_t id;
    bool longer;
    for (; next_name(text, &at, &len, &id, &longer); at += len) {
        struct slice name;
        add(words, text.data + done, at - done);
        if (longer)
            name = slice_of(text.data + at + PREFIX_LEN, len - PREFIX_LEN);
        else if (!name_in_message(words, id, &name) && !name_in_text(words, id, &name) &&
                 !changes_client_name(words->session, id, &name))
            name = slice_of(text.data + at, len);
        add(words, name.data, name.len);
        done = at + len;
    }
    add(words, text.data + done, text.len - done);
}

/* Characters from the start of the text, beginning with 1. */
static void add_position(struct words *words, struct slice value)
{
    const struct request *request = words->session->request;
    char text[16];
    long position = strtol(value.data, NULL, 10), moved = position; /* a NUL follows */
    for (uint32_t i = 0; i < request->n_shifts; i++) {
        const struct shift *shift = &request->shifts[i];
        bool runs = words->kind == EXPECT_EXECUTE && shift->ordinal == request->done_of[CAUSE_EXECUTE];
        if ((runs || words->kind == EXPECT_QUERY) && position > (long)shift->at)
            moved -= shift->by;
    }
    int len = snprintf(text, sizeof text, "%ld", moved);
    add(words, text, (size_t)len);
}

static bool is_stale(struct slice message)
{
    struct reader reader = reader_of(message);
    for (uint8_t field; (field = reader_u8(&reader)) != 0;) {
        struct slice value = reader_cstring(&reader);
        size_t at = 0, len;
        uint64_t id;
        bool longer;
        if (field == 'M' && next_name(value, &at, &len, &id, &longer))
            return !longer && id == PREPARE_STALE_ID;
    }
    return false;
}

static void add_field(struct words *words, char field, struct slice value, bool stale)
{
    if (stale && field != 'S' && field != 'V' && field != 'C' && field != 'M' && field != 'R')
        return;
    add(words, &field, 1);
    if (stale && field == 'C')
        add(words, SQLSTATE_FEATURE_NOT_SUPPORTED, 5);
    else if (stale && field == 'M')
        add(words, STALE_TEXT, sizeof STALE_TEXT - 1);
    else if (stale && field == 'R')
        add(words, "RevalidateCachedQuery", 21);
    else if (field == 'M' || field == 'D' || field == 'H' || field == 'W')
        add_text(words, value);
    else if (field == 'P')
        add_position(words, value);
    else
        add(words, value.data, value.len);
    add(words, "", 1);
}

static bool needs_words(const struct session *session, struct slice message)
{
    return session->request->n_shifts > 0 || memmem(message.data, message.len, PREFIX, PREFIX_LEN);
}

void wording_write(struct session *session, struct slice message, enum expect_kind kind)
{
    struct words words = {.session = session, .kind = kind};
    struct slice body = slice_of(message.data + FRAME_HEADER_LEN, message.len - FRAME_HEADER_LEN);
    struct reader reader = reader_of(body);
    if (!needs_words(session, message)) {
        session_write(session, message.data, message.len);
        return;
    }
    bool stale = is_stale(body);
    add(&words, message.data, FRAME_HEADER_LEN);
    for (uint8_t field; (field = reader_u8(&reader)) != 0;)
        add_field(&words, (char)field, reader_cstring(&reader), stale);
    add(&words, "", 1);
    if (words.failed || reader.failed) {
        session_write(session, message.data, message.len);
    } else {
        size_t len = words.out.len - 1;
        for (int i = 0; i < 4; i++)
            words.out.data[1 + i] = (char)(len >> (24 - 8 * i));
        session_write(session, words.out.data, words.out.len);
    }
    buffer_release(&words.out, &session->all->spares);
}
