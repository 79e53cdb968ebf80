/* AutoRound: packed integers with scales by groups of inputs, in the layouts of GPTQ or AWQ, and fused experts taken apart. Mirrors
 * auto-round 0.16.1 on a CPU; AWQ's layout is that of GPTQModel 7.7.0. */
#include "quant.h"

enum { GPTQ = 1, AWQ, FAKE, APART }; /* the low bits of a module's kind; above them, bits and the group of the first two */
enum { KIND_BITS = 3, BIT_BITS = 5, GROUP_SHIFT = KIND_BITS + BIT_BITS };
typedef enum packing { WITH_ZEROS, WITHOUT_ZEROS, GPTQMODEL, LIKE_AWQ, PACKINGS } packing;
typedef struct scheme { int64_t bits, group, act_bits; bool sym, is_int; } scheme;
typedef struct override {
    const char *text;     /* a layer's path, or a pattern of some */
    const regex *pattern; /* NULL: no regular expression */
    bool names_layer, in_blocks; /* there is a layer of that path; the pattern is found in some that the blocks hold */
    bool is_empty;
    scheme is;
} override;
typedef struct patterns_of { const regex **v; size_t n; } patterns_of;
typedef struct auto_round {
    scheme all;
    packing packing;
    override *overrides;
    size_t override_n;
    patterns_of modules;  /* what is found in none of these stays dense; n 0: no such limit */
    val blocks;           /* how paths in the blocks begin; absent: as the lists of the tree say */
    const char **begins;
    size_t begin_n;
} auto_round;

/* ---- reading ---- */

