#!/bin/sh
# A run of tare init that is killed at any moment leaves the old folder or the new one, and the next run completes:
# sh tests/cli/kill.sh TARE
set -u
[ $# -eq 1 ] && [ -x "$1" ] || { echo "usage: sh tests/cli/kill.sh TARE" >&2; exit 2; }
tare=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
scratch=$(mktemp -d)
child=
trap '[ -z "$child" ] || kill -9 "$child" 2>/dev/null; rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
cd "$scratch" || exit 1
MOMENTS=30 HUNDREDTHS=1000 # as many, but no more once this time is over

fail() {
    echo "FAIL: $*" >&2
    sed 's/^/  /' said >&2
    ls -lA . d .d.tare-partial .d.tare-partial/new 2>/dev/null | sed 's/^/  /' >&2
    exit 1
}
# Hundredths of a second since the machine started.
now() { read -r up _ </proc/uptime && echo "${up%.*}${up#*.}"; }
same() { diff -r "$1" "$2" >/dev/null 2>&1; }

# Becomes tare, in a subshell: init SEED DIR [OPTION] writes 18 MB in several shards.
init() {
    seed=$1 dir=$2
    shift 2
    exec "$tare" init gpt2 --set n_embd=256 --set n_layer=4 --set n_head=4 --set vocab_size=5000 --set n_positions=64 \
        --max-shard-size 2MB --seed "$seed" -o "$dir" "$@" >said 2>&1
}
# killed SEED SIGNAL WAIT...: the exit status of a run over d that got the signal when WAIT was over.
killed() {
    signal=$2
    init "$1" d --force &
    child=$!
    shift 2
    "$@"
    kill -"$signal" "$child" 2>/dev/null
    wait "$child" 2>/dev/null
    status=$?
    child=
}
# completes SEED: what another run has to do, whatever was left.
completes() {
    (init "$1" d --force) || fail "the run after it fails"
    same d "$1" || fail "the run after it writes something else than an undisturbed one"
    [ "$(ls -A)" = "$(printf '1\n2\nd\nsaid')" ] || fail "something is left"
}

began=$(now)
(init 1 1) && (init 2 2) || fail "no run at all"
took=$((($(now) - began) / 2 + 1))
cp -r 1 d
old=1 new=2 i=0 gone=0 ended=0
while [ $i -lt $MOMENTS ] && [ $(($(now) - began)) -lt $HUNDREDTHS ]; do
    wait=$(((i * 11 % MOMENTS) * took * 100 / MOMENTS)) # scattered, so that the first ones are spread as well
    case $((i % 3)) in 0) signal=KILL expected=137 ;; 1) signal=TERM expected=143 ;; 2) signal=INT expected=130 ;; esac
    killed $new $signal sleep "$(printf '%d.%04d' $((wait / 10000)) $((wait % 10000)))"
    where="SIG$signal after $wait/10000 s, exit status $status"
    case $status in
        0) same d $new || fail "$where: done, but not what was asked for"; ended=$((ended + 1)) ;;
        "$expected") same d $old || { [ $signal = KILL ] && same d $new; } || fail "$where: neither as it was nor as it should be" ;;
        *) fail "$where" ;;
    esac
    completes $new
    old=$((3 - old)) new=$((3 - new)) i=$((i + 1))
done

# What an interrupted run has done is used: the shards are the same files.
working() { while [ ! -s .d.tare-partial/journal ] && kill -0 "$child" 2>/dev/null; do :; done; }
first_of() { echo "$1"/model-00001-of-*.safetensors; }
tries=0
until [ -s .d.tare-partial/journal ]; do
    [ $tries -lt 30 ] || fail "no run could be interrupted"
    tries=$((tries + 1))
    killed $new TERM working
    [ $status != 0 ] || old=$((3 - old)) new=$((3 - new))
done
[ $status = 143 ] && grep -q '^tare: interrupted; d is as it was, and the same command goes on from here$' said || fail "exit status $status"
same d $old || fail "an interrupted run changed the folder"
exec 3<"$(first_of .d.tare-partial/new)" # open, so that its number stays its own
file=$(ls -iL /proc/self/fd/3 | cut -d ' ' -f 1)
completes $new
[ "$(ls -i "$(first_of d)" | cut -d ' ' -f 1)" = "$file" ] || fail "what was interrupted is begun afresh"
echo "$i moments, $ended runs were faster; $tries runs until one was interrupted"
