/* Well-formed UTF-8 (Unicode, table 3-7); see utf8.h. */
#include "conf/base/utf8.h"

#include <stdint.h>

/* Bytes of the character that begins with these; 0: it is none. */
static size_t character(const unsigned char *at, size_t left)
{
    unsigned char first = at[0], low = 0x80, high = 0xbf;
    size_t len = first < 0x80   ? 1
                 : first < 0xc2 ? 0
                 : first < 0xe0 ? 2
                 : first < 0xf0 ? 3
                 : first < 0xf5 ? 4
                                : 0;
    if (len > left)
        return 0;
    if (first == 0xe0)
        low = 0xa0;
    if (first == 0xed)
        high = 0x9f;
    if (first == 0xf0)
        low = 0x90;
    if (first == 0xf4)
        high = 0x8f;
    for (size_t i = 1; i < len; i++, low = 0x80, high = 0xbf)
        if (at[i] < low || at[i] > high)
            return 0;
    return len;
}

bool utf8_is_valid(struct slice text)
{
    const unsigned char *bytes = (const unsigned char *)text.data;
    for (size_t at = 0, len; at < text.len; at += len)
        if ((len = character(bytes + at, text.len - at)) == 0)
            return false;
    return true;
}
