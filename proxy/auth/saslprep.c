/*
 * SASLprep by libidn, with PostgreSQL's rule around it (src/common/saslprep.c): ASCII is left alone, and
 * whatever the profile refuses is hashed as the raw bytes, so that a password in another encoding works as
 * long as both sides send the same bytes.
 *
 * PostgreSQL looks for prohibited characters before normalization, the profile after it. The two differ for
 * U+0340 and U+0341, which are prohibited and normalize to characters that are not.
 */
#include "proxy/auth/saslprep.h"

#include "proxy/auth/secret.h"

#include <stdlib.h>
#include <string.h>
#include <stringprep.h>

static bool is_ascii(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] > 127)
            return false;
    return true;
}

char *saslprep(struct slice password)
{
    if (is_ascii(password) || password.len > SECRET_PLAIN_MAX || memchr(password.data, '\0', password.len))
        return NULL;
    char text[SECRET_PLAIN_MAX + 1];
    memcpy(text, password.data, password.len);
    text[password.len] = '\0';
    char *prepared = NULL;
    bool tone_marks = strstr(text, "\xcd\x80") || strstr(text, "\xcd\x81");
    if (tone_marks ||
        stringprep_profile(text, &prepared, "SASLprep", STRINGPREP_NO_UNASSIGNED) != STRINGPREP_OK)
        prepared = NULL;
    explicit_bzero(text, sizeof text);
    if (prepared != NULL && prepared[0] == '\0') {
        free(prepared);
        prepared = NULL;
    }
    return prepared;
}
