/* torch.nn.utils: weight norm, as a parametrisation and in its old form. Both split `weight` into a magnitude and a direction;
 * the direction is the weight as the layer drew it, the magnitude its norm. */
#include "nn_inner.h"

/* `from` is kept with the new tensors: initialisation makes them from what was drawn for it. */
static void add_from(mod *m, const char *name, made how, const tensor *from, const int64_t *shape, int rank) {
    how.of = from;
    tensor *t = add_param(m, name, how, shape, rank);
    if (!mod_ok(m)) return;
    t->dtype = from->dtype;
    t->frozen = from->frozen;
}

/* One number for every index of `axis`, or a single one for axis -1 (torch's dim=None). */
static void add_magnitude(mod *m, const char *name, const tensor *weight, int64_t axis) {
    int64_t shape[5] = {1, 1, 1, 1, 1};
    if (axis >= 0) shape[axis] = tensor_size(weight, (int)axis);
    add_from(m, name, (made){.op = MADE_MAGNITUDE, .row = axis + 1}, weight, shape, axis >= 0 ? tensor_rank(weight) : 0);
}

static void add_direction(mod *m, const char *name, const tensor *weight) {
    int64_t shape[5] = {0};
    int rank = tensor_rank(weight);
    for (int i = 0; i < rank; i++) shape[i] = tensor_size(weight, i);
    add_from(m, name, (made){.op = MADE_DIRECTION}, weight, shape, rank);
}

static tensor *take_weight(mod *conv, int64_t axis) {
    if (!mod_ok(conv)) return NULL;
    tensor *weight = mod_take_param(conv, "weight");
    if (!weight) fail(conv, "weight_norm needs a parameter named weight");
    else if (axis < -1 || axis >= tensor_rank(weight))
        fail(conv, "weight_norm has no axis %" PRId64 " in a weight of %d axes", axis, tensor_rank(weight));
    return mod_ok(conv) ? weight : NULL;
}

void weight_norm(mod *conv, int64_t axis) {
    tensor *weight = take_weight(conv, axis);
    if (!weight) return;
    mod_rename_class(conv, mod_printf(conv, "Parametrized%s", mod_class(conv)));
    mod *dict = module_dict(conv, "parametrizations");
    mod *parts = child(dict, "weight", "ParametrizationList");
    mod_mark(parts, KIND_LIST);
    add_magnitude(parts, "original0", weight, axis);
    add_direction(parts, "original1", weight);
    done(child(parts, "0", "_WeightNorm"));
    done(parts);
}

void weight_norm_hook(mod *conv, int64_t axis) {
    tensor *weight = take_weight(conv, axis);
    if (!weight) return;
    add_magnitude(conv, "weight_g", weight, axis);
    add_direction(conv, "weight_v", weight);
}
