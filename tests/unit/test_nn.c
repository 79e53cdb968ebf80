/* torch.nn's layers against the reference: what they print, their tensors in order, and what their constructors refuse. */
#include "scratch.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* ---- the table ---- */

#define CASE(id, printed, tensors, ...) \
    static void build_##id(mod *m) { __VA_ARGS__; }
#include "nn_cases.h"
#undef CASE
#define CASE(id, printed, tensors, ...) {#id, build_##id, printed, tensors},
static const struct layer_case {
    const char *id;
    void (*build)(mod *m);
    const char *printed, *tensors;
} layer_cases[] = {
#include "nn_cases.h"
};

/* ---- comparing ---- */

static void append_text(char *to, size_t size, const char *text, size_t n) {
    size_t used = strlen(to);
    assert_true(used + n < size);
    memcpy(to + used, text, n);
    to[used + n] = 0;
}

/* Tables go on after a difference, so that one run shows them all. */
static bool same(const char *what, const char *got, const char *want) {
    if (!strcmp(got, want)) return true;
    print_error("%s\n--- got\n%s\n--- want\n%s\n", what, got, want);
    return false;
}

/* print() of a root whose only child is `x`. */
static bool same_print(mod *m, const char *what, const char *printed) {
    char want[4096] = "Root(\n  (x): ";
    for (const char *c = printed; *c; c++) {
        append_text(want, sizeof want, c, 1);
        if (*c == '\n') append_text(want, sizeof want, "  ", 2);
    }
    append_text(want, sizeof want, "\n)\n", 3);
    char *got = mod_scratch_print(m);
    bool ok = same(what, got, want);
    free(got);
    return ok;
}

/* One line of the canonical tree, "param x.weight F32 4,3 grad", as "weight F32 4x3"; modules say nothing here. */
static void add_line(char *to, size_t size, char *line) {
    char *field[5] = {line};
    for (int i = 1; i < 5; i++) {
        char *tab = strchr(field[i - 1], '\t');
        if (!tab) return;
        *tab = 0;
        field[i] = tab + 1;
    }
    for (char *comma = field[3]; (comma = strchr(comma, ',')) != NULL;) *comma = 'x';
    char text[256];
    bool said = strcmp(field[4], "grad") != 0;
    int n = snprintf(text, sizeof text, "%s%s %s %s%s%s", *to ? "; " : "", field[1] + strlen("x."), field[2], field[3], said ? " " : "",
                     said ? field[4] : "");
    append_text(to, size, text, (size_t)n);
}

static bool same_tensors(mod *m, const char *what, const char *tensors) {
    char got[4096] = "", *tree = mod_scratch_tree(m);
    for (char *line = tree, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = 0;
        add_line(got, sizeof got, line);
    }
    free(tree);
    return same(what, got, tensors);
}

static bool layer_agrees(const char *what, void (*build)(mod *m), const char *printed, const char *tensors) {
    mod *m = mod_scratch();
    build(m);
    const char *error = mod_scratch_error(m);
    bool ok = same(what, error ? error : "", "") && same_print(m, what, printed) && same_tensors(m, what, tensors);
    mod_scratch_free(m);
    return ok;
}

static void prints_what_torch_prints(void **state) {
    (void)state;
    size_t wrong = 0;
    for (const struct layer_case *c = layer_cases; c < layer_cases + sizeof layer_cases / sizeof *layer_cases; c++)
        wrong += !layer_agrees(c->id, c->build, c->printed, c->tensors);
    assert_int_equal(wrong, 0);
}

/* ---- activations by class ---- */

static const text_pair by_class[] = {
    {"BCEWithLogitsLoss", "BCEWithLogitsLoss()"},
    {"CELU", "CELU(alpha=1.0)"},
    {"CrossEntropyLoss", "CrossEntropyLoss()"},
    {"ELU", "ELU(alpha=1.0)"},
    {"GELU", "GELU(approximate='none')"},
    {"GLU", "GLU(dim=-1)"},
    {"Hardshrink", "Hardshrink(0.5)"},
    {"Hardsigmoid", "Hardsigmoid()"},
    {"Hardswish", "Hardswish()"},
    {"Hardtanh", "Hardtanh(min_val=-1.0, max_val=1.0)"},
    {"KLDivLoss", "KLDivLoss()"},
    {"L1Loss", "L1Loss()"},
    {"LeakyReLU", "LeakyReLU(negative_slope=0.01)"},
    {"LogSigmoid", "LogSigmoid()"},
    {"LogSoftmax", "LogSoftmax(dim=None)"},
    {"MSELoss", "MSELoss()"},
    {"Mish", "Mish()"},
    {"ReLU", "ReLU()"},
    {"ReLU6", "ReLU6()"},
    {"SELU", "SELU()"},
    {"SiLU", "SiLU()"},
    {"Sigmoid", "Sigmoid()"},
    {"Softmax", "Softmax(dim=None)"},
    {"Softmin", "Softmin(dim=None)"},
    {"Softplus", "Softplus(beta=1.0, threshold=20.0)"},
    {"Softshrink", "Softshrink(0.5)"},
    {"Softsign", "Softsign()"},
    {"Tanh", "Tanh()"},
    {"Tanhshrink", "Tanhshrink()"},
};