static scheme read_scheme(const conf *c, scheme other) {
    scheme s = other;
    if (conf_get(c, "bits").kind != VAL_ABSENT) s.bits = conf_given(c, "bits") ? conf_int(c, "bits", 0) : 16;
    s.group = conf_int(c, "group_size", other.group);
    s.sym = conf_bool(c, "sym", other.sym);
    if (conf_get(c, "act_bits").kind != VAL_ABSENT) s.act_bits = conf_given(c, "act_bits") ? conf_int(c, "act_bits", 0) : 16;
    if (conf_get(c, "data_type").kind != VAL_ABSENT) s.is_int = val_is(conf_get(c, "data_type"), "int");
    if (s.group != -1 && (s.group < 1 || s.group > INT32_MAX)) conf_refuse(c, "group_size", "a positive int is needed, or -1 for all inputs");
    if (s.bits < 1 || s.bits > 32) conf_refuse(c, "bits", "known are 2 to 8, and 16 for what stays dense");
    val act = conf_get(c, "act_data_type");
    if (act.kind == VAL_TEXT && strstr(act.s, "nv_fp")) conf_refuse(c, "act_data_type", "activations in NVFP4 are not built by this release");
    return s;
}
static packing read_packing(const conf *c) {
    static const struct { const char *name; packing is; } known[] = {
        {"auto", WITH_ZEROS},          {"auto_round:gptq", WITH_ZEROS}, {"auto_round:auto_gptq", WITH_ZEROS}, {"auto_round", WITHOUT_ZEROS},
        {"auto_round:gptqmodel", GPTQMODEL}, {"auto_round:awq", LIKE_AWQ},    {"auto_round:auto_awq", LIKE_AWQ},
    };
    const char *name = conf_text(c, "packing_format", "auto_round:gptq");
    if (conf_get(c, "packing_format").kind == VAL_NULL) name = "";
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i].name, name)) return known[i].is;
    conf_refuse(c, "packing_format", "no portable kernel reads it; known are auto, auto_round, auto_round:gptq, auto_round:gptqmodel, "
        "auto_round:awq");
    return WITH_ZEROS;
}
static void read_overrides(quant *q, auto_round *a) {
    conf all = conf_part(settings(q), "extra_config");
    a->overrides = memory(q, all.d.n, sizeof *a->overrides);
    for (uint32_t i = 0; i < all.d.n && quant_ok(q); i++) {
        const char *text = all.d.members[i].key;
        conf one = conf_part(&all, text);
        if (!conf_given(&all, text)) conf_refuse(&all, text, "an object is needed");
        a->overrides[a->override_n++] = (override){.text = text, .is_empty = !one.d.n, .is = read_scheme(&one, a->all)};
    }
}
/* Texts of a list, or of lists in it. */
static size_t count_texts(const val *v) {
    size_t n = v->kind == VAL_TEXT;
    for (uint32_t i = 0; v->kind == VAL_LIST && i < v->n; i++) n += count_texts(&v->items[i]);
    return n;
}
static bool are_texts(const val *v) {
    for (uint32_t i = 0; v->kind == VAL_LIST && i < v->n; i++)
        if (!val_given(v->items[i]) || !are_texts(&v->items[i])) return false;
    return !val_given(*v) || v->kind == VAL_TEXT || v->kind == VAL_LIST;
}
static void add_patterns(quant *q, const val *v, patterns_of *all) {
    if (v->kind == VAL_TEXT) all->v[all->n++] = regex_of(q, "modules_in_block_to_quantize", v->s, false);
    for (uint32_t i = 0; v->kind == VAL_LIST && i < v->n; i++) add_patterns(q, &v->items[i], all);
}
static void read_modules(quant *q, auto_round *a) {
    val v = conf_get(settings(q), "modules_in_block_to_quantize");
    if (!val_true(v)) return;
    if (v.kind != VAL_LIST) conf_refuse(settings(q), "modules_in_block_to_quantize", "a list of names is needed");
    a->modules.v = memory(q, count_texts(&v), sizeof *a->modules.v);
    add_patterns(q, &v, &a->modules);
}
static void settle(quant *q) {
    static const char *const foreign[] = {"quant_block_list", "dynamic", "rotation_config", "spinquant_config"};
    const conf *c = settings(q);
    auto_round *a = room(q, sizeof *a);
    a->all = read_scheme(c, (scheme){.bits = 4, .group = 128, .act_bits = 16, .sym = true, .is_int = true});
    if (a->all.bits < 2 || a->all.bits > 8) conf_refuse(c, "bits", "known are 2 to 8");
    conf_word(c, "backend", "auto", SET("auto", "torch"));
    a->packing = read_packing(c);
    if (conf_flag(c, "desc_act", false) && !conf_flag(c, "static_groups", false))
        conf_refuse(c, "desc_act", "AutoRound refuses columns in another order, but with static_groups");
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (val_true(conf_get(c, foreign[i]))) conf_refuse(c, foreign[i], "this setting is not built by this release");
    const char *blocks = conf_given(c, "block_name_to_quantize") ? "block_name_to_quantize" : "to_quant_block_names";
    a->blocks = conf_get(c, blocks);
    if (!are_texts(&a->blocks)) conf_refuse(c, blocks, "a text or a list of texts is needed");
    read_overrides(q, a);
    read_modules(q, a);
}

/* ---- which layers ---- */

