/* GPT-J: attention and MLP side by side behind one norm, rotary sinusoids in a table of each layer. Mirrors models/gptj,
 * transformers 5.23.0. Its _init_weights() adds nothing to the constructors'. */
#include "../build/def.h"

static void GPTJAttention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), heads = dim(c, "num_attention_heads");
    int64_t asked = count(c, "rotary_dim"), rotary_dim = asked ? asked : d;
    if (d % heads) refuse(c, "n_head", "should divide hidden_size, which is %lld", (long long)d);
    dropout(m, "attn_dropout", real(c, "attn_pdrop"));
    dropout(m, "resid_dropout", real(c, "resid_pdrop"));
    linear(m, "k_proj", d, d, false);
    linear(m, "v_proj", d, d, false);
    linear(m, "q_proj", d, d, false);
    linear(m, "out_proj", d, d, false);
    buffer(m, "embed_positions", ROTARY_SINUSOIDS(10000, rotary_dim), DT_DEFAULT, TRANSIENT, dim(c, "max_position_embeddings"),
           rotary_dim + rotary_dim % 2);
    cache_keys(m, c, heads, d / heads);
}
static void GPTJMLP(mod *m, const cfg *c) {
    int64_t d = dim(c, "n_embd"), inner = dim_or(c, "n_inner", 4 * d);
    linear(m, "fc_in", d, inner, true);
    linear(m, "fc_out", inner, d, true);
    act(m, "act", c, "activation_function");
    dropout(m, "dropout", real(c, "resid_pdrop"));
}
static void GPTJBlock(mod *m, const cfg *c) {
    layernorm(m, "ln_1", dim(c, "n_embd"), real(c, "layer_norm_epsilon"));
    sub_as(m, "attn", flash_attention(c) ? "GPTJFlashAttention2" : "GPTJAttention", GPTJAttention, c);
    sub(m, "mlp", GPTJMLP, c);
}
static void GPTJModel(mod *m, const cfg *c) {
    int64_t d = dim(c, "n_embd");
    embedding(m, "wte", dim(c, "vocab_size"), d, NO_PAD);
    dropout(m, "drop", real(c, "embd_pdrop"));
    list(m, "h", count(c, "n_layer"), GPTJBlock, c);
    layernorm(m, "ln_f", d, real(c, "layer_norm_epsilon"));
}
static void GPTJForCausalLM(mod *m, const cfg *c) {
    sub(m, "transformer", GPTJModel, c);
    linear(m, "lm_head", dim(c, "n_embd"), dim(c, "vocab_size"), true);
}
static void GPTJForSequenceClassification(mod *m, const cfg *c) {
    sub(m, "transformer", GPTJModel, c);
    linear(m, "score", dim(c, "n_embd"), num_labels(c), false);
}
static void GPTJForQuestionAnswering(mod *m, const cfg *c) {
    sub(m, "transformer", GPTJModel, c);
    linear(m, "qa_outputs", dim(c, "hidden_size"), num_labels(c), true);
}

static const model_facts GPTJPreTrainedModel = {
    .config = "GPTJConfig",
    .base_model_prefix = "transformer",
    .supports_gradient_checkpointing = YES,
    .no_split_modules = SET("GPTJBlock"),
    .skip_keys_device_placement = SET("past_key_values"),
    .supports_flash_attn = YES,
};

const family family_gptj = {
    .name = "gptj",
    .configs = CONFIGS({.name = "GPTJConfig", .model_type = "gptj"}),
    .models = MODELS(
        {"GPTJModel", GPTJModel, .like = &GPTJPreTrainedModel},
        {"GPTJForCausalLM", GPTJForCausalLM, .like = &GPTJPreTrainedModel,
         .own = {.can_generate = YES, .tied_weights_keys = MAP({"lm_head.weight", "transformer.wte.weight"})}},
        {"GPTJForSequenceClassification", GPTJForSequenceClassification, .like = &GPTJPreTrainedModel},
        {"GPTJForQuestionAnswering", GPTJForQuestionAnswering, .like = &GPTJPreTrainedModel}),
};
