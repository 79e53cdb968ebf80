/* EnCodec: causal convolutions with an LSTM between them, down to codes and up again; as many codebooks as the bandwidth needs.
 * Mirrors models/encodec, transformers 5.23.0. */
#include "../build/def.h"

static void EncodecConfig(cfg *c) {
    fill_int(c, "codebook_dim", whole(c, "hidden_size"), "hidden_size");
}
static void known_norm(const cfg *c) {
    if (!val_in(get(c, "norm_type"), SET("weight_norm", "time_group_norm")))
        refuse(c, "norm_type", "should be \"weight_norm\" or \"time_group_norm\"");
}

/* The three numbers stand in buffers of the layer, for its padding. */
static void EncodecConv1d(mod *m, const cfg *c, int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t dilation) {
    int64_t reach = plus(times(kernel - 1, dilation), 1);
    mod *conv = conv1d(m, "conv", in, out, .kernel = SIZE1(kernel), .stride = SIZE1(stride), .dilation = SIZE1(dilation));
    if (!strcmp(text(c, "norm_type"), "weight_norm")) weight_norm(conv, 0);
    else groupnorm(m, "norm", 1, out, num_f(1e-5), true);
    buffer_scalar(m, "stride", FULL((double)stride), DT_I64, TRANSIENT);
    buffer_scalar(m, "kernel_size", FULL((double)reach), DT_I64, TRANSIENT);
    buffer_scalar(m, "padding_total", FULL((double)(reach - stride)), DT_I64, TRANSIENT);
}
static void EncodecConvTranspose1d(mod *m, const cfg *c, int64_t in, int64_t out, int64_t kernel, int64_t stride) {
    if (!flag(c, "use_causal_conv") && real(c, "trim_right_ratio").d != 1)
        refuse(c, "trim_right_ratio", "should be 1.0 where use_causal_conv is false");
    mod *conv = conv_transpose1d(m, "conv", in, out, .kernel = SIZE1(kernel), .stride = SIZE1(stride));
    if (!strcmp(text(c, "norm_type"), "weight_norm")) weight_norm(conv, 0);
    else groupnorm(m, "norm", 1, out, num_f(1e-5), true);
}
static void EncodecLSTM(mod *m, const cfg *c, int64_t d) { lstm(m, "lstm", d, d, .layers = dim(c, "num_lstm_layers")); }
static void EncodecResnetBlock(mod *m, const cfg *c, int64_t d, int64_t dilation) {
    int64_t hidden = d / dim(c, "compress");
    if (hidden < 1) refuse(c, "compress", "should be at most the channels of a block, which are %lld", (long long)d);
    mod *block = module_list(m, "block");
    elu(block, next_name(block), num_f(1));
    append(block, EncodecConv1d, c, d, hidden, dim(c, "residual_kernel_size"), 1, dilation);
    elu(block, next_name(block), num_f(1));
    append(block, EncodecConv1d, c, hidden, d, 1, 1, 1);
    if (flag(c, "use_conv_shortcut")) sub(m, "shortcut", EncodecConv1d, c, d, d, 1, 1, 1);
    else identity(m, "shortcut");
}
static void resnet_blocks(mod *layers, const cfg *c, int64_t d) {
    int64_t n = count(c, "num_residual_layers"), growth = n > 1 ? dim(c, "dilation_growth_rate") : 1, dilation = 1;
    if (n > (growth > 1 ? 31 : 1 << 16)) {
        refuse(c, "num_residual_layers", "makes more blocks, or wider dilations, than there can be");
        return;
    }
    for (int64_t i = 0; i < n; i++, dilation = times(dilation, growth)) append(layers, EncodecResnetBlock, c, d, dilation);
}
/* The channels next to the codes: they double with every ratio. */
static int64_t widest(const cfg *c) {
    int64_t ratios = len(c, "upsampling_ratios");
    if (ratios > 31) refuse(c, "upsampling_ratios", "should be at most 31 of them");
    return ratios > 31 ? 1 : times((int64_t)1 << ratios, dim(c, "num_filters"));
}
static void EncodecEncoder(mod *m, const cfg *c) {
    int64_t d = dim(c, "num_filters"), top = widest(c);
    mod *layers = module_list(m, "layers");
    append(layers, EncodecConv1d, c, dim(c, "audio_channels"), d, dim(c, "kernel_size"), 1, 1);
    for (int64_t i = len(c, "upsampling_ratios"); i-- > 0; d = times(d, 2)) {
        int64_t ratio = dim_at(c, "upsampling_ratios", i);
        resnet_blocks(layers, c, d);
        elu(layers, next_name(layers), num_f(1));
        append(layers, EncodecConv1d, c, d, times(d, 2), ratio * 2, ratio, 1);
    }
    append(layers, EncodecLSTM, c, top);
    elu(layers, next_name(layers), num_f(1));
    append(layers, EncodecConv1d, c, top, dim(c, "hidden_size"), dim(c, "last_kernel_size"), 1, 1);
}
static void EncodecDecoder(mod *m, const cfg *c) {
    int64_t d = widest(c);
    mod *layers = module_list(m, "layers");
    append(layers, EncodecConv1d, c, dim(c, "hidden_size"), d, dim(c, "kernel_size"), 1, 1);
    append(layers, EncodecLSTM, c, d);
    for (int64_t i = 0; i < len(c, "upsampling_ratios"); i++, d /= 2) {
        int64_t ratio = dim_at(c, "upsampling_ratios", i);
        elu(layers, next_name(layers), num_f(1));
        append(layers, EncodecConvTranspose1d, c, d, d / 2, ratio * 2, ratio);
        resnet_blocks(layers, c, d / 2);
    }
    elu(layers, next_name(layers), num_f(1));
    append(layers, EncodecConv1d, c, dim(c, "num_filters"), dim(c, "audio_channels"), dim(c, "last_kernel_size"), 1, 1);
}
static void EncodecEuclideanCodebook(mod *m, const cfg *c) {
    int64_t codes = dim(c, "codebook_size"), d = dim(c, "codebook_dim");
    buffer(m, "inited", ONES, DT_DEFAULT, PERSISTENT, 1);
    buffer(m, "cluster_size", ZEROS, DT_DEFAULT, PERSISTENT, codes);
    buffer(m, "embed", ZEROS, DT_DEFAULT, PERSISTENT, codes, d);
    buffer(m, "embed_avg", ZEROS, DT_DEFAULT, PERSISTENT, codes, d);
}
static void EncodecVectorQuantization(mod *m, const cfg *c) { sub(m, "codebook", EncodecEuclideanCodebook, c); }
/* One codebook after another spends log2(codebook_size) bits a frame, up to the widest band; frames are what the ratios leave of the samples. */
static int64_t num_quantizers(const cfg *c) {
    int64_t codes = dim(c, "codebook_size"), bits = 0, hop = 1, bands = len(c, "target_bandwidths");
    for (int64_t i = 0; i < len(c, "upsampling_ratios"); i++) hop = times(hop, dim_at(c, "upsampling_ratios", i));
    while (bits < 62 && (int64_t)1 << bits < codes) bits++;
    if (codes < 2 || codes != (int64_t)1 << bits) refuse(c, "codebook_size", "should be a power of 2, and 2 at least");
    double band = 0, bits_a_second = ceil((double)whole(c, "sampling_rate") / (double)hop) * (double)bits;
    if (!bands || !val_number(get(c, "target_bandwidths").items[bands - 1], &band))
        refuse(c, "target_bandwidths", "should end with a number, the widest band");
    if (bits_a_second == 0) refuse(c, "sampling_rate", "leaves no frame of a second");
    double n = floor(1000 * band / bits_a_second);
    if (!(n < 2147483648.0)) refuse(c, "target_bandwidths", "needs more codebooks than there can be");
    return n > 0 && n < 2147483648.0 ? (int64_t)n : 0;
}
static void EncodecResidualVectorQuantizer(mod *m, const cfg *c) { list(m, "layers", num_quantizers(c), EncodecVectorQuantization, c); }
static void EncodecModel(mod *m, const cfg *c) {
    sub(m, "encoder", EncodecEncoder, c);
    sub(m, "decoder", EncodecDecoder, c);
    sub(m, "quantizer", EncodecResidualVectorQuantizer, c);
}

