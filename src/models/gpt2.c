/* GPT-2: pre-norm decoder with learned positions; Conv1D keeps its weights transposed. Mirrors models/gpt2, transformers 5.23.0. */
#include "../build/def.h"

static void GPT2Attention(mod *m, const cfg *c, bool cross) {
    int64_t d = dim(c, "hidden_size"), heads = dim(c, "num_attention_heads");
    if (d % heads) refuse(c, "n_head", "should divide hidden_size, which is %lld", (long long)d);
    conv1d_gpt(m, "c_attn", cross ? 2 * d : 3 * d, d);
    if (cross) conv1d_gpt(m, "q_attn", d, d);
    conv1d_gpt(m, "c_proj", d, d);
    dropout(m, "attn_dropout", real(c, "attn_pdrop"));
    dropout(m, "resid_dropout", real(c, "resid_pdrop"));
    if (cross) cache_cross(m, c, heads, d / heads, 0);
    else cache_keys(m, c, heads, d / heads);
}
static void GPT2MLP(mod *m, const cfg *c, int64_t inner) {
    int64_t d = dim(c, "hidden_size");
    conv1d_gpt(m, "c_fc", inner, d);
    conv1d_gpt(m, "c_proj", d, inner);
    act(m, "act", c, "activation_function");
    dropout(m, "dropout", real(c, "resid_pdrop"));
}
static void GPT2Block(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    num eps = real(c, "layer_norm_epsilon");
    layernorm(m, "ln_1", d, eps);
    sub(m, "attn", GPT2Attention, c, false);
    layernorm(m, "ln_2", d, eps);
    if (flag(c, "add_cross_attention")) {
        sub(m, "crossattention", GPT2Attention, c, true);
        layernorm(m, "ln_cross_attn", d, eps);
    }
    sub(m, "mlp", GPT2MLP, c, dim_or(c, "n_inner", 4 * d));
}
static void GPT2SequenceSummary(mod *m, const cfg *c, int64_t labels) { sequence_summary(m, c, labels); }

static void GPT2Model(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    embedding(m, "wte", dim(c, "vocab_size"), d, NO_PAD);
    embedding(m, "wpe", dim(c, "max_position_embeddings"), d, NO_PAD);
    dropout(m, "drop", real(c, "embd_pdrop"));
    list(m, "h", count(c, "num_hidden_layers"), GPT2Block, c);
    layernorm(m, "ln_f", d, real(c, "layer_norm_epsilon"));
}
static void GPT2LMHeadModel(mod *m, const cfg *c) {
    sub(m, "transformer", GPT2Model, c);
    linear(m, "lm_head", dim(c, "n_embd"), dim(c, "vocab_size"), false);
}
static void GPT2DoubleHeadsModel(mod *m, const cfg *c) {
    sub(m, "transformer", GPT2Model, c);
    linear(m, "lm_head", dim(c, "n_embd"), dim(c, "vocab_size"), false);
    writes(c, "num_labels", val_int(1));
    sub(m, "multiple_choice_head", GPT2SequenceSummary, c, 1); /* that num_labels */
}
static void GPT2ForSequenceClassification(mod *m, const cfg *c) {
    sub(m, "transformer", GPT2Model, c);
    linear(m, "score", dim(c, "n_embd"), num_labels(c), false);
}
static void GPT2ForTokenClassification(mod *m, const cfg *c) {
    sub(m, "transformer", GPT2Model, c);
    token_classifier(m, c);
}
static void GPT2ForQuestionAnswering(mod *m, const cfg *c) {
    sub(m, "transformer", GPT2Model, c);
    linear(m, "qa_outputs", dim(c, "hidden_size"), 2, true);
}

/* Every residual path ends in a c_proj; there are two of them per layer. */
static void GPT2PreTrainedModel_init_weights(mod *m, const cfg *c) {
    double std = real(c, "initializer_range").d;
    init_weights(m, c);
    if (is_a(m, "Conv1D")) {
        init_normal(m, "weight", 0, std);
        init_zeros(m, "bias");
    }
    if (is_a(m, "GPT2Attention", "GPT2MLP")) init_normal(m, "c_proj.weight", 0, std / sqrt((double)(2 * count(c, "n_layer"))));
}

static const model_facts GPT2PreTrainedModel = {
    .config = "GPT2Config",
    .base_model_prefix = "transformer",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("GPT2Block"),
    .skip_keys_device_placement = SET("past_key_values"),
    .supports_flash_attn = YES, .supports_sdpa = YES,
    .keys_to_ignore_on_load_unexpected = SET("attn.bias", "crossattention.bias"),
    .init_weights = GPT2PreTrainedModel_init_weights,
};
#define TIES MAP({"lm_head.weight", "transformer.wte.weight"})

const family family_gpt2 = {
    .name = "gpt2",
    .configs = CONFIGS({.name = "GPT2Config", .model_type = "gpt2", .also = SET("gpt-sw3")}),
    .models = MODELS(
        {"GPT2Model", GPT2Model, .like = &GPT2PreTrainedModel},
        {"GPT2LMHeadModel", GPT2LMHeadModel, .like = &GPT2PreTrainedModel, .own = {.tied_weights_keys = TIES, .can_generate = YES}},
        {"GPT2DoubleHeadsModel", GPT2DoubleHeadsModel, .like = &GPT2PreTrainedModel, .own = {.tied_weights_keys = TIES, .can_generate = YES}},
        {"GPT2ForSequenceClassification", GPT2ForSequenceClassification, .like = &GPT2PreTrainedModel},
        {"GPT2ForTokenClassification", GPT2ForTokenClassification, .like = &GPT2PreTrainedModel},
        {"GPT2ForQuestionAnswering", GPT2ForQuestionAnswering, .like = &GPT2PreTrainedModel}),
};
