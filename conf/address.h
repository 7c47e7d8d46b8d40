/* Where a listener listens, taken apart. Pure. */
#ifndef ROLECALL_CONF_ADDRESS_H
#define ROLECALL_CONF_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#define ADDRESS_HOST_MAX 256 /* with the final NUL; RFC 1035 allows 253 */
#define ADDRESS_PATH_MAX 108 /* with the final NUL; sun_path of unix(7) */

struct address {
    bool is_unix;
    char host[ADDRESS_HOST_MAX]; /* without brackets; "*" = every interface, IPv6 and IPv4 */
    uint16_t port;
    char path[ADDRESS_PATH_MAX]; /* of a Unix socket */
};

/* "host:port", "[v6]:port", "*:port" or "unix:/path". False with a static text of what is wrong. */
bool address_parse(const char *text, struct address *address, const char **why);

/* True when two listeners could not both listen: the same path, or the same port on the same or on every
 * interface. */
bool address_collides(const struct address *a, const struct address *b);

#endif
