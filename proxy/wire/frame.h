/*
 * One message of protocol 3: a type byte, a length that counts itself, a body. Pure; any thread.
 *
 * frame_parse needs the five header bytes only, so that a caller can forward a large message as it arrives;
 * `whole` says whether the body is all there. Source: PostgreSQL documentation, "Message Formats".
 */
#ifndef ROLECALL_WIRE_FRAME_H
#define ROLECALL_WIRE_FRAME_H

#include "conf/base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_HEADER_LEN 5
/* PostgreSQL's MaxAllocSize, the most that a length word may say. */
#define FRAME_LENGTH_MAX 0x3fffffffU

/* Every parser of the room answers so: understood, more bytes are needed, or malformed for good. */
enum frame_result { FRAME_OK, FRAME_MORE, FRAME_BAD };

/* Message types, by who sends them. The same letter means different things in each direction. */
enum frontend_type {
    FRONTEND_BIND = 'B',
    FRONTEND_CLOSE = 'C',
    FRONTEND_DESCRIBE = 'D',
    FRONTEND_EXECUTE = 'E',
    FRONTEND_FUNCTION_CALL = 'F',
    FRONTEND_FLUSH = 'H',
    FRONTEND_PARSE = 'P',
    FRONTEND_QUERY = 'Q',
    FRONTEND_SYNC = 'S',
    FRONTEND_TERMINATE = 'X',
    FRONTEND_COPY_DONE = 'c',
    FRONTEND_COPY_DATA = 'd',
    FRONTEND_COPY_FAIL = 'f',
    FRONTEND_PASSWORD = 'p' /* PasswordMessage, SASLInitialResponse, SASLResponse, GSSResponse */
};

enum backend_type {
    BACKEND_PARSE_COMPLETE = '1',
    BACKEND_BIND_COMPLETE = '2',
    BACKEND_CLOSE_COMPLETE = '3',
    BACKEND_NOTIFICATION = 'A',
    BACKEND_COMMAND_COMPLETE = 'C',
    BACKEND_DATA_ROW = 'D',
    BACKEND_ERROR = 'E',
    BACKEND_COPY_IN = 'G',
    BACKEND_COPY_OUT = 'H',
    BACKEND_EMPTY_QUERY = 'I',
    BACKEND_KEY_DATA = 'K',
    BACKEND_NOTICE = 'N',
    BACKEND_AUTHENTICATION = 'R',
    BACKEND_PARAMETER_STATUS = 'S',
    BACKEND_ROW_DESCRIPTION = 'T',
    BACKEND_FUNCTION_RESULT = 'V',
    BACKEND_COPY_BOTH = 'W',
    BACKEND_READY = 'Z',
    BACKEND_COPY_DONE = 'c',
    BACKEND_COPY_DATA = 'd',
    BACKEND_NO_DATA = 'n',
    BACKEND_PORTAL_SUSPENDED = 's',
    BACKEND_PARAMETER_DESCRIPTION = 't',
    BACKEND_NEGOTIATE_VERSION = 'v'
};

struct frame {
    char type;
    uint32_t body_len; /* as the header says */
    size_t total;      /* 1 + 4 + body_len */
    const char *body;  /* into the caller's bytes */
    bool whole;        /* all of the body is among the caller's bytes */
};

/* FRAME_MORE below five bytes; FRAME_BAD when the length word is below 4 or above 1 GiB. */
enum frame_result frame_parse(const char *bytes, size_t len, struct frame *out);

/* The body of a whole frame. */
static inline struct slice frame_body(const struct frame *frame)
{
    return slice_of(frame->body, frame->body_len);
}

/* "Query", "ErrorResponse", ... for logs; "unknown message" for other letters; static storage. */
const char *frame_frontend_name(char type);
const char *frame_backend_name(char type);

#endif
