/* OPT: decoder with learned positions, two rows into their table; small embeddings may be projected. Mirrors models/opt,
 * transformers 5.23.0. */
#include "../build/def.h"

static void OPTConfig(cfg *c) { fill_int(c, "word_embed_proj_dim", dim(c, "hidden_size"), "hidden_size"); }

static void norm(mod *m, const char *name, const cfg *c) {
    layernorm_with(m, name, dim(c, "hidden_size"), num_f(1e-5), .no_affine = !flag(c, "layer_norm_elementwise_affine"));
}
static void OPTAttention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), heads = dim(c, "num_attention_heads");
    bool bias = flag(c, "enable_bias");
    if (d % heads) refuse(c, "num_attention_heads", "should divide hidden_size, which is %lld", (long long)d);
    linear(m, "k_proj", d, d, bias);
    linear(m, "v_proj", d, d, bias);
    linear(m, "q_proj", d, d, bias);
    linear(m, "out_proj", d, d, bias);
    cache_keys(m, c, heads, d / heads);
}
static void OPTDecoderLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), ff = dim(c, "ffn_dim");
    bool bias = flag(c, "enable_bias");
    sub(m, "self_attn", OPTAttention, c);
    act(m, "activation_fn", c, "activation_function");
    norm(m, "self_attn_layer_norm", c);
    linear(m, "fc1", d, ff, bias);
    linear(m, "fc2", ff, d, bias);
    norm(m, "final_layer_norm", c);
}
static void OPTDecoder(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), small = dim(c, "word_embed_proj_dim");
    embedding(m, "embed_tokens", dim(c, "vocab_size"), small, pad(c));
    embedding_as(m, "embed_positions", "OPTLearnedPositionalEmbedding", plus(whole(c, "max_position_embeddings"), 2), d, NO_PAD);
    if (small != d) {
        linear(m, "project_out", d, small, false);
        linear(m, "project_in", small, d, false);
    }
    if (flag(c, "do_layer_norm_before") && !flag(c, "_remove_final_layer_norm")) norm(m, "final_layer_norm", c);
    list(m, "layers", count(c, "num_hidden_layers"), OPTDecoderLayer, c);
}
static void OPTModel(mod *m, const cfg *c) { sub(m, "decoder", OPTDecoder, c); }
static void OPTForCausalLM(mod *m, const cfg *c) {
    sub(m, "model", OPTModel, c);
    linear(m, "lm_head", dim(c, "word_embed_proj_dim"), dim(c, "vocab_size"), false);
}
static void OPTForSequenceClassification(mod *m, const cfg *c) {
    sub(m, "model", OPTModel, c);
    linear(m, "score", dim(c, "word_embed_proj_dim"), num_labels(c), false);
}
static void OPTForQuestionAnswering(mod *m, const cfg *c) {
    sub(m, "model", OPTModel, c);
    linear(m, "qa_outputs", dim(c, "word_embed_proj_dim"), 2, true);
}

static const model_facts OPTPreTrainedModel = {
    .config = "OPTConfig",
    .base_model_prefix = "model",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("OPTDecoderLayer"),
    .supports_flash_attn = YES, .supports_sdpa = YES, .supports_flex_attn = YES,
};

const family family_opt = {
    .name = "opt",
    .configs = CONFIGS({.name = "OPTConfig", .model_type = "opt", .post_init = OPTConfig}),
    .models = MODELS(
        {"OPTDecoder", OPTDecoder, .like = &OPTPreTrainedModel},
        {"OPTModel", OPTModel, .like = &OPTPreTrainedModel},
        {"OPTForCausalLM", OPTForCausalLM, .like = &OPTPreTrainedModel,
         .own = {.can_generate = YES, .tied_weights_keys = MAP({"lm_head.weight", "model.decoder.embed_tokens.weight"})}},
        {"OPTForSequenceClassification", OPTForSequenceClassification, .like = &OPTPreTrainedModel},
        {"OPTForQuestionAnswering", OPTForQuestionAnswering, .like = &OPTPreTrainedModel}),
};
