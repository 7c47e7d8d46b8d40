/*
 * One query tells everything about a node that plain SQL may know. pg_is_in_recovery is asked once, in a
 * subquery that is not flattened, so that the whole row speaks of one state even while the node is being
 * promoted. The timeline comes from the WAL file name (of a node out of recovery) or from its WAL receiver;
 * pg_control_checkpoint lags by minutes after a promotion and is not asked.
 */
#include "health/probe/sql_row.h"

#include "health/lsn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUESTION(identifier)                                                                                 \
    "SELECT r.recovery, " identifier ","                                                                     \
    " CASE WHEN r.recovery THEN NULL ELSE substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) END,"   \
    " CASE WHEN r.recovery THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END,"              \
    " CASE WHEN r.recovery THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_flush_lsn() END,"              \
    " CASE WHEN NOT r.recovery THEN 0"                                                                       \
    "  WHEN w.pid IS NOT NULL AND pg_last_wal_receive_lsn() <= pg_last_wal_replay_lsn() THEN 0"              \
    "  WHEN pg_last_xact_replay_timestamp() IS NULL THEN NULL"                                               \
    "  ELSE greatest(0, floor(1000 * extract(epoch FROM"                                                     \
    "   clock_timestamp() - pg_last_xact_replay_timestamp())))::bigint END,"                                 \
    " current_setting('default_transaction_read_only'),"                                                     \
    " floor(1000000 * extract(epoch FROM pg_postmaster_start_time()))::bigint,"                              \
    " w.pid IS NOT NULL, w.status, w.received_tli,"                                                          \
    " current_setting('server_version_num'), current_setting('wal_block_size'),"                             \
    " pg_size_bytes(current_setting('wal_segment_size')),"                                                   \
    " coalesce(w.status = 'streaming' AND (t.patience = '0' OR"                                              \
    "  clock_timestamp() - w.last_msg_receipt_time < t.patience / 2 + '1s'), w.pid IS NOT NULL),"            \
    " CASE WHEN pg_has_role('pg_read_all_settings', 'USAGE') THEN coalesce("                                 \
    "  substring(current_setting('primary_conninfo', true) FROM"                                             \
    "   'application_name *= *''?([^'' ]+)'),"                                                               \
    "  nullif(current_setting('cluster_name'), ''), 'walreceiver') END,"                                     \
    " current_setting('synchronous_standby_names')"                                                          \
    " FROM (SELECT pg_is_in_recovery() AS recovery OFFSET 0) r LEFT JOIN pg_stat_wal_receiver w ON true,"    \
    " (SELECT current_setting('wal_receiver_timeout')::interval AS patience) t"

enum column {
    COLUMN_RECOVERY,
    COLUMN_IDENTIFIER,
    COLUMN_WAL_TIMELINE,
    COLUMN_LSN,
    COLUMN_FLUSH_LSN,
    COLUMN_LAG_MS,
    COLUMN_READ_ONLY,
    COLUMN_STARTED_US,
    COLUMN_RECEIVER,
    COLUMN_RECEIVER_STATUS,
    COLUMN_RECEIVER_TIMELINE,
    COLUMN_VERSION,
    COLUMN_PAGE_BYTES,
    COLUMN_SEGMENT_BYTES,
    COLUMN_HEARS,
    COLUMN_STANDBY_NAME,
    COLUMN_SYNC_NAMES,
    COLUMNS
};

const char *sql_question_text(enum sql_question question)
{
    switch (question) {
    case SQL_QUESTION_FULL: return QUESTION("(SELECT system_identifier FROM pg_control_system())");
    case SQL_QUESTION_PLAIN: return QUESTION("NULL");
    }
    return NULL;
}

static uint64_t number(const struct pgconn_answer *answer, enum column column, int base, uint64_t otherwise)
{
    const char *text = pgconn_value(answer, 0, (int)column);
    if (!text || !*text)
        return otherwise;
    char *end;
    uint64_t value = strtoull(text, &end, base);
    return *end == '\0' ? value : otherwise;
}

static bool yes(const struct pgconn_answer *answer, enum column column)
{
    const char *text = pgconn_value(answer, 0, (int)column);
    return text && (strcmp(text, "t") == 0 || strcmp(text, "on") == 0);
}

static void copy(const struct pgconn_answer *answer, enum column column, char *out, size_t size)
{
    const char *text = pgconn_value(answer, 0, (int)column);
    snprintf(out, size, "%s", text ? text : "");
}

bool sql_row_read(const struct pgconn_answer *answer, struct observation *out)
{
    *out = (struct observation){0};
    if (answer->rows != 1 || answer->columns != COLUMNS || !pgconn_value(answer, 0, COLUMN_RECOVERY))
        return false;
    out->in_recovery = yes(answer, COLUMN_RECOVERY);
    out->read_only = yes(answer, COLUMN_READ_ONLY);
    out->receiver = yes(answer, COLUMN_RECEIVER);
    copy(answer, COLUMN_RECEIVER_STATUS, out->receiver_status, sizeof out->receiver_status);
    out->hears = yes(answer, COLUMN_HEARS);
    copy(answer, COLUMN_STANDBY_NAME, out->standby_name, sizeof out->standby_name);
    copy(answer, COLUMN_SYNC_NAMES, out->sync_names, sizeof out->sync_names);
    out->sync_names_known = strlen(out->sync_names) < sizeof out->sync_names - 1;
    out->system_identifier = number(answer, COLUMN_IDENTIFIER, 10, 0);
    out->timeline = (uint32_t)(out->in_recovery ? number(answer, COLUMN_RECEIVER_TIMELINE, 10, 0)
                                                : number(answer, COLUMN_WAL_TIMELINE, 16, 0));
    out->page_bytes = (uint32_t)number(answer, COLUMN_PAGE_BYTES, 10, 0);
    out->segment_bytes = number(answer, COLUMN_SEGMENT_BYTES, 10, 0);
    lsn_parse(pgconn_value(answer, 0, COLUMN_LSN), &out->lsn);
    lsn_parse(pgconn_value(answer, 0, COLUMN_FLUSH_LSN), &out->flush_lsn);
    if (!out->in_recovery)
        out->lsn = lsn_without_page_header(out->lsn, out->page_bytes, out->segment_bytes);
    out->lag_ms = number(answer, COLUMN_LAG_MS, 10, UINT64_MAX);
    out->started_us = (int64_t)number(answer, COLUMN_STARTED_US, 10, 0);
    out->server_version = (int)number(answer, COLUMN_VERSION, 10, 0);
    return true;
}

bool sql_identity_read(const struct pgconn_answer *answer, struct observation *out)
{
    const char *identifier = pgconn_value(answer, 0, 0), *timeline = pgconn_value(answer, 0, 1);
    if (!identifier || !timeline)
        return false;
    out->system_identifier = strtoull(identifier, NULL, 10);
    /* Out of recovery the row's own timeline belongs to the same moment as the rest of the row. */
    if (out->in_recovery || out->timeline == 0)
        out->timeline = (uint32_t)strtoul(timeline, NULL, 10);
    return true;
}