static bool is_supported(const mod *m) { return is_linear(m) || is_conv1d(m); }
static void add_begin(quant *q, auto_round *a, const char *text) {
    a->begins[a->begin_n++] = text;
    if (*text) note_pattern(q, text);
}
static void add_blocks(quant *q, auto_round *a, const val *v) {
    for (uint32_t i = 0; v->kind == VAL_LIST && i < v->n; i++) add_blocks(q, a, &v->items[i]);
    if (v->kind != VAL_TEXT) return;
    for (const char *at = v->s, *end; at; at = end ? end + 1 : NULL) {
        end = strchr(at, ',');
        add_begin(q, a, text_of(q, at, end ? (size_t)(end - at) : strlen(at)));
    }
}
static size_t most_blocks(const val *v) {
    size_t n = 0;
    for (uint32_t i = 0; v->kind == VAL_LIST && i < v->n; i++) n += most_blocks(&v->items[i]);
    for (const char *p = v->kind == VAL_TEXT ? v->s : ""; *p; p++) n += *p == ',';
    return n + (v->kind == VAL_TEXT);
}
/* A list of sound is passed over. A list of one layer is that layer, and one of none is every path. */
static void blocks_of_tree(quant *q, auto_round *a) {
    size_t n;
    const list_at *lists = outermost_lists(q, &n);
    a->begins = memory(q, n, sizeof *a->begins);
    for (size_t i = 0; i < n; i++) {
        static const char *const sound[] = {"audio", "speech", "wav"};
        const char *lower = lower_case(q, lists[i].path);
        bool passed = false;
        for (size_t k = 0; k < sizeof sound / sizeof *sound; k++) passed |= strstr(lower, sound[k]) != NULL;
        if (passed) continue;
        if (lists[i].items == 1) add_begin(q, a, path_below(q, lists[i].path, "0"));
        else add_begin(q, a, lists[i].items ? lists[i].path : "");
    }
}
static bool in_blocks(const auto_round *a, const char *path) {
    for (size_t i = 0; i < a->begin_n; i++)
        if (!strncmp(path, a->begins[i], strlen(a->begins[i]))) return true;
    return false;
}
static bool is_taken_type(const mod *m) { return is_plain_linear(m) || is_conv1d(m); }
static bool is_layer_called(const quant *q, const mod *m, const char *path, const void *of) {
    (void)q;
    return is_supported(m) && !strcmp(path, of);
}
static bool is_found_in_block(const quant *q, const mod *m, const char *path, const void *of) {
    return is_taken_type(m) && in_blocks(state(q), path) && regex_matches(q, of, path);
}
/* Blocks that it exchanges for its own, with a list of experts in place of the stacks. */
typedef struct block {
    const char *type, *cls, *becomes, *expert;
    bool plain_gate;         /* the router becomes a linear layer */
    const char *children[5]; /* in this order; "experts" is the list */
} block;
static const block blocks[] = {
    {"qwen3_moe", "Qwen3MoeSparseMoeBlock", "LinearQwen3MoeSparseMoeBlock", "Qwen3MoeMLP", true, {"gate", "experts"}},
    {"qwen3_next", "Qwen3NextSparseMoeBlock", "LinearQwen3NextSparseMoeBlock", "Qwen3NextMLP", true,
     {"gate", "experts", "shared_expert", "shared_expert_gate"}},
    {"deepseek_v3", "DeepseekV3MoE", "LinearDeepseekV3MoE", "DeepseekV3MLP", false, {"experts", "gate", "shared_experts"}},
    {"glm4_moe", "Glm4MoeMoE", "LinearGlm4MoeMoE", "Glm4MoeMLP", false, {"experts", "gate", "shared_experts"}},
};
static const block *block_of(const quant *q) {
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        if (!strcmp(blocks[i].type, model_type(q))) return &blocks[i];
    return NULL;
}
static void check_experts(quant *q) {
    static const char *const exchanged[] = {
        "glm4_moe_lite", "glm_moe_dsa", "ernie4_5_moe", "llama4", "deepseek_v2", "qwen3_5_moe", "qwen3_5_moe_text", "qwen3_omni_moe", NULL,
    };
    if (word_in(model_type(q), exchanged))
        quant_refuse(q, "unsupported_quantization", "AutoRound exchanges blocks of %s for its own, which are not built by this release",
            model_type(q));
}
static void start(quant *q) {
    auto_round *a = state(q);
    check_experts(q);
    a->begins = memory(q, most_blocks(&a->blocks), sizeof *a->begins);
    if (val_given(a->blocks)) add_blocks(q, a, &a->blocks);
    else blocks_of_tree(q, a);
    for (size_t i = 0; i < a->override_n && quant_ok(q); i++) {
        override *o = &a->overrides[i];
        note_pattern(q, o->text);
        o->names_layer = some_layer(q, is_layer_called, o->text);
        if (!o->names_layer) o->pattern = regex_if_any(q, o->text);
        o->in_blocks = o->pattern && some_layer(q, is_found_in_block, o->pattern);
    }
    skip_anywhere(q, "modules_to_not_convert", conf_texts(settings(q), "modules_to_not_convert"));
}

/* ---- how each is quantised ---- */

