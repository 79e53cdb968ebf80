/* torch.nn: activations and losses. */
#include "nn_inner.h"

/* Every class that needs no argument, with what it prints then. */
static const text_pair plain[] = {
    {"BCEWithLogitsLoss", ""}, {"CELU", "alpha=1.0"}, {"CrossEntropyLoss", ""}, {"ELU", "alpha=1.0"},
    {"GELU", "approximate='none'"}, {"GLU", "dim=-1"}, {"Hardshrink", "0.5"}, {"Hardsigmoid", ""}, {"Hardswish", ""},
    {"Hardtanh", "min_val=-1.0, max_val=1.0"}, {"KLDivLoss", ""}, {"L1Loss", ""}, {"LeakyReLU", "negative_slope=0.01"},
    {"LogSigmoid", ""}, {"LogSoftmax", "dim=None"}, {"MSELoss", ""}, {"Mish", ""}, {"ReLU", ""}, {"ReLU6", ""}, {"SELU", ""},
    {"SiLU", ""}, {"Sigmoid", ""}, {"Softmax", "dim=None"}, {"Softmin", "dim=None"}, {"Softplus", "beta=1.0, threshold=20.0"},
    {"Softshrink", "0.5"}, {"Softsign", ""}, {"Tanh", ""}, {"Tanhshrink", ""},
};

static void plain_module(mod *m, const char *name, const char *cls, const char *text) {
    leaf key = {.cls = cls, .verb = LEAF_PLAIN, .text = text};
    if (leaf_repeat(m, name, &key)) return;
    mod *x = child(m, name, cls);
    extra_repr(x, "%s", text);
    done(x);
    leaf_keep(m, &key);
}

void activation(mod *m, const char *name, const char *cls) {
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (!strcmp(plain[i].from, cls)) {
            plain_module(m, name, cls, plain[i].to);
            return;
        }
    fail(m, "%s is no activation of torch.nn that needs no argument", cls);
}

void relu(mod *m, const char *name, bool inplace) { plain_module(m, name, "ReLU", inplace ? "inplace=True" : ""); }
void silu(mod *m, const char *name, bool inplace) { plain_module(m, name, "SiLU", inplace ? "inplace=True" : ""); }

void gelu(mod *m, const char *name, const char *approximate) {
    plain_module(m, name, "GELU", mod_printf(m, "approximate='%s'", approximate));
}

void leaky_relu(mod *m, const char *name, num slope) {
    plain_module(m, name, "LeakyReLU", mod_printf(m, "negative_slope=%s", show(m, slope)));
}

void leaky_relu_inplace(mod *m, const char *name, num slope) {
    plain_module(m, name, "LeakyReLU", mod_printf(m, "negative_slope=%s, inplace=True", show(m, slope)));
}

void softmax(mod *m, const char *name, num axis, bool has_axis) {
    plain_module(m, name, "Softmax", mod_printf(m, "dim=%s", has_axis ? show(m, axis) : "None"));
}

void glu(mod *m, const char *name, int64_t axis) { plain_module(m, name, "GLU", mod_printf(m, "dim=%" PRId64, axis)); }
void elu(mod *m, const char *name, num alpha) { plain_module(m, name, "ELU", mod_printf(m, "alpha=%s", show(m, alpha))); }

void prelu(mod *m, const char *name, int64_t n) {
    mod *x = child(m, name, "PReLU");
    extra_repr(x, "num_parameters=%" PRId64, n);
    param(x, "weight", FULL(0.25), n);
    done(x);
}
