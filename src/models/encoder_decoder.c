/* An encoder and a decoder of any family, each from a config of its own. Mirrors models/encoder_decoder, transformers 5.23.0. */
#include "../build/def.h"

/* Types whose causal models take encoder_hidden_states. */
static const char *const cross_attending[] = {
    "bart", "bert", "bert-generation", "big_bird", "bigbird_pegasus", "blenderbot", "blenderbot-small", "camembert", "data2vec-text",
    "electra", "ernie", "gpt-sw3", "gpt2", "gpt_bigcode", "marian", "mbart", "megatron-bert", "musicgen", "musicgen_melody", "mvp",
    "pegasus", "plbart", "prophetnet", "rembert", "roberta", "roberta-prelayernorm", "roc_bert", "roformer", "trocr", "xglm",
    "xlm-roberta", "xlm-roberta-xl", "xmod", NULL};

static void EncoderDecoderModel(mod *m, const cfg *c) {
    const cfg *encoder = part(c, "encoder"), *decoder = part(c, "decoder");
    bool given = has(decoder, "cross_attention_hidden_size");
    if (given && !val_equal(get(decoder, "cross_attention_hidden_size"), get(encoder, "hidden_size")))
        refuse(decoder, "cross_attention_hidden_size", "should be the encoder's hidden_size, or null");
    sub_auto(m, "encoder", encoder, "AutoModel");
    sub_auto(m, "decoder", decoder, "AutoModelForCausalLM");
    int64_t from = dim(encoder, "hidden_size"), to = dim(decoder, "hidden_size");
    if (from != to && !given) linear(m, "enc_to_dec_proj", from, to, true);
    if (has_tensor(m, "encoder.lm_head.weight")) refuse(encoder, "model_type", "should be of a type whose base model has no lm_head");
    if (!val_in(get(decoder, "model_type"), cross_attending))
        refuse(decoder, "model_type", "should be of a type whose decoder attends to an encoder");
}

static const model_facts EncoderDecoderPreTrainedModel = {
    .config = "EncoderDecoderConfig",
    .base_model_prefix = "encoder_decoder",
    .main_input_name = "input_ids",
    .can_generate = YES,
    .supports_gradient_checkpointing = YES,
    .supports_flash_attn = YES, .supports_sdpa = YES,
};
const family family_encoder_decoder = {
    .name = "encoder_decoder",
    .configs = CONFIGS({.name = "EncoderDecoderConfig", .model_type = "encoder-decoder"}),
    .models = MODELS({"EncoderDecoderModel", EncoderDecoderModel, .like = &EncoderDecoderPreTrainedModel}),
};