/* What the settings say of a layer; false: nothing. */
static bool scheme_of(const quant *q, const auto_round *a, const char *path, bool listed, scheme *s) {
    *s = a->all;
    if (listed && skipped(q, path)) return s->bits = s->act_bits = 16, true;
    bool chosen = !listed || !a->modules.n;
    for (size_t i = 0; i < a->modules.n && !chosen; i++) chosen = regex_matches(q, a->modules.v[i], path);
    if (!chosen) return s->bits = 16, true;
    for (size_t i = 0; i < a->override_n; i++)
        if (a->overrides[i].names_layer && !strcmp(a->overrides[i].text, path)) return *s = a->overrides[i].is, true;
    for (size_t i = 0; i < a->override_n; i++) {
        const override *o = &a->overrides[i];
        if (!o->pattern || o->is_empty || (o->in_blocks && !listed) || !regex_matches(q, o->pattern, path)) continue;
        return *s = o->is, true;
    }
    return listed;
}
static bool divides(int64_t group, int64_t n) { return group == -1 || n % group == 0; }
/* The kernel that takes such a layer. */
static int64_t kernel_of(const auto_round *a, const scheme *s, int64_t in, int64_t out) {
    bool plain = s->is_int && (s->act_bits == 16 || s->act_bits == 32);
    if (a->packing == LIKE_AWQ) {
        bool known = s->group == -1 || (s->group >= 16 && s->group <= 128 && !(s->group & (s->group - 1)));
        return plain && s->bits == 4 && known && in % 16 == 0 && out % 16 == 0 ? AWQ : FAKE;
    }
    bool fits = in % 32 == 0 && out % 32 == 0 && divides(s->group, in);
    return plain && fits && s->bits >= 2 && s->bits <= 8 && (s->sym || a->packing != WITH_ZEROS) ? GPTQ : FAKE;
}
/* Stacks of experts, or in a model whose blocks are exchanged, such a block. */
static bool has_experts(const quant *q, const mod *m) {
    const block *b = block_of(q);
    if (b) return !strcmp(class_of(m), b->cls);
    return param_named(m, "down_proj") && rank_of(param_named(m, "down_proj")) == 3;
}
/* Where layers differ, none shares what becomes of its experts. */
static int64_t apart(const quant *q, const char *path) {
    uint64_t h = 0;
    for (; are_layers_apart(q) && *path; path++) h = h * 31 + (unsigned char)*path;
    return APART | (int64_t)(h & (UINT64_MAX >> 8)) << KIND_BITS;
}
static int64_t takes(quant *q, const mod *m, const char *path) {
    const auto_round *a = state(q);
    if (has_experts(q, m)) return apart(q, path);
    if (!is_taken_type(m)) return LEAVE;
    scheme s;
    if (!scheme_of(q, a, path, in_blocks(a, path), &s) || (s.bits > 8 && s.act_bits > 8)) return LEAVE;
    int64_t kernel = kernel_of(a, &s, in_features(m), out_features(m));
    if (kernel == FAKE && (a->packing == GPTQMODEL || is_conv1d(m)))
        quant_refuse(q, "unsupported_quantization", "no portable kernel takes %s with %lld bits and groups of %lld", path, (long long)s.bits,
            (long long)s.group);
    return kernel == FAKE ? FAKE : kernel | s.bits << KIND_BITS | (s.group + 1) << GROUP_SHIFT;
}

/* ---- what they become ---- */

