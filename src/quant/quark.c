/* AMD Quark: each kind of numbers of a linear layer may have its quantiser, a child module that holds scales and zero points. Mirrors
 * amd-quark 0.13. What a layer is given is told by shell patterns; fused experts are passed over. */
#include "quant.h"

enum { WEIGHT, BIAS, INPUT, OUTPUT, ROLES };
static const char *const role_keys[ROLES] = {"weight", "bias", "input_tensors", "output_tensors"};
static const char *const role_children[ROLES] = {"weight_quantizer", "bias_quantizer", "input_quantizer", "output_quantizer"};
typedef enum scheme { PER_TENSOR, PER_CHANNEL, PER_GROUP, PER_BLOCK } scheme;
static const char *const schemes[] = {"per_tensor", "per_channel", "per_group", "per_block", NULL};
typedef struct numbers { /* what a dtype packs into, and how */
    const char *name;
    int stored;
    int per_item;   /* zero points in one stored number */
    bool is_int, transposes; /* in groups: inputs first */
    int times, over; /* the last size of what is stored: columns / over * times */
    bool scaled;    /* has scales at all */
} numbers;
static const numbers known_numbers[] = {
    {"int8", DT_I8, 1, true, true, 1, 1, true},       {"uint8", DT_U8, 1, true, true, 1, 1, true},
    {"int16", DT_I16, 1, true, false, 1, 1, true},    {"uint16", DT_I16, 1, true, false, 1, 1, true},
    {"int32", DT_I32, 1, true, false, 1, 1, true},    {"int4", DT_I32, 8, true, true, 1, 8, true},
    {"uint4", DT_I32, 8, true, true, 1, 8, true},     {"int3", DT_U8, 8, true, false, 3, 8, true},
    {"int2", DT_I32, 1, true, true, 1, 1, true},      {"uint2", DT_U8, 4, true, true, 1, 4, true},
    {"fp8_e4m3", DT_F8_E4M3, 1, false, false, 1, 1, true}, {"fp8_e5m2", DT_F8_E5M2, 1, false, false, 1, 1, true},
    {"fp8_e5m3", DT_U8, 1, false, false, 1, 1, true}, {"fp6_e3m2", DT_U8, 1, false, false, 3, 4, true},
    {"fp6_e2m3", DT_U8, 1, false, false, 3, 4, true}, {"fp4", DT_U8, 2, false, false, 1, 2, true},
    {"bfloat16", DT_BF16, 1, false, false, 1, 1, false}, {"float16", DT_F16, 1, false, false, 1, 1, false},
};
typedef struct spec { /* how one kind of numbers is quantised */
    const numbers *of;
    scheme how;
    bool dynamic, float_zero, symmetric, of_scales;
    int64_t axis, group, rows, columns;
} spec;
typedef struct specs { spec *v; size_t n; bool sequence; } specs; /* n 0: as they are */
typedef struct layer { specs role[ROLES]; } layer;
typedef struct pattern { const char *text; layer *is; } pattern;
typedef struct quark {
    layer *all, *linear;       /* of every layer; NULL or: of linear ones */
    pattern *layers, *caches;
    size_t layer_n, cache_n;
    val exclude;
    layer **kinds;             /* 1 + which of them a module is given: what takes() answers */
    size_t kind_n;
} quark;

/* ---- reading ---- */

