/* compressed-tensors: groups of modules, each with its scheme of weights and activations; modules keep their class and get other tensors.
 * Mirrors compressed-tensors 0.20.0. The format is the scheme's own, else what its weights and activations imply: the config's global
 * `format` has no part in it. */
#include "quant.h"

enum { WEIGHTS, INPUTS, OUTPUTS, ROLES };
static const char *const role_keys[ROLES] = {"weights", "input_activations", "output_activations"};
typedef enum strategy { TENSOR, CHANNEL, GROUP, BLOCK, TOKEN, TENSOR_GROUP, ATTN_HEAD } strategy;
static const char *const strategies[] = {"tensor", "channel", "group", "block", "token", "tensor_group", "attn_head", NULL};
typedef enum format { DENSE, INT, FLOAT, NAIVE, PACK, NVFP4, MXFP4, MXFP6, MXFP8 } format;
static const char *const formats[] = {
    "dense", "int-quantized", "float-quantized", "naive-quantized", "pack-quantized", "nvfp4-pack-quantized", "mxfp4-pack-quantized",
    "mxfp6-pack-quantized", "mxfp8-quantized", NULL,
};
typedef struct arguments { /* how one kind of numbers is quantised */
    bool given, is_float, asymmetric, dynamic, local;
    int64_t bits, group, rows, columns;
    strategy how;
    int scale_dtype, zero_dtype; /* DT_DEFAULT: not said */
} arguments;
typedef struct scheme {
    arguments role[ROLES];
    format stored;
} scheme;
typedef struct target { const char *text; const regex *pattern; int64_t scheme; } target;
typedef struct ct {
    scheme *schemes;
    target *targets, *ignored; /* targets: names before patterns, both by their text */
    size_t scheme_n, target_n, ignored_n;
    arguments cache;
    bool compressed, dense_stacks, biased_zero; /* the last: packed zero points were met */
    bool default_ignored;         /* instead of the list: what other methods leave dense */
} ct;

/* ---- reading ---- */

