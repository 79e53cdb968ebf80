/* wav2vec 2.0: convolutions over the waveform, a weight-normed positional convolution, an encoder; heads, adapters, quantizer.
 * Mirrors models/wav2vec2, transformers 5.23.0. */
#include "../build/def.h"

static void Wav2Vec2Config(cfg *c) {
    derive_int(c, "num_feat_extract_layers", len(c, "conv_dim"), "len(conv_dim)");
    if (!val_true(get(c, "output_hidden_size"))) derive_int(c, "output_hidden_size", whole(c, "hidden_size"), "hidden_size");
}

static void Wav2Vec2PositionalConvEmbedding(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), k = dim(c, "num_conv_pos_embeddings"), groups = dim(c, "num_conv_pos_embedding_groups");
    weight_norm(conv1d(m, "conv", d, d, .kernel = SIZE1(k), .padding = SIZE1(k / 2), .groups = groups), 2);
    done(child(m, "padding", "Wav2Vec2SamePadLayer"));
    act(m, "activation", c, "feat_extract_activation");
}
static void Wav2Vec2FeatureEncoder(mod *m, const cfg *c) { speech_convs(m, c, "Wav2Vec2"); }
static void Wav2Vec2FeatureProjection(mod *m, const cfg *c) {
    int64_t features = dim_at(c, "conv_dim", len(c, "conv_dim") - 1);
    layernorm(m, "layer_norm", features, real(c, "layer_norm_eps"));
    linear(m, "projection", features, dim(c, "hidden_size"), true);
    dropout(m, "dropout", real(c, "feat_proj_dropout"));
}
static void Wav2Vec2Attention(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    if (d % dim(c, "num_attention_heads")) refuse(c, "num_attention_heads", "should divide hidden_size, which is %lld", (long long)d);
    square_attention(m, d);
}
static void Wav2Vec2FeedForward(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), ff = dim(c, "intermediate_size");
    dropout(m, "intermediate_dropout", real(c, "activation_dropout"));
    linear(m, "intermediate_dense", d, ff, true);
    act(m, "intermediate_act_fn", c, "hidden_act");
    linear(m, "output_dense", ff, d, true);
    dropout(m, "output_dropout", real(c, "hidden_dropout"));
}
static void Wav2Vec2EncoderLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size");
    num eps = real(c, "layer_norm_eps");
    sub(m, "attention", Wav2Vec2Attention, c);
    dropout(m, "dropout", real(c, "hidden_dropout"));
    layernorm(m, "layer_norm", d, eps);
    sub(m, "feed_forward", Wav2Vec2FeedForward, c);
    layernorm(m, "final_layer_norm", d, eps);
}
static void Wav2Vec2AttnAdapterLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "hidden_size"), inner = dim(c, "adapter_attn_dim");
    layernorm(m, "norm", d, num_f(1e-5));
    linear(m, "linear_1", d, inner, true);
    relu(m, "act_fn", false);
    linear(m, "linear_2", inner, d, true);
}
static void Wav2Vec2EncoderLayerStableLayerNorm(mod *m, const cfg *c) {
    Wav2Vec2EncoderLayer(m, c);
    if (has(c, "adapter_attn_dim")) sub(m, "adapter_layer", Wav2Vec2AttnAdapterLayer, c);
}
static void wav2vec2_encoder_head(mod *m, const cfg *c) {
    sub(m, "pos_conv_embed", Wav2Vec2PositionalConvEmbedding, c);
    layernorm(m, "layer_norm", dim(c, "hidden_size"), real(c, "layer_norm_eps"));
    dropout(m, "dropout", real(c, "hidden_dropout"));
}
static void Wav2Vec2Encoder(mod *m, const cfg *c) {
    wav2vec2_encoder_head(m, c);
    list(m, "layers", count(c, "num_hidden_layers"), Wav2Vec2EncoderLayer, c);
}
static void Wav2Vec2EncoderStableLayerNorm(mod *m, const cfg *c) {
    wav2vec2_encoder_head(m, c);
    list(m, "layers", count(c, "num_hidden_layers"), Wav2Vec2EncoderLayerStableLayerNorm, c);
}
static void Wav2Vec2GumbelVectorQuantizer(mod *m, const cfg *c) {
    int64_t groups = dim(c, "num_codevector_groups"), vectors = groups * dim(c, "num_codevectors_per_group"), d = dim(c, "codevector_dim");
    if (d % groups) refuse(c, "codevector_dim", "should be a multiple of num_codevector_groups, which is %lld", (long long)groups);
    in_dtype(param(m, "codevectors", EMPTY, 1, vectors, d / groups), DT_F32);
    linear(m, "weight_proj", dim_at(c, "conv_dim", len(c, "conv_dim") - 1), vectors, true);
}
static void Wav2Vec2AdapterLayer(mod *m, const cfg *c) {
    int64_t d = dim(c, "output_hidden_size"), kernel = dim(c, "adapter_kernel_size"), stride = dim(c, "adapter_stride");
    conv1d(m, "conv", d, 2 * d, .kernel = SIZE1(kernel), .stride = SIZE1(stride), .padding = SIZE1(1));
}
static void Wav2Vec2Adapter(mod *m, const cfg *c) {
    int64_t in = dim(c, "hidden_size"), out = dim(c, "output_hidden_size");
    if (in != out) {
        linear(m, "proj", in, out, true);
        layernorm(m, "proj_layer_norm", out, num_f(1e-5));
    }
    list(m, "layers", count(c, "num_adapter_layers"), Wav2Vec2AdapterLayer, c);
}
static void Wav2Vec2Model(mod *m, const cfg *c) {
    sub(m, "feature_extractor", Wav2Vec2FeatureEncoder, c);
    sub(m, "feature_projection", Wav2Vec2FeatureProjection, c);
    if (real(c, "mask_time_prob").d > 0 || real(c, "mask_feature_prob").d > 0)
        param(m, "masked_spec_embed", UNIFORM(0, 1), dim(c, "hidden_size"));
    if (flag(c, "do_stable_layer_norm")) sub(m, "encoder", Wav2Vec2EncoderStableLayerNorm, c);
    else sub(m, "encoder", Wav2Vec2Encoder, c);
    if (flag(c, "add_adapter")) sub(m, "adapter", Wav2Vec2Adapter, c);
}
static void Wav2Vec2ForPreTraining(mod *m, const cfg *c) {
    int64_t projection = dim(c, "proj_codevector_dim");
    sub(m, "wav2vec2", Wav2Vec2Model, c);
    dropout(m, "dropout_features", real(c, "feat_quantizer_dropout"));
    sub(m, "quantizer", Wav2Vec2GumbelVectorQuantizer, c);
    linear(m, "project_hid", dim(c, "hidden_size"), projection, true);
    linear(m, "project_q", dim(c, "codevector_dim"), projection, true);
}
static void Wav2Vec2ForCTC(mod *m, const cfg *c) {
    sub(m, "wav2vec2", Wav2Vec2Model, c);
    dropout(m, "dropout", real(c, "final_dropout"));
    if (!has(c, "vocab_size")) refuse(c, "vocab_size", "should be an int, the size of lm_head");
    linear(m, "lm_head", dim(c, flag(c, "add_adapter") ? "output_hidden_size" : "hidden_size"), dim(c, "vocab_size"), true);
}
static void wav2vec2_no_adapter(const cfg *c) {
    if (flag(c, "add_adapter")) refuse(c, "add_adapter", "should be false: this head takes no adapter");
}
static void wav2vec2_layer_weights(mod *m, const cfg *c) {
    int64_t n = count(c, "num_hidden_layers") + 1;
    if (flag(c, "use_weighted_layer_sum")) param(m, "layer_weights", FULL(1.0 / (double)n), n);
}
static void Wav2Vec2ForSequenceClassification(mod *m, const cfg *c) {
    int64_t projection = dim(c, "classifier_proj_size");
    wav2vec2_no_adapter(c);
    sub(m, "wav2vec2", Wav2Vec2Model, c);
    wav2vec2_layer_weights(m, c);
    linear(m, "projector", dim(c, "hidden_size"), projection, true);
    linear(m, "classifier", projection, num_labels(c), true);
}
static void Wav2Vec2ForAudioFrameClassification(mod *m, const cfg *c) {
    wav2vec2_no_adapter(c);
    sub(m, "wav2vec2", Wav2Vec2Model, c);
    wav2vec2_layer_weights(m, c);
    linear(m, "classifier", dim(c, "hidden_size"), num_labels(c), true);
}
static void AMSoftmaxLoss(mod *m, int64_t in, int64_t labels) {
    param(m, "weight", RANDN, in, labels);
    done(child(m, "loss", "CrossEntropyLoss"));
}
static void TDNNLayer(mod *m, const cfg *c) {
    int64_t in = layer_dim_before(m, c, "tdnn_dim", dim_at(c, "tdnn_dim", 0)), out = layer_dim(m, c, "tdnn_dim");
    int64_t kernel = layer_dim(m, c, "tdnn_kernel");
    layer_dim(m, c, "tdnn_dilation"); /* takes no part in the shapes, but each layer must have one */
    linear(m, "kernel", in * kernel, out, true);
    relu(m, "activation", false);
}
static void Wav2Vec2ForXVector(mod *m, const cfg *c) {
    int64_t layers = len(c, "tdnn_dim"), out = dim(c, "xvector_output_dim");
    sub(m, "wav2vec2", Wav2Vec2Model, c);
    wav2vec2_layer_weights(m, c);
    linear(m, "projector", dim(c, "hidden_size"), dim_at(c, "tdnn_dim", 0), true);
    list(m, "tdnn", layers, TDNNLayer, c);
    linear(m, "feature_extractor", 2 * dim_at(c, "tdnn_dim", layers - 1), out, true);
    linear(m, "classifier", out, out, true);
    sub(m, "objective", AMSoftmaxLoss, out, num_labels(c));
}

