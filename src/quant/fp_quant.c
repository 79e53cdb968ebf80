/* FP-Quant: nvfp4 or mxfp4 weights behind a Hadamard transform. Until it is loaded, a module has room for every form of its weight.
 * Mirrors integrations/fp_quant.py, transformers 5.23.0, and fp_quant 0.3.2. The model is built in bfloat16 whatever its config says. */
#include "quant.h"

enum { PACKED = 1 };
typedef struct fp_quant { bool nvfp4; int64_t hadamard; val dense; } fp_quant;

static void check_hadamard(const conf *c, const fp_quant *f) {
    int64_t n = f->hadamard;
    if (n == 32 || n == 64 || n == 128 || (n == 16 && f->nvfp4)) return;
    conf_refuse(c, "hadamard_group_size", f->nvfp4 ? "known are 16, 32, 64, 128" : "known are 32, 64, 128");
}
static void settle(quant *q) {
    const conf *c = settings(q);
    fp_quant *f = room(q, sizeof *f);
    f->nvfp4 = !strcmp(conf_word(c, "forward_dtype", "nvfp4", SET("nvfp4", "mxfp4")), "nvfp4");
    conf_word(c, "forward_method", "abs_max", f->nvfp4 ? SET("abs_max") : SET("abs_max", "quest"));
    const char *backward = conf_word(c, "backward_dtype", "bf16", SET("bf16", "mxfp8", "mxfp4"));
    if (f->nvfp4 && strcmp(backward, "bf16")) conf_refuse(c, "backward_dtype", "nvfp4 goes with bf16 alone");
    conf_word(c, "transform_init", "hadamard", SET("hadamard", "identity", "gsr"));
    f->hadamard = conf_given(c, "hadamard_group_size") ? conf_int(c, "hadamard_group_size", 0) : f->nvfp4 ? 16 : 32;
    check_hadamard(c, f);
    f->dense = conf_names(c, "modules_to_not_convert");
    for (uint32_t i = 0; i < f->dense.n; i++) note_pattern(q, f->dense.items[i].s);
}
static int dtype(quant *q, int asked) { return (void)q, (void)asked, DT_BF16; }
/* Here only the end of a path counts. */
static int64_t takes(quant *q, const mod *m, const char *path) {
    const fp_quant *f = state(q);
    if (!is_linear(m)) return LEAVE;
    if (f->dense.kind != VAL_LIST) return ends_with(path, "lm_head") ? LEAVE : PACKED;
    for (uint32_t i = 0; i < f->dense.n; i++)
        if (ends_with(path, f->dense.items[i].s)) return LEAVE;
    return PACKED;
}
static void make(quant *q, mod *to, const mod *from, int64_t kind) {
    (void)kind;
    const fp_quant *f = state(q);
    int64_t in = in_features(from), out = out_features(from);
    becomes(to, "FPQuantLinear");
    extra_repr(to, NULL);
    param(to, "weight", EMPTY, out, in);
    param(to, "dqweight", EMPTY, out, in);
    if (param_named(from, "bias")) param(to, "bias", EMPTY, out);
    freeze_all(to);
    buffer(to, "qweight", EMPTY, DT_U8, PERSISTENT, out, in / 2);
    buffer(to, "scales", EMPTY, DT_U8, PERSISTENT, out, in / (f->nvfp4 ? 16 : 32));
    buffer(to, "weight_global_scale", EMPTY, DT_DEFAULT, PERSISTENT, 1);
    buffer(to, "act_global_scale", EMPTY, DT_DEFAULT, PERSISTENT, 1);
    buffer(to, "forward_hadamard_matrix", EMPTY, DT_DEFAULT, PERSISTENT, f->hadamard, f->hadamard);
    buffer(to, "backward_hadamard_matrix", EMPTY, DT_DEFAULT, PERSISTENT, f->hadamard, f->hadamard);
}

const quant_method method_fp_quant = {
    .name = "fp_quant",
    .names = SET("fp_quant"),
    .settle = settle,
    .dtype = dtype,
    .takes = takes,
    .make = make,
    .finish = warn_of_dense_experts,
};
