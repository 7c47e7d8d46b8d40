#!/bin/sh
# Compares the router's lexer and classifier with PostgreSQL's own parser over PostgreSQL's regression tests.
#
#     run_lexer.sh [MUTATIONS [SEED]]
#
# Needs libpg-query-dev, libjansson-dev, a C compiler, python3 and, for the first run, the distribution's source mirror.
# ROLECALL_ORACLE_CACHE names a directory in which the SQL files are kept between runs (default: a temporary one).
# MUTATIONS changed versions of each statement are tried, too (default 50). Exit status 1 when the two disagree.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
mutations=${1:-50}
seed=${2:-1}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sql=${ROLECALL_ORACLE_CACHE:-$work}/postgres-sql

"$here/fetch_postgres_sql.sh" "$sql"
${CC:-cc} -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -I"$root" -o "$work/oracle" "$here/lexer_oracle.c" \
    "$root/router/catalogue.c" "$root/router/classify.c" "$root/router/reason.c" "$root/router/setting.c" "$root/router/setting_fixed.c" \
    "$root"/router/sql/*.c -lpg_query -ljansson
find "$sql" -name '*.sql' | LC_ALL=C sort | xargs python3 "$here/split_psql.py" > "$work/strings"
"$work/oracle" --mutate "$mutations" "$seed" < "$work/strings"