/* The weight of the positional convolution is a product of two others, so what is drawn for it is lost. */
static void Wav2Vec2PositionalConvEmbedding_init(mod *m, const cfg *c) {
    double inputs = (double)(tensor_dim(m, "conv.weight", 2) * dim(c, "hidden_size"));
    init_normal(m, "conv.weight", 0, 2 * sqrt(1 / inputs));
    init_zeros(m, "conv.bias");
}
static void uniform_by_inputs(mod *m, const char *path, int64_t inputs) {
    double bound = sqrt(1 / (double)inputs);
    init_uniform(m, path, -bound, bound);
}
static void Wav2Vec2PreTrainedModel_init_weights(mod *m, const cfg *c) {
    init_weights(m, c);
    if (is_a(m, "Wav2Vec2ForPreTraining")) {
        init_reset(m, "project_hid");
        init_reset(m, "project_q");
    } else if (is_a(m, "Wav2Vec2GumbelVectorQuantizer")) {
        init_normal(m, "weight_proj.weight", 0, 1);
        init_zeros(m, "weight_proj.bias");
        init_uniform(m, "codevectors", 0, 1);
    } else if (is_a(m, "Wav2Vec2PositionalConvEmbedding")) Wav2Vec2PositionalConvEmbedding_init(m, c);
    else if (is_a(m, "Wav2Vec2FeatureProjection")) {
        uniform_by_inputs(m, "projection.weight", tensor_dim(m, "projection.weight", 1));
        uniform_by_inputs(m, "projection.bias", tensor_dim(m, "projection.weight", 1));
    } else if (is_conv(m, 1)) {
        init_kaiming_normal(m, "weight", FAN_IN, 0);
        if (has_tensor(m, "bias")) uniform_by_inputs(m, "bias", tensor_dim(m, "weight", 1) * tensor_dim(m, "weight", 2));
    } else if (is_a(m, "Wav2Vec2Model") && has_tensor(m, "masked_spec_embed")) init_uniform(m, "masked_spec_embed", 0, 1);
    else if (is_a(m, "AMSoftmaxLoss")) init_normal(m, "weight", 0, 1);
}

