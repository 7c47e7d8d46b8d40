"""
Where the regression suite's output through rolecall may differ from a direct run's, and why. Anything else is a failure.

A difference is told line by line: each line that a hunk takes away must look like one of `removed`, each that it brings
like one of `added`. A test that differs has hunks of the listed kinds only.
"""

import re

SHARED = ("/transaction",)  # only where connections are shared by transaction
ANYWHERE = ("/transaction", "/session")

RENAMED = "what SQL's PREPARE made has a name of rolecall's on the server, as pg_prepared_statements shows, with other sessions'"
INSIDE = "EXECUTE inside a function does not find what was prepared outside of it"
HEALED = "EXECUTE of a statement that a change of the schema made stale prepares it anew: its columns are told with its rows"
CONNECTED = "after \\c pg_stat_database.sessions must have grown: a pooled connection that is open already is no new session"
LOADED = "a setting plpgsql.x may be made up until plpgsql is loaded: on a shared connection others have loaded it before"
VACUUMED = "VACUUM marks no page as all-visible while a snapshot of rolecall's own is open (it looks at the catalogue), and another plan may be the cheaper one"

HEADER = [r"[ -]*name +(\|.*)?", r"-[-+]+", r"\(\d+ rows?\)", r""]
PLAN = [r" .*", r"-+", r"\(\d+ rows\)", r""]
SCANS = [r" +QUERY PLAN +", r"-+", r"\(\d+ rows\)", r"", r" +(->  )?(Sort|Sort Key: .*|Index (Only )?Scan using .*|Bitmap (Heap|Index) Scan on .*)",
         r" +((Index|Recheck) Cond|Filter): .*"]

LISTED = {
    "create_index": [(ANYWHERE, VACUUMED, SCANS, SCANS)],
    "stats": [(ANYWHERE, CONNECTED, [r" t"], [r" f"])],
    "guc": [
        (ANYWHERE, LOADED, [r"(ERROR|WARNING|DETAIL):  .*plpgsql.*"], [r"(ERROR|WARNING|DETAIL):  .*plpgsql.*"]),
        (SHARED, RENAMED, [*HEADER, r" foo"], [*HEADER, r" rc_[0-9a-f]+"]),
    ],
    "prepare": [(SHARED, RENAMED, [*HEADER, r" q\d +\|.*", r" +\|.*"], [*HEADER, r" rc_[0-9a-f]+ +\|.*", r" +\|.*"])],
    "plancache": [
        (SHARED, HEALED, [r"ERROR:  cached plan must not change result type"],
         [r" +q1 +\| +q2 +\| q3 ?", r"-[-+]+", r"[ \d|-]+", r"\(\d rows\)", r""]),
        (SHARED, RENAMED, [*HEADER, r" test_mode_pp \|.*"], HEADER),
    ],
    "partition_prune": [
        (SHARED, INSIDE, PLAN, [r'ERROR:  prepared statement "ab_q\d" does not exist', r"CONTEXT:  PL/pgSQL function explain_parallel_append.*"]),
    ],
}


def looks_like(line, patterns):
    return any(re.fullmatch(pattern, line) for pattern in patterns)


def reason(test, kind, hunk):
    """Why a hunk of a unified diff is as it must be in a run through listeners of this kind; None when it is not listed."""
    changed = [line for line in hunk.splitlines() if line[:1] in ("+", "-")]
    for kinds, why, removed, added in LISTED.get(test, []):
        if kind.endswith(kinds) and all(looks_like(line[1:], removed if line[0] == "-" else added) for line in changed):
            return why
    return None


def reasons(test, kind, diff):
    """Of all hunks, each once; None when one of them is not listed."""
    found = {reason(test, kind, hunk) for hunk in diff.split("@@\n")[1:]}
    return sorted(found) if found and None not in found else None
