/*
 * Frames: the type byte and length word that begin every message but a connection's first.
 *
 * A caller looks at whatever bytes it has; five are enough to know what comes and how long it will be. The
 * length word is the only thing that can be wrong here; what is in the body is for frontend.c and backend.c
 * to judge.
 */
#include "proxy/wire/frame.h"

enum frame_result frame_parse(const char *bytes, size_t len, struct frame *out)
{
    if (len < FRAME_HEADER_LEN)
        return FRAME_MORE;
    const unsigned char *p = (const unsigned char *)bytes + 1;
    uint32_t length = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    if (length < 4 || length > FRAME_LENGTH_MAX)
        return FRAME_BAD;
    out->type = bytes[0];
    out->body_len = length - 4;
    out->total = (size_t)length + 1;
    out->body = bytes + FRAME_HEADER_LEN;
    out->whole = len >= out->total;
    return FRAME_OK;
}

const char *frame_frontend_name(char type)
{
    switch (type) {
    case FRONTEND_BIND: return "Bind";
    case FRONTEND_CLOSE: return "Close";
    case FRONTEND_DESCRIBE: return "Describe";
    case FRONTEND_EXECUTE: return "Execute";
    case FRONTEND_FUNCTION_CALL: return "FunctionCall";
    case FRONTEND_FLUSH: return "Flush";
    case FRONTEND_PARSE: return "Parse";
    case FRONTEND_QUERY: return "Query";
    case FRONTEND_SYNC: return "Sync";
    case FRONTEND_TERMINATE: return "Terminate";
    case FRONTEND_COPY_DONE: return "CopyDone";
    case FRONTEND_COPY_DATA: return "CopyData";
    case FRONTEND_COPY_FAIL: return "CopyFail";
    case FRONTEND_PASSWORD: return "authentication response";
    default: return "unknown message";
    }
}

const char *frame_backend_name(char type)
{
    switch (type) {
    case BACKEND_PARSE_COMPLETE: return "ParseComplete";
    case BACKEND_BIND_COMPLETE: return "BindComplete";
    case BACKEND_CLOSE_COMPLETE: return "CloseComplete";
    case BACKEND_NOTIFICATION: return "NotificationResponse";
    case BACKEND_COMMAND_COMPLETE: return "CommandComplete";
    case BACKEND_DATA_ROW: return "DataRow";
    case BACKEND_ERROR: return "ErrorResponse";
    case BACKEND_COPY_IN: return "CopyInResponse";
    case BACKEND_COPY_OUT: return "CopyOutResponse";
    case BACKEND_EMPTY_QUERY: return "EmptyQueryResponse";
    case BACKEND_KEY_DATA: return "BackendKeyData";
    case BACKEND_NOTICE: return "NoticeResponse";
    case BACKEND_AUTHENTICATION: return "Authentication";
    case BACKEND_PARAMETER_STATUS: return "ParameterStatus";
    case BACKEND_ROW_DESCRIPTION: return "RowDescription";
    case BACKEND_FUNCTION_RESULT: return "FunctionCallResponse";
    case BACKEND_COPY_BOTH: return "CopyBothResponse";
    case BACKEND_READY: return "ReadyForQuery";
    case BACKEND_COPY_DONE: return "CopyDone";
    case BACKEND_COPY_DATA: return "CopyData";
    case BACKEND_NO_DATA: return "NoData";
    case BACKEND_PORTAL_SUSPENDED: return "PortalSuspended";
    case BACKEND_PARAMETER_DESCRIPTION: return "ParameterDescription";
    case BACKEND_NEGOTIATE_VERSION: return "NegotiateProtocolVersion";
    default: return "unknown message";
    }
}
