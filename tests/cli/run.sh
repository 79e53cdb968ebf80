#!/bin/sh
# The command line, case by case: sh tests/cli/run.sh [--update] TARE [CASE ...]
#
# A case is a folder here with a file `cmd`, one line of shell that runs in that folder with $TARE, $PRESETS, $TINY (a
# config.json) and $SCRATCH (an empty folder) set; checkpoints.sh helps those that need weights, whole or harmed. What it
# must say is in the files stdout, stderr (absent: nothing) and exit (absent: 0). A file `needs` names an environment
# variable without which the case is left out (STANDIN_CUDA: the test build's driver library; NOT_ROOT: rights count).
# --update records; read the diff before you keep it. Without CASE, the examples of README, docs and help run as well
# (readme.sh).
set -u
here=$(cd "$(dirname "$0")" && pwd)
update=
if [ "${1:-}" = --update ]; then
    update=1
    shift
fi
[ $# -gt 0 ] && [ -x "$1" ] || { echo "usage: sh tests/cli/run.sh [--update] TARE [CASE ...]" >&2; exit 2; }
TARE=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
shift
PRESETS=$(cd "$here/../../presets" && pwd)
got=$(mktemp -d)
SCRATCH=$got/scratch TINY=$here/tiny_gpt2.json
export TARE PRESETS TINY SCRATCH LC_ALL=C
unset NO_COLOR COLUMNS TERM NOT_ROOT
[ "$(id -u)" = 0 ] || export NOT_ROOT=1
umask 022
trap 'rm -rf "$got"' EXIT
trap 'exit 130' INT TERM

run_case() {
    rm -rf "$SCRATCH"
    mkdir "$SCRATCH"
    (cd "$1" && sh ./cmd </dev/null >"$got/stdout" 2>"$got/stderr")
    echo $? >"$got/exit"
}

# keep CASE FILE NOTHING: records a result; what is NOTHING needs no file.
keep() {
    if [ "$(cat "$got/$2")" = "$3" ] && [ "$(wc -c <"$got/$2")" -le 2 ]; then rm -f "$1/$2"
    else cp "$got/$2" "$1/$2"
    fi
}
expected() {
    if [ -f "$1/$2" ]; then cat "$1/$2"
    elif [ "$2" = exit ]; then echo 0
    fi
}
compare() {
    expected "$1" "$2" >"$got/expected"
    cmp -s "$got/expected" "$got/$2" && return 0
    echo "FAIL $(basename "$1"): $2" >&2
    diff -u "$got/expected" "$got/$2" | sed '1,2d; 30q' >&2
    return 1
}

ran=0 failed=0 left=0
for folder in "$here"/*/; do
    folder=${folder%/}
    [ -f "$folder/cmd" ] || continue
    case " $* " in *" $(basename "$folder") "*) ;; *) [ $# -eq 0 ] || continue ;; esac
    if [ -f "$folder/needs" ] && [ -z "$(printenv "$(cat "$folder/needs")")" ]; then
        left=$((left + 1))
        continue
    fi
    ran=$((ran + 1))
    run_case "$folder"
    if [ -n "$update" ]; then
        keep "$folder" stdout "" && keep "$folder" stderr "" && keep "$folder" exit 0
        continue
    fi
    bad=
    for part in stdout stderr exit; do compare "$folder" $part || bad=1; done
    [ -z "$bad" ] || failed=$((failed + 1))
done
echo "$ran cases, $failed failed, $left left out"
[ $ran -gt 0 ] || exit 1
if [ $# -eq 0 ]; then
    sh "$here/readme.sh" ${update:+--update} "$TARE" || failed=$((failed + 1))
fi
[ $failed -eq 0 ]
