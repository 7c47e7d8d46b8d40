/*
 * Statements that rolecall must look at itself (router/special_statement.h).
 *
 * Those that name prepared statements are in note.c and prepare.c; SHOW, SET and RESET of rolecall's own
 * settings are in own_settings.c.
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