static void activations_by_class(void **state) {
    (void)state;
    size_t wrong = 0;
    for (const text_pair *c = by_class; c < by_class + sizeof by_class / sizeof *by_class; c++) {
        mod *m = mod_scratch();
        activation(m, "x", c->from);
        wrong += !same_print(m, c->from, c->to) || !same_tensors(m, c->from, "");
        mod_scratch_free(m);
    }
    assert_int_equal(wrong, 0);
}

/* ---- refusals ---- */

#define REFUSE(id, ...) \
    static void refuse_##id(mod *m) { __VA_ARGS__; }
REFUSE(linear_zero, linear(m, "x", 0, 4, true))
REFUSE(linear_negative, linear(m, "x", 3, -4, false))
REFUSE(linear_huge, linear(m, "x", INT64_MAX, 4, false))
REFUSE(softmax_cutoffs, adaptive_log_softmax(m, "x", 8, 10, (const int64_t[]){5, 5}, 2, num_f(4.0), false))
REFUSE(softmax_cutoff_high, adaptive_log_softmax(m, "x", 8, 10, (const int64_t[]){10}, 1, num_f(4.0), false))
REFUSE(softmax_no_cutoff, adaptive_log_softmax(m, "x", 8, 10, NULL, 0, num_f(4.0), false))
REFUSE(softmax_narrow, adaptive_log_softmax(m, "x", 3, 10, (const int64_t[]){5}, 1, num_f(4.0), false))
REFUSE(padding_idx_high, embedding(m, "x", 10, 4, 10))
REFUSE(padding_idx_low, embedding(m, "x", 10, 4, -11))
REFUSE(dropout_high, dropout(m, "x", num_f(1.5)))
REFUSE(dropout_low, dropout(m, "x", num_i(-1)))
REFUSE(conv_in_groups, conv2d(m, "x", 3, 8, .kernel = SIZE1(3), .groups = 2))
REFUSE(conv_out_groups, conv1d(m, "x", 4, 9, .kernel = SIZE1(3), .groups = 2))
REFUSE(conv_negative_groups, conv1d(m, "x", 4, 8, .kernel = SIZE1(3), .groups = -1))
REFUSE(conv_no_kernel, conv1d(m, "x", 4, 8, .groups = 1))
REFUSE(conv_padding_word, conv1d(m, "x", 4, 8, .kernel = SIZE1(3), .padding_text = "SAME"))
REFUSE(conv_same_strided, conv2d(m, "x", 4, 8, .kernel = SIZE1(3), .stride = SIZE2(1, 2), .padding_text = "same"))
REFUSE(conv_padding_mode, conv1d(m, "x", 4, 8, .kernel = SIZE1(3), .padding_mode = "mirror"))
REFUSE(conv_transpose_mode, conv_transpose1d(m, "x", 4, 8, .kernel = SIZE1(3), .padding_mode = "reflect"))
REFUSE(weight_norm_axis, weight_norm(conv1d(m, "x", 4, 8, .kernel = SIZE1(3)), 3))
REFUSE(weight_norm_twice, mod *x = conv1d(m, "x", 4, 8, .kernel = SIZE1(3)); weight_norm(x, 0); weight_norm(x, 0))
REFUSE(group_norm_groups, groupnorm(m, "x", 3, 8, num_f(1e-5), true))
REFUSE(group_norm_no_groups, groupnorm(m, "x", 0, 8, num_f(1e-5), true))
REFUSE(lstm_dropout, lstm(m, "x", 3, 5, .dropout = num_f(1.5)))
REFUSE(lstm_proj, lstm(m, "x", 3, 5, .proj = 5))
REFUSE(lstm_layers, lstm(m, "x", 3, 5, .layers = -1))
REFUSE(gru_proj, gru(m, "x", 3, 5, .proj = 2))
REFUSE(mha_heads, multihead_attention(m, "x", 8, 3, .no_bias = false))
REFUSE(mha_no_heads, multihead_attention(m, "x", 8, 0, .no_bias = false))
REFUSE(mha_no_width, multihead_attention(m, "x", 0, 2, .no_bias = false))
REFUSE(unknown_activation, activation(m, "x", "Gelu"))

