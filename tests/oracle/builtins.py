#!/usr/bin/python3
"""Generates what the router knows of PostgreSQL's own functions, views and keywords.

    builtins.py            writes router/sql/builtins_table.c and router/sql/keywords_table.c anew
    builtins.py --check    compares them with what would be written; exit 1 when they differ

Needs PostgreSQL 15's server programs and psycopg; starts a server of its own (postgres.py).

A function is HARMLESS when it answers on a replica as on the primary under the same session settings. IMMUTABLE and
STABLE functions are harmless unless listed below; VOLATILE ones are special unless listed below. A name stands for all
its overloads; the worst one counts. LOCAL is special too, but only reads: its answer is the node's or the session's own,
so that a hint may send it to a replica. A view is special when its rule calls a special function or reads a special view.
"""
import argparse
import pathlib
import re
import sys

import psycopg

from postgres import Cluster

SQL = pathlib.Path(__file__).resolve().parents[2] / "router" / "sql"

# Volatile by declaration, and yet without a node's or a session's meaning.
HARMLESS = {
    "bernoulli system": "TABLESAMPLE methods: random pages, as random as on the primary",
    "clock_timestamp timeofday": "the time of day is no node's",
    "random gen_random_uuid": "random anywhere; setseed, which would make it a session's, pins",
    "pg_sleep pg_sleep_for pg_sleep_until": "only time passes",
    "pg_partition_ancestors pg_partition_tree": "read pg_inherits only",
    "lo_get": "reads pg_largeobject under the statement's snapshot",
    "amvalidate": "reads the catalogue only",
    "pg_is_other_temp_schema": "a session with temporary objects is pinned; for all others every one is another's",
}

# Stable or immutable by declaration, or volatile, and only reading: but the answer is the node's or the session's own.
LOCAL = {
    "current_setting pg_show_all_settings pg_settings_get_flags": "settings of the node and the server's session",
    "pg_backend_pid inet_client_addr inet_client_port inet_server_addr inet_server_port": "the server connection's own",
    "version pg_config pg_postmaster_start_time pg_conf_load_time pg_jit_available": "the node's own",
    "pg_available_extensions pg_available_extension_versions pg_extension_update_paths": "files of the node",
    "pg_timezone_names pg_timezone_abbrevs": "files of the node",
    "pg_collation_actual_version pg_database_collation_actual_version": "the node's C library",
    "pg_tablespace_location pg_tablespace_databases": "files of the node",
    "pg_relation_filepath pg_relation_filenode pg_filenode_relation": "files; masters of a multi-master differ",
    "pg_relation_size pg_table_size pg_indexes_size pg_total_relation_size pg_database_size pg_tablespace_size":
        "sizes of files: free space maps are not replicated",
    "pg_cursor pg_prepared_statement pg_listening_channels pg_my_temp_schema": "the server's session",
    "pg_prepared_xact pg_lock_status pg_blocking_pids pg_safe_snapshot_blocking_pids": "shared memory of the node",
    "pg_isolation_test_session_is_blocked pg_get_shmem_allocations pg_get_backend_memory_contexts":
        "memory of the node",
    "pg_get_replication_slots pg_show_replication_origin_status pg_replication_origin_progress": "state of the node",
    "pg_replication_origin_session_is_setup pg_replication_origin_session_progress": "the server's session",
    "txid_current_if_assigned pg_current_xact_id_if_assigned txid_current_snapshot pg_current_snapshot":
        "the node's running transactions",
    "txid_status pg_xact_status pg_xact_commit_timestamp pg_xact_commit_timestamp_origin pg_last_committed_xact":
        "kept per node; depends on track_commit_timestamp",
    "mxid_age pg_get_multixact_members": "the node's own counter and files",
    "pg_control_checkpoint pg_control_init pg_control_recovery pg_control_system": "pg_control of the node",
    "pg_is_in_recovery pg_is_wal_replay_paused pg_get_wal_replay_pause_state": "what the node is doing",
    "pg_last_wal_receive_lsn pg_last_wal_replay_lsn pg_last_xact_replay_timestamp": "what the node is doing",
    "pg_current_wal_flush_lsn pg_current_wal_insert_lsn pg_current_wal_lsn": "fails on a replica",
    "pg_walfile_name pg_walfile_name_offset": "the primary's timeline; fails on a replica",
    "pg_get_wal_resource_managers": "modules loaded by the node",
    "pg_current_logfile pg_hba_file_rules pg_ident_file_mappings pg_show_all_file_settings": "files of the node",
    "pg_ls_archive_statusdir pg_ls_dir pg_ls_logdir pg_ls_logicalmapdir pg_ls_logicalsnapdir pg_ls_replslotdir "
    "pg_ls_tmpdir pg_ls_waldir pg_read_binary_file pg_read_file pg_read_file_old pg_stat_file": "files of the node",
    "pg_notification_queue_usage": "the node's queue",
    "pg_sequence_last_value": "replicas see up to 32 values ahead",
    "pg_replication_origin_oid": "refused on a replica",
    "current_query": "the text that arrived, which rolecall may have put together",
    "pg_stat_have_stats": "statistics are the node's own",
}
LOCAL_PATTERN = re.compile(r"pg_stat_get_")

