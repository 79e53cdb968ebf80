/* The command line: one table of options, one parser. Options may stand before or after MODEL; "--" ends them. */
#include "cli.h"
#include <stdlib.h>
#include <string.h>

const option options[OPT_COUNT] = {
    [OPT_CLASS] = {"--class", "NAME", "build this class (default: architectures[0], else the base model)"},
    [OPT_AUTO] = {"--auto", "TASK", "the class that an auto class picks: model, causal-lm, ... or AutoModelForCausalLM"},
    [OPT_SET] = {"--set", "KEY=JSON", "override a config value: num_hidden_layers=2, text_config.hidden_size=64; may be repeated"},
    [OPT_DTYPE] = {"--dtype", "DTYPE", "float32, bfloat16, bf16, ... (default: the config's, else float32)"},
    [OPT_ATTN] = {"--attn", "NAME", "attention implementation: eager, sdpa, flash_attention_2, ... or {\"part\": \"eager\"}"},
    [OPT_HOST] = {"--host", "DESC", "check against this host: gpu=none, gpu=sm_75, gpu=sm_90,flash_attn=2.8 (default: this one)"},
    [OPT_PARAMS] = {"--params", NULL, "only the lines of parameters"},
    [OPT_BUFFERS] = {"--buffers", NULL, "only the lines of buffers"},
    [OPT_FOLD] = {"--fold", NULL, "for reading: indented, equal layers folded into one"},
    [OPT_LAYOUT] = {"--layout", "WHICH", "runtime (default), or file: names and shapes as save_pretrained writes them"},
    [OPT_WHY] = {"--why", NULL, "where each value came from, and which keys nothing reads"},
    [OPT_BATCH] = {"--batch", NULL, "JSON lines {id, config} on standard input, JSON lines {id, config} or {id, error} out"},
    [OPT_FACTS] = {"--facts", NULL, "add the facts to each answer"},
    [OPT_NO_DIGEST] = {"--no-digest", NULL, "leave out the digests of tree and print: faster"},
    [OPT_QUANTIZED] = {"--quantized", NULL, "the tree that the config's quantization_config makes"},
    [OPT_QUANTIZE] = {"--quantize", "METHOD", "the same for METHOD:key=value,...: fp8, bitsandbytes:load_in_4bit=true, ..."},
    [OPT_DEQUANTIZE] = {"--dequantize", NULL, "with either: what a loader holds that turns the weights back into floats"},
    [OPT_STAGE] = {"--stage", "WHICH", "of it: plain (as if not quantised), prepared (before weights are read), loaded (as files hold it)"},
    [OPT_THREADS] = {"--threads", "N", "how many lines to work on at once (default: one per core)"},
    [OPT_IDS] = {"--ids", NULL, "the ids whose configs are built in"},
    [OPT_SEED] = {"--seed", "N", "as torch.manual_seed takes it (default: 0)"},
    [OPT_OUTPUT] = {"--output", "DIR", "the folder to write, or -o DIR; one that exists is refused"},
    [OPT_RNG] = {"--rng", "WHICH", "torch (default): the reference's stream; philox: by seed, tensor and element"},
    [OPT_DIGEST] = {"--digest", NULL, "print PATH, DTYPE, SHAPE, SHA256[:16] of every tensor instead, then the next float"},
    [OPT_MAX_SHARD] = {"--max-shard-size", "SIZE", "no file larger than this, where tensors allow (default: 50GB)"},
    [OPT_FORCE] = {"--force", NULL, "exchange a checkpoint folder that exists, whole"},
    [OPT_TRAINING] = {"--training", "OPTIM", "what training with adamw, sgd or sgd-momentum holds, without activations"},
    [OPT_MARGIN] = {"--margin", "SIZE", "held back on each GPU, or on NAME=SIZE: 1GiB, 5%, cpu=10% (default: 512MiB of named and found GPUs)"},
    [OPT_ACCELERATE] = {"--accelerate", NULL, "the map of accelerate's infer_auto_device_map(), entry for entry"},
    [OPT_MAX_MEMORY] = {"--max-memory", "LIST", "amounts: 0=10GB,1=10GiB,cpu=30GB,disk=1TB; in place of, or beside, what --device says"},
    [OPT_MODE] = {"--mode", "MODE", "infer (default), auto, balanced, balanced_low_0 or sequential: what becomes of the budgets first"},
    [OPT_NO_SPLIT] = {"--no-split", "LIST", "classes that stay whole (default: the model's own): LlamaDecoderLayer,..."},
    [OPT_KEEP_PARTS] = {"--keep-parts", NULL, "clean_result=False: parts of a module that share a device stay apart"},
    [OPT_OFFLOAD_BUFFERS] = {"--offload-buffers", NULL, "offload_buffers=True: buffers of offloaded modules need no room on a GPU"},
    [OPT_FALLBACK] = {"--fallback-allocation", NULL, "fallback_allocation=True: for an empty device, seek deeper for a module that fits"},
    [OPT_CONTEXT] = {"--context", "N", "what generating holds at N tokens a sequence: weights and caches"},
    [OPT_BATCH_SIZE] = {"--batch-size", "N", "so many sequences at once (default: 1); --batch N is the same"},
    [OPT_KV_DTYPE] = {"--kv-dtype", "DTYPE", "keep keys and values in this dtype (default: that of the layer)"},
    [OPT_SOURCE] = {"--source", "N", "tokens that an encoder reads (default: as many as --context, or what the config fixes)"},
    [OPT_ACTIVATIONS] = {"--activations", NULL, "estimate what a forward pass of all tokens at once needs besides"},
    [OPT_FILE_DTYPE] = {"--file-dtype", "DTYPE", "what loading from files of this dtype needs for a moment"},
    [OPT_DEVICE] = {"--device", "LIST", "devices by name: h100:2,rtx4090; or auto, this host (the default)"},
    [OPT_SPLIT_EXPERTS] = {"--split-experts", NULL, "single experts of a stacked parameter may lie apart"},
    [OPT_COPY_TIES] = {"--copy-ties", NULL, "a tied tensor may be held on two devices, where that is better"},
    [OPT_EXPLAIN] = {"--explain", NULL, "a line for each part, and the budget"},
    [OPT_MAX] = {"--max", "WHAT", "the largest context or batch that fits"},
    [OPT_VERIFY_MAP] = {"--verify-map", "FILE", "hold this map, as JSON, against the model and the amounts that are given"},
    [OPT_EXPORT] = {"--export", "FORMAT", "transformers: the device_map alone; llama.cpp: its flags"},
    [OPT_CONFIG] = {"--config", "MODEL", "take the config from there: a path, an id or a type (default: the config.json beside the weights)"},
    [OPT_VARIANT] = {"--variant", "NAME", "the files of this variant: fp16 for model.fp16.safetensors"},
    [OPT_SUBFOLDER] = {"--subfolder", "NAME", "config and weights are in this folder of DIR"},
    [OPT_ALLOW] = {"--allow", "LIST", "not wrong: missing, unexpected, mismatched"},
    [OPT_LIKE] = {"--like", "transformers", "wrong is what makes from_pretrained() raise an error, and nothing else"},
    [OPT_STRIP_PREFIX] = {"--strip-prefix", "TEXT", "take this off every key that begins with it, before any rule"},
    [OPT_ADD_PREFIX] = {"--add-prefix", "TEXT", "put this before every key; with --strip-prefix, before those that lost theirs"},
    [OPT_MAPPING] = {"--mapping", NULL, "a line for each tensor of the files: where in the tree it goes, and by what operation"},
    [OPT_DATA] = {"--data", NULL, "read tied tensors that are both there whole, to compare them (default: their first megabyte)"},
    [OPT_ONLY] = {"--only", "LIST", "these modules and tensors: model.layers.0,lm_head"},
    [OPT_RANK] = {"--rank", "R/N", "the part of rank R of N by the model's tensor-parallel plan; ranks count from 0"},
    [OPT_DEVICE_MAP] = {"--device-map", "FILE", "what this map, as JSON, puts on the device that --on names"},
    [OPT_ON] = {"--on", "DEVICE", "a device of --device-map: 0, cpu"},
    [OPT_IO] = {"--io", "WAY", "read (default): large reads in parallel; map: pages of the files; direct: past the page cache"},
    [OPT_SCAN] = {"--scan", NULL, "look for what is not finite, tensor by tensor"},
    [OPT_MEMORY] = {"--memory", "SIZE", "hold no more than this (default: what the machine has available)"},
    [OPT_JSON] = {"--json", NULL, "JSON on standard output, errors as JSON on standard error"},
    [OPT_HELP] = {"--help", NULL, "this text"},
};

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