static bool has_key(const conf *c, const char *key) { return conf_get(c, key).kind != VAL_ABSENT; }
static void needs(const conf *c, const char *key) {
    if (!has_key(c, key)) conf_refuse(c, key, "a config of this method has it");
}
static void read_block(const conf *c, spec *s) {
    val v = conf_get(c, "block_size");
    bool two = v.kind == VAL_LIST && v.n == 2 && v.items[0].kind == VAL_INT && v.items[1].kind == VAL_INT && v.items[0].i > 0 && v.items[1].i > 0;
    if (!two) conf_refuse(c, "block_size", "a list of two positive ints is needed");
    else s->rows = v.items[0].i, s->columns = v.items[1].i;
}
static spec read_spec(const conf *c) {
    spec s = {.symmetric = true};
    const char *name = conf_text(c, "dtype", NULL);
    for (size_t i = 0; name && i < sizeof known_numbers / sizeof *known_numbers; i++)
        if (!strcmp(known_numbers[i].name, name)) s.of = &known_numbers[i];
    if (!s.of) conf_refuse(c, "dtype", "no tree is known for such numbers");
    if (!has_key(c, "is_dynamic")) needs(c, "dynamic");
    if (!has_key(c, "ch_axis")) needs(c, "axis");
    needs(c, "group_size");
    needs(c, "symmetric");
    s.dynamic = conf_flag(c, has_key(c, "is_dynamic") ? "is_dynamic" : "dynamic", false);
    s.symmetric = conf_flag(c, "symmetric", true);
    s.of_scales = conf_flag(c, "is_scale_quant", false);
    s.float_zero = conf_given(c, "zero_point_type") && !strcmp(conf_word(c, "zero_point_type", "int32", SET("int32", "float32")), "float32");
    const char *how = conf_word(c, "qscheme", "per_tensor", schemes);
    while (schemes[s.how] && strcmp(schemes[s.how], how)) s.how++;
    const char *axis = has_key(c, "ch_axis") ? "ch_axis" : "axis";
    if (s.how == PER_CHANNEL || s.how == PER_GROUP) s.axis = conf_int(c, axis, 0);
    if (s.how == PER_CHANNEL && (s.axis < -2 || s.axis > 1)) conf_refuse(c, axis, "weights have the axes 0 and 1");
    if (s.how == PER_GROUP && s.axis != 1 && s.axis != -1) conf_refuse(c, axis, "groups are along the axis 1");
    if (s.how == PER_GROUP) s.group = conf_int(c, "group_size", 0);
    if (s.how == PER_GROUP && s.group < 1) conf_refuse(c, "group_size", "a positive int is needed");
    if (s.how == PER_BLOCK) read_block(c, &s);
    return s;
}
static specs read_specs(const conf *c, const char *key) {
    specs all = {0};
    needs(c, key);
    val v = conf_get(c, key);
    if (!val_given(v) || !quant_ok(c->q)) return all;
    all.sequence = v.kind == VAL_LIST;
    all.v = memory(c->q, all.sequence ? v.n : 1, sizeof *all.v);
    if (!all.sequence) {
        conf one = conf_part(c, key);
        all.v[all.n++] = read_spec(&one);
        return all;
    }
    for (uint32_t i = 0; i < v.n && quant_ok(c->q); i++) {
        conf one = {.q = c->q, .d = v.items[i], .path = c->path};
        if (one.d.kind != VAL_DICT) conf_refuse(c, key, "a list of objects is needed");
        else all.v[all.n++] = read_spec(&one);
    }
    if (!v.n || (quant_ok(c->q) && all.v[0].of_scales)) conf_refuse(c, key, "the first of a list quantises the numbers themselves");
    return all;
}
static void check_roles(const conf *c, const layer *l) {
    for (size_t i = 0; i < l->role[WEIGHT].n; i++)
        if (l->role[WEIGHT].v[i].dynamic) conf_refuse(c, "weight", "weights have no dynamic scales");
    for (int r = BIAS; r < ROLES; r++)
        for (size_t i = 0; i < l->role[r].n; i++)
            if (!l->role[r].v[i].dynamic && l->role[r].v[i].how != PER_TENSOR)
                conf_refuse(c, role_keys[r], "what is static has one scale here: Quark reads no other back");
}
static layer *read_layer(const conf *parent, const char *key) {
    layer *l = memory(parent->q, 1, sizeof *l);
    if (!conf_given(parent, key)) conf_refuse(parent, key, "an object is needed");
    conf c = conf_part(parent, key);
    for (int r = 0; r < ROLES && quant_ok(c.q); r++) l->role[r] = read_specs(&c, role_keys[r]);
    if (quant_ok(c.q)) check_roles(&c, l);
    return l;
}
static pattern *read_patterns(quant *q, const char *key, size_t *n) {
    conf c = conf_part(settings(q), key);
    pattern *all = memory(q, c.d.n, sizeof *all);
    for (uint32_t i = 0; c.d.kind == VAL_DICT && i < c.d.n && quant_ok(q); i++) {
        const char *text = c.d.members[i].key;
        all[(*n)++] = (pattern){text, read_layer(&c, text)};
    }
    return all;
}
static void check_algorithms(const conf *c) {
    val v = conf_get(c, "algo_config");
    for (uint32_t i = 0; i < (v.kind == VAL_LIST ? v.n : 1); i++) {
        val one = v.kind == VAL_LIST ? v.items[i] : v;
        if (one.kind == VAL_DICT && val_is(dict_get(one, "name"), "rotation"))
            conf_refuse(c, "algo_config", "modules with rotations are not built by this release");
    }
}
static void settle(quant *q) {
    const conf *c = settings(q);
    quark *x = room(q, sizeof *x);
    needs(c, "layer_type_quant_config");
    needs(c, "layer_quant_config");
    needs(c, "exclude");
    check_algorithms(c);
    x->all = read_layer(c, "global_quant_config");
    conf types = conf_part(c, "layer_type_quant_config");
    for (uint32_t i = 0; types.d.kind == VAL_DICT && i < types.d.n && quant_ok(q); i++) {
        const char *type = types.d.members[i].key;
        if (!word_in(type, SET("Linear", "Conv2d", "ConvTranspose2d"))) conf_refuse(&types, type, "known are Linear, Conv2d, ConvTranspose2d");
        layer *l = read_layer(&types, type);
        if (!strcmp(type, "Linear")) x->linear = l;
    }
    x->layers = read_patterns(q, "layer_quant_config", &x->layer_n);
    x->caches = read_patterns(q, "kv_cache_quant_config", &x->cache_n);
    x->exclude = conf_texts(c, "exclude");
    x->kinds = memory(q, 2 * x->layer_n + 2 * x->cache_n + 4, sizeof *x->kinds);
}