static void make_packed(mod *to, const mod *from, int64_t bits, int64_t group) {
    int64_t in = in_features(from), out = out_features(from), groups = ceil_div(in, group);
    becomes(to, "QuantLinear");
    extra_repr(to, NULL);
    buffer(to, "qweight", EMPTY, DT_I32, PERSISTENT, in / 32 * bits, out);
    buffer(to, "qzeros", EMPTY, DT_I32, PERSISTENT, groups, out / 32 * bits);
    buffer(to, "scales", EMPTY, DT_F16, PERSISTENT, groups, out);
    if (param_named(from, "bias")) buffer(to, "bias", EMPTY, DT_F16, PERSISTENT, out);
}
static void make_awq(quant *q, mod *to, const mod *from, int64_t group) {
    int64_t in = in_features(from), out = out_features(from), groups = ceil_div(in, group);
    if (in % group)
        quant_refuse(q, "unsupported_quantization", "%lld inputs are no whole number of groups of %lld", (long long)in, (long long)group);
    bool bias = param_named(from, "bias");
    becomes(to, "AwqTorchLinear");
    extra_repr(to, "in_features=%lld, out_features=%lld, bias=%s, bits=4, group_size=%lld", (long long)in, (long long)out, bias ? "True" : "False",
        (long long)group);
    buffer(to, "qweight", EMPTY, DT_I32, PERSISTENT, in, out / 8);
    buffer(to, "qzeros", EMPTY, DT_I32, PERSISTENT, groups, out / 8);
    buffer(to, "scales", EMPTY, DT_F16, PERSISTENT, groups, out);
    if (bias) buffer(to, "bias", EMPTY, DT_F16, PERSISTENT, out);
}
static void fill_block(mod *to, const mod *from, const block *b) {
    const mod *experts = child_named(from, "experts");
    const tensor *down = param_named(experts, "down_proj");
    int64_t n = size_at(down, 0), d = size_at(down, 1), ff = size_at(down, 2);
    for (size_t i = 0; i < 5 && b->children[i]; i++) {
        const char *name = b->children[i];
        if (!strcmp(name, "experts")) {
            mod *expert = numbered(module_list(to, name), n, b->expert);
            linear(expert, "gate_proj", d, ff, false);
            linear(expert, "up_proj", d, ff, false);
            linear(expert, "down_proj", ff, d, false);
            keep_as_child(expert, "act_fn", child_named(experts, "act_fn"));
        } else if (b->plain_gate && !strcmp(name, "gate")) {
            linear(to, name, d, n, false);
        } else {
            keep_as_child(to, name, child_named(from, name));
        }
    }
}
static void make_block(quant *q, mod *to, const mod *from, const block *b) {
    becomes(to, b->becomes);
    extra_repr(to, NULL);
    only_holds(to);
    if (child_named(from, "experts") && param_named(child_named(from, "experts"), "down_proj")) fill_block(to, from, b);
    else fail(to, "it has no experts");
    look_below(q);
}
/* Rows are inputs where the sizes say that the stacked projections are (inputs, outputs). */
static void make_apart(quant *q, mod *to, const mod *from) {
    const tensor *up = param_named(from, "gate_up_proj"), *down = param_named(from, "down_proj");
    if (!up || rank_of(up) != 3) {
        quant_refuse(q, "unsupported_quantization", "experts without a gate_up_proj are not taken apart by this release");
        return;
    }
    bool turned = size_at(up, 1) == size_at(down, 2) && size_at(up, 2) == 2 * size_at(down, 1);
    int64_t d = size_at(down, turned ? 2 : 1), ff = size_at(down, turned ? 1 : 2);
    only_holds(to);
    keep_children(to, from);
    mod *expert = numbered(to, size_at(down, 0), "_ExpertContainer");
    linear(expert, "down_proj", ff, d, param_named(from, "down_proj_bias") != NULL);
    linear(expert, "gate_proj", d, ff, param_named(from, "gate_up_proj_bias") != NULL);
    linear(expert, "up_proj", d, ff, param_named(from, "gate_up_proj_bias") != NULL);
    look_below(q);
}
static void make(quant *q, mod *to, const mod *from, int64_t kind) {
    int64_t bits = kind >> KIND_BITS & ((1 << BIT_BITS) - 1), group = (kind >> GROUP_SHIFT) - 1;
    if (group == -1) group = in_features(from);
    switch (kind & ((1 << KIND_BITS) - 1)) {
    case GPTQ: make_packed(to, from, bits, group); break;
    case AWQ: make_awq(q, to, from, group); break;
    case APART:
        if (block_of(q)) make_block(q, to, from, block_of(q));
        else make_apart(q, to, from);
        break;
    default:
        becomes(to, "FakeActQuantLinear");
        extra_repr(to, NULL);
        only_holds(to);
        keep_tensors(to, from);
        freeze_all(to);
        note_once(q, "layers that no portable kernel takes, by their sizes or settings, stay dense (FakeActQuantLinear): packed weights of a file "
            "are not loaded into them");
    }
}

const quant_method method_auto_round = {
    .name = "auto-round",
    .names = SET("auto-round"),
    .not_asked = "it is made from calibration data, elsewhere; the reference loads it only",
    .settle = settle,
    .start = start,
    .takes = takes,
    .make = make,
};
