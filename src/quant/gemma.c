/* Gemma's own: 2, 4 or 8 bits by rows, and scales of activations. Mirrors integrations/gemma_quant.py, transformers 5.23.0. */
#include "quant.h"

enum { EMBEDS = 1 << 16 }; /* added to the bits, which are what modules differ in */
typedef struct override { const regex *pattern; int64_t bits; } override;
typedef struct gemma {
    int64_t bits;
    bool embeddings;
    override *overrides; /* the leftmost match decides, and among those the first in the config */
    size_t n;
} gemma;

static void settle(quant *q) {
    const conf *c = settings(q);
    gemma *g = room(q, sizeof *g);
    g->bits = conf_int(c, "num_bits", 4);
    g->embeddings = conf_flag(c, "quantize_embeddings", false);
    if (g->bits < 1 || g->bits >= EMBEDS) conf_refuse(c, "num_bits", "known are 2, 4, 8");
    conf modules = conf_part(c, "module_quant_configs");
    g->overrides = memory(q, modules.d.n, sizeof *g->overrides);
    for (uint32_t i = 0; i < modules.d.n && quant_ok(q); i++) {
        const char *pattern = modules.d.members[i].key;
        conf one = conf_part(&modules, pattern);
        if (!conf_given(&modules, pattern)) conf_refuse(&modules, pattern, "an object is needed");
        for (uint32_t k = 0; k < one.d.n; k++)
            if (strcmp(one.d.members[k].key, "num_bits")) conf_refuse(&one, one.d.members[k].key, "modules differ in num_bits alone");
        int64_t bits = conf_int(&one, "num_bits", g->bits);
        if (bits < 1 || bits >= EMBEDS) conf_refuse(&one, "num_bits", "known are 2, 4, 8");
        g->overrides[g->n++] = (override){regex_of(q, "module_quant_configs", pattern, false), bits};
    }
}
static int64_t bits_of(const quant *q, const gemma *g, const char *path) {
    int64_t bits = g->bits, leftmost = INT64_MAX;
    for (size_t i = 0; i < g->n; i++) {
        int64_t at = regex_begin(q, g->overrides[i].pattern, path);
        if (at >= 0 && at < leftmost) leftmost = at, bits = g->overrides[i].bits;
    }
    return bits;
}
static int64_t takes(quant *q, const mod *m, const char *path) {
    const gemma *g = state(q);
    bool embeds = is_embedding(m);
    if ((!embeds && !is_linear(m)) || (embeds && !g->embeddings) || skipped(q, path)) return LEAVE;
    return bits_of(q, g, path) + (embeds ? EMBEDS : 0);
}
static tensor *packed(mod *to, const char *name, int64_t rows, int64_t columns, int64_t bits) {
    if (bits == 2 || bits == 4) return stored_in(param(to, name, EMPTY, rows, ceil_div(columns * bits, 8)), DT_U8);
    return stored_in(param(to, name, EMPTY, rows, columns), DT_I8);
}
static void make_embedding(mod *to, const mod *from, int64_t bits) {
    int64_t rows = size_at(param_named(from, "weight"), 0), columns = size_at(param_named(from, "weight"), 1);
    becomes(to, "QuantizedEmbedding");
    extra_repr(to, "num_embeddings=%lld, embedding_dim=%lld, num_bits=%lld, embed_scale=%s", (long long)rows, (long long)columns, (long long)bits,
        show(to, num_f(constant_of(from, "embed_scale", 1))));
    freeze(packed(to, "embedding_quantized", rows, columns, bits));
    freeze(stored_in(param(to, "embedding_scale", ONES, rows, 1), DT_F32));
}
static void make(quant *q, mod *to, const mod *from, int64_t kind) {
    (void)q;
    if (kind >= EMBEDS) {
        make_embedding(to, from, kind - EMBEDS);
        return;
    }
    int64_t in = in_features(from), out = out_features(from);
    bool bias = param_named(from, "bias");
    becomes(to, "QuantizedLinear");
    extra_repr(to, "in_features=%lld, out_features=%lld, bias=%s, num_bits=%lld", (long long)in, (long long)out, bias ? "True" : "False",
        (long long)kind);
    freeze(packed(to, "weight", out, in, kind));
    if (bias) freeze(param(to, "bias", EMPTY, out));
    freeze(stored_in(param(to, "weight_scale", ONES, out, 1), DT_F32));
    freeze(stored_in(param_scalar(to, "input_activation_scale", ZEROS), DT_F32));
    freeze(stored_in(param_scalar(to, "output_activation_scale", ZEROS), DT_F32));
}
static void finish(quant *q) {
    warn_of_dense_experts(q);
    note_warning(q, "the reference cannot save such a model: its save_pretrained() fails");
}

const quant_method method_gemma = {
    .name = "gemma",
    .names = SET("gemma"),
    .not_asked = "it is made elsewhere; the reference loads it only",
    .settle = settle,
    .start = skip_not_converted,
    .takes = takes,
    .make = make,
    .finish = finish,
};