/* ---- which module is given what ---- */

static void start(quant *q) {
    const quark *x = state(q);
    for (size_t i = 0; i < x->layer_n; i++) note_pattern(q, x->layers[i].text);
    for (size_t i = 0; i < x->cache_n; i++) note_pattern(q, x->caches[i].text);
    for (uint32_t i = 0; i < x->exclude.n; i++) note_pattern(q, x->exclude.items[i].s);
}
static layer *matching(const pattern *all, size_t n, const char *path) {
    for (size_t i = 0; i < n; i++)
        if (shell_matches(all[i].text, path)) return all[i].is;
    return NULL;
}
static bool is_excluded(const quark *x, const char *path) {
    for (uint32_t i = 0; i < x->exclude.n; i++)
        if (shell_matches(x->exclude.items[i].s, path)) return true;
    return false;
}
/* Where a layer is left out but what it puts out is cached, its outputs alone have a quantiser. Its kind is negative. */
static int64_t kind_of(quark *x, layer *l, bool outputs) {
    size_t i = 0;
    while (i < x->kind_n && x->kinds[i] != l) i++;
    if (i == x->kind_n) x->kinds[x->kind_n++] = l;
    return outputs ? -(int64_t)i - 1 : (int64_t)i + 1;
}
static int64_t takes(quant *q, const mod *m, const char *path) {
    quark *x = state(q);
    if (!is_plain_linear(m)) return LEAVE;
    if (is_excluded(x, path)) {
        layer *cache = matching(x->caches, x->cache_n, path);
        return cache ? kind_of(x, cache, true) : LEAVE;
    }
    layer *own = matching(x->layers, x->layer_n, path);
    return kind_of(x, own ? own : x->linear ? x->linear : x->all, false);
}

/* ---- what it becomes ---- */

