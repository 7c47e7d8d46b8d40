/* Reading and writing log positions; see lsn.h. Malformed text is reported, never guessed at. */
#include "health/lsn.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SHORT_PAGE_HEADER 24
#define LONG_PAGE_HEADER 40

static bool hex_part(const char **text, char end, uint64_t *value)
{
    *value = 0;
    int digits = 0;
    for (; **text && **text != end; (*text)++, digits++) {
        static const char alphabet[] = "0123456789abcdef";
        char c = **text >= 'A' && **text <= 'F' ? (char)(**text - 'A' + 'a') : **text;
        const char *found = strchr(alphabet, c);
        if (!found || digits == 8)
            return false;
        *value = *value << 4 | (uint64_t)(found - alphabet);
    }
    return digits > 0 && **text == end;
}

bool lsn_parse(const char *text, uint64_t *lsn)
{
    uint64_t high, low;
    *lsn = 0;
    if (!text || !hex_part(&text, '/', &high))
        return false;
    text++;
    if (!hex_part(&text, '\0', &low))
        return false;
    *lsn = high << 32 | low;
    return true;
}

const char *lsn_format(uint64_t lsn, char out[LSN_TEXT_MAX])
{
    snprintf(out, LSN_TEXT_MAX, "%" PRIX32 "/%" PRIX32, (uint32_t)(lsn >> 32), (uint32_t)lsn);
    return out;
}

uint64_t lsn_without_page_header(uint64_t insert_lsn, uint32_t page_bytes, uint64_t segment_bytes)
{
    if (page_bytes == 0 || segment_bytes == 0)
        return insert_lsn;
    if (insert_lsn % segment_bytes == LONG_PAGE_HEADER)
        return insert_lsn - LONG_PAGE_HEADER;
    if (insert_lsn % page_bytes == SHORT_PAGE_HEADER && insert_lsn % segment_bytes != SHORT_PAGE_HEADER)
        return insert_lsn - SHORT_PAGE_HEADER;
    return insert_lsn;
}