/* Edit distance of two short names; adjacent letters that changed places count once. */
static size_t distance(const char *a, const char *b) {
    enum { MAX = 32 };
    size_t n = strlen(a), m = strlen(b), d[MAX + 1][MAX + 1];
    if (n > MAX || m > MAX) return MAX;
    for (size_t i = 0; i <= n; i++) {
        for (size_t j = 0; j <= m; j++) {
            if (!i || !j) {
                d[i][j] = i + j;
                continue;
            }
            d[i][j] = smaller(d[i - 1][j - 1] + (a[i - 1] != b[j - 1]), smaller(d[i - 1][j], d[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) d[i][j] = smaller(d[i][j], d[i - 2][j - 2] + 1);
        }
    }
    return d[n][m];
}

const char *nearest(const char *name, const char *(*at)(size_t i), size_t n) {
    const char *best = NULL;
    size_t least = strlen(name) / 3 + 2; /* farther than this is no help */
    for (size_t i = 0; i < n; i++) {
        size_t d = distance(name, at(i));
        if (d < least) least = d, best = at(i);
    }
    return best;
}

static const char *option_name(size_t i) { return options[i].name; }

static int option_find(const char *word, size_t n) {
    for (int i = 0; i < OPT_COUNT; i++)
        if (strlen(options[i].name) == n && memcmp(options[i].name, word, n) == 0) return i;
    if (n == 2 && word[1] == 'o') return OPT_OUTPUT;
    return n == 2 && word[1] == 'h' ? OPT_HELP : -1;
}

static bool unknown_option(const command *c, const char *word, int id) {
    if (id >= 0) return fail_usage("\"%s\" takes no %s\nsee: tare help %s", c->name, options[id].name, c->name), false;
    const char *near = nearest(word, option_name, OPT_COUNT);
    if (near) return fail_usage("unknown option \"%s\"; did you mean %s?\nsee: tare help %s", word, near, c->name), false;
    return fail_usage("unknown option \"%s\"\nsee: tare help %s", word, c->name), false;
}

static void keep(args *a, int id, const char *value) {
    a->value[id] = value;
    if (id != OPT_SET) return;
    size_t n = 0;
    while (a->set[n]) n++;
    a->set[n] = value;
}

/* With a number it is how many sequences, where there is such an option; without one, JSON lines. */
static int batch_of(const command *c, const char *number) {
    bool counts = number && *number && strspn(number, "0123456789") == strlen(number);
    return counts && c->options & BIT(OPT_BATCH_SIZE) ? OPT_BATCH_SIZE : OPT_BATCH;
}

bool option_taken(const command *c, int id) {
    if (id >= OPT_WITH_QUANTIZED) id = OPT_QUANTIZED;
    return id == OPT_HELP || c->options & BIT(id);
}

/* The option at words[i]; returns how many words it took, 0 when it is wrong. */
static int take_option(args *a, const command *c, int n, char *const *words, int i) {
    const char *word = words[i], *equals = strchr(word, '=');
    size_t length = equals ? (size_t)(equals - word) : strlen(word);
    int id = option_find(word, length);
    if (id == OPT_BATCH) id = batch_of(c, equals ? equals + 1 : i + 1 < n ? words[i + 1] : NULL);
    if (id < 0 || !option_taken(c, id)) return unknown_option(c, word, id);
    if (!options[id].value) {
        if (equals) return fail_usage("%s takes no value\nsee: tare help %s", options[id].name, c->name), 0;
        keep(a, id, "");
        return 1;
    }
    if (equals) return keep(a, id, equals + 1), 1;
    if (i + 1 >= n || strncmp(words[i + 1], "--", 2) == 0)
        return fail_usage("%s needs a value: %s %s\nsee: tare help %s", options[id].name, options[id].name, options[id].value, c->name), 0;
    keep(a, id, words[i + 1]);
    return 2;
}

static bool words_fit(const args *a, const command *c) {
    if (a->value[OPT_HELP] || a->n_words >= c->min_words) return true;
    if (c->of_checkpoint) {
        fail_usage("%s needs a DIR\n"
                   "a folder with weights and their config.json, a repository of the Hub's cache, one .safetensors file or an index\n"
                   "usage: tare %s %s", c->name, c->name, c->usage);
        return false;
    }
    fail_usage("%s needs a MODEL\n"
               "a config.json, a folder that holds one, a known id, a model type, or - for JSON on standard input\n"
               "usage: tare %s %s", c->name, c->name, c->usage);
    return false;
}

bool args_parse(args *a, const command *c, int n, char *const *words) {
    *a = (args){.command = c, .set = calloc((size_t)n + 1, sizeof *a->set)};
    if (!a->set) return fail_with(TARE_IO, "out_of_memory", "out of memory"), false;
    bool open = true;
    for (int i = 0; i < n;) {
        const char *word = words[i];
        if (open && strcmp(word, "--") == 0) {
            open = false, i++;
        } else if (open && word[0] == '-' && word[1]) {
            int took = take_option(a, c, n, words, i);
            if (!took) return false;
            i += took;
        } else if (a->n_words == c->max_words) {
            fail_usage("%s takes no word \"%s\"\nusage: tare %s %s", c->name, word, c->name, c->usage);
            return false;
        } else {
            a->words[a->n_words++] = word, i++;
        }
    }
    tare_stage stage;
    return words_fit(a, c) && stage_read(a, &stage);
}

void args_free(args *a) {
    free(a->set);
    a->set = NULL;
}
