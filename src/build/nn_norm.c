/* torch.nn: normalisations. */
#include "nn_inner.h"

/* ---- over the last axes ------------------------------------------------------------------------------------------ */

static const char *shape_text(mod *m, const int64_t *shape, int rank) {
    if (rank == 1) return mod_printf(m, "(%" PRId64 ",)", shape[0]);
    if (rank == 2) return mod_printf(m, "(%" PRId64 ", %" PRId64 ")", shape[0], shape[1]);
    return mod_printf(m, "(%" PRId64 ", %" PRId64 ", %" PRId64 ")", shape[0], shape[1], shape[2]);
}

mod *layernorm_spec_(mod *m, const char *name, int64_t d, num eps, layernorm_spec s) {
    int64_t shape[3] = {d, s.more[0], s.more[1]};
    int rank = 1 + (s.more[0] != 0) + (s.more[0] && s.more[1]);
    bool affine = !s.no_affine, bias = affine && !s.no_bias;
    mod *x = child(m, name, s.cls ? s.cls : "LayerNorm");
    mod_mark(x, KIND_LAYERNORM);
    extra_repr(x, "%s, eps=%s, elementwise_affine=%s, bias=%s", shape_text(x, shape, rank), show(x, eps), py_bool(affine), py_bool(bias));
    if (affine) add_param(x, "weight", ONES, shape, rank);
    if (bias) add_param(x, "bias", ZEROS, shape, rank);
    done(x);
    return x;
}

mod *layernorm_as(mod *m, const char *name, const char *cls, int64_t d, num eps) {
    return layernorm_with(m, name, d, eps, .cls = cls);
}

void layernorm(mod *m, const char *name, int64_t d, num eps) {
    leaf key = {.cls = "LayerNorm", .verb = LEAF_LAYERNORM, .a = d, .x = eps};
    if (leaf_repeat(m, name, &key)) return;
    layernorm_with(m, name, d, eps, .no_affine = false);
    leaf_keep(m, &key);
}

void rms_norm(mod *m, const char *name, int64_t d, num eps, bool has_eps) {
    rms_norm_with(m, name, d, .eps = eps, .has_eps = has_eps);
}

void rms_norm_(mod *m, const char *name, int64_t d, rms_norm_spec s) {
    mod *x = child(m, name, "RMSNorm");
    extra_repr(x, "(%" PRId64 ",), eps=%s, elementwise_affine=%s", d, s.has_eps ? show(x, s.eps) : "None", py_bool(!s.no_affine));
    if (!s.no_affine) param(x, "weight", ONES, d);
    done(x);
}

/* ---- over groups of channels ------------------------------------------------------------------------------------- */

mod *groupnorm_as(mod *m, const char *name, const char *cls, int64_t groups, int64_t channels, num eps, bool affine) {
    mod *x = child(m, name, cls);
    if (groups < 1 || channels % groups) fail(x, "num_channels %" PRId64 " must be divisible by num_groups %" PRId64, channels, groups);
    mod_mark(x, KIND_GROUPNORM);
    extra_repr(x, "%" PRId64 ", %" PRId64 ", eps=%s, affine=%s, bias=%s", groups, channels, show(x, eps), py_bool(affine), py_bool(affine));
    if (affine) {
        param(x, "weight", ONES, channels);
        param(x, "bias", ZEROS, channels);
    }
    done(x);
    return x;
}

void groupnorm(mod *m, const char *name, int64_t groups, int64_t channels, num eps, bool affine) {
    groupnorm_as(m, name, "GroupNorm", groups, channels, eps, affine);
}

/* ---- over the batch ---------------------------------------------------------------------------------------------- */

/* BatchNorm and InstanceNorm are one class in torch, with other defaults. */
static void running_norm(mod *x, int64_t features, const norm_spec *s) {
    bool affine = !s->no_affine, track = !s->no_track;
    num eps = s->has_eps ? s->eps : num_f(1e-5), momentum = s->has_momentum ? s->momentum : num_f(0.1);
    extra_repr(x, "%" PRId64 ", eps=%s, momentum=%s, affine=%s, bias=%s, track_running_stats=%s", features, show(x, eps), show(x, momentum),
               py_bool(affine), py_bool(affine), py_bool(track));
    if (affine) {
        param(x, "weight", ONES, features);
        param(x, "bias", ZEROS, features);
    }
    if (track) {
        buffer(x, "running_mean", ZEROS, DT_DEFAULT, PERSISTENT, features);
        buffer(x, "running_var", ONES, DT_DEFAULT, PERSISTENT, features);
        buffer_scalar(x, "num_batches_tracked", ZEROS, DT_I64, PERSISTENT);
    }
    done(x);
}

mod *batchnorm_(mod *m, const char *name, int n, int64_t features, norm_spec s) {
    mod *x = child(m, name, s.cls ? s.cls : mod_printf(m, "BatchNorm%dd", n));
    mod_mark(x, KIND_BATCHNORM);
    running_norm(x, features, &s);
    return x;
}

static void instancenorm(mod *m, const char *name, const char *cls, int64_t features, num eps, bool affine) {
    running_norm(child(m, name, cls), features, &(norm_spec){.no_affine = !affine, .no_track = true, .eps = eps, .has_eps = true});
}

void instancenorm1d(mod *m, const char *name, int64_t features, num eps, bool affine) {
    instancenorm(m, name, "InstanceNorm1d", features, eps, affine);
}

void instancenorm2d(mod *m, const char *name, int64_t features, num eps, bool affine) {
    instancenorm(m, name, "InstanceNorm2d", features, eps, affine);
}
