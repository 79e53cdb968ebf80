/* torch.nn's layers. Part of def.h. Sizes are (h, w) for 2-d, {n} for 1-d; a spec names only what differs from torch's default.
 * The fourth number of a size keeps a plain number, a tuple and a list apart: pools and Unfold print what they were given, and
 * (1, 0) is not 1. */
enum { SIZE_NUMBER, SIZE_TUPLE, SIZE_LIST };
#define SIZE1(n) {(n), 0, 0, SIZE_NUMBER}
#define SIZE2(h, w) {(h), (w), 0, SIZE_TUPLE}
#define SIZE3(t, h, w) {(t), (h), (w), SIZE_TUPLE}
#define SAME2(n) {(n), (n), 0, SIZE_TUPLE}
#define SAME3(n) {(n), (n), (n), SIZE_TUPLE}
#define LIST2(h, w) {(h), (w), 0, SIZE_LIST} /* a Python list, as configs give it */

void linear(mod *m, const char *name, int64_t in, int64_t out, bool bias);
mod *linear_as(mod *m, const char *name, const char *cls, int64_t in, int64_t out, bool bias);
void bilinear(mod *m, const char *name, int64_t in1, int64_t in2, int64_t out, bool bias);
mod *embedding(mod *m, const char *name, int64_t n, int64_t d, int64_t padding_idx); /* NO_PAD for none */
mod *embedding_as(mod *m, const char *name, const char *cls, int64_t n, int64_t d, int64_t padding_idx);
void layernorm(mod *m, const char *name, int64_t d, num eps); /* affine, with bias */
mod *layernorm_as(mod *m, const char *name, const char *cls, int64_t d, num eps);
typedef struct layernorm_spec { bool no_affine, no_bias; const char *cls; int64_t more[2]; } layernorm_spec;
mod *layernorm_spec_(mod *m, const char *name, int64_t d, num eps, layernorm_spec s);
#define layernorm_with(m, name, d, eps, ...) layernorm_spec_((m), (name), (d), (eps), (layernorm_spec){__VA_ARGS__})
void rms_norm(mod *m, const char *name, int64_t d, num eps, bool has_eps); /* torch's own nn.RMSNorm */
typedef struct rms_norm_spec { bool no_affine, has_eps; num eps; } rms_norm_spec;
void rms_norm_(mod *m, const char *name, int64_t d, rms_norm_spec s);
#define rms_norm_with(m, name, d, ...) rms_norm_((m), (name), (d), (rms_norm_spec){__VA_ARGS__})
void dropout(mod *m, const char *name, num p);   /* p outside 0..1 is refused */
void dropout_inplace(mod *m, const char *name, num p);
void dropout1d(mod *m, const char *name, num p);
void dropout2d(mod *m, const char *name, num p);
void identity(mod *m, const char *name);

typedef struct conv_spec {
    int64_t kernel[4], stride[4], padding[4], dilation[4], output_padding[4];
    const char *padding_text;  /* "valid", "same" */
    const char *padding_mode;  /* "zeros" when NULL */
    int64_t groups;            /* 1 when 0 */
    bool no_bias;
    const char *cls;           /* a subclass; prints as that */
} conv_spec;
/* n-dimensional convolution; a size given once (SIZE1) is used for every axis. Refuses channels that groups do not divide. */
mod *conv_(mod *m, const char *name, int n, bool transposed, int64_t in, int64_t out, conv_spec s);
#define conv1d(m, name, in, out, ...) conv_((m), (name), 1, false, (in), (out), (conv_spec){__VA_ARGS__})
#define conv2d(m, name, in, out, ...) conv_((m), (name), 2, false, (in), (out), (conv_spec){__VA_ARGS__})
#define conv3d(m, name, in, out, ...) conv_((m), (name), 3, false, (in), (out), (conv_spec){__VA_ARGS__})
#define conv_transpose1d(m, name, in, out, ...) conv_((m), (name), 1, true, (in), (out), (conv_spec){__VA_ARGS__})
#define conv_transpose2d(m, name, in, out, ...) conv_((m), (name), 2, true, (in), (out), (conv_spec){__VA_ARGS__})

typedef struct pool_spec {
    int64_t kernel[4], stride[4], padding[4], dilation[4]; /* the kernel when there is no stride */
    bool ceil_mode, no_count_include_pad;
    const char *cls; /* a subclass; prints as that */
} pool_spec;
/* AvgPool and MaxPool print their arguments as they were given: a number as a number, a tuple as a tuple. */
mod *pool_(mod *m, const char *name, const char *kind, int n, pool_spec s);
#define avg_pool1d(m, name, ...) pool_((m), (name), "AvgPool", 1, (pool_spec){__VA_ARGS__})
#define avg_pool2d(m, name, ...) pool_((m), (name), "AvgPool", 2, (pool_spec){__VA_ARGS__})
#define max_pool1d(m, name, ...) pool_((m), (name), "MaxPool", 1, (pool_spec){__VA_ARGS__})
#define max_pool2d(m, name, ...) pool_((m), (name), "MaxPool", 2, (pool_spec){__VA_ARGS__})
void adaptive_avg_pool1d(mod *m, const char *name, int64_t out);
void adaptive_avg_pool2d(mod *m, const char *name, int64_t h, int64_t w); /* (h, w) as a tuple; w = 0 for a plain number */
void adaptive_max_pool2d(mod *m, const char *name, int64_t h, int64_t w);

