#!/bin/sh
# Every example that a reader may type is true: sh tests/cli/readme.sh [--update] TARE
#
#  - README.md and docs/*.md: in a ```console block, each line "$ COMMAND" is run and the lines below it are what it must
#    print (both streams; "exit status N" at the end when it is not 0). --update writes them anew.
#  - README.md's C program is one of examples/, which other tests build and run.
#  - README.md, between <!-- models --> and <!-- /models -->: what tools/proven says. A family that is newer than the block may be missing
#    from it; one that is not known may not be in it.
#  - tare help and docs/tare.1: every example runs; every command and option is in the man page and in both completions.
#  - docs/errors.md: every code that the sources use is in the list, and no other.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
update=
if [ "${1:-}" = --update ]; then
    update=1
    shift
fi
[ $# -eq 1 ] && [ -x "$1" ] || { echo "usage: sh tests/cli/readme.sh [--update] TARE" >&2; exit 2; }
tare=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
box=$(mktemp -d)
trap 'rm -rf "$box"' EXIT
trap 'exit 130' INT TERM
export LC_ALL=C
unset NO_COLOR COLUMNS TERM
failed=0
say() { echo "FAIL $*" >&2; failed=1; }

# Where examples run: a folder with what they name, and tare on the path.
mkdir -p "$box/bin" "$box/run/my-finetune"
ln -s "$tare" "$box/bin/tare"
PATH=$box/bin:$PATH
cp "$root/presets/openai-community--gpt2.json" "$box/run/config.json"
cp "$root/presets/meta-llama--Llama-2-7b-hf.json" "$box/run/my-finetune/config.json"
for k in 1 2 3; do echo "{\"id\": $k, \"config\": {\"model_type\": \"gpt2\", \"n_layer\": $k}}"; done >"$box/run/configs.jsonl"
cat >"$box/run/odd.json" <<'END'
{"model_type": "llama", "num_hiden_layers": 4, "num_key_value_heads": 4,
 "rope_scaling": {"type": "linear", "factor": 2.0}, "rope_theta": 10000.0}
END
cat >"$box/run/llama.json" <<'END'
{"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 4,
 "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 320, "max_position_embeddings": 128}
END
"$tare" init "$box/run/llama.json" -o "$box/run/my-llama" >/dev/null 2>&1
mkdir "$box/run/half-cloned"
cp "$box/run/my-llama/config.json" "$box/run/half-cloned"
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 9942981696\n' \
    4ec71fd53e99766de38f24753ee44d3b7d4a6e4ae4ad8b4f7d0e1a8f7a2c7e21 >"$box/run/half-cloned/model.safetensors"
run() { (cd "$box/run" && sh -c "$1" </dev/null 2>&1); }

# ---- console blocks ---------------------------------------------------------------------------------------------------
# The document again, with what its commands print now.
rewritten() {
    inside=
    while IFS= read -r text || [ -n "$text" ]; do
        case $text in
        '```console') inside=1 ;;
        '```') inside= ;;
        '$ '*)
            printf '%s\n' "$text"
            if [ -n "$inside" ]; then
                run "${text#??}"
                status=$?
                [ $status -eq 0 ] || echo "exit status $status"
            fi
            continue ;;
        esac
        # What stood below a command is replaced; an empty line separates commands.
        if [ -z "$inside" ] || [ "$text" = '```console' ] || [ -z "$text" ]; then printf '%s\n' "$text"; fi
    done <"$1"
}
for file in "$root/README.md" "$root/CONTRIBUTING.md" "$root"/docs/*.md; do
    rewritten "$file" >"$box/new"
    cmp -s "$file" "$box/new" && continue
    if [ -n "$update" ]; then cp "$box/new" "$file"
    else
        say "${file#"$root"/}: its examples print something else now"
        diff -u "$file" "$box/new" | sed '1,2d; 40q' >&2
    fi
done

# ---- the table of what works ------------------------------------------------------------------------------------------
block() { sed -n '/^<!-- models -->$/,/^<!-- \/models -->$/p' "$root/README.md" | sed '1d; $d'; }
"$root/tools/proven" >"$box/models" || say "tools/proven fails"
if [ -n "$update" ]; then
    awk -v file="$box/models" '/^<!-- \/models -->$/ {skip = 0} !skip {print} /^<!-- models -->$/ {skip = 1; while ((getline row <file) > 0) print row}' "$root/README.md" >"$box/new"
    cp "$box/new" "$root/README.md"
fi
block | grep -vxF -f "$box/models" >"$box/wrong" && say "README.md lists what tools/proven does not: $(head -n 3 "$box/wrong")"
tare models --json | tr -d '\n' | sed 's/"model_type"/\n/g' | grep -o '"[A-Z][A-Za-z0-9_]*"' | tr -d '"' | sort -u >"$box/classes"
sed -n '3,$s/^|[^|]*|\([^|]*\)|.*/\1/p' "$box/models" | tr -d ' ' | tr ',' '\n' | sort -u | comm -23 - "$box/classes" >"$box/wrong"
[ -s "$box/wrong" ] && say "tests/golden has classes that tare models does not: $(tr '\n' ' ' <"$box/wrong")"
[ "$(block | wc -l)" -gt 10 ] || say "README.md has no table of models"

