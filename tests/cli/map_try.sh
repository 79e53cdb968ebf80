#!/bin/sh
# Every line that begins with try: is followed: sh tests/cli/map_try.sh TARE
#
# Each situation below does not fit. The command runs again with what each of its hints says, after its own options, where the
# last of two counts; it must then fit. All kinds of hints have to come up.
set -u
[ $# = 1 ] && [ -x "$1" ] || { echo "usage: sh tests/cli/map_try.sh TARE" >&2; exit 2; }
TARE=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
export LC_ALL=C
got=$(mktemp -d)
trap 'rm -rf "$got"' EXIT
trap 'exit 130' INT TERM

situations() {
    cat <<'END'
meta-llama/Llama-2-7b-hf --device rtx4060
meta-llama/Llama-2-7b-hf --device rtx4090 --context 4096 --batch-size 8 --activations
meta-llama/Llama-2-7b-hf --device rtx3060,cpu=1GB
meta-llama/Llama-2-7b-hf --max-memory 0=4GB,1=2GB
meta-llama/Llama-2-7b-hf --max-memory 0=4GB,cpu=2GB,disk=1GB
meta-llama/Llama-2-7b-hf --max-memory "0=4GB, cpu=2GB"
meta-llama/Llama-2-7b-hf --max-memory cpu=1GB
meta-llama/Llama-2-7b-hf --max-memory 0=0
meta-llama/Llama-2-7b-hf --device 3=4GB,7=5GiB
meta-llama/Llama-2-7b-hf --max-memory 0=8GB --margin 10%
meta-llama/Llama-2-7b-hf --device t4 --margin 5GiB
meta-llama/Llama-2-7b-hf --device m2
meta-llama/Llama-2-70b-hf --device rtx4090:2 --context 8192
meta-llama/Llama-2-70b-hf --device a100-80 --max-memory cpu=10GB --context 100
meta-llama/Llama-2-70b-hf --device h100,rtx4090
meta-llama/Meta-Llama-3.1-405B --device h100:8 --context 131072 --batch-size 4
bigscience/bloom-7b1 --max-memory 0=10GB,cpu=2GB --context 2048 --batch-size 64
google-bert/bert-base-uncased --class BertForMaskedLM --max-memory 0=1GB --training adamw
bert --class BertForMaskedLM --max-memory 0=600MB,1=600MB,2=1500MB --context 512 --batch-size 16 --activations
t5 --class T5ForConditionalGeneration --device 0=140MB,1=140MB --context 512 --source 128 --batch-size 2
openai/whisper-large-v3 --device 0=2GB --context 448 --batch-size 8
mixtral --device 0=63GB,1=63GB,2=63GB
mistralai/Mixtral-8x22B-v0.1 --device h100:3 --context 65536 --no-split ""
deepseek-ai/DeepSeek-V3-Base --device h200:8 --context 163840 --batch-size 32 --kv-dtype bfloat16
google/gemma-3-4b --device rtx4060 --context 131072
resnet --max-memory 0=50MB,1=40MB
gpt2 --max-memory 0=1 --no-split GPT2MLP
gpt2 --max-memory 0=9000000 --split-experts --copy-ties
END
}
fails=0 followed=0 asked=0
bad() {
    echo "FAIL tare map $1: $2" >&2
    sed 's/^/    /' "$got/answer" >&2
    fails=$((fails + 1))
}
situations >"$got/situations"
while IFS= read -r words; do
    asked=$((asked + 1))
    eval "\"\$TARE\" map $words" >"$got/all" 2>"$got/answer" </dev/null
    status=$?
    [ $status = 1 ] && grep -q '^does not fit: ' "$got/all" || bad "$words" "exit status $status where it does not fit"
    [ -z "$(sort "$got/answer" | uniq -d)" ] || bad "$words" "the same message twice"
    sed -n 's/^  try: \(.*[^ ]\)  *fits.*/\1/p' "$got/all" | sed 's/ *$//' >"$got/hints"
    [ "$(grep -c '^  try: ' "$got/all")" = "$(wc -l <"$got/hints")" ] || bad "$words" "a line that cannot be read"
    [ -s "$got/hints" ] || bad "$words" "no hint"
    while IFS= read -r hint; do
        followed=$((followed + 1))
        echo "${hint%% *} $hint" | sed 's/^--max-memory .*cpu=[0-9]*GB"*$/cpu/; s/ .*//' >>"$got/kinds"
        eval "\"\$TARE\" map $words $hint" >"$got/answer" 2>&1 </dev/null
        status=$?
        [ $status = 0 ] && grep -q '^fits: ' "$got/answer" || bad "$words $hint" "exit status $status"
        load=$(sed -n "s|^  try: $(printf %s "$hint" | sed 's/[][\.*^$|]/\\&/g')  *fits, \\(.*\\) on the fullest GPU\$|\\1|p" "$got/all")
        [ -z "$load" ] || grep -q "^fits: .*largest $load" "$got/answer" || bad "$words $hint" "not $load on the fullest GPU"
    done <"$got/hints"
done <"$got/situations"
for kind in --context --batch-size --kv-dtype --dtype --copy-ties --split-experts --device --max-memory cpu; do
    grep -q -x -e "$kind" "$got/kinds" || { echo "FAIL no situation leads to $kind" >&2; fails=$((fails + 1)); }
done
echo "$asked situations, $followed hints followed, $fails failed"
[ $fails = 0 ]
