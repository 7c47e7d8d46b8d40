#!/usr/bin/python3
"""Compares what the router knows of settings (router/setting.c) with PostgreSQL's own list.

Each setting that a session can change must have been decided on: either it is known to be harmless, or it is listed
here with what it changes about how a statement is understood. What no session can change is listed as such, and
so is what only a superuser can (router/setting_fixed.c). And what is listed as harmless must exist, or be known to come with a later version. Exit 1 when something is undecided. Needs PostgreSQL 15's server programs, psycopg and a C
compiler; starts a server of its own (postgres.py).
"""
import ctypes
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import psycopg

from postgres import Cluster

ROOT = pathlib.Path(__file__).resolve().parents[2]

MATTERS = {
    "search_path": "what names mean",
    "session_replication_role": "which rules rewrite a query",
    "row_security restrict_nonsystem_relation_kind": "how a query is rewritten, or refused",
    "DateStyle IntervalStyle TimeZone timezone_abbreviations": "how dates and times are read",
    "lc_messages lc_monetary lc_numeric lc_time": "how amounts are read, and what things are called",
    "array_nulls xmloption default_text_search_config": "how constants are read",
    "bytea_output extra_float_digits xmlbinary quote_all_identifiers": "what a cast to text gives",
    "client_encoding standard_conforming_strings backslash_quote escape_string_warning": "what the text is",
    "transform_null_equals": "how = NULL is parsed",
    "check_function_bodies allow_system_table_mods allow_in_place_tablespaces lo_compat_privileges dynamic_library_path "
    "local_preload_libraries session_preload_libraries ignore_checksum_failure zero_damaged_pages extension_destdir "
    "composite_type_mismatch output_plugin_libraries": "seldom set; not looked into",
}
# Listed as harmless, but not in version 15's pg_settings.
ELSEWHERE = {
    "createrole_self_grant": "16", "event_triggers": "17", "extension_control_path": "18", "log_lock_failures": "18", "track_cost_delay_timing": "18", "io_combine_limit": "17", "scram_iterations": "16", "seed": "hidden",
}


class Slice(ctypes.Structure):
    _fields_ = [("data", ctypes.c_char_p), ("len", ctypes.c_size_t)]


def library(directory):
    path = f"{directory}/setting.so"
    sources = [ROOT / "router" / name for name in ("catalogue.c", "classify.c", "reason.c", "setting.c", "setting_fixed.c")]
    sources += sorted((ROOT / "router" / "sql").glob("*.c"))
    subprocess.run([os.environ.get("CC", "cc"), "-std=gnu11", "-D_GNU_SOURCE", "-O1", "-shared", "-fPIC", f"-I{ROOT}",
                    "-o", path, *map(str, sources)], check=True)
    loaded = ctypes.CDLL(path)

    def predicate(name):
        function = getattr(loaded, name)
        function.argtypes, function.restype = [Slice], ctypes.c_bool
        return lambda setting: function(Slice(setting.encode(), len(setting.encode())))

    return predicate("setting_matters_when_parsing"), predicate("setting_is_fixed"), predicate("setting_is_guarded")


def listed(file, array):
    text = (ROOT / "router" / file).read_text(encoding="utf-8")
    block = re.search(array + r"\[\] = \{(.*?)\n\};", text, re.S).group(1)
    return re.findall(r'"([^"]+)"', block)


def main():
    with tempfile.TemporaryDirectory() as directory, Cluster() as cluster, psycopg.connect(cluster.primary_dsn) as connection:
        matters, fixed, guarded = library(directory)
        names = connection.execute(
            "select name, context in ('user', 'superuser'), context = 'superuser' from pg_settings where name !~ '[.]' order by 1").fetchall()
    known = {name.lower() for names_ in MATTERS for name in names_.split()}
    wrong = []
    for name, settable, _ in names:
        if settable and matters(name) != (name.lower() in known):
            wrong.append(f"{name}: {'undecided' if matters(name) else 'taken to be harmless, and listed as one that matters'}")
    wrong += [f"{name}: {'can' if settable else 'cannot'} be set" for name, settable, _ in names if settable == fixed(name)]
    wrong += [f"{name}: is for {'superusers' if superuser else 'everybody'}" for name, _, superuser in names if superuser != guarded(name)]
    there = {name for name, *_ in names}
    wrong += [f"{name}: no such setting" for name in listed("setting.c", "harmless_names") + listed("setting_fixed.c", "guarded") if name not in there and name not in ELSEWHERE]
    settable = [name for name, can, _ in names if can]
    print(f"settings {len(settable)}, of which {sum(map(matters, settable))} matter when a statement is parsed")
    print("".join(f"WRONG {line}\n" for line in wrong), end="")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
