/*
 * The page /stats: one document without outside resources, put together from proxy/front/page/ when rolecall
 * is built (page/assemble.cmake). Constant; any thread.
 */
#ifndef ROLECALL_FRONT_PAGE_H
#define ROLECALL_FRONT_PAGE_H

#include <stddef.h>

/* The document; in UTF-8, not ended by a NUL. */
extern const unsigned char page_document[];
extern const size_t page_document_len;

/* The Content-Security-Policy that lets its own script and style run, by their digests, and nothing else. */
extern const char page_policy[];

#endif
