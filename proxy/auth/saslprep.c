/*
 * SASLprep by libidn's tables, with PostgreSQL's rule around it (src/common/saslprep.c): ASCII is left alone,
 * and whatever the profile refuses is hashed as the raw bytes, so that a password in another encoding works
 * as long as both sides send the same bytes.
 *
 * PostgreSQL looks for prohibited, unassigned and right-to-left characters before normalization; RFC 4013,
 * and with it libidn's own profile, does so afterwards. What counts is to come to the same bytes as
 * PostgreSQL, so the profile here has its order.
 */
#include "proxy/auth/saslprep.h"

#include "proxy/auth/secret.h"

#include <stdlib.h>
#include <string.h>
#include <stringprep.h>

/* NFKC makes at most 11 bytes of one (U+FDFA: 3 bytes become 33). */
#define GROWTH_MAX 12

/* More rows than any version of libidn's profile has (18). */
#define ROWS_MAX 64

/* libidn's profile with normalization as the last step. False when it has grown beyond all expectation. */
static bool make_profile(Stringprep_profile out[ROWS_MAX])
{
    size_t n = 0;
    Stringprep_profile last = {0};
    for (const Stringprep_profile *row = stringprep_saslprep; row->operation != 0; row++) {
        if (n + 2 >= ROWS_MAX)
            return false;
        if (row->operation == STRINGPREP_NFKC)
            last = *row;
        else
            out[n++] = *row;
    }
    out[n++] = last;
    out[n] = (Stringprep_profile){0};
    return true;
}

static bool is_ascii(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] > 127)
            return false;
    return true;
}

char *saslprep(struct slice password)
{
    Stringprep_profile profile[ROWS_MAX];
    if (is_ascii(password) || password.len > SECRET_PLAIN_MAX || memchr(password.data, '\0', password.len))
        return NULL;
    size_t size = password.len * GROWTH_MAX + 1;
    char *text = malloc(size);
    if (text == NULL || !make_profile(profile)) {
        free(text);
        return NULL;
    }
    memcpy(text, password.data, password.len);
    text[password.len] = '\0';
    if (stringprep(text, size, STRINGPREP_NO_UNASSIGNED, profile) == STRINGPREP_OK && text[0] != '\0')
        return text;
    explicit_bzero(text, size);
    free(text);
    return NULL;
}