/* The weight of a weight-normed convolution is a product of two others, so what is drawn for it is lost. */
static void EncodecPreTrainedModel_init_weights(mod *m, const cfg *c) {
    init_weights(m, c);
    if (is_conv(m, 1)) {
        double bound = sqrt(1 / (double)(tensor_dim(m, "weight", 1) * tensor_dim(m, "weight", 2)));
        init_kaiming_normal(m, "weight", FAN_IN, 0);
        init_uniform(m, "bias", -bound, bound);
    }
}

static const model_facts EncodecPreTrainedModel = {
    .config = "EncodecConfig",
    .base_model_prefix = "encodec",
    .main_input_name = "input_values",
    .init_weights = EncodecPreTrainedModel_init_weights,
};
/* In seconds, or a part of another length: a number of samples, cut. */
static val samples(double n) { return n > -9e18 && n < 9e18 ? val_int((int64_t)n) : val_null(); }
static val EncodecConfig_computed(cfg *c, const char *key) {
    int64_t hop = 1, codes = dim(c, "codebook_size"), bits = 0;
    double seconds = 0, overlap = 0;
    bool chunked = val_number(get(c, "chunk_length_s"), &seconds), overlaps = val_number(get(c, "overlap"), &overlap);
    val length = chunked ? samples(seconds * (double)whole(c, "sampling_rate")) : val_null();
    for (int64_t i = 0; i < len(c, "upsampling_ratios"); i++) hop = times(hop, dim_at(c, "upsampling_ratios", i));
    while (bits < 62 && (int64_t)1 << bits < codes) bits++;
    if (same_word(key, "chunk_length")) return length;
    if (same_word(key, "chunk_stride")) {
        val stride = chunked && overlaps ? samples((1.0 - overlap) * (double)length.i) : val_null();
        return stride.kind == VAL_INT && stride.i < 1 ? val_int(1) : stride;
    }
    if (same_word(key, "hop_length")) return val_int(hop);
    if (same_word(key, "codebook_nbits")) return val_int(bits);
    if (same_word(key, "frame_rate")) return val_int((int64_t)ceil((double)whole(c, "sampling_rate") / (double)hop));
    return same_word(key, "num_quantizers") ? val_int(num_quantizers(c)) : (val){0};
}

const family family_encodec = {
    .name = "encodec",
    .configs = CONFIGS({.name = "EncodecConfig", .model_type = "encodec", .post_init = EncodecConfig, .computed = EncodecConfig_computed,
                        .validate_architecture = known_norm}),
    .models = MODELS({"EncodecModel", EncodecModel, .like = &EncodecPreTrainedModel}),
};
