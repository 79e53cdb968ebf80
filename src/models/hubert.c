/* HuBERT: wav2vec 2.0 without quantizer and adapters; the positional convolution may have a batch norm for its weight norm.
 * Mirrors models/hubert, transformers 5.23.0. */
#include "../build/def.h"

static void HubertConfig(cfg *c) {
    derive_int(c, "num_feat_extract_layers", len(c, "conv_dim"), "len(conv_dim)");
}

static void HubertPositionalConvEmbedding(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), k = dim(c, "num_conv_pos_embeddings"), groups = dim(c, "num_conv_pos_embedding_groups");
    mod *conv = conv1d(m, "conv", d, d, .kernel = SIZE1(k), .padding = SIZE1(k / 2), .groups = groups);
    if (flag_or(c, "conv_pos_batch_norm", false)) batchnorm1d(m, "batch_norm", d, .no_affine = false);
    else weight_norm(conv, 2);
    done(child(m, "padding", "HubertSamePadLayer"));
    act(m, "activation", c, "feat_extract_activation");
}
static void HubertFeatureEncoder(mod *m, const cfg *c) { speech_convs(m, c, "Hubert"); }
static void HubertFeatureProjection(mod *m, const cfg *c) {
    int64_t features = dim_at(c, "conv_dim", len(c, "conv_dim") - 1);
    if (flag(c, "feat_proj_layer_norm")) layernorm(m, "layer_norm", features, real(c, "layer_norm_eps"));
    linear(m, "projection", features, dim(c, "hidden_size"), true);
    dropout(m, "dropout", real(c, "feat_proj_dropout"));
}
static void HubertAttention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    if (d % dim(c, "num_attention_heads")) refuse(c, "num_attention_heads", "should divide hidden_size, which is %lld", (long long)d);
    square_attention(m, d);
}
static void HubertFeedForward(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), ff = dim(c, "intermediate_size");
    dropout(m, "intermediate_dropout", real(c, "activation_dropout"));
    linear(m, "intermediate_dense", d, ff, true);
    act(m, "intermediate_act_fn", c, "hidden_act");
    linear(m, "output_dense", ff, d, true);
    dropout(m, "output_dropout", real(c, "hidden_dropout"));
}
static void HubertEncoderLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    num eps = real(c, "layer_norm_eps");
    sub(m, "attention", HubertAttention, c);
    dropout(m, "dropout", real(c, "hidden_dropout"));
    layernorm(m, "layer_norm", d, eps);
    sub(m, "feed_forward", HubertFeedForward, c);
    layernorm(m, "final_layer_norm", d, eps);
}
static void HubertAttnAdapterLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), inner = dim(c, "adapter_attn_dim");
    layernorm(m, "norm", d, num_f(1e-5));
    linear(m, "linear_1", d, inner, true);
    relu(m, "act_fn", false);
    linear(m, "linear_2", inner, d, true);
}
static void HubertEncoderLayerStableLayerNorm(mod *m, const cfg *c) {
    HubertEncoderLayer(m, c);
    if (has(c, "adapter_attn_dim")) sub(m, "adapter_layer", HubertAttnAdapterLayer, c);
}
static void hubert_encoder_head(mod *m, const cfg *c) {
    sub(m, "pos_conv_embed", HubertPositionalConvEmbedding, c);
    layernorm(m, "layer_norm", dim(c, "hidden_size"), real(c, "layer_norm_eps"));
    dropout(m, "dropout", real(c, "hidden_dropout"));
}
static void HubertEncoder(mod *m, const cfg *c) {
    hubert_encoder_head(m, c);
    list(m, "layers", count(c, "num_hidden_layers"), HubertEncoderLayer, c);
}
static void HubertEncoderStableLayerNorm(mod *m, const cfg *c) {
    hubert_encoder_head(m, c);
    list(m, "layers", count(c, "num_hidden_layers"), HubertEncoderLayerStableLayerNorm, c);
}
static void HubertModel(mod *m, const cfg *c) {
    sub(m, "feature_extractor", HubertFeatureEncoder, c);
    sub(m, "feature_projection", HubertFeatureProjection, c);
    if (real(c, "mask_time_prob").d > 0 || real(c, "mask_feature_prob").d > 0)
        param(m, "masked_spec_embed", UNIFORM(0, 1), dim(c, "hidden_size"));
    if (flag(c, "do_stable_layer_norm")) sub(m, "encoder", HubertEncoderStableLayerNorm, c);
    else sub(m, "encoder", HubertEncoder, c);
}
static void HubertForCTC(mod *m, const cfg *c) {
    sub(m, "hubert", HubertModel, c);
    dropout(m, "dropout", real(c, "final_dropout"));
    if (!has(c, "vocab_size")) refuse(c, "vocab_size", "should be an int, the size of lm_head");
    linear(m, "lm_head", dim(c, flag_or(c, "add_adapter", false) ? "output_hidden_size" : "hidden_size"), dim(c, "vocab_size"), true);
}
static void HubertForSequenceClassification(mod *m, const cfg *c) {
    int64_t layers = count(c, "num_hidden_layers") + 1, projection = dim(c, "classifier_proj_size");
    if (flag_or(c, "add_adapter", false)) refuse(c, "add_adapter", "should be false: this head takes no adapter");
    sub(m, "hubert", HubertModel, c);
    if (flag(c, "use_weighted_layer_sum")) param(m, "layer_weights", FULL(1.0 / (double)layers), layers);
    linear(m, "projector", dim(c, "hidden_size"), projection, true);
    linear(m, "classifier", projection, num_labels(c), true);
}
/* The weight of the positional convolution is a product of two others, so what is drawn for it is lost. */
static void HubertPreTrainedModel_init_weights(mod *m, const cfg *c) {
    init_weights(m, c);
    if (is_conv(m, 1)) {
        init_kaiming_normal(m, "weight", FAN_IN, 0);
        if (has_tensor(m, "bias")) init_zeros(m, "bias");
    } else if (is_a(m, "HubertModel") && has_tensor(m, "masked_spec_embed")) init_uniform(m, "masked_spec_embed", 0, 1);
    else if (is_a(m, "HubertForSequenceClassification") && has_tensor(m, "layer_weights"))
        init_constant(m, "layer_weights", 1.0 / (double)(count(c, "num_hidden_layers") + 1));
}

static const model_facts HubertPreTrainedModel = {
    .config = "HubertConfig",
    .base_model_prefix = "hubert",
    .main_input_name = "input_values",
    .no_split_modules = SET("HubertEncoderLayer", "ParametrizedConv1d"),
    .supports_gradient_checkpointing = YES,
    .supports_flash_attn = YES, .supports_sdpa = YES, .supports_flex_attn = YES,
    .init_weights = HubertPreTrainedModel_init_weights,
};
const family family_hubert = {
    .name = "hubert",
    .configs = CONFIGS({.name = "HubertConfig",
                        .model_type = "hubert",
                        .post_init = HubertConfig,
                        .computed = speech_computed,
                        .validate_architecture = speech_convs_agree}),
    .models = MODELS(
        {"HubertModel", HubertModel, .like = &HubertPreTrainedModel},
        {"HubertForCTC", HubertForCTC, .like = &HubertPreTrainedModel},
        {"HubertForSequenceClassification", HubertForSequenceClassification, .like = &HubertPreTrainedModel}),
};