typedef struct shape { int64_t size[2]; int rank; } shape;
static shape scale_shape(const spec *s, shape of) {
    switch (s->how) {
    case PER_TENSOR: return (shape){.rank = 0};
    case PER_CHANNEL: return (shape){{of.size[s->axis < 0 ? s->axis + 2 : s->axis]}, 1};
    case PER_GROUP:
        if (s->of->is_int && strcmp(s->of->name, "int16") && strcmp(s->of->name, "uint16") && strcmp(s->of->name, "int32"))
            return (shape){{of.size[1] / s->group, of.size[0]}, 2};
        return (shape){{of.size[0], of.size[1] / s->group}, 2};
    default: return (shape){{of.size[0] / s->rows, of.size[1] / s->columns}, 2};
    }
}
static shape zero_shape(const spec *s, shape of) {
    shape scales = scale_shape(s, of);
    switch (s->how) {
    case PER_CHANNEL: return (shape){{scales.size[0] / s->of->per_item}, 1};
    case PER_GROUP: return s->float_zero ? scales : (shape){{of.size[1] / s->group, of.size[0] / s->of->per_item}, 2};
    case PER_BLOCK: return s->symmetric ? (shape){.rank = 0} : scales;
    default: return scales;
    }
}
static shape packed_shape(const spec *s, shape of) {
    bool turned = s->how == PER_GROUP && s->of->transposes && of.rank == 2;
    shape packed = turned ? (shape){{of.size[1], of.size[0]}, 2} : of;
    if (packed.rank) packed.size[packed.rank - 1] = packed.size[packed.rank - 1] / s->of->over * s->of->times;
    return packed;
}
static void check_shape(quant *q, const spec *s, shape of) {
    if (s->how == PER_CHANNEL && scale_shape(s, of).size[0] % s->of->per_item)
        quant_refuse(q, "unsupported_quantization", "%lld zero points are no whole number of %d packed ones", (long long)scale_shape(s, of).size[0],
            s->of->per_item);
    if (s->how == PER_BLOCK && (of.size[0] % s->rows || of.size[1] % s->columns))
        quant_refuse(q, "unsupported_quantization", "%lld x %lld is no whole number of blocks of %lld x %lld", (long long)of.size[0],
            (long long)of.size[1], (long long)s->rows, (long long)s->columns);
    if (s->how != PER_TENSOR && of.rank != 2)
        quant_refuse(q, "unsupported_quantization", "scales that are quantised in groups have to be a table");
}
static void add_quantizer(mod *m, const char *name, const spec *s, shape scales, shape zeros) {
    mod *quantizer = child(m, name, s->dynamic ? "DynamicScaledQuantizer" : "StaticScaledRealQuantizer");
    may_be_empty(quantizer);
    if (s->dynamic) return;
    add_buffer(quantizer, "scale", EMPTY, DT_F32, PERSISTENT, scales.size, scales.rank);
    if (s->of->is_int) add_buffer(quantizer, "zero_point", EMPTY, s->float_zero ? DT_F32 : s->of->stored, PERSISTENT, zeros.size, zeros.rank);
}
static void add_quantizers(quant *q, mod *to, const char *name, const specs *all, const shape *of) {
    mod *m = all->sequence ? child(to, name, "SequentialRealQuantizer") : to;
    shape own = of ? *of : (shape){.rank = 0};
    for (size_t i = 0; i < all->n && quant_ok(q); i++) {
        const spec *s = &all->v[i];
        if (of) check_shape(q, s, own);
        shape scales = of ? scale_shape(s, own) : (shape){.rank = 0}, zeros = of ? zero_shape(s, own) : (shape){.rank = 0};
        add_quantizer(m, all->sequence ? next_name(m) : name, s, scales, zeros);
        if (i + 1 < all->n && all->v[i + 1].of_scales) own = scales;
    }
}
/* The weight is stored as the last that quantises it, and not its scales, says. */
static void add_weight(mod *to, const specs *weight, shape of) {
    const spec *last = NULL;
    for (size_t i = 0; i < weight->n; i++)
        if (!weight->v[i].of_scales) last = &weight->v[i];
    shape packed = last ? packed_shape(last, of) : of;
    freeze(stored_in(add_param(to, "weight", EMPTY, packed.size, packed.rank), last ? last->of->stored : DT_F32));
}
static void make(quant *q, mod *to, const mod *from, int64_t kind) {
    const quark *x = state(q);
    const layer *l = x->kinds[(kind < 0 ? -kind : kind) - 1];
    shape of = {{out_features(from), in_features(from)}, 2};
    becomes(to, "QParamsLinear");
    add_weight(to, kind < 0 ? &(specs){0} : &l->role[WEIGHT], of);
    if (param_named(from, "bias")) freeze(stored_in(param(to, "bias", EMPTY, of.size[0]), DT_F32));
    for (int r = WEIGHT; r < ROLES; r++)
        if (l->role[r].n && (kind > 0 || r == OUTPUT)) add_quantizers(q, to, role_children[r], &l->role[r], r == WEIGHT ? &of : NULL);
}

const quant_method method_quark = {
    .name = "quark",
    .names = SET("quark"),
    .not_asked = "it is made from calibration data, elsewhere; the reference loads it only",
    .settle = settle,
    .start = start,
    .takes = takes,
    .make = make,
    .finish = warn_of_dense_experts,
};