static void only_keys(const conf *c, const char *const *keys) {
    for (uint32_t i = 0; c->d.kind == VAL_DICT && i < c->d.n; i++)
        if (!word_in(c->d.members[i].key, keys)) conf_refuse(c, c->d.members[i].key, "compressed-tensors knows no such key here");
}
static size_t index_of(const char *word, const char *const *words) {
    size_t i = 0;
    while (words[i] && strcmp(words[i], word)) i++;
    return i;
}
static int dtype_of(const conf *c, const char *key) {
    static const struct { const char *name; int dtype; } known[] = {
        {"uint8", DT_U8},          {"int8", DT_I8},       {"int16", DT_I16},   {"int32", DT_I32}, {"float8_e4m3fn", DT_F8_E4M3},
        {"float8_e8m0fnu", DT_F8_E8M0}, {"bfloat16", DT_BF16}, {"float16", DT_F16}, {"float32", DT_F32},
    };
    const char *name = conf_text(c, key, NULL);
    if (!name) return DT_DEFAULT;
    if (!strncmp(name, "torch.", 6)) name += 6;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i].name, name)) return known[i].dtype;
    conf_refuse(c, key, "this is no dtype of scales or zero points");
    return DT_DEFAULT;
}
static int64_t int_or_zero(const conf *c, const char *key) { return conf_given(c, key) ? conf_int(c, key, 0) : 0; }
static void read_block(const conf *c, arguments *a) {
    val v = conf_get(c, "block_structure");
    if (!val_given(v)) return;
    bool two = v.kind == VAL_LIST && v.n == 2 && v.items[0].kind == VAL_INT && v.items[1].kind == VAL_INT && v.items[0].i > 0 && v.items[1].i > 0;
    if (!two) conf_refuse(c, "block_structure", "a list of two positive ints is needed");
    else a->rows = v.items[0].i, a->columns = v.items[1].i;
}
static void check_strategy(const conf *c, const arguments *a) {
    bool grouped = a->how == GROUP || a->how == TENSOR_GROUP;
    if (a->how == TOKEN && !a->dynamic) conf_refuse(c, "strategy", "tokens have no scales of their own unless dynamic is true");
    if (grouped && a->group < 1) conf_refuse(c, "group_size", "this strategy needs a positive group size");
    if (!grouped && a->group > 0) conf_refuse(c, "group_size", "only the strategies group and tensor_group have groups");
    if ((a->how == BLOCK) != (a->rows > 0)) conf_refuse(c, "block_structure", "the strategy block needs it, and no other has it");
    if (a->dynamic && (a->how == CHANNEL || a->how == BLOCK || a->how == ATTN_HEAD)) conf_refuse(c, "dynamic", "this strategy cannot be dynamic");
    if (a->local && a->how != TENSOR_GROUP) conf_refuse(c, "dynamic", "\"local\" is for the strategy tensor_group");
}
static int zero_dtype(const arguments *a) {
    if (a->is_float) return DT_F8_E4M3;
    return a->bits <= 8 ? DT_I8 : a->bits <= 16 ? DT_I16 : DT_I32;
}
static arguments read_arguments(const conf *scheme_conf, const char *key) {
    arguments a = {.given = conf_given(scheme_conf, key)};
    if (!a.given) return a;
    conf part = conf_part(scheme_conf, key), *c = &part;
    only_keys(c, SET("num_bits", "type", "symmetric", "group_size", "strategy", "block_structure", "dynamic", "actorder", "scale_dtype", "zp_dtype",
        "observer", "observer_kwargs"));
    a.bits = conf_int(c, "num_bits", 8);
    a.is_float = !strcmp(conf_word(c, "type", "int", SET("int", "float")), "float");
    a.asymmetric = !conf_bool(c, "symmetric", true);
    a.group = int_or_zero(c, "group_size");
    if (a.group < -1) conf_refuse(c, "group_size", "a positive int is needed, or -1 for whole rows");
    const char *inferred = a.group > 0 ? "group" : a.group == -1 ? "channel" : "tensor";
    a.how = (strategy)index_of(conf_word(c, "strategy", inferred, strategies), strategies);
    read_block(c, &a);
    if (conf_get(c, "type").kind == VAL_NULL) conf_refuse(c, "type", "known are int, float");
    val dynamic = conf_get(c, "dynamic");
    if (dynamic.kind == VAL_LIST || dynamic.kind == VAL_DICT || dynamic.kind == VAL_NULL)
        conf_refuse(c, "dynamic", "known are true, false, \"local\"");
    a.local = val_is(dynamic, "local");
    a.dynamic = val_true(dynamic);
    if (dynamic.kind == VAL_TEXT && !a.local) conf_refuse(c, "dynamic", "known are true, false, \"local\"");
    val order = conf_get(c, "actorder");
    if (val_is(order, "group") || val_is(order, "dynamic") || (order.kind == VAL_BOOL && order.b))
        conf_refuse(c, "actorder", "compressed-tensors has removed this order of columns: weight, or none");
    a.scale_dtype = dtype_of(c, "scale_dtype");
    a.zero_dtype = conf_given(c, "zp_dtype") ? dtype_of(c, "zp_dtype") : zero_dtype(&a);
    if (a.is_float && a.bits != 4 && a.bits != 6 && a.bits != 8) conf_refuse(c, "num_bits", "floats have 4, 6 or 8");
    check_strategy(c, &a);
    return a;
}
static format implied(const scheme *s) {
    const arguments *w = &s->role[WEIGHTS];
    if (!w->given) return DENSE;
    if (w->is_float && w->bits == 4 && w->group == 32) return MXFP4;
    if (w->is_float && w->bits == 6 && w->group == 32) return MXFP6;
    if (w->is_float && w->bits == 8 && w->group == 32 && w->scale_dtype == DT_U8) return MXFP8;
    if (w->is_float && w->bits == 4 && w->group == 16) return NVFP4;
    if (!w->is_float && s->role[INPUTS].given) return INT;
    if (!w->is_float && w->bits >= 1 && w->bits <= 8) return PACK;
    return w->is_float && s->role[INPUTS].given ? FLOAT : NAIVE;
}
static void read_scheme(const conf *c, scheme *s) {
    only_keys(c, SET("targets", "weights", "input_activations", "output_activations", "format"));
    for (int r = 0; r < ROLES; r++) {
        s->role[r] = read_arguments(c, role_keys[r]);
        if (s->role[r].how == ATTN_HEAD) conf_refuse(c, role_keys[r], "the strategy attn_head is for caches, not for layers");
    }
    strategy in = s->role[INPUTS].how;
    if (s->role[INPUTS].given && (in == CHANNEL || in == BLOCK)) conf_refuse(c, "input_activations", "activations have no strategy channel or block");
    const char *name = conf_word(c, "format", NULL, formats);
    s->stored = name ? (format)index_of(name, formats) : implied(s);
    bool plain = s->stored == INT || s->stored == FLOAT || s->stored == NAIVE;
    if (plain && s->role[WEIGHTS].is_float && s->role[WEIGHTS].bits != 8) conf_refuse(c, "weights", "floats of less than 8 bits have no such format");
}

