/*
 * Statements that rolecall must look at itself (router/special_statement.h).
 *
 * EXECUTE and DEALLOCATE of a statement that was prepared by the protocol are sent with the server's name for
 * it. SHOW, SET and RESET of rolecall's own settings are in own_settings.c.
 */
#include "proxy/session/session.h"

#include <stdlib.h>
#include <string.h>

void special_note(struct session *session, struct slice text)
{
    struct special_statement special;
    struct request *request = session->request;
    if (request->special || !special_statement(text, !session->escape_strings, &special))
        return;
    if ((request->special = malloc(sizeof special)))
        *request->special = special;
}

static struct slice special_name(const struct special_statement *special)
{
    return slice_of(special->name, special->name_len);
}

/* ---- names of prepared statements ---- */

struct prepared *special_prepared(struct session *session)
{
    const struct special_statement *special = session->request->special;
    if (!special || (special->kind != SPECIAL_EXECUTE && special->kind != SPECIAL_DEALLOCATE))
        return NULL;
    return names_find(&session->names, special_name(special));
}

bool special_rename(
    struct session *session, const struct prepared *prepared, struct slice text, struct buffer *out)
{
    struct special_statement again; /* the text may have moved since it was noted */
    struct buffer_spares *spares = &session->all->spares;
    char name[STATEMENT_NAME_MAX];
    size_t len = statement_name(prepared->id, name);
    if (!special_statement(text, !session->escape_strings, &again))
        return false;
    size_t before = (size_t)(again.token.data - text.data), after = before + again.token.len;
    return buffer_append(out, spares, text.data, before) && buffer_append(out, spares, name, len) &&
           buffer_append(out, spares, text.data + after, text.len - after) &&
           buffer_append(out, spares, "", 1);
}

/* ---- what they did ---- */

void special_settle(struct session *session, struct server *server)
{
    const struct special_statement *special = session->request->special;
    struct prepared_registry *registry = session->all->pools.prepared;
    if (!special)
        return;
    switch (special->kind) {
    case SPECIAL_DEALLOCATE: {
        struct prepared *prepared = names_remove(&session->names, special_name(special));
        if (prepared)
            statements_remove(&server->statements, prepared->id);
        prepared_unref(registry, prepared);
        return;
    }
    case SPECIAL_DEALLOCATE_ALL:
        names_clear(&session->names, registry);
        statements_clear(&server->statements);
        return;
    case SPECIAL_RESET:
    case SPECIAL_RESET_ALL:
    case SPECIAL_NONE:
    case SPECIAL_PREPARE:
    case SPECIAL_EXECUTE:
    case SPECIAL_OWN_SHOW:
    case SPECIAL_OWN_SET:
    case SPECIAL_OWN_RESET: return;
    }
}
