#!/bin/sh
# Runs every oracle of the router: the generated tables and the settings against a server's catalogue, each built-in
# function on a primary and a replica, and the lexer against PostgreSQL's parser. Needs what they need; exit 1 when one of
# them fails.
set -u

here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-/usr/bin/python3}
failed=0
"$python" "$here/builtins.py" --check || failed=1
"$python" "$here/settings.py" || failed=1
"$python" "$here/functions_oracle.py" || failed=1
"$here/run_lexer.sh" || failed=1
exit $failed