/* ---- schemes by name ---- */

#define WEIGHTS_AND(bits, type, strategy, more) \
    "{\"weights\": {\"num_bits\": " bits ", \"type\": \"" type "\", \"strategy\": \"" strategy "\"" more "}"
#define ACTIVATIONS(bits, type, strategy, more) \
    ", \"input_activations\": {\"num_bits\": " bits ", \"type\": \"" type "\", \"strategy\": \"" strategy "\"" more "}}"
#define DYNAMIC ", \"dynamic\": true"
#define GROUPS_OF(n) ", \"group_size\": " n
#define IN_BYTES ", \"scale_dtype\": \"uint8\", \"zp_dtype\": \"uint8\""
#define IN_FP8 ", \"scale_dtype\": \"float8_e4m3fn\", \"zp_dtype\": \"float8_e4m3fn\""
#define NVFP4_WEIGHTS WEIGHTS_AND("4", "float", "tensor_group", GROUPS_OF("16") IN_FP8)
#define MX_WEIGHTS(bits) WEIGHTS_AND(bits, "float", "group", GROUPS_OF("32") IN_BYTES)
#define MX_ACTIVATIONS(bits) ACTIVATIONS(bits, "float", "group", GROUPS_OF("32") IN_BYTES DYNAMIC)
#define INT_WEIGHTS(bits) WEIGHTS_AND(bits, "int", "group", GROUPS_OF("128"))
#define INT_ACTIVATIONS(bits) ACTIVATIONS(bits, "int", "token", DYNAMIC)
static const struct { const char *name, *json; } presets[] = {
    {"UNQUANTIZED", "{}"},
    {"W4A16_ASYM", WEIGHTS_AND("4", "int", "group", GROUPS_OF("128") ", \"symmetric\": false") "}"},
    {"W8A8", WEIGHTS_AND("8", "int", "channel", "") INT_ACTIVATIONS("8")},
    {"INT8", WEIGHTS_AND("8", "int", "channel", "") INT_ACTIVATIONS("8")},
    {"W4AFP8", INT_WEIGHTS("4") ACTIVATIONS("8", "float", "token", DYNAMIC)},
    {"FP8", WEIGHTS_AND("8", "float", "tensor", "") ACTIVATIONS("8", "float", "tensor", "")},
    {"FP8_DYNAMIC", WEIGHTS_AND("8", "float", "channel", "") ACTIVATIONS("8", "float", "token", DYNAMIC)},
    {"FP8_BLOCK",
     WEIGHTS_AND("8", "float", "block", ", \"block_structure\": [128, 128]") ACTIVATIONS("8", "float", "group", GROUPS_OF("128") DYNAMIC)},
    {"NVFP4A16", NVFP4_WEIGHTS "}"},
    {"NVFP4", NVFP4_WEIGHTS ACTIVATIONS("4", "float", "tensor_group", GROUPS_OF("16") IN_FP8 ", \"dynamic\": \"local\"")},
    {"MXFP4A16", MX_WEIGHTS("4") "}"},
    {"MXFP4", MX_WEIGHTS("4") MX_ACTIVATIONS("4")},
    {"MXFP4XFP8", MX_WEIGHTS("4") ACTIVATIONS("8", "float", "group", GROUPS_OF("128") DYNAMIC)},
    {"MXFP6A16", MX_WEIGHTS("6") "}"},
    {"MXFP6A8", MX_WEIGHTS("6") MX_ACTIVATIONS("8")},
    {"MXFP8A16", MX_WEIGHTS("8") "}"},
    {"MXFP8", MX_WEIGHTS("8") MX_ACTIVATIONS("8")},
    {"W2A4", INT_WEIGHTS("2") INT_ACTIVATIONS("4")}, {"W2A8", INT_WEIGHTS("2") INT_ACTIVATIONS("8")}, {"W2A16", INT_WEIGHTS("2") "}"},
    {"W3A4", INT_WEIGHTS("3") INT_ACTIVATIONS("4")}, {"W3A8", INT_WEIGHTS("3") INT_ACTIVATIONS("8")}, {"W3A16", INT_WEIGHTS("3") "}"},
    {"W4A4", INT_WEIGHTS("4") INT_ACTIVATIONS("4")}, {"W4A8", INT_WEIGHTS("4") INT_ACTIVATIONS("8")}, {"W4A16", INT_WEIGHTS("4") "}"},
    {"W5A8", INT_WEIGHTS("5") INT_ACTIVATIONS("8")}, {"W5A16", INT_WEIGHTS("5") "}"},
    {"W6A8", INT_WEIGHTS("6") INT_ACTIVATIONS("8")}, {"W6A16", INT_WEIGHTS("6") "}"},
    {"W7A8", INT_WEIGHTS("7") INT_ACTIVATIONS("8")}, {"W7A16", INT_WEIGHTS("7") "}"},
    {"W8A16", INT_WEIGHTS("8") "}"},
};
static void read_preset(const conf *groups, const char *name, scheme *s) {
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++) {
        if (strcmp(presets[i].name, upper_case(groups->q, name))) continue;
        conf c = conf_of_json(groups->q, presets[i].json, groups->path);
        read_scheme(&c, s);
        return;
    }
    conf_refuse(groups, name, "no scheme is called so; known are W4A16, W8A8, FP8, FP8_DYNAMIC, FP8_BLOCK, NVFP4, MXFP4 and their like");
}

