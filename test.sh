#!/usr/bin/env bash
# Installs what the tests need, builds and runs them all; or only the steps that are named: ./test.sh unit integration
# ends with "N passed, N failed, N skipped" and with status 1 unless everything passed.
#
#   format            clang-format finds nothing to change
#   floors            no file includes what its floor may not
#   release           builds with gcc, warnings are errors
#   clang             builds with clang, warnings are errors
#   unit              unit tests and short fuzz replays, release build
#   asan              builds with AddressSanitizer and UBSan, and the unit tests and replays again
#   fuzz              each libFuzzer target for ROLECALL_FUZZ_SECONDS (default 5)
#   oracle            the lexer against libpg_query, the functions against a primary and its replica
#   direct            the integration tests against PostgreSQL itself: do the tests ask for what PostgreSQL does?
#   integration       the integration tests, release build
#   integration-asan  the same ones, sanitized build, but for drivers, the demo and crowds
#   browser           the page /stats in a headless Chromium, while a primary dies; pictures in $ROLECALL_SCREENSHOTS
#   consistency       50 sessions read what they write before replicas that are late, paused and killed; the short form
#   ledger            every acknowledged commit is there, whatever happens to the nodes: a dozen random faults; the short form
#   property          100,000 random statements on a direct and a pooled, split connection; $ROLECALL_PROPERTY_SEED (default: 1)
#   regress           PostgreSQL's own regression suite, directly and through split/transaction (the others by hand)
#   package           the Debian package: built, installed beside this system, run, removed
#   demo              ./demo.sh with a load, from a build of its own
#
# On Debian 12, as root or with sudo. ROLECALL_INSTALL=no installs nothing.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
top=$PWD
steps_known="format floors release clang unit asan fuzz oracle direct integration integration-asan browser consistency ledger property regress package demo"
python=/usr/bin/python3
jobs=$(nproc)
work=$(mktemp -d)
chmod 755 "$work"
total_passed=0 total_failed=0 total_skipped=0
report=() skips=() failures=()
child=

# Whatever happens, the step that runs is ended; its servers end with it (they asked the kernel for that).
finish() {
    [ -z "$child" ] || kill -TERM -- "-$child" 2>/dev/null
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

steps=$*
[ -n "$steps" ] || steps=$steps_known
for step in $steps; do
    case " $steps_known " in *" $step "*) ;; *)
        sed -n '2,/^set/p' "$0" | sed -n 's/^# \{0,1\}//p' >&2
        echo "test.sh: unknown step \"$step\"" >&2
        exit 2 ;;
    esac
done

# count PASSED FAILED SKIPPED: what a step found out.
count() { echo "$1 $2 $3" >>"$work/counts"; }
count_junit() {
    local numbers
    numbers=$($python tests/lib/counts.py "$1" 2>>"$work/skipped") || numbers="0 1 0"
    # shellcheck disable=SC2086
    count $numbers
}
# one COMMAND...: its status is the one thing that counts.
one() { if "$@"; then count 1 0 0; else count 0 1 0; return 1; fi; }

quiet() { "$@" >"$work/output" 2>&1 || { tail -n 60 "$work/output"; return 1; }; }

build() { # preset
    quiet cmake --preset "$1" -DROLECALL_TESTS=ON && quiet cmake --build --preset "$1" -j "$jobs"
}
run_ctest() { # directory
    local xml
    xml=$work/ctest-$(basename "$1").xml
    ctest --test-dir "$1" -j "$jobs" --timeout 300 --output-on-failure --no-tests=error --output-junit "$xml"
    local status=$?
    if [ -f "$xml" ]; then count_junit "$xml"; else count 0 1 0; fi
    return $status
}
run_pytest() { # binary, name, folder, pytest's options...
    local xml=$work/pytest-$2.xml
    ROLECALL_BIN=$1 $python -m pytest -q -rfEs -p no:cacheprovider --junitxml="$xml" "${@:3}"
    local status=$?
    if [ -f "$xml" ]; then count_junit "$xml"; else count 0 1 0; fi
    return $status
}

