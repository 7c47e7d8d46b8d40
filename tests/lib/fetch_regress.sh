#!/bin/sh
# Prints the directory that holds PostgreSQL's own regression suite (sql/, expected/, data/, schedules, regress.c).
#
# The suite is in Debian's source package of PostgreSQL 15. It is fetched with apt once and kept in ROLECALL_CACHE
# (default: ${XDG_CACHE_HOME:-$HOME/.cache}/rolecall); it is never part of the repository. apt works in a directory of
# its own here, so that neither root nor a change of the machine's package sources is needed.
set -eu

cache=${ROLECALL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/rolecall}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
suite=$cache/regress-15

ready() { [ -f "$suite/parallel_schedule" ] && [ -d "$suite/sql" ] && [ -f "$suite/regress.c" ]; }

fetch() {
    work=$(mktemp -d "$cache/fetch.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/sources.d" "$work/out"

    # The machine's own sources, as deb-src: the same addresses, suites and keys.
    for list in /etc/apt/sources.list.d/*.sources; do
        [ -f "$list" ] && sed 's/^Types:.*/Types: deb-src/' "$list" >"$work/sources.d/$(basename "$list")"
    done
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
        sed -n 's/^deb \(.*bookworm\)/deb-src \1/p' | grep -E ' bookworm(-[a-z]+)?(/updates)? main' >"$work/sources.d/machine.list" || true

    set -- -o "Dir::Etc::SourceList=/dev/null" -o "Dir::Etc::SourceParts=$work/sources.d" -o "Dir::State::Lists=$work/lists" \
        -o "Dir::Cache=$work" -o "Dir::Cache::Archives=$work/archives" -o "APT::Sandbox::User=root" -o "Acquire::Languages=none"
    # One of the machine's further sources may have no deb-src, and a mirror may lack the newest source: what counts is
    # that some minor release of the suite is found, the newest first.
    { apt-get -q "$@" update || true; } >&2
    versions=$(apt-cache "$@" madison postgresql-15 | awk -F'|' '$3 ~ /Sources/ {gsub(/ /, "", $2); print $2}' | sort -rVu)
    [ -n "$versions" ] || { echo "fetch_regress: apt knows no source package postgresql-15" >&2; exit 1; }
    for version in $versions; do
        (cd "$work/out" && apt-get -q "$@" source --download-only "postgresql-15=$version") >&2 && break
        rm -rf "$work/out" && mkdir "$work/out"
    done
    [ -n "$(ls "$work/out")" ] || { echo "fetch_regress: no source package of postgresql-15 could be fetched" >&2; exit 1; }
    dpkg-source --no-check -x "$work"/out/postgresql-15_*.dsc "$work/tree" >&2

    mkdir "$work/suite"
    cp -r "$work/tree/src/test/regress/." "$work/suite/"
    rm -rf "$suite"
    mv "$work/suite" "$suite"
}

# Two runs at a time: one fetches, the other waits for it.
exec 9>"$cache/regress-15.lock"
flock 9
ready || fetch
ready || { echo "fetch_regress: the source package holds no regression suite" >&2; exit 1; }
echo "$suite"
