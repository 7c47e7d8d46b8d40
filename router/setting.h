/*
 * Settings (run-time parameters) as far as a session must know of them: which ones a text changes, and which
 * matter when a statement is parsed. Pure; any thread.
 */
#ifndef ROLECALL_ROUTER_SETTING_H
#define ROLECALL_ROUTER_SETTING_H

#include "conf/base/slice.h"

#include <stdbool.h>

/*
 * Tells the names of the settings that a query string changes for the session, folded to lower case: of SET
 * [SESSION], of RESET, and of set_config() with a literal name whose third argument is not TRUE, also inside
 * the text of a DO. SET TIME ZONE is "timezone", SET NAMES "client_encoding", SET SCHEMA "search_path", SET
 * ROLE "role", SET SESSION AUTHORIZATION "session_authorization" and "role" (which it sets back), SET XML
 * OPTION "xmloption", SET SESSION CHARACTERISTICS the three "default_transaction_..." ones. Not told are
 * settings that are none of the session's: those of setting_ends_with_transaction() and setting_is_fixed(),
 * and "seed". A name may come more than once; it is valid during the call.
 */
void setting_names(
    struct slice text, bool standard_strings, void *context, void (*named)(void *context, struct slice name));

/*
 * The same for names with a dot that stand in a string of the text ('set app.tenant = 1', 'app.tenant'): a
 * function that is called with it may set what it is told. Any such word is told, whatever it means.
 */
void setting_names_in_strings(
    struct slice text, bool standard_strings, void *context, void (*named)(void *context, struct slice name));

/* False for settings that are known to change nothing about how a statement's text is understood or folded
   (timeouts, costs, names in logs, all with a dot in their name); true for everything else. Letters in any
   case. */
bool setting_matters_when_parsing(struct slice name);

/* transaction_isolation, transaction_read_only, transaction_deferrable: they belong to the running
   transaction even when SET sets them, though pg_settings goes on saying that they come from the session. */
bool setting_ends_with_transaction(struct slice name);

/* No session can change it, as it belongs to the server or to a connection's start. Letters in any case. */
bool setting_is_fixed(struct slice name);

/* Only a superuser can, or who was granted SET on it. Letters in any case. */
bool setting_is_guarded(struct slice name);

/* role, session_authorization: who the session acts as, and so what it may set. Letters in any case. */
bool setting_is_authority(struct slice name);

/* A name with a dot: known to pg_settings only when an extension has defined it. */
bool setting_is_custom(struct slice name);

#endif
