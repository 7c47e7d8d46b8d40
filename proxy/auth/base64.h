/* Base64 as SCRAM has it: the standard alphabet, padding required, no blanks. Pure; any thread. */
#ifndef ROLECALL_AUTH_BASE64_H
#define ROLECALL_AUTH_BASE64_H

#include "conf/base/slice.h"

#include <stdbool.h>
#include <stddef.h>

/* Characters that n bytes become, without a NUL. */
#define BASE64_LEN(n) (((n) + 2) / 3 * 4)

/* Writes BASE64_LEN(len) characters and returns that number; no NUL. */
size_t base64_encode(const void *data, size_t len, char *out);
/* False when malformed or longer than cap. */
bool base64_decode(struct slice text, unsigned char *out, size_t cap, size_t *len);

#endif
