/* The service manager's socket; see notify.h. What cannot be sent is not sent again: the manager has
 * deadlines of its own. */
#include "proxy/front/notify.h"

#include "conf/base/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MARGIN_MS 10000 /* beyond shutdown_timeout, for ending threads */

struct notify {
    int fd;
    struct sockaddr_un address;
    socklen_t address_len;
    uv_timer_t watchdog;
    uint64_t watchdog_ms; /* 0 = nobody watches */
};

static void tell(const struct notify *notify, const char *text)
{
    if (notify)
        (void)!sendto(notify->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT,
            (const struct sockaddr *)&notify->address, notify->address_len);
}

static void on_watchdog(uv_timer_t *timer)
{
    tell(timer->data, "WATCHDOG=1");
}

/* A path, or a name in the abstract namespace after an @. */
static bool read_address(struct notify *notify, const char *path)
{
    size_t len = path ? strlen(path) : 0;
    if (len < 2 || len >= sizeof notify->address.sun_path || (path[0] != '/' && path[0] != '@'))
        return false;
    notify->address.sun_family = AF_UNIX;
    memcpy(notify->address.sun_path, path, len);
    if (path[0] == '@')
        notify->address.sun_path[0] = 0;
    notify->address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    return true;
}

/* $WATCHDOG_PID says for whom $WATCHDOG_USEC is. */
static uint64_t read_watchdog(void)
{
    const char *period = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    if (!period || (pid && strtoll(pid, NULL, 10) != (long long)getpid()))
        return 0;
    return strtoull(period, NULL, 10) / 1000;
}

struct notify *notify_open(uv_loop_t *loop)
{
    struct notify *notify = calloc(1, sizeof *notify);
    bool wanted = notify && read_address(notify, getenv("NOTIFY_SOCKET"));
    uint64_t watchdog_ms = read_watchdog();
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    notify = wanted ? notify : (free(notify), NULL);
    if (!notify || (notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) < 0) {
        free(notify);
        return NULL;
    }
    notify->watchdog_ms = watchdog_ms;
    uv_timer_init(loop, &notify->watchdog);
    notify->watchdog.data = notify;
    if (watchdog_ms > 0)
        uv_timer_start(&notify->watchdog, on_watchdog, watchdog_ms / 2, watchdog_ms / 2 + 1);
    return notify;
}

void notify_ready(struct notify *notify, const char *status)
{
    char text[256];
    snprintf(text, sizeof text, "READY=1\nSTATUS=%s", status);
    tell(notify, text);
}

void notify_reloading(struct notify *notify)
{
    char text[64];
    snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)clock_now_us());
    tell(notify, text);
}

void notify_stopping(struct notify *notify, uint64_t at_most_ms)
{
    char text[96];
    snprintf(text, sizeof text, "STOPPING=1\nSTATUS=Letting transactions end\nEXTEND_TIMEOUT_USEC=%llu",
        (unsigned long long)(at_most_ms + MARGIN_MS) * 1000);
    tell(notify, text);
}

void notify_close(struct notify *notify)
{
    if (notify)
        uv_close((uv_handle_t *)&notify->watchdog, NULL);
}

void notify_free(struct notify *notify)
{
    if (!notify)
        return;
    close(notify->fd);
    free(notify);
}
