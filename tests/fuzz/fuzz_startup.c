/*
 * First packets: as they come, and with a good length and version before random parameters. A packet that is
 * cut must wait or be refused, never be understood otherwise.
 */
#include "proxy/wire/startup.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char buffer[1 << 15];

static void check_options(struct slice text)
{
    struct startup_options options;
    struct slice name, value;
    struct error error;
    size_t n = 0;
    startup_options_init(&options, text);
    while (startup_options_next(&options, &name, &value, &error) == OPTION_SETTING) {
        assert(name.len > 0 && name.data[name.len] == '\0' && value.data[value.len] == '\0');
        assert(memchr(name.data, '-', name.len) == NULL);
        n++;
    }
    assert(n <= text.len);
}

static void check_session(const struct startup *startup)
{
    struct slice name, value;
    struct builder builder = builder_of(buffer, sizeof buffer);
    assert(startup->user.len > 0 && startup->database.len > 0);
    assert(startup->version == PROTOCOL_3_0 || startup->version == PROTOCOL_3_2);
    size_t at = 0;
    while (startup_next(startup, &at, &name, &value))
        assert(name.len > 0 && value.data + value.len < startup->params.data + startup->params.len);
    assert(at == startup->params.len);
    assert(startup_build_negotiate(&builder, startup));
    if (startup->options.data != NULL)
        check_options(startup->options);
}

static void check_packet(const char *bytes, size_t len)
{
    struct startup startup, cut;
    struct error error;
    enum frame_result result = startup_parse(bytes, len, &startup, &error);
    if (result == FRAME_BAD)
        assert(strlen(error.sqlstate) == 5 && error.text[0] != '\0');
    if (result != FRAME_OK)
        return;
    assert(startup.total <= len && startup.total <= STARTUP_PACKET_MAX + 4);
    if (startup.kind == STARTUP_SESSION)
        check_session(&startup);
    for (size_t less = 0; less < startup.total; less += 1 + less / 8)
        assert(startup_parse(bytes, less, &cut, &error) == FRAME_MORE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char words[][12] = {
        "user", "database", "options", "replication", "_pq_.x", "true", "ann", ""};
    struct builder builder = builder_of(buffer, sizeof buffer / 2);
    check_packet((const char *)data, size);
    check_options(slice_of((const char *)data, size));
    builder_begin_untyped(&builder);
    builder_u32(&builder, size > 0 && data[0] & 1 ? PROTOCOL_3_0 : PROTOCOL_3_2);
    for (size_t i = 1; i < size; i++) {
        if (data[i] >= 0xf0)
            builder_bytes(&builder, words[data[i] & 7], strlen(words[data[i] & 7]) + 1);
        else
            builder_u8(&builder, data[i] < 0x20 ? 0 : data[i]);
    }
    if (builder_end(&builder)) {
        char *packet = malloc(builder.len);
        memcpy(packet, builder.data, builder.len);
        check_packet(packet, builder.len);
        free(packet);
    }
    return 0;
}
