/*
 * PROXY headers: as they come, behind a good signature, and as lines of their own words. A header that is cut
 * must wait, and what is refused early must be refused whatever follows.
 */
#include "proxy/wire/proxy_protocol.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *bytes, size_t len)
{
    struct proxy_header header, cut;
    struct error error;
    enum frame_result result = proxy_protocol_parse(bytes, len, &header, &error);
    if (result == FRAME_OK) {
        assert(header.total <= len && header.total <= PROXY_PROTOCOL_MAX);
        assert(header.local || header.source.ss_family == header.destination.ss_family);
    }
    for (size_t less = 0; less < len; less += 1 + less / 8) {
        enum frame_result before = proxy_protocol_parse(bytes, less, &cut, &error);
        assert(before != FRAME_BAD || result == FRAME_BAD);
        assert(before != FRAME_OK || (result == FRAME_OK && cut.total == header.total));
        assert(result != FRAME_OK || before == (less < header.total ? FRAME_MORE : FRAME_OK));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";
    static const char *const words[] = {"TCP4", "TCP6", "UNKNOWN", " ", " ", " ", "1.2.3.4", "::1", "5432",
        "65536", "0", "\r\n", "\r\n", "\n", "x", "TCP4 1.2.3.4 1.2.3.4 1 2"};
    check((const char *)data, size);
    char *text = malloc(size * 32 + 32);
    memcpy(text, signature, 12);
    if (size > 0)
        memcpy(text + 12, data, size);
    if (size > 3) {
        text[12] = (char)(0x20 | (data[0] & 1));
        text[13] = (char)(data[1] & 0x33);
        text[14] = (char)(data[2] % 17 == 0 ? data[2] : 0);
    }
    check(text, 12 + size);
    size_t len = 6;
    memcpy(text, "PROXY ", 6);
    for (size_t i = 0; i < size; i++) {
        size_t word = strlen(words[data[i] & 15]);
        memcpy(text + len, words[data[i] & 15], word);
        len += word;
    }
    check(text, len);
    free(text);
    return 0;
}