/* ---- targets ---- */

/* Exact names and classes before patterns, each by text. */
static bool goes_before(const char *a, const char *b) {
    bool pattern_a = strstr(a, "re:"), pattern_b = strstr(b, "re:");
    return pattern_a != pattern_b ? pattern_b : strcmp(a, b) < 0;
}
static target make_target(quant *q, const char *key, const char *text) {
    target t = {.text = text};
    if (!strncmp(text, "re:", 3)) t.pattern = regex_of(q, key, text + 3, true);
    else note_pattern(q, text);
    return t;
}
/* A target that comes again belongs to the last scheme that names it. */
static void add_target(quant *q, ct *s, const char *text, int64_t number) {
    size_t at = 0;
    for (; at < s->target_n; at++)
        if (!strcmp(s->targets[at].text, text)) {
            s->targets[at].scheme = number;
            return;
        }
    for (at = 0; at < s->target_n && goes_before(s->targets[at].text, text);) at++;
    memmove(&s->targets[at + 1], &s->targets[at], (s->target_n - at) * sizeof *s->targets);
    s->targets[at] = make_target(q, "config_groups", text);
    s->targets[at].scheme = number;
    s->target_n++;
}
static bool names_class(const mod *m, const char *text) {
    if (!strcmp(class_of(m), text) || !strcmp(text, "Module")) return true;
    return (is_linear(m) && !strcmp(text, "Linear")) || (is_embedding(m) && !strcmp(text, "Embedding"));
}
static bool names_path(const quant *q, const target *t, const char *path) {
    return t->pattern ? regex_matches(q, t->pattern, path) : !strcmp(t->text, path);
}
static const target *matching(const quant *q, const target *all, size_t n, const mod *m, const char *path) {
    for (size_t i = 0; i < n; i++)
        if (names_path(q, &all[i], path)) return &all[i];
    for (size_t i = 0; i < n; i++)
        if (!all[i].pattern && names_class(m, all[i].text)) return &all[i];
    return NULL;
}

/* ---- settings ---- */

