# For the cases of check, load and materialise: ". ../checkpoints.sh" goes to $SCRATCH and knows how to make checkpoints and to harm them.
cases=$(cd .. && pwd)
export HF_HUB_CACHE=no-cache
# llama FOLDER [OPTION ...]: fresh weights; so do gpt2 (tied) and mixtral (experts).
fresh() {
    model=$1 folder=$2
    shift 2
    "$TARE" init "$cases/$model" -o "$folder" "$@" >/dev/null 2>&1
}
llama() { fresh tiny_llama.json "$@"; }
gpt2() { fresh tiny_gpt2.json "$@"; }
mixtral() { fresh tiny_mixtral.json "$@"; }
file=d/model.safetensors index=d/model.safetensors.index.json # of a FOLDER d
# rename FILE OLD NEW: in a file, all of them; what OLD, a regular expression, matches is as long as NEW.
rename() { sed "s/$2/$3/g" "$1" >"$1.new" && mv "$1.new" "$1"; }
# data_at FILE: where the tensors' bytes begin. place FILE KEY: where those of this one do.
data_at() { echo $(($(od -A n -t u8 -N 8 "$1") + 8)); }
place() {
    begin=$(head -c "$(data_at "$1")" "$1" | tr '{' '\n' | grep -a -A 1 -F "\"$2\":" | tail -n 1 | sed 's/.*"data_offsets":\[//; s/,.*//')
    echo $(($(data_at "$1") + begin))
}
# patch FILE AT TEXT: what printf makes of TEXT over what is there. copy FILE FROM TO BYTES: one part of it over another.
patch() { printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null; }
copy() { dd if="$1" bs=1 skip="$2" count="$4" 2>/dev/null | dd of="$1" bs=1 seek="$3" conv=notrunc 2>/dev/null; }
# weights FOLDER HEADER [BYTES]: a model.safetensors with this header and so many zero bytes, or of what $FILL, a command, prints.
weights() {
    mkdir -p "$1"
    {
        printf "\\$(printf %o $((${#2} % 256)))\\$(printf %o $((${#2} / 256)))\\0\\0\\0\\0\\0\\0%s" "$2"
        ${FILL:-cat /dev/zero} | head -c "${3:-0}"
    } >"$1/model.safetensors"
}
# stored FOLDER METHOD [SED]: zeros, as a tiny quantised_METHOD.json has them stored; SED goes over the lines of its tensors.
stored() {
    mkdir -p "$1"
    cp "$cases/quantised_$2.json" "$1/config.json"
    "$TARE" tree "$1" --quantized --layout file 2>/dev/null | sed "${3:-}" | awk -F '\t' '
        BEGIN { split("F32 4 I32 4 I64 8 BF16 2 F16 2 U8 1 I8 1 F8_E4M3 1 F8_E8M0 1", s, " "); for (i = 1; i in s; i += 2) bytes[s[i]] = s[i + 1] }
        {
            sub(/-1/, "90", $3)
            n = bytes[$2]
            for (i = split($3, size, ","); i > 0; i--) n *= size[i]
            printf "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%d,%d]}", (NR > 1 ? "," : "{"), $1, $2, $3, at, at + n
            at += n
        }
        END { print "}\n" at }' >"$1/header"
    weights "$1" "$(head -n 1 "$1/header")" "$(tail -n 1 "$1/header")"
    rm "$1/header"
}
# steady: what a load holds meanwhile and how long it took differ from machine to machine.
steady() { sed 's/, and [0-9.]* [KMG]iB beside/, and N beside/; s/"reading":[0-9]*,"seconds":[0-9.]*/"reading":N,"seconds":N/'; }
cd "$SCRATCH" || exit
