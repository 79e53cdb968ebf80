/* As torch's optimizers hold it after the first step. Frozen parameters have no gradient and no state; a tied one is held once. */
#include "training.h"
#include <inttypes.h>
#include <string.h>

struct optimizer {
    const char *name, *class_name;
    unsigned copies;      /* tensors like the parameter */
    unsigned more;        /* bytes besides: a float32 step count */
    const char *states;   /* in torch's words */
};
static const optimizer optimizers[] = {
    {"adamw", "torch.optim.AdamW", 2, 4, "exp_avg, exp_avg_sq, step"},
    {"sgd", "torch.optim.SGD", 0, 0, "none"},
    {"sgd-momentum", "torch.optim.SGD", 1, 0, "momentum_buffer"},
};

const optimizer *optimizer_find(const char *name) {
    for (size_t i = 0; i < sizeof optimizers / sizeof *optimizers; i++)
        if (strcmp(optimizers[i].name, name) == 0) return &optimizers[i];
    fail_usage("--training is \"%s\": adamw, sgd or sgd-momentum", name);
    return NULL;
}

/* Sums that cannot be held stay at the most. */
static uint64_t times(uint64_t a, uint64_t b) { return b && a > UINT64_MAX / b ? UINT64_MAX : a * b; }
static uint64_t plus(uint64_t a, uint64_t b) { return a > UINT64_MAX - b ? UINT64_MAX : a + b; }

static bool add(void *to, const tare_item *i) {
    training *t = to;
    if (i->kind == TARE_MODULE || i->owner) return true;
    uint64_t bytes = tare_dtype_bytes(i->dtype);
    for (int k = 0; k < i->rank; k++) bytes = times(bytes, (uint64_t)i->shape[k]);
    if (i->kind == TARE_BUFFER) t->buffers = plus(t->buffers, bytes);
    else t->parameters = plus(t->parameters, bytes);
    if (i->kind != TARE_PARAM || !i->trainable) return true;
    t->gradients = plus(t->gradients, bytes);
    t->states = plus(t->states, plus(times(bytes, t->optimizer->copies), t->optimizer->more));
    return true;
}

bool training_of(training *t, const tare_model *m, const optimizer *o, tare_error *err) {
    *t = (training){.optimizer = o};
    if (tare_model_walk(m, add, t, err) != TARE_OK) return false;
    t->total = plus(plus(t->parameters, t->gradients), plus(t->states, t->buffers));
    return true;
}

static void line(out *o, const char *label, uint64_t bytes, const char *remark) {
    char number[32], size[32];
    const char *text = bytes_text(bytes, size), *unit = strchr(text, ' ');
    out_format(o, "  %-10s  %16s   %5.*s %s", label, grouped(bytes, number), (int)(unit - text), text, unit + 1);
    if (*remark) out_spaces(o, 6 - strlen(unit + 1));
    out_format(o, "%s\n", remark);
}

void training_text(out *o, const training *t) {
    out_format(o, "training with %s, bytes without activations\n", t->optimizer->class_name);
    line(o, "parameters", t->parameters, "");
    line(o, "gradients", t->gradients, "");
    line(o, "optimizer", t->states, t->optimizer->states);
    line(o, "buffers", t->buffers, "");
    line(o, "total", t->total, "");
}

void training_json(out *o, const training *t) {
    out_format(o, "{\"optimizer\":\"%s\",\"parameters\":%" PRIu64 ",\"gradients\":%" PRIu64, t->optimizer->name, t->parameters, t->gradients);
    out_format(o, ",\"states\":%" PRIu64 ",\"buffers\":%" PRIu64 ",\"total\":%" PRIu64 "}", t->states, t->buffers, t->total);
}