static size_t count_targets(const conf *groups) {
    size_t n = 0;
    for (uint32_t i = 0; i < groups->d.n; i++) {
        val v = groups->d.members[i].v;
        n += v.kind == VAL_LIST ? v.n : dict_get(v, "targets").n;
    }
    return n;
}
static void read_groups(quant *q, ct *s, const conf *groups) {
    s->scheme_n = groups->d.kind == VAL_DICT ? groups->d.n : 0;
    s->schemes = memory(q, s->scheme_n, sizeof *s->schemes);
    s->targets = memory(q, count_targets(groups), sizeof *s->targets);
    for (uint32_t i = 0; i < s->scheme_n && quant_ok(q); i++) {
        const char *name = groups->d.members[i].key;
        bool by_name = groups->d.members[i].v.kind == VAL_LIST;
        conf one = by_name ? *groups : conf_part(groups, name);
        if (by_name) read_preset(groups, name, &s->schemes[i]);
        else read_scheme(&one, &s->schemes[i]);
        if (!by_name && !conf_given(&one, "targets")) conf_refuse(&one, "targets", "a group needs a list of names");
        val targets = conf_texts(&one, by_name ? name : "targets");
        for (uint32_t k = 0; k < targets.n; k++) add_target(q, s, targets.items[k].s, i);
    }
}
/* A text in place of the groups is a shortened copy of a config: the format may tell what they are. */
static conf read_config_groups(const conf *c) {
    if (conf_get(c, "config_groups").kind != VAL_TEXT) return conf_part(c, "config_groups");
    const char *stored = conf_text(c, "format", ""), *json = NULL;
    if (!strcmp(stored, formats[NVFP4])) json = "{\"NVFP4\": [\"Linear\"]}";
    if (!strcmp(stored, formats[MXFP4])) json = "{\"MXFP4\": [\"Linear\"]}";
    if (!json) {
        conf_refuse(c, "config_groups", "an object is needed");
        return (conf){.q = c->q, .path = c->path};
    }
    note_warning(c->q, "%s.config_groups is a text, no object of groups: the usual one of %s is taken", c->path, stored);
    return conf_of_json(c->q, json, c->path);
}
static void settle(quant *q) {
    const conf *c = settings(q);
    ct *s = room(q, sizeof *s);
    conf groups = read_config_groups(c);
    bool any = groups.d.n > 0, cache = conf_given(c, "kv_cache_scheme");
    if (conf_given(c, "run_compressed") && !conf_flag(c, "run_compressed", true)) dequantizes(q);
    if (!any && !cache) return;
    if (groups.d.kind != VAL_DICT) conf_refuse(c, "config_groups", "an object of groups is needed");
    static const char *const states[] = {"initialized", "calibration", "frozen", "compressed", "decompressed", NULL};
    s->compressed = any && !strcmp(conf_word(c, "quantization_status", "initialized", states), "compressed");
    read_groups(q, s, &groups);
    s->cache = read_arguments(c, "kv_cache_scheme");
    s->default_ignored = conf_get(c, "ignore").kind == VAL_TEXT;
    val ignore = conf_names(c, "ignore");
    s->ignored = memory(q, ignore.n, sizeof *s->ignored);
    for (uint32_t i = 0; i < ignore.n; i++) s->ignored[s->ignored_n++] = make_target(q, "ignore", ignore.items[i].s);
}

/* ---- the tree ---- */

