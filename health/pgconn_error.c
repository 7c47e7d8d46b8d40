/*
 * libpq reports a failed connect as a text: "connection to server at ... failed: FATAL:  28P01: password
 * ...". With PQERRORS_VERBOSE the SQLSTATE stands behind the severity and two blanks, whatever the server's
 * language. What has none was said by libpq or the kernel, and is told apart by strerror's words, which libpq
 * quotes.
 */
#include "health/pgconn_error.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool is_sqlstate(const char *text)
{
    for (int i = 0; i < 5; i++) {
        if (!isdigit((unsigned char)text[i]) && !(text[i] >= 'A' && text[i] <= 'Z'))
            return false;
    }
    return text[5] == ':' && text[6] == ' ';
}

/* The last line that has one counts: with sslmode=prefer libpq may have tried twice. */
static const char *find_sqlstate(const char *text)
{
    const char *found = NULL;
    bool line_done = false;
    for (; *text; text++) {
        if (*text == '\n')
            line_done = false;
        else if (!line_done && strncmp(text, ":  ", 3) == 0 && is_sqlstate(text + 3)) {
            found = text + 3;
            line_done = true;
        }
    }
    return found;
}

void pgconn_error_sqlstate(const char *text, char out[6])
{
    const char *found = find_sqlstate(text);
    snprintf(out, 6, "%.5s", found ? found : "");
}

void pgconn_error_text(const char *text, char *out, size_t size)
{
    const char *state = find_sqlstate(text);
    if (state)
        text = state + 7;
    size_t used = 0;
    while (*text && *text != '\n' && used + 1 < size) {
        out[used++] = (unsigned char)*text < ' ' ? ' ' : *text;
        text++;
    }
    out[used] = '\0';
}

static enum pgconn_outcome of_errno(int number)
{
    switch (number) {
    case ECONNREFUSED:
    case ENOENT: return PGCONN_REFUSED;
    case ECONNRESET:
    case EPIPE:
    case ECONNABORTED: return PGCONN_RESET;
    case ETIMEDOUT: return PGCONN_TIMEOUT;
    default: return PGCONN_UNREACHABLE;
    }
}

static enum pgconn_outcome of_text(const char *text)
{
    static const int numbers[] = {
        ECONNREFUSED, ENOENT, ECONNRESET, EPIPE, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, EHOSTDOWN};
    bool about_a_file = strstr(text, "certificate") || strstr(text, "key file");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (!about_a_file && strstr(text, strerror(numbers[i])))
            return of_errno(numbers[i]);
    }
    return strstr(text, "server closed the connection") ? PGCONN_RESET : PGCONN_UNUSABLE;
}

enum pgconn_outcome pgconn_error_connect(int socket_errno, const char *text, struct error *error)
{
    char line[ERROR_TEXT_MAX];
    pgconn_error_text(text, line, sizeof line);
    char sqlstate[6];
    pgconn_error_sqlstate(text, sqlstate);
    if (sqlstate[0]) {
        error_set(error, sqlstate, "%s", line);
        return PGCONN_LOGIN;
    }
    if (socket_errno != 0) {
        error_set(error, SQLSTATE_CONNECTION_FAILURE, "%s", strerror(socket_errno));
        return of_errno(socket_errno);
    }
    error_set(error, SQLSTATE_CONNECTION_FAILURE, "%s", line[0] ? line : "connection failed");
    return of_text(text);
}
