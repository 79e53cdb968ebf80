/* RecurrentGemma (Griffin): gated linear recurrences and attention with a window, in the turns that block_types says.
 * Mirrors models/recurrent_gemma, transformers 5.23.0. */
#include "../build/def.h"

static void RecurrentGemmaConfig(cfg *c) {
    fill_int(c, "lru_width", dim(c, "hidden_size"), "hidden_size");
    if (!has(c, "block_types")) refuse(c, "block_types", "a list is needed");
    derive_int(c, "head_dim", dim(c, "hidden_size") / dim(c, "num_attention_heads"), "hidden_size / num_attention_heads");
    fill_key_value_heads(c);
    put(c, "final_w_init_variance_scale", val_real(2.0 / (double)dim(c, "num_hidden_layers")), "2 / num_hidden_layers");
    leftover_or(c, "partial_rotary_factor", val_real(0.5));
    if (leftover(c, "layer_types").kind != VAL_ABSENT || leftover(c, "layers_block_type").kind != VAL_ABSENT)
        refuse(c, NULL, "layer_types follow from block_types and cannot be set");
}
static void RecurrentGemmaConfig_validate(const cfg *c) {
    if (whole(c, "num_key_value_heads") > whole(c, "num_attention_heads"))
        refuse(c, "num_key_value_heads", "cannot be above num_attention_heads");
}

static void RecurrentGemmaRMSNorm(mod *m, const char *name, const cfg *c) {
    rmsnorm_zeros(m, name, "RecurrentGemmaRMSNorm", dim(c, "hidden_size"), real(c, "rms_norm_eps"));
}
static void RecurrentGemmaAttention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), head = dim(c, "head_dim");
    int64_t heads = dim(c, "num_attention_heads"), kv_heads = dim(c, "num_key_value_heads");
    bool bias = flag(c, "attention_bias");
    attention_projections(m, d, heads * head, kv_heads * head, bias, true);
    rotary(m, "rotary_emb", "RecurrentGemmaRotaryEmbedding", c, true);
    cache_keys(m, c, kv_heads, head);
}
static void RecurrentGemmaRglru(mod *m, const cfg *c) {
    int64_t width = dim(c, "lru_width"), heads = dim(c, "num_attention_heads"), block = width / heads;
    param(m, "recurrent_param", EMPTY, width);
    param(m, "input_gate_weight", EMPTY, heads, block, block);
    param(m, "input_gate_bias", EMPTY, heads, block);
    param(m, "recurrent_gate_weight", EMPTY, heads, block, block);
    param(m, "recurrent_gate_bias", EMPTY, heads, block);
}
static void RecurrentGemmaRecurrentBlock(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), width = dim(c, "lru_width"), kernel = dim(c, "conv1d_width");
    linear(m, "linear_y", d, width, true);
    linear(m, "linear_x", d, width, true);
    linear(m, "linear_out", width, d, true);
    conv1d(m, "conv_1d", width, width, .kernel = SIZE1(kernel), .groups = width, .padding = SIZE1(kernel - 1));
    sub(m, "rg_lru", RecurrentGemmaRglru, c);
    act(m, "act_fn", c, "hidden_activation");
    cache_state(m, times(width, kernel - 1), width); /* kept by the module itself */
}
static void RecurrentGemmaMlp(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), ff = count(c, "intermediate_size") / 2;
    gated_mlp(m, c, d, ff, true, "hidden_activation");
}
static void RecurrentGemmaDecoderLayer(mod *m, const cfg *c) {
    int64_t turn = layer_mod(m, len(c, "block_types"));
    RecurrentGemmaRMSNorm(m, "temporal_pre_norm", c);
    if (!strcmp(text_at(c, "block_types", turn), "recurrent")) sub(m, "temporal_block", RecurrentGemmaRecurrentBlock, c);
    else sub(m, "temporal_block", RecurrentGemmaAttention, c);
    RecurrentGemmaRMSNorm(m, "channel_pre_norm", c);
    sub(m, "mlp_block", RecurrentGemmaMlp, c);
}
static void RecurrentGemmaModel(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), n = count(c, "num_hidden_layers");
    if (n > times(100, len(c, "block_types"))) refuse(c, "block_types", "is repeated a hundred times at most");
    embedding(m, "embed_tokens", dim(c, "vocab_size"), d, pad(c));
    list(m, "layers", n, RecurrentGemmaDecoderLayer, c);
    RecurrentGemmaRMSNorm(m, "final_norm", c);
    buffer_scalar(m, "normalizer", FULL(sqrt((double)d)), DT_BF16, TRANSIENT);
}
static void RecurrentGemmaForCausalLM(mod *m, const cfg *c) {
    sub(m, "model", RecurrentGemmaModel, c);
    linear(m, "lm_head", dim(c, "hidden_size"), dim(c, "vocab_size"), false);
}