static void start(quant *q) {
    const ct *s = state(q);
    if (s->default_ignored) skip_names(q, "ignore", (val){0}, false);
}
static int64_t takes(quant *q, const mod *m, const char *path) {
    refuse_stacked(q, m);
    const ct *s = state(q);
    if ((!is_linear(m) && !is_embedding(m)) || (s->default_ignored && skipped(q, path))) return LEAVE;
    const target *t = matching(q, s->targets, s->target_n, m, path);
    return t && !matching(q, s->ignored, s->ignored_n, m, path) ? t->scheme + 1 : LEAVE;
}
/* Scale and zero point of one role. The sizes are those of the numbers that share it: rows 0 for activations. */
static void add_scales(const ct *s, mod *to, const char *const names[3], const arguments *a, int64_t rows, int64_t columns, bool no_scale) {
    if (!a->given || (a->dynamic && !a->local)) return;
    if (a->how == TENSOR_GROUP) freeze(stored_in(param(to, names[2], EMPTY, 1), DT_F32));
    if (a->local || no_scale) return;
    int64_t shape[3] = {1, 1, 1};
    int rank = 1;
    switch (a->how) {
    case TENSOR: break;
    case ATTN_HEAD: shape[0] = rows, rank = 3; break;
    case CHANNEL: shape[0] = rows, rank = 2; break;
    case BLOCK: shape[0] = ceil_div(rows, a->rows), shape[1] = ceil_div(columns, a->columns), rank = 2; break;
    default:
        if (rows) shape[0] = rows, shape[1] = ceil_div(columns, a->group), rank = 2;
        else shape[0] = ceil_div(columns, a->group);
    }
    freeze(add_param(to, names[0], EMPTY, shape, rank));
    if (a->asymmetric || !s->compressed) freeze(stored_in(add_param(to, names[1], EMPTY, shape, rank), a->zero_dtype));
}
static int plain_dtype(const arguments *w) { return w->is_float ? DT_F8_E4M3 : zero_dtype(w); }
static bool rescales(format f) { return f == NVFP4 || f == MXFP4 || f == MXFP6 || f == MXFP8; }
/* Scales that the format keeps in another dtype come again, where the format puts them. */
static void add_scale_again(mod *to, const arguments *w, format f, int64_t rows, int64_t columns) {
    int dtype = w->scale_dtype != DT_DEFAULT ? w->scale_dtype : f == NVFP4 ? DT_F8_E4M3 : DT_U8;
    freeze(stored_in(param(to, "weight_scale", EMPTY, rows, ceil_div(columns, w->group > 0 ? w->group : columns)), dtype));
}
static void add_weight(mod *to, const arguments *w, format f, int64_t rows, int64_t columns) {
    switch (f) {
    case PACK:
        freeze(stored_in(param(to, "weight_packed", EMPTY, rows, ceil_div(columns * w->bits, 32)), DT_I32));
        freeze(stored_in(param(to, "weight_shape", EMPTY, 2), DT_I64));
        break;
    case NVFP4:
    case MXFP4:
    case MXFP6:
        freeze(stored_in(param(to, "weight_packed", EMPTY, rows, f == MXFP6 ? columns * 3 / 4 : columns / 2), DT_U8));
        add_scale_again(to, w, f, rows, columns);
        break;
    case MXFP8:
        add_scale_again(to, w, f, rows, columns);
        freeze(stored_in(param(to, "weight", EMPTY, rows, columns), DT_F8_E4M3));
        break;
    case DENSE: freeze(param(to, "weight", EMPTY, rows, columns)); break;
    default: freeze(stored_in(param(to, "weight", EMPTY, rows, columns), plain_dtype(w)));
    }
}
static void make(quant *q, mod *to, const mod *from, int64_t kind) {
    static const char *const names[ROLES][3] = {
        [WEIGHTS] = {"weight_scale", "weight_zero_point", "weight_global_scale"},
        [INPUTS] = {"input_scale", "input_zero_point", "input_global_scale"},
        [OUTPUTS] = {"output_scale", "output_zero_point", "output_global_scale"},
    };
    ct *s = state(q);
    const scheme *x = &s->schemes[kind - 1];
    const arguments *w = &x->role[WEIGHTS];
    int64_t rows = out_features(from), columns = in_features(from);
    bool packs = s->compressed && x->stored != DENSE, plain = x->stored == INT || x->stored == FLOAT || x->stored == NAIVE;
    if (packs && plain && (w->how == GROUP || w->how == TENSOR_GROUP) && columns % w->group)
        quant_refuse(q, "unsupported_quantization", "%s needs whole groups: %lld columns are not divided by %lld", formats[x->stored],
            (long long)columns, (long long)w->group);
    if (s->compressed && x->stored == DENSE) freeze(keep_param(to, from, "weight"));
    if (!s->compressed) keep_param(to, from, "weight");
    if (param_named(from, "bias")) {
        tensor *bias = keep_param(to, from, "bias");
        if (s->compressed) freeze(bias);
    }
    add_scales(s, to, names[INPUTS], &x->role[INPUTS], 0, columns, false);
    add_scales(s, to, names[WEIGHTS], w, rows, columns, packs && rescales(x->stored));
    add_scales(s, to, names[OUTPUTS], &x->role[OUTPUTS], 0, rows, false);
    keep_buffers(to, from);
    if (s->compressed) freeze_own(to);
    if (packs) add_weight(to, w, x->stored, rows, columns);
    if (packs && x->stored == PACK && w->asymmetric && (w->how == GROUP || w->how == CHANNEL)) s->biased_zero = true;
}
static bool has_keys_or_values(const mod *m) {
    return child_named(m, "k_proj") || child_named(m, "v_proj") || child_named(m, "qkv_proj") || child_named(m, "kv_b_proj");
}
/* Scales of cached keys and values, on modules that keep some. */
static void extend(quant *q, mod *m) {
    static const char *const keys[3] = {"k_scale", "k_zero_point", "k_global_scale"};
    static const char *const values[3] = {"v_scale", "v_zero_point", "v_global_scale"};
    const ct *s = state(q);
    if (!s->cache.given || !takes_cache(m) || !has_keys_or_values(m)) return;
    arguments a = s->cache;
    const cfg *c = text_config(root_config(q));
    if (!has(c, "num_key_value_heads")) {
        conf_refuse(settings(q), "kv_cache_scheme", "the config has no num_key_value_heads, which compressed-tensors asks for");
        return;
    }
    if (a.how != TENSOR && a.how != ATTN_HEAD && !a.dynamic) {
        conf_refuse(settings(q), "kv_cache_scheme", "caches have one scale, or one for each head: the strategies tensor and attn_head");
        return;
    }
    ct settled = *s;
    settled.compressed = true; /* no zero points but for what is asymmetric */
    add_scales(&settled, m, keys, &a, dim(c, "num_key_value_heads"), 1, false);
    add_scales(&settled, m, values, &a, dim(c, "num_key_value_heads"), 1, false);
    child(m, "kv_cache", "QuantizedKVCache");
    if (s->compressed) freeze_own(m);
}
static void finish(quant *q) {
    ct *s = state(q);
    const char *first;
    uint64_t n = dense_experts(q, &first);
    s->dense_stacks = n > 0;
    if (n && s->scheme_n)
        note_warning(q, "%llu stacks of experts (%s, ...) are no linear layers and stay dense: a file's packed experts are turned back into floats "
            "on loading", (unsigned long long)n, first);
    if (s->biased_zero)
        note_warning(q, "files pack zero points into int32, and the tree has them as int8 for each group: the reference cannot load such files");
}