typedef struct norm_spec { bool no_affine, no_track; num eps, momentum; bool has_eps, has_momentum; const char *cls; } norm_spec;
mod *batchnorm_(mod *m, const char *name, int n, int64_t features, norm_spec s);
#define batchnorm1d(m, name, features, ...) batchnorm_((m), (name), 1, (features), (norm_spec){__VA_ARGS__})
#define batchnorm2d(m, name, features, ...) batchnorm_((m), (name), 2, (features), (norm_spec){__VA_ARGS__})
#define batchnorm3d(m, name, features, ...) batchnorm_((m), (name), 3, (features), (norm_spec){__VA_ARGS__})
void groupnorm(mod *m, const char *name, int64_t groups, int64_t channels, num eps, bool affine);
mod *groupnorm_as(mod *m, const char *name, const char *cls, int64_t groups, int64_t channels, num eps, bool affine);
void instancenorm1d(mod *m, const char *name, int64_t features, num eps, bool affine);
void instancenorm2d(mod *m, const char *name, int64_t features, num eps, bool affine);

typedef struct rnn_spec { int64_t layers, proj; bool no_bias, batch_first, bidirectional; num dropout; } rnn_spec;
void rnn_(mod *m, const char *name, const char *kind, int64_t in, int64_t hidden, rnn_spec s); /* "LSTM" or "GRU" */
#define lstm(m, name, in, hidden, ...) rnn_((m), (name), "LSTM", (in), (hidden), (rnn_spec){__VA_ARGS__})
#define gru(m, name, in, hidden, ...) rnn_((m), (name), "GRU", (in), (hidden), (rnn_spec){__VA_ARGS__})
void gru_cell(mod *m, const char *name, int64_t in, int64_t hidden, bool bias);

typedef struct mha_spec { bool no_bias, add_bias_kv, no_out_bias; int64_t kdim, vdim; } mha_spec;
mod *multihead_attention_(mod *m, const char *name, int64_t d, int64_t heads, mha_spec s); /* heads must divide d */
#define multihead_attention(m, name, d, heads, ...) multihead_attention_((m), (name), (d), (heads), (mha_spec){__VA_ARGS__})

/* torch.nn.AdaptiveLogSoftmaxWithLoss; cutoffs ascend and lie between 1 and n - 1. */
void adaptive_log_softmax(mod *m, const char *name, int64_t in, int64_t n, const int64_t *cutoffs, int64_t cutoff_count, num div_value,
                          bool head_bias);

/* Activations and losses of torch.nn by class, with torch's default arguments: "ReLU", "GELU", "Tanh", "Sigmoid", "SiLU", "Softmax",
 * "Softplus", "CrossEntropyLoss", ... */
void activation(mod *m, const char *name, const char *cls);
void relu(mod *m, const char *name, bool inplace);
void gelu(mod *m, const char *name, const char *approximate); /* "none" or "tanh" */
void silu(mod *m, const char *name, bool inplace);
void leaky_relu(mod *m, const char *name, num slope);
void leaky_relu_inplace(mod *m, const char *name, num slope);
void softmax(mod *m, const char *name, num axis, bool has_axis);
void prelu(mod *m, const char *name, int64_t n);
void glu(mod *m, const char *name, int64_t axis);
void elu(mod *m, const char *name, num alpha);
void flatten(mod *m, const char *name, int64_t from, int64_t to);
void unflatten(mod *m, const char *name, int64_t axis, int64_t a, int64_t b);
void upsample(mod *m, const char *name, num scale, const char *mode, bool align_corners, bool has_align);
void pixel_shuffle(mod *m, const char *name, int64_t factor);
void pixel_unshuffle(mod *m, const char *name, int64_t factor);
void zero_pad2d(mod *m, const char *name, int64_t left, int64_t right, int64_t top, int64_t bottom);
void constant_pad1d(mod *m, const char *name, int64_t left, int64_t right, num value);
void constant_pad2d(mod *m, const char *name, int64_t left, int64_t right, int64_t top, int64_t bottom, num value);
void reflection_pad1d(mod *m, const char *name, int64_t left, int64_t right);
void reflection_pad2d(mod *m, const char *name, int64_t left, int64_t right, int64_t top, int64_t bottom);
void unfold(mod *m, const char *name, int64_t kernel, int64_t dilation, int64_t padding, int64_t stride);
typedef struct unfold_spec { int64_t kernel[4], dilation[4], padding[4], stride[4]; } unfold_spec;
void unfold_spec_(mod *m, const char *name, unfold_spec s);
#define unfold_with(m, name, ...) unfold_spec_((m), (name), (unfold_spec){__VA_ARGS__})
/* nn.ParameterList / nn.ParameterDict: a module whose print lists its parameters; add them with param(). */
mod *parameter_list(mod *m, const char *name);
mod *parameter_dict(mod *m, const char *name);
/* torch.nn.utils.parametrizations.weight_norm(module, "weight", dim): `conv` becomes Parametrized<Class> with
 * parametrizations.weight.{original0,original1} in place of weight. Axis -1 is torch's dim=None. */
void weight_norm(mod *conv, int64_t axis);
/* torch.nn.utils.weight_norm (the old hook form): weight_g and weight_v after the other parameters, class unchanged. */
void weight_norm_hook(mod *conv, int64_t axis);
