/*
 * Holding free ports.
 *
 * A port is tried by binding to it without SO_REUSEADDR, which fails when anything at all is bound there;
 * then the option is set, so that our own servers may bind beside it. Rows of ports are tried from a random
 * start, below the range from which the kernel gives ports to outgoing connections.
 */
#include "health/replication/ports.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST_PORT 20000
#define LAST_PORT 32000

static int hold(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    if (fd < 0)
        return -1;
    if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0)
        return fd;
    int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

static bool hold_row(struct ports *ports, uint16_t base, size_t n)
{
    for (ports->n = 0; ports->n < n; ports->n++) {
        int fd = hold((uint16_t)(base + ports->n));
        if (fd < 0) {
            int reason = errno;
            ports_close(ports);
            errno = reason;
            return false;
        }
        ports->fd[ports->n] = fd;
        ports->port[ports->n] = (uint16_t)(base + ports->n);
    }
    return true;
}

bool ports_open(struct ports *ports, uint16_t base, size_t n, struct error *error)
{
    assert(n <= PORTS_MAX);
    ports->n = 0;
    if (base != 0) {
        if (base <= UINT16_MAX - n && hold_row(ports, base, n))
            return true;
        return error_set(error, SQLSTATE_CONFIG_FILE_ERROR,
            "the ports %u to %zu of 127.0.0.1 are not all free", base, base + n - 1);
    }
    uint32_t start = 0;
    if (getrandom(&start, sizeof start, 0) != (ssize_t)sizeof start)
        start = (uint32_t)getpid();
    size_t rows = (LAST_PORT - FIRST_PORT) / n;
    for (size_t i = 0; i < rows; i++) {
        if (hold_row(ports, (uint16_t)(FIRST_PORT + (start + i) % rows * n), n))
            return true;
    }
    return error_set(error, SQLSTATE_CONFIG_FILE_ERROR, "127.0.0.1 has no %zu free ports in a row: %s", n,
        strerror(errno));
}

void ports_close(struct ports *ports)
{
    for (size_t i = 0; i < ports->n; i++)
        close(ports->fd[i]);
    ports->n = 0;
}
