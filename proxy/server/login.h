/*
 * The way into a node: SSLRequest, StartupMessage, authentication, up to the first ReadyForQuery. Used by
 * server.c.
 */
#ifndef ROLECALL_SERVER_LOGIN_H
#define ROLECALL_SERVER_LOGIN_H

#include "proxy/server/server.h"

struct login;

/* NULL when out of memory. */
struct login *login_new(const struct server_target *target);
void login_free(struct login *login); /* NULL is allowed; wipes secrets */

bool login_wants_tls(const struct login *login);
/* Sends SSLRequest / the startup packet. */
void login_send_ssl_request(struct server *server);
void login_send_startup(struct server *server);
/* The node's one byte after SSLRequest. False fills the error. */
bool login_on_ssl_answer(struct server *server, char byte, struct error *error);

enum login_result { LOGIN_MORE, LOGIN_READY, LOGIN_FAILED };
enum login_result login_on_message(struct server *server, const struct frame *frame, struct error *error);
const char *login_connect_query(const struct login *login);
bool login_is_raw(const struct login *login);

#endif