# Not volatile by declaration, and yet special.
SPECIAL = {
    "txid_current pg_current_xact_id": "assign a transaction id: fail on a replica",
    "query_to_xml query_to_xmlschema query_to_xml_and_xmlschema cursor_to_xml cursor_to_xmlschema": "run any text",
    "table_to_xml table_to_xmlschema table_to_xml_and_xmlschema schema_to_xml schema_to_xmlschema "
    "schema_to_xml_and_xmlschema database_to_xml database_to_xmlschema database_to_xml_and_xmlschema":
        "read relations that the statement does not name",
    "pg_event_trigger_ddl_commands pg_event_trigger_dropped_objects pg_event_trigger_table_rewrite_oid "
    "pg_event_trigger_table_rewrite_reason": "only inside an event trigger",
}

# Calls that leave something behind in the server's session: the pins of router/classify.h.
PINS = {
    "set_config": "PIN_SETTING",
    "setseed": "PIN_FUNCTION",
    "pg_replication_origin_session_setup": "PIN_FUNCTION",
    "currval lastval": "PIN_SEQUENCE",
    "pg_advisory_lock pg_advisory_lock_shared pg_try_advisory_lock pg_try_advisory_lock_shared": "PIN_ADVISORY_LOCK",
}

# Calls that take such a thing away.
FREES = {
    "pg_advisory_unlock pg_advisory_unlock_shared pg_advisory_unlock_all": "PIN_ADVISORY_LOCK",
}

# Views over something special, and harmless nevertheless.
HARMLESS_VIEWS = {
    "tables": "of information_schema: asks for the session's temporary schema; sessions that have one are pinned",
}

# Harmless functions of later versions; on 15 nobody has them, or the database's catalogue says what they are.
LATER = """
    any_value array_sample array_shuffle date_add date_subtract erf erfc pg_input_is_valid pg_input_error_info
    random_normal to_bin to_oct uuid_extract_timestamp uuid_extract_version unicode_version unicode_assigned xmltext
    json_array json_arrayagg json_objectagg json_array_agg_strict json_scalar json_serialize json_exists json_query
    json_value json_table json merge_action array_reverse array_sort casefold crc32 crc32c gamma lgamma uuidv4 uuidv7
"""
# system_user (16) is how this server connection was authenticated; the rest change or tell of the node.
LATER_LOCAL = "system_user pg_get_loaded_modules pg_get_aios pg_get_wal_summarizer_state pg_available_wal_summaries"


def words(table):
    return {name: value for names, value in table.items() for name in names.split()}


def functions(connection):
    """name -> 'harmless' | 'special' | 'local'"""
    rows = connection.execute("""
        select proname, bool_or(provolatile = 'v' or prokind = 'p') from pg_proc
        where pronamespace in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
        group by proname""").fetchall()
    harmless, local, special = words(HARMLESS), words(LOCAL), words(SPECIAL)
    unknown = (harmless.keys() | local.keys() | special.keys() | words(PINS).keys() | words(FREES).keys()) - {name for name, _ in rows}
    if unknown:
        sys.exit(f"listed by hand, but no such function: {sorted(unknown)}")
    kinds = {}
    for name, volatile in rows:
        if name in local or LOCAL_PATTERN.match(name):
            kinds[name] = "local"
        elif name in special or (volatile and name not in harmless):
            kinds[name] = "special"
        else:
            kinds[name] = "harmless"
    # Types are called like functions to cast: uuid('...').
    types = connection.execute("""
        select typname from pg_type where typnamespace = 'pg_catalog'::regnamespace and typrelid = 0 and typelem = 0
        or typname in ('point', 'box', 'lseg', 'line', 'name', 'oidvector', 'int2vector')""").fetchall()
    for (name,) in types:
        kinds.setdefault(name, "harmless")
    for name in LATER.split():
        kinds.setdefault(name, "harmless")
    for name in LATER_LOCAL.split():
        kinds.setdefault(name, "local")
    return kinds


