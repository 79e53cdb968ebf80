# bash completion for tare

_tare_values() {
    case $1 in
    --auto) echo model causal-lm masked-lm seq2seq-lm sequence-classification token-classification question-answering image-classification ;;
    --dtype) echo float32 float16 bfloat16 float64 ;;
    --kv-dtype|--file-dtype) echo float32 float16 bfloat16 float8_e4m3fn ;;
    --attn) echo eager sdpa flash_attention_2 flash_attention_3 flash_attention_4 flex_attention ;;
    --host) echo gpu=none gpu=sm_75 gpu=sm_80 gpu=sm_90,flash_attn=2.8 ;;
    --stage) echo plain prepared loaded ;;
    --layout) echo runtime file ;;
    --quantize) echo fp8 mxfp4 eetq higgs metal quanto bitsandbytes:load_in_4bit=true bitsandbytes:load_in_8bit=true ;;
    --rng) echo torch philox ;;
    --allow) echo missing unexpected mismatched missing,unexpected ;;
    --like) echo transformers ;;
    --io) echo read map direct ;;
    --variant) echo fp16 ;;
    --rank) echo 0/2 0/4 0/8 ;;
    --margin) echo 512MiB 1GiB 5% ;;
    --mode) echo infer auto balanced balanced_low_0 sequential ;;
    --device) echo auto h100:2 a100-80:2 rtx4090:2 ;;
    --export) echo transformers llama.cpp ;;
    --max) echo context batch ;;
    --training) echo adamw sgd sgd-momentum ;;
    --class) tare models --json 2>/dev/null | grep -o '"[A-Za-z0-9]*"' | tr -d '"' | grep '^[A-Z]' | sort -u ;;
    esac
}

_tare_options() {
    local model="--class --auto --set --dtype --attn --host --quantized --quantize --dequantize --stage"
    local checkpoint="--class --auto --set --dtype --config --variant --subfolder --allow --like --strip-prefix --add-prefix --quantized --quantize --dequantize --stage"
    case $1 in
    show) echo "$model --help" ;;
    tree) echo "$model --params --buffers --fold --layout --json --help" ;;
    count) echo "$model --training --context --batch-size --kv-dtype --source --activations --file-dtype --json --help" ;;
    facts | attn) echo "$model --json --help" ;;
    config) echo "--class --auto --set --dtype --why --batch --threads --json --help" ;;
    models) echo "--ids --json --help" ;;
    devices) echo "--margin --json --help" ;;
    init) echo "$model --seed --output --rng --digest --max-shard-size --force --batch --threads --json --help" ;;
    map) echo "$model --device --max-memory --margin --context --batch-size --kv-dtype --source --activations --file-dtype --training --explain --max --verify-map --export --split-experts --copy-ties --accelerate --mode --no-split --keep-parts --offload-buffers --fallback-allocation --batch --threads --json --help" ;;
    check) echo "$checkpoint --mapping --data --json --help" ;;
    load) echo "$checkpoint --digest --only --rank --device-map --on --io --scan --memory --threads --seed --rng --json --help" ;;
    materialise) echo "$checkpoint --output --force --max-shard-size --layout --io --memory --threads --seed --rng --json --help" ;;
    scan) echo "$model --facts --no-digest --threads --help" ;;
    esac
}

_tare() {
    local commands="show tree facts config count attn models devices scan init map check load materialise help"
    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]} values
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "$commands --help --version" -- "$current"))
        return
    fi
    values=$(_tare_values "$before")
    if [ -n "$values" ]; then
        COMPREPLY=($(compgen -W "$values" -- "$current"))
    elif [ "$command" = help ]; then
        COMPREPLY=($(compgen -W "$commands" -- "$current"))
    elif [[ $current == -* ]]; then
        COMPREPLY=($(compgen -W "$(_tare_options "$command")" -- "$current"))
    elif [ "$command" = devices ]; then
        COMPREPLY=($(compgen -W "auto $(tare devices --json 2>/dev/null | sed -n 's/.*"name": "\([^"]*\)".*/\1/p')" -- "$current"))
    elif [[ $command == @(scan|check|load|materialise) ]]; then
        COMPREPLY=($(compgen -f -- "$current"))
    elif [ "$command" != models ]; then
        COMPREPLY=($(compgen -W "$(tare models --ids 2>/dev/null; tare models --json 2>/dev/null | sed -n 's/.*"model_type": "\([^"]*\)".*/\1/p')" -- "$current")
            $(compgen -f -- "$current"))
    fi
}
complete -o filenames -F _tare tare
