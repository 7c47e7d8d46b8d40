#!/bin/sh
# Fetches the SQL files of PostgreSQL 15's own regression tests into a directory, from the source package of the
# distribution that this machine runs (Debian or a child of it).
#
#     fetch_postgres_sql.sh DIRECTORY
#
# Uses the machine's own mirrors through deb-src stanzas in a private apt configuration: nothing of the machine's is
# changed, and no root is needed. Files that are there already are not fetched again. They are never committed.
set -eu

target=$1
package=${POSTGRES_SOURCE:-postgresql-15}
if [ -e "$target/complete" ]; then
    exit 0
fi
mkdir -p "$target"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/parts" "$work/lists/partial" "$work/cache/archives/partial"

for file in /etc/apt/sources.list.d/*.sources; do
    [ -e "$file" ] || continue
    sed 's/^Types:.*/Types: deb-src/' "$file" > "$work/parts/$(basename "$file")"
done
if [ -s /etc/apt/sources.list ]; then
    sed -n 's/^deb /deb-src /p' /etc/apt/sources.list > "$work/parts/machine.list"
fi

apt() {
    command="$1"
    shift
    "$command" -q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$work/parts" \
        -o Dir::State::lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User="$(id -un)" "$@"
}

apt apt-get update > "$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }

# A mirror may list a version whose files it no longer has: take the first that can be fetched.
fetched=no
for version in $(apt apt-cache madison "$package" | awk -F' *[|] *' '/Sources/ { print $2 }' | sort -ru); do
    if (cd "$work" && apt apt-get source --download-only "$package=$version" > log 2>&1); then
        fetched=$version
        break
    fi
done
if [ "$fetched" = no ]; then
    cat "$work/log" >&2
    echo "no version of $package could be fetched" >&2
    exit 1
fi

tar -C "$target" -xf "$work"/*.orig.tar.* --strip-components=1 --wildcards '*/sql/*.sql'
echo "$fetched" > "$target/complete"
echo "SQL files of $package $fetched: $(find "$target" -name '*.sql' | wc -l)"