static const model_facts Wav2Vec2PreTrainedModel = {
    .config = "Wav2Vec2Config",
    .base_model_prefix = "wav2vec2",
    .main_input_name = "input_values",
    .supports_gradient_checkpointing = YES,
    .supports_flash_attn = YES, .supports_sdpa = YES, .supports_flex_attn = YES,
    .init_weights = Wav2Vec2PreTrainedModel_init_weights,
};
const family family_wav2vec2 = {
    .name = "wav2vec2",
    .configs = CONFIGS({.name = "Wav2Vec2Config",
                        .model_type = "wav2vec2",
                        .post_init = Wav2Vec2Config,
                        .computed = speech_computed,
                        .validate_architecture = speech_convs_agree}),
    .models = MODELS(
        {"Wav2Vec2Model", Wav2Vec2Model, .like = &Wav2Vec2PreTrainedModel},
        {"Wav2Vec2ForPreTraining", Wav2Vec2ForPreTraining, .like = &Wav2Vec2PreTrainedModel},
        {"Wav2Vec2ForCTC", Wav2Vec2ForCTC, .like = &Wav2Vec2PreTrainedModel},
        {"Wav2Vec2ForSequenceClassification", Wav2Vec2ForSequenceClassification, .like = &Wav2Vec2PreTrainedModel},
        {"Wav2Vec2ForAudioFrameClassification", Wav2Vec2ForAudioFrameClassification, .like = &Wav2Vec2PreTrainedModel},
        {"Wav2Vec2ForXVector", Wav2Vec2ForXVector, .like = &Wav2Vec2PreTrainedModel}),
};