static void init_attention(mod *m, const cfg *c) {
    double d = (double)dim(c, "hidden_size");
    init_normal(m, "q_proj.weight", 0, sqrt(1.0 / d));
    init_normal(m, "k_proj.weight", 0, sqrt(1.0 / d));
    init_normal(m, "v_proj.weight", 0, sqrt(1.0 / d));
    init_normal(m, "o_proj.weight", 0, sqrt(real(c, "final_w_init_variance_scale").d / d));
}
static void init_recurrent_block(mod *m, const cfg *c) {
    double d = (double)dim(c, "hidden_size");
    init_zeros(m, "linear_x.bias");
    init_normal(m, "linear_x.weight", 0, sqrt(1.0 / d));
    init_zeros(m, "linear_y.bias");
    init_normal(m, "linear_y.weight", 0, sqrt(1.0 / d));
    init_normal(m, "linear_out.weight", 0, sqrt(real(c, "final_w_init_variance_scale").d / (double)dim(c, "lru_width")));
    init_zeros(m, "linear_out.bias");
}
/* What is forgotten in a step lies between 0.9 and 0.999, squared. */
static void init_rglru(mod *m, const cfg *c) {
    double block = (double)(dim(c, "lru_width") / dim(c, "num_attention_heads")), std = sqrt(real(c, "w_init_variance_scale").d / block);
    init_normal(m, "input_gate_weight", 0, std);
    init_normal(m, "recurrent_gate_weight", 0, std);
    init_zeros(m, "input_gate_bias");
    init_zeros(m, "recurrent_gate_bias");
    init_made(m, "recurrent_param", mapped(m, UNIFORM(0.9 * 0.9 + 1e-8, 0.999 * 0.999 + 1e-8), DT_DEFAULT, THEN_LOG, THEN_TIMES(-0.5),
                                           THEN_EXP, THEN_PLUS(-1), THEN_LOG));
}
static void init_embedding(mod *m, const cfg *c, double std) {
    int64_t row = pad(c);
    init_normal(m, "weight", 0, std);
    if (row != NO_PAD) init_row_zero(m, "weight", row < 0 ? row + tensor_dim(m, "weight", 0) : row);
}
static void RecurrentGemmaPreTrainedModel_init_weights(mod *m, const cfg *c) {
    double std = sqrt(real(c, "w_init_variance_scale").d / (double)dim(c, "conv1d_width"));
    init_weights(m, c);
    if (is_conv(m, 1) || is_linear(m)) {
        init_normal(m, "weight", 0, std);
        if (has_tensor(m, "bias")) init_zeros(m, "bias");
    } else if (is_a(m, "RecurrentGemmaAttention")) init_attention(m, c);
    else if (is_a(m, "RecurrentGemmaRecurrentBlock")) init_recurrent_block(m, c);
    else if (is_a(m, "RecurrentGemmaRglru")) init_rglru(m, c);
    else if (is_embedding(m)) init_embedding(m, c, std);
    else if (is_a(m, "RecurrentGemmaRMSNorm")) init_zeros(m, "weight");
}

static const model_facts RecurrentGemmaPreTrainedModel = {
    .config = "RecurrentGemmaConfig",
    .base_model_prefix = "model",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("RecurrentGemmaDecoderLayer"),
    .skip_keys_device_placement = SET("cache"),
    .supports_flash_attn = YES, .supports_sdpa = YES, .supports_flex_attn = YES,
    .init_weights = RecurrentGemmaPreTrainedModel_init_weights,
};

/* The blocks in turn, a hundred times over at the most; what is not recurrent slides a window. */
static val RecurrentGemmaConfig_computed(cfg *c, const char *key) {
    val blocks = get(c, "block_types");
    int64_t n = same_word(key, "layers_block_type") ? count(c, "num_hidden_layers") : -1;
    if (blocks.kind != VAL_LIST) return (val){0};
    val *types = n < 0 ? NULL : list_room(c, "num_hidden_layers", &n);
    if (n > 100 * (int64_t)blocks.n) n = 100 * (int64_t)blocks.n;
    for (int64_t i = 0; i < n; i++)
        types[i] = val_text(val_is(blocks.items[i % blocks.n], "recurrent") ? "linear_attention" : "sliding_attention");
    return n < 0 ? (val){0} : list_in(types, n);
}

const family family_recurrent_gemma = {
    .name = "recurrent_gemma",
    .configs = CONFIGS({.name = "RecurrentGemmaConfig",
                        .model_type = "recurrent_gemma",
                        .post_init = RecurrentGemmaConfig,
                        .computed = RecurrentGemmaConfig_computed,
                        .validate_architecture = RecurrentGemmaConfig_validate}),
    .models = MODELS({"RecurrentGemmaModel", RecurrentGemmaModel, .like = &RecurrentGemmaPreTrainedModel},
                     {"RecurrentGemmaForCausalLM", RecurrentGemmaForCausalLM, .like = &RecurrentGemmaPreTrainedModel,
                      .own = {.can_generate = YES, .tied_weights_keys = MAP({"lm_head.weight", "model.embed_tokens.weight"})}}),
};