static const struct refusal {
    void (*build)(mod *m);
    const char *word;
} refusals[] = {
    {refuse_linear_zero, ""}, {refuse_linear_negative, ""}, {refuse_linear_huge, ""}, {refuse_softmax_cutoffs, "cutoffs"},
    {refuse_softmax_cutoff_high, "cutoffs"}, {refuse_softmax_no_cutoff, "cutoffs"}, {refuse_softmax_narrow, ""},
    {refuse_padding_idx_high, "padding_idx 10"}, {refuse_padding_idx_low, "padding_idx -11"}, {refuse_dropout_high, "1.5"},
    {refuse_dropout_low, "-1"}, {refuse_conv_in_groups, "in_channels 3"}, {refuse_conv_out_groups, "out_channels 9"},
    {refuse_conv_negative_groups, "groups"}, {refuse_conv_no_kernel, ""}, {refuse_conv_padding_word, "'SAME'"},
    {refuse_conv_same_strided, "stride"}, {refuse_conv_padding_mode, "mirror"}, {refuse_conv_transpose_mode, "reflect"},
    {refuse_weight_norm_axis, "axis 3"}, {refuse_weight_norm_twice, "weight"}, {refuse_group_norm_groups, "num_groups 3"},
    {refuse_group_norm_no_groups, "num_groups 0"}, {refuse_lstm_dropout, "1.5"}, {refuse_lstm_proj, "proj_size 5"},
    {refuse_lstm_layers, "num_layers"}, {refuse_gru_proj, "proj_size"}, {refuse_mha_heads, "num_heads 3"},
    {refuse_mha_no_heads, "num_heads 0"}, {refuse_mha_no_width, "embed_dim 0"}, {refuse_unknown_activation, "Gelu"},
};

static void refuses_what_torch_refuses(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        mod *m = mod_scratch();
        refusals[i].build(m);
        const char *error = mod_scratch_error(m);
        if (!error) fail_msg("refusal %zu was built", i);
        if (!strstr(error, refusals[i].word)) fail_msg("%s: does not say %s", error, refusals[i].word);
        linear(m, "after", 3, 4, true); /* the first error stays, and nothing traps */
        assert_string_equal(mod_scratch_error(m), error);
        mod_scratch_free(m);
    }
}

/* ---- what constructors draw, in their order ---- */

static const char *const ops[] = {[MADE_EMPTY] = "empty", [MADE_ZEROS] = "zeros", [MADE_ONES] = "ones", [MADE_FULL] = "full",
                                  [MADE_NORMAL] = "normal", [MADE_UNIFORM] = "uniform", [MADE_KAIMING_UNIFORM] = "kaiming",
                                  [MADE_XAVIER_UNIFORM] = "xavier", [MADE_DIRECTION] = "direction", [MADE_MAGNITUDE] = "magnitude"};

static void add_draws(char *to, size_t size, const mod *m) {
    for (const step *s = m->steps; s; s = s->next) {
        if (s->what == STEP_CHILD) add_draws(to, size, ((const edge *)s->of)->to);
        if (s->what != STEP_TENSOR) continue;
        const tensor *t = s->of;
        char text[128];
        int n = snprintf(text, sizeof text, "%s%s%s %s %.4g %.4g", *to ? "; " : "", t->name, t->gone ? " (gone)" : "", ops[t->how.op],
                         t->how.a, t->how.b);
        append_text(to, size, text, (size_t)n);
        n = t->how.row ? snprintf(text, sizeof text, " row %d", (int)t->how.row - 1) : 0;
        append_text(to, size, text, (size_t)n);
    }
}

static void expect_draws(void (*build)(mod *m), const char *want) {
    char got[1024] = "";
    mod *m = mod_scratch();
    build(m);
    add_draws(got, sizeof got, m);
    assert_string_equal(got, want);
    mod_scratch_free(m);
}

static void draws_in_torchs_order(void **state) {
    (void)state;
    expect_draws(build_linear_bias, "weight kaiming 2.236 3; bias uniform -0.5774 0.5774");
    expect_draws(build_bilinear_bias, "weight uniform -0.5774 0.5774; bias uniform -0.5774 0.5774");
    expect_draws(build_embedding_plain, "weight normal 0 1");
    expect_draws(build_embedding_pad_minus_one, "weight normal 0 1 row 9");
    expect_draws(build_conv1d_braces, "weight kaiming 2.236 15; bias uniform -0.2582 0.2582");
    expect_draws(build_conv_transpose2d_one, "weight kaiming 2.236 32; bias uniform -0.1768 0.1768");
    expect_draws(build_prelu_one, "weight full 0.25 0");
    expect_draws(build_lstm_proj, "weight_ih_l0 uniform -0.4472 0.4472; weight_hh_l0 uniform -0.4472 0.4472; "
                                  "bias_ih_l0 uniform -0.4472 0.4472; bias_hh_l0 uniform -0.4472 0.4472; "
                                  "weight_hr_l0 uniform -0.4472 0.4472");
    expect_draws(build_mha_plain, "weight kaiming 2.236 8; bias (gone) uniform -0.3536 0.3536; bias zeros 0 0; "
                                  "in_proj_weight xavier 8 24; in_proj_bias zeros 0 0");
    expect_draws(build_weight_norm_first, "weight (gone) kaiming 2.236 40; original0 magnitude 0 0 row 0; original1 direction 0 0");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_what_torch_prints),
        cmocka_unit_test(activations_by_class),
        cmocka_unit_test(refuses_what_torch_refuses),
        cmocka_unit_test(draws_in_torchs_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