def relations(connection, kinds):
    """Views of pg_catalog and information_schema over something special: a fixed point over pg_rewrite."""
    names = dict(connection.execute("select oid, proname from pg_proc").fetchall())
    rules = connection.execute("""
        select c.oid, c.relname, r.ev_action::text from pg_rewrite r join pg_class c on c.oid = r.ev_class
        where c.relnamespace in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)""").fetchall()
    special = {}
    while True:
        before = len(special)
        for oid, name, action in rules:
            if name in HARMLESS_VIEWS:
                continue
            called = {names.get(int(match)) for match in re.findall(r":(?:func|aggfno|winfno|opfunc)id (\d+)", action)}
            read = {int(match) for match in re.findall(r":relid (\d+)", action)} - {oid}
            if any(kinds.get(function, "harmless") != "harmless" for function in called) or read & special.keys():
                special[oid] = name
        if len(special) == before:
            return sorted(special.values())


CATEGORY = {"R": "CATEGORY_RESERVED", "T": "CATEGORY_TYPE_OR_FUNCTION", "C": "CATEGORY_COLUMN_NAME", "U": "CATEGORY_UNRESERVED"}


def keywords(connection):
    return sorted(connection.execute("select word, upper(catcode::text) from pg_get_keywords()").fetchall())


def by_bytes(names):
    return sorted(names, key=lambda name: name.encode())


HEAD = """/* Generated by tests/oracle/builtins.py from the catalogue of PostgreSQL {version}; do not edit. */
"""


def builtins_table(kinds, views):
    pins, frees = words(PINS), words(FREES)
    lines = [HEAD.format(version=15), '#include "router/classify.h"\n#include "router/sql/builtins.h"\n\n',
             "/* clang-format off */\n", "const struct builtin builtin_functions[] = {\n"]
    for name in by_bytes(kinds):
        kind = {"harmless": "BUILTIN_HARMLESS", "special": "BUILTIN_SPECIAL", "local": "BUILTIN_LOCAL"}[kinds[name]]
        lines.append(f'    {{"{name}", {kind}, {pins.get(name, 0)}, {frees.get(name, 0)}}},\n')
    lines.append("};\nconst size_t builtin_functions_count = sizeof builtin_functions / sizeof *builtin_functions;\n\n")
    lines.append("const char *const builtin_relations[] = {\n")
    lines += [f'    "{name}",\n' for name in by_bytes(views)]
    lines.append("};\nconst size_t builtin_relations_count = sizeof builtin_relations / sizeof *builtin_relations;\n")
    return "".join(lines)


def keywords_header(rows):
    lines = [HEAD.format(version=15), "#ifndef ROLECALL_ROUTER_SQL_KEYWORDS_TABLE_H\n",
             "#define ROLECALL_ROUTER_SQL_KEYWORDS_TABLE_H\n\n", "/* clang-format off */\n",
             "enum keyword {\n    NO_KEYWORD,\n"]
    lines += [f"    KEYWORD_{word.upper()},\n" for word, _ in rows]
    lines.append("    KEYWORD_COUNT\n};\n\n#endif\n")
    return "".join(lines)


def keywords_table(rows):
    lines = [HEAD.format(version=15), '#include "router/sql/keywords.h"\n\n', "/* clang-format off */\n",
             "const struct keyword_entry keyword_entries[KEYWORD_COUNT] = {\n"]
    lines += [f'    [KEYWORD_{word.upper()}] = {{"{word}", {len(word)}, {CATEGORY[code]}}},\n' for word, code in rows]
    lines.append("};\n")
    return "".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare only")
    check = parser.parse_args().check
    with Cluster() as cluster, psycopg.connect(cluster.primary_dsn) as connection:
        kinds = functions(connection)
        rows = keywords(connection)
        texts = {
            "builtins_table.c": builtins_table(kinds, relations(connection, kinds)),
            "keywords_table.h": keywords_header(rows),
            "keywords_table.c": keywords_table(rows),
        }
    stale = []
    for name, text in texts.items():
        path = SQL / name
        if check and (not path.exists() or path.read_text(encoding="utf-8") != text):
            stale.append(name)
        elif not check:
            path.write_text(text, encoding="utf-8")
    counts = {kind: list(kinds.values()).count(kind) for kind in ("harmless", "special", "local")}
    print(f"functions {counts}, keywords {len(rows)}" + (f"; differ: {stale}" if stale else ""))
    sys.exit(bool(stale))


if __name__ == "__main__":
    main()