# ---- the program -----------------------------------------------------------------------------------------------------
sed -n '/^```c$/,/^```$/p' "$root/README.md" | sed '1d; $d' >"$box/program"
found=
for file in "$root"/examples/*.c; do
    tail -n "$(wc -l <"$box/program")" "$file" | cmp -s - "$box/program" && found=1
done
[ -n "$found" ] || say "README.md: its C program is not the end of one of examples/*.c, which tests build and run"

# ---- help, the man page, completion -----------------------------------------------------------------------------------
commands=$(tare help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
example() {
    run "$2" >"$box/out" || say "$1: example fails: $2: $(tail -n 1 "$box/out")"
}
for command in $commands; do
    for place in docs/tare.1 cli/completion/tare.bash cli/completion/_tare; do
        grep -q "$command" "$root/$place" || say "$place does not name the command $command"
    done
    [ "$command" = help ] && continue
    tare help "$command" >"$box/help"
    sed -n '/^examples:/,/^$/s/^  //p' "$box/help" >"$box/examples"
    [ -s "$box/examples" ] || say "tare help $command has no example"
    while IFS= read -r line; do example "tare help $command" "$line"; done <"$box/examples"
    for option in $(sed -n 's/^  \(--[a-z-]*\) .*/\1/p' "$box/help"); do
        sed 's/\\-/-/g' "$root/docs/tare.1" | grep -q -e "$option" || say "docs/tare.1 does not name $option"
        for place in cli/completion/tare.bash cli/completion/_tare; do
            grep -q -e "$option" "$root/$place" || say "$place does not name $option"
        done
    done
done
sed -n 's/\\-/-/g; s/^\.EXAMPLE //p' "$root/docs/tare.1" >"$box/examples"
[ -s "$box/examples" ] || say "docs/tare.1 has no example"
while IFS= read -r line; do example docs/tare.1 "$line"; done <"$box/examples"

# ---- error codes ------------------------------------------------------------------------------------------------------
sed -n 's/^| `\([a-z_]*\)` .*/\1/p' "$root/docs/errors.md" | sort -u >"$box/listed"
[ -s "$box/listed" ] || say "docs/errors.md lists no code"
literals() { grep -rhoE "$1" "$root/src" "$root/cli" --include='*.c' | grep -oE '"[a-z_]+"$' | tr -d '"'; }
{
    literals 'TARE_(NO|USAGE|BAD|UNKNOWN|IO), "[a-z_]+"'
    literals 'refuse\([^,"]+, [^,]+, "[a-z_]+"'
    literals 'refuse\(err, "[a-z_]+"'
} | sort -u >"$box/used"
[ -s "$box/used" ] || say "no error code was found in the sources"
comm -13 "$box/listed" "$box/used" >"$box/wrong"
[ -s "$box/wrong" ] && say "docs/errors.md lacks the codes: $(tr '\n' ' ' <"$box/wrong")"
while read -r code; do
    grep -rqF "\"$code\"" "$root/src" "$root/cli" --include='*.c' || say "docs/errors.md lists $code, which nothing uses"
done <"$box/listed"

[ $failed -eq 0 ] && echo "examples: README, docs, help, man page, completion and codes agree with tare"
exit $failed