sources() { git ls-files '*.c' '*.h'; }
step_format() {
    local failed=0 passed=0 file
    while read -r file; do
        if clang-format --dry-run --Werror "$file" >/dev/null 2>&1; then
            passed=$((passed + 1))
        else
            echo "clang-format would change $file"
            failed=$((failed + 1))
        fi
    done < <(sources)
    count "$passed" "$failed" 0
    [ "$failed" = 0 ]
}
step_floors() { one tests/floors.sh --self-test; one tests/floors.sh; }
step_release() { one build release; }
step_clang() { one build clang; }
step_unit() { build release && run_ctest build; }
step_asan() { one build asan && run_ctest build-asan; }
step_fuzz() {
    one build fuzz || return 1
    local target status=0
    for target in build-fuzz/tests/fuzz/fuzz_*; do
        { [ -x "$target" ] && [ -f "$target" ]; } || continue
        echo "$(basename "$target"), ${ROLECALL_FUZZ_SECONDS:-5} s"
        one quiet "$target" -max_total_time="${ROLECALL_FUZZ_SECONDS:-5}" -len_control=0 -max_len=512 -timeout=10 -artifact_prefix="$work/" || status=1
    done
    return $status
}
step_oracle() {
    local status=0
    export ROLECALL_ORACLE_CACHE=${ROLECALL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/rolecall}
    mkdir -p "$ROLECALL_ORACLE_CACHE"
    one $python tests/oracle/builtins.py --check || status=1
    one $python tests/oracle/settings.py || status=1
    one $python tests/oracle/functions_oracle.py || status=1
    one tests/oracle/run_lexer.sh || status=1
    return $status
}
step_direct() { ROLECALL_DIRECT=1 run_pytest /nonexistent direct tests/integration 2>&1 | grep -v '^SKIPPED.*ROLECALL_DIRECT'; }
step_browser() { build release && run_pytest "$top/build/proxy/rolecall" browser tests/browser; }
step_integration() { build release && run_pytest "$top/build/proxy/rolecall" release tests/integration; }
# Without those that are about other programs or about speed.
step_integration-asan() {
    local left_out=() name
    for name in demo drivers functions http_load admin_crowd; do left_out+=("--ignore=tests/integration/test_$name.py"); done
    build asan && run_pytest "$top/build-asan/proxy/rolecall" asan tests/integration "${left_out[@]}"
}
step_consistency() { build release && one env ROLECALL_BIN="$top/build/proxy/rolecall" tests/consistency/run --short --seed 1; }
step_ledger() {
    build release || return 1
    tests/ledger/run --missing >>"$work/skipped"
    [ ! -s "$work/skipped" ] || count 0 0 1
    one env ROLECALL_BIN="$top/build/proxy/rolecall" tests/ledger/run
}
step_property() { build release && one env ROLECALL_BIN="$top/build/proxy/rolecall" tests/property/run --statements 100000 --seed "${ROLECALL_PROPERTY_SEED:-1}" --min-unpinned 90; }
step_regress() { build release && one env ROLECALL_BIN="$top/build/proxy/rolecall" tests/regress/run --through split/transaction; }
step_package() {
    tests/package/run
    case $? in 0) count 1 0 0 ;; 77) echo "no file system of its own can be had here" >>"$work/skipped" && count 0 0 1 ;; *) count 0 1 0 && return 1 ;; esac
}
step_demo() {
    # shellcheck disable=SC2016
    one ./demo.sh -- sh -c 'pgbench -q -i -s 1 && pgbench -n -c 8 -j 2 -T 5 && pgbench -n -S -M prepared -c 8 -j 2 -T 5'
}

# What a step says is kept for the end, where it is told once more if the step failed.
run_step() {
    local step=$1 began=$SECONDS status passed=0 failed=0 skipped=0 said=$work/said.$1 teller p f s word
    printf '\n=== %s\n' "$step"
    : >"$work/counts"
    : >"$work/skipped"
    : >"$said"
    set -m
    ("step_$step") >"$said" 2>&1 &
    child=$!
    set +m
    tail -n +1 -s 0.2 -f --pid="$child" "$said" &
    teller=$!
    wait "$child"
    status=$?
    wait "$teller"
    kill -TERM -- "-$child" 2>/dev/null
    child=
    while read -r p f s; do
        passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    done <"$work/counts"
    if [ "$status" != 0 ] && [ "$failed" = 0 ]; then failed=1; fi
    if [ "$step" = direct ]; then skipped=0; else while read -r word; do skips+=("$step: $word"); done <"$work/skipped"; fi
    [ "$failed" = 0 ] || failures+=("$step")
    total_passed=$((total_passed + passed)) total_failed=$((total_failed + failed)) total_skipped=$((total_skipped + skipped))
    report+=("$(printf '%-18s %6d passed %4d failed %4d skipped %6d s' "$step" "$passed" "$failed" "$skipped" $((SECONDS - began)))")
    echo "${report[-1]}"
}

if [ "${ROLECALL_INSTALL:-yes}" != no ]; then
    docker/install run build demo test || exit 1
fi
for step in $steps; do
    run_step "$step"
done

for step in "${failures[@]}"; do
    printf '\n=== %s failed; the end of what it said:\n' "$step"
    tail -n 100 "$work/said.$step"
done

printf '\n=== summary, %d s\n' "$SECONDS"
printf '%s\n' "${report[@]}"
if [ ${#skips[@]} -gt 0 ]; then
    printf '\n!!! SKIPPED, NOT TESTED:\n'
    printf '    %s\n' "${skips[@]}"
fi
printf '\n%d passed, %d failed, %d skipped\n' "$total_passed" "$total_failed" "$total_skipped"
[ "$total_failed" = 0 ]