/* ---- back to floats ---- */

/* By its name in the files: the first target that names it, else one that names a class. */
static const scheme *scheme_of(quant *q, const char *stem) {
    const ct *s = state(q);
    for (size_t i = 0; i < s->target_n; i++)
        if (names_path(q, &s->targets[i], stem)) return &s->schemes[s->targets[i].scheme];
    for (size_t i = 0; i < s->target_n; i++)
        if (!s->targets[i].pattern && !strchr(s->targets[i].text, '.')) return &s->schemes[s->targets[i].scheme];
    return s->scheme_n ? &s->schemes[0] : NULL;
}
/* (code - zero) * scale, and the result in the dtype of the scales. Codes are dense, from the low bits of 32 on. */
static bool unpack_ints(packed_parts *s, packed_form *p, const char *stem, const arguments *w, int64_t shape[2]) {
    size_t size = stored_part(s, stem, ".weight_shape");
    if (w->bits < 1 || w->bits > 8 || w->is_float) return stored_wrong(s, SIZE_MAX, "the config says nothing of packed ints of 1 to 8 bits for it");
    if (size == SIZE_MAX) return stored_wrong(s, SIZE_MAX, "its shape, %s.weight_shape, is not in the files", stem);
    int64_t read[2] = {0, 0};
    if (!stored_read(s, size, read, sizeof read)) return false;
    if (read[0] != stored_size(s, p->numbers, 0) || read[1] < 1 || stored_rank(s, p->numbers) != 2)
        return stored_wrong(s, size, "%lld x %lld is no shape for it", (long long)read[0], (long long)read[1]);
    p->codes = w->bits == 4 ? CODES_NIBBLES : CODES_BITS;
    p->bits = (uint8_t)w->bits;
    p->offset = 1 << (w->bits - 1);
    for (int i = 0; i < 16; i++) p->table[i] = (float)(i - 8);
    p->row_words = stored_size(s, p->numbers, 1);
    if (w->bits == 4 && (read[1] + 7) / 8 * 8 != read[1]) p->codes = CODES_BITS; /* the last word of a row is not full */
    stored_hide(s, size);
    return shape[0] = read[0], shape[1] = read[1], true;
}
/* value * scale: 4-bit floats, the first of two in the lower half; the scale is an exponent, or a float over one for the whole tensor. */
static bool unpack_fours(packed_parts *s, packed_form *p, const char *stem, int64_t shape[2]) {
    size_t global = stored_part(s, stem, ".weight_global_scale");
    fours_of(p);
    p->dtype = DT_BF16;
    if (stored_dtype(s, p->scales) == DT_U8) p->scale_kind = SCALES_EXPONENT;
    else if (global == SIZE_MAX) return stored_wrong(s, SIZE_MAX, "the scale of its scales, %s.weight_global_scale, is not in the files", stem);
    else if (!stored_read(s, global, &p->divisor, sizeof p->divisor)) return false;
    stored_hide(s, global);
    shape[0] = stored_size(s, p->numbers, 0);
    return !__builtin_mul_overflow(stored_size(s, p->numbers, 1), 2, &shape[1]) && stored_rank(s, p->numbers) == 2;
}
static bool is_of_experts(const char *stem) {
    const char *at = strstr(stem, ".experts.");
    return at && at[9] >= '0' && at[9] <= '9';
}
static bool set_blocks(packed_parts *s, packed_form *p, const arguments *w, const int64_t shape[2]) {
    int64_t rows = w->how == BLOCK ? w->rows : 1, columns = w->how == BLOCK ? w->columns : w->group > 0 ? w->group : shape[1];
    if (stored_elements(s, p->scales) == 1) rows = shape[0], columns = shape[1];
    if (shape[0] < 1 || shape[1] < 1 || rows < 1 || columns < 1) return stored_wrong(s, p->numbers, "it is empty");
    p->rows = p->matrix_rows = shape[0], p->columns = shape[1];
    p->block_rows = rows, p->block_columns = columns;
    p->scale_rows = ceil_div(shape[0], rows), p->scale_columns = ceil_div(shape[1], columns);
    return true;
}
static int float_of(int dtype) { return dtype == DT_F16 || dtype == DT_F32 || dtype == DT_BF16 ? dtype : DT_BF16; }
static bool unpack_weight(packed_parts *s, packed_form *p, const char *stem, const arguments *w, int64_t shape[2]) {
    int codes = stored_dtype(s, p->numbers);
    p->dtype = (uint8_t)float_of(stored_dtype(s, p->scales));
    if (stored_stem(s, ".weight_packed") && codes == DT_I32) return unpack_ints(s, p, stem, w, shape);
    if (stored_stem(s, ".weight_packed") && codes == DT_U8 && w->bits == 4) return unpack_fours(s, p, stem, shape);
    shape[0] = stored_size(s, p->numbers, 0), shape[1] = stored_size(s, p->numbers, 1);
    if (stored_dtype(s, p->scales) == DT_U8) p->scale_kind = SCALES_EXPONENT;
    if (codes == DT_F8_E4M3 && is_of_experts(stem)) p->dtype = DT_F32;
    if (stored_rank(s, p->numbers) == 2 && (codes == DT_I8 || codes == DT_F8_E4M3 || codes == DT_F8_E5M2)) return true;
    return stored_wrong(s, SIZE_MAX, "there is no way back to floats for this format here");
}
static void hide_rest(packed_parts *s, const char *stem) {
    static const char *const rest[] = {".input_scale", ".input_zero_point", ".input_global_scale", ".output_scale", ".output_zero_point"};
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) stored_hide(s, stored_part(s, stem, rest[i]));
}
static void unpack(quant *q, packed_parts *s) {
    const ct *c = state(q);
    const char *stem = stored_stem(s, ".weight_packed");
    if (!stem) stem = stored_stem(s, ".weight");
    if (!stem || (!to_floats(q) && !(c->dense_stacks && is_of_experts(stem)))) return;
    size_t codes = stored_part(s, stored_key(s), ""), scales = stored_part(s, stem, ".weight_scale");
    const scheme *x = scheme_of(q, stem);
    int dtype = codes != SIZE_MAX ? stored_dtype(s, codes) : DT_F32;
    bool packed = stored_stem(s, ".weight_packed") || dtype == DT_I8 || dtype == DT_F8_E4M3;
    if (codes == SIZE_MAX || !x || !packed) return;
    if (scales == SIZE_MAX) {
        stored_wrong(s, SIZE_MAX, "its scales, %s.weight_scale, are not in the files", stem);
        return;
    }
    packed_form p = plain_form(codes, scales);
    int64_t shape[2];
    const arguments *w = &x->role[WEIGHTS];
    if (!unpack_weight(s, &p, stem, w, shape) || !set_blocks(s, &p, w, shape)) return;
    if (w->asymmetric) p.zeros = stored_part(s, stem, ".weight_zero_point");
    p.zeros_packed = p.zeros != SIZE_MAX && stored_dtype(s, p.zeros) == DT_I32;
    if (stored_packed(s, stored_text(s, "%s.weight", stem), 2, shape, &p)) hide_rest(s, stem);
}

const quant_method method_compressed_tensors = {
    .name = "compressed-tensors",
    .names = SET("compressed-tensors"),
    .not_asked = "it is made elsewhere, with llm-compressor; the reference loads it only",
    .settle = settle,
    .start = start,
    .takes = takes,
    .make = make,
    .meanings = MEANINGS({"weight_packed", "the numbers of the weight, packed"}, {"weight_scale", "the scales of the weight"},
        {"weight_zero_point", "the zero points of the weight"}, {"weight_shape", "the shape of the weight, which weight_packed does not show"},
        {"weight_global_scale", "what the scales of the weight are divided by"}, {"input_scale", "the scale of what goes into this layer"},
        {"input_zero_point", "the zero point of what goes into this layer"},
        {"input_global_scale", "what the scales of the layer's input are divided by"}, {"output_scale", "the scale of what comes out of this layer"}),
    .extend = extend,
    .unpack = unpack,
    .unpacks_strays = true,
    .finish = finish,
};
