/*
 * Finding out what was reset; see resets.h.
 *
 * Most settings tell it themselves: they are no longer set in the session. A made-up setting and the role do
 * not: what RESET leaves there ('', none) is also what SET can make of them. Of these the text decides, by
 * its words, for a function may be told in a string what to do. Failure: a function that resets a made-up
 * setting of the startup packet in its own body leaves it empty.
 */
#include "proxy/session/resets.h"

#include "proxy/session/inquiry.h"
#include "proxy/session/lone.h"
#include "proxy/session/prefix.h"
#include "proxy/session/session.h"
#include "router/setting.h"
#include "router/statement_names.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

void resets_fini(struct resets *resets)
{
    params_fini(&resets->mute);
}

void resets_forget(struct resets *resets)
{
    resets->spoken = false;
    params_clear(&resets->mute);
}

/* ---- words ---- */

static bool is_of_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Where the word stands next, at or behind `from`; SIZE_MAX: nowhere. */
static size_t find_word(struct slice text, const char *word, size_t from)
{
    size_t len = strlen(word);
    for (size_t at = from; at + len <= text.len; at++) {
        bool begins = at == 0 || !is_of_word(text.data[at - 1]);
        bool ends = at + len == text.len || !is_of_word(text.data[at + len]);
        if (begins && ends && strncasecmp(text.data + at, word, len) == 0)
            return at;
    }
    return SIZE_MAX;
}

bool resets_mentions(struct slice text, const char *word)
{
    return find_word(text, word, 0) != SIZE_MAX;
}

static bool ends_with_word(struct slice text, const char *word)
{
    size_t len = strlen(word);
    return text.len >= len && find_word(text, word, text.len - len) != SIZE_MAX;
}

/* = DEFAULT, TO DEFAULT, SESSION AUTHORIZATION DEFAULT: but not DEFAULT VALUES, or a column's. */
static bool sets_default(struct slice text)
{
    for (size_t at = 0; (at = find_word(text, "default", at)) != SIZE_MAX; at++) {
        struct slice before = slice_of(text.data, at);
        while (before.len > 0 && isspace((unsigned char)before.data[before.len - 1]))
            before.len--;
        bool assigns = before.len > 0 && before.data[before.len - 1] == '=';
        if (assigns || ends_with_word(before, "to") || ends_with_word(before, "authorization") ||
            ends_with_word(before, "zone"))
            return true;
    }
    return false;
}

/* Some setting is given back in so many words, wherever they stand. */
static bool gives_back(struct slice text, bool has_null)
{
    bool null = has_null || resets_mentions(text, "null");
    return resets_mentions(text, "reset") || resets_mentions(text, "discard") || sets_default(text) ||
           (null && resets_mentions(text, "set_config"));
}

/* ... or may be, in its own way: TIME ZONE LOCAL, NAMES. */
static bool may_give_back(struct slice text)
{
    return resets_mentions(text, "zone") || resets_mentions(text, "names");
}

/* ---- what is given back ---- */

static bool is_role(const char *name)
{
    return strcasecmp(name, "role") == 0;
}

static bool is_mute(const char *name)
{
    return is_role(name) || setting_is_custom(slice_from(name));
}

/* RESET ALL leaves the role; DISCARD ALL gives back the session authorization, and the role with it. */
static bool takes_along(struct slice text, const char *name)
{
    if (!is_role(name))
        return resets_mentions(text, "all");
    return resets_mentions(text, "authorization") ||
           (resets_mentions(text, "discard") && resets_mentions(text, "all"));
}

static void note_statement(
    struct resets *resets, const struct settings *base, struct slice text, bool has_null)
{
    const char *name, *value;
    bool gives = gives_back(text, has_null);
    resets->spoken |= gives || may_give_back(text);
    for (uint32_t at = 0; gives && params_next(&base->params, &at, &name, &value);)
        if (is_mute(name) && (resets_mentions(text, name) || takes_along(text, name)))
            params_set(&resets->mute, slice_from(name), slice_of("", 0));
}

/* What one statement of a string says of a setting is nothing of what another says of giving back. */
void resets_note(struct resets *resets, const struct settings *base, struct slice text, bool standard_strings,
    bool has_null)
{
    while (text.len > 0 && !settings_is_empty(base)) {
        struct slice statement = statement_take(&text, standard_strings);
        note_statement(resets, base, statement, has_null);
    }
}

bool resets_gave_back(const struct resets *resets, const struct params *found, const char *name)
{
    const char *value = params_get(found, name);
    if (!value)
        return true;
    bool spent = is_role(name) ? strcmp(value, "none") == 0 : !*value;
    return spent && is_mute(name) && params_get(&resets->mute, name);
}

/* ---- by name ---- */

/* Whether a value means the same behind SET name TO: of a list, each element is a string of its own there. */
static bool is_list(const char *name)
{
    return strcasecmp(name, "search_path") == 0 || strcasecmp(name, "temp_tablespaces") == 0 ||
           strstr(name, "_preload_libraries");
}

static void add_told(void *context, struct slice name)
{
    params_set(context, name, slice_of("", 0));
}

enum resets_put resets_put_by_name(struct session *session, struct server *server)
{
    const struct request *request = session->request;
    const struct params *base = &session_base(session)->params;
    struct sql sql = {.spares = &session->all->spares};
    struct params told;
    struct slice text;
    const char *name, *value;
    bool runs, lists = false;
    if (request->statements != 1 || request->reason != REASON_SESSION || request->names_statements ||
        !lone_statement(session, &text, &runs) || !runs)
        return RESETS_UNTOLD;
    params_init(&told);
    setting_names(text, !session->escape_strings, &told, add_told);
    for (uint32_t at = 0; params_next(base, &at, &name, &value);) {
        bool all = request->flags & STATEMENT_RESETS && !is_role(name);
        if (!all && !params_get(&told, name))
            continue;
        lists |= is_list(name);
        prefix_add_set(&sql, name, value);
    }
    params_fini(&told);
    if (!lists && sql.text.len > 0)
        return sql_send(&sql, server, INJECTED_PREFIX) ? RESETS_SENT : RESETS_UNTOLD;
    buffer_release(&sql.text, sql.spares);
    return lists ? RESETS_UNTOLD : RESETS_NOTHING;
}
