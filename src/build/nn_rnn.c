/* torch.nn: recurrent layers and MultiheadAttention. */
#include "nn_inner.h"

/* ---- LSTM and GRU ------------------------------------------------------------------------------------------------ */

static void rnn_refuse(mod *x, bool is_lstm, int64_t hidden, const rnn_spec *s) {
    if (!(s->dropout.d >= 0 && s->dropout.d <= 1)) fail(x, "dropout must be between 0 and 1, not %s", show(x, s->dropout));
    else if (s->layers < 0) fail(x, "num_layers must be at least 1, not %" PRId64, s->layers);
    else if (s->proj && !is_lstm) fail(x, "only an LSTM has a proj_size");
    else if (s->proj < 0 || (s->proj && s->proj >= hidden))
        fail(x, "proj_size %" PRId64 " must be smaller than the hidden size %" PRId64, s->proj, hidden);
}

static void rnn_repr(mod *x, int64_t in, int64_t hidden, const rnn_spec *s) {
    const char *proj = s->proj ? mod_printf(x, ", proj_size=%" PRId64, s->proj) : "";
    const char *layers = s->layers > 1 ? mod_printf(x, ", num_layers=%" PRId64, s->layers) : "";
    const char *dropped = s->dropout.d != 0 ? mod_printf(x, ", dropout=%s", show(x, num_f(s->dropout.d))) : "";
    extra_repr(x, "%" PRId64 ", %" PRId64 "%s%s%s%s%s%s", in, hidden, proj, layers, s->no_bias ? ", bias=False" : "",
               s->batch_first ? ", batch_first=True" : "", dropped, s->bidirectional ? ", bidirectional=True" : "");
}

/* One direction of one layer; `suffix` is "l0" or "l0_reverse". */
static void rnn_direction(mod *x, const char *suffix, int64_t gates, int64_t in, int64_t hidden, const rnn_spec *s) {
    made how = drawn_evenly(1 / sqrt((double)hidden));
    int64_t rows = times(gates, hidden);
    param(x, mod_printf(x, "weight_ih_%s", suffix), how, rows, in);
    param(x, mod_printf(x, "weight_hh_%s", suffix), how, rows, s->proj ? s->proj : hidden);
    if (!s->no_bias) {
        param(x, mod_printf(x, "bias_ih_%s", suffix), how, rows);
        param(x, mod_printf(x, "bias_hh_%s", suffix), how, rows);
    }
    if (s->proj) param(x, mod_printf(x, "weight_hr_%s", suffix), how, s->proj, hidden);
}

void rnn_(mod *m, const char *name, const char *kind, int64_t in, int64_t hidden, rnn_spec s) {
    bool is_lstm = !strcmp(kind, "LSTM");
    if (!s.layers) s.layers = 1;
    mod *x = child(m, name, kind);
    rnn_refuse(x, is_lstm, hidden, &s);
    mod_mark(x, KIND_RNN);
    rnn_repr(x, in, hidden, &s);
    int64_t from_below = times(s.proj ? s.proj : hidden, s.bidirectional ? 2 : 1);
    for (int64_t i = 0; i < s.layers && mod_ok(x); i++)
        for (int back = 0; back <= s.bidirectional; back++)
            rnn_direction(x, mod_printf(x, "l%" PRId64 "%s", i, back ? "_reverse" : ""), is_lstm ? 4 : 3, i ? from_below : in, hidden, &s);
    done(x);
}

void gru_cell(mod *m, const char *name, int64_t in, int64_t hidden, bool bias) {
    made how = drawn_evenly(1 / sqrt((double)hidden));
    int64_t rows = times(3, hidden);
    mod *x = child(m, name, "GRUCell");
    extra_repr(x, "%" PRId64 ", %" PRId64 "%s", in, hidden, bias ? "" : ", bias=False");
    param(x, "weight_ih", how, rows, in);
    param(x, "weight_hh", how, rows, hidden);
    if (bias) {
        param(x, "bias_ih", how, rows);
        param(x, "bias_hh", how, rows);
    }
    done(x);
}

/* ---- attention --------------------------------------------------------------------------------------------------- */

/* init.xavier_uniform_ of a matrix. */
static made drawn_xavier(int64_t rows, int64_t columns) {
    return (made){.op = MADE_XAVIER_UNIFORM, .a = (double)columns, .b = (double)rows};
}

static void mha_weight(mod *x, const char *name, int64_t rows, int64_t columns) {
    param(x, name, drawn_xavier(rows, columns), rows, columns);
}

/* One tensor for queries, keys and values when all three read the same width. */
static void mha_weights(mod *x, int64_t d, const mha_spec *s) {
    int64_t kdim = s->kdim ? s->kdim : d, vdim = s->vdim ? s->vdim : d;
    if (kdim == d && vdim == d) {
        mha_weight(x, "in_proj_weight", times(3, d), d);
        return;
    }
    mha_weight(x, "q_proj_weight", d, d);
    mha_weight(x, "k_proj_weight", d, kdim);
    mha_weight(x, "v_proj_weight", d, vdim);
}

/* The projection draws its bias like any Linear, then the attention sets it to zero. */
static void mha_out(mod *x, int64_t d, bool bias) {
    mod *out = linear_as(x, "out_proj", "NonDynamicallyQuantizableLinear", d, d, bias);
    if (!bias) return;
    mod_take_param(out, "bias");
    param(out, "bias", ZEROS, d);
}

/* torch fills its own tensors after the output projection has drawn, so that one comes first here; own parameters are walked
 * before those of children all the same. */
mod *multihead_attention_(mod *m, const char *name, int64_t d, int64_t heads, mha_spec s) {
    mod *x = child(m, name, "MultiheadAttention");
    if (d < 1 || heads < 1) fail(x, "embed_dim %" PRId64 " and num_heads %" PRId64 " must be greater than 0", d, heads);
    else if (d % heads) fail(x, "embed_dim %" PRId64 " must be divisible by num_heads %" PRId64, d, heads);
    mod_mark(x, KIND_MHA);
    mha_out(x, d, !s.no_bias && !s.no_out_bias);
    mha_weights(x, d, &s);
    if (!s.no_bias) param(x, "in_proj_bias", ZEROS, times(3, d));
    if (s.add_bias_kv) { /* init.xavier_normal_ of (1, 1, d): both fans are d */
        param(x, "bias_k", NORMAL(0, sqrt(1 / (double)d)), 1, 1, d);
        param(x, "bias_v", NORMAL(0, sqrt(1 / (double)d)), 1, 1, d);
    }
    done(x);
    return x;
}
