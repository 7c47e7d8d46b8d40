/* Bytes on their way out; see outbox.h. */
#include "proxy/stream/outbox.h"

#include <string.h>

void outbox_append(struct outbox *outbox, struct reactor *reactor, const void *data, size_t len)
{
    const char *bytes = data;
    outbox->len += len;
    while (len > 0) {
        struct page *page = outbox->tail;
        if (!page || page->end == sizeof page->data) {
            page = reactor_page(reactor);
            if (outbox->tail)
                outbox->tail->next = page;
            else
                outbox->head = page;
            outbox->tail = page;
        }
        size_t room = sizeof page->data - page->end;
        size_t part = len < room ? len : room;
        memcpy(page->data + page->end, bytes, part);
        page->end += (uint32_t)part;
        bytes += part;
        len -= part;
    }
}

void outbox_drop(struct outbox *outbox, struct reactor *reactor, size_t sent)
{
    outbox->len -= sent;
    while (outbox->head) {
        struct page *page = outbox->head;
        size_t part = page->end - page->start;
        if (sent < part) {
            page->start += (uint32_t)sent;
            return;
        }
        sent -= part;
        outbox->head = page->next;
        if (!outbox->head)
            outbox->tail = NULL;
        reactor_page_free(reactor, page);
    }
}

size_t outbox_iov(const struct outbox *outbox, struct iovec iov[OUTBOX_IOV])
{
    size_t n = 0;
    for (struct page *page = outbox->head; page && n < OUTBOX_IOV; page = page->next)
        iov[n++] = (struct iovec){page->data + page->start, page->end - page->start};
    return n;
}
