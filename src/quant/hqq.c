/* HQQ: before loading, the modules to be quantised are marked and frozen, no more. Mirrors integrations/hqq.py, transformers 5.23.0. */
#include "quant.h"

enum { MARKED = 1 };
typedef struct hqq {
    val skip, parts; /* tags of modules; settings by tag, where some are given so */
    bool by_tag;
} hqq;

static void settle(quant *q) {
    const conf *c = settings(q);
    hqq *h = room(q, sizeof *h);
    if (from_file(q) && !conf_given(c, "quant_config")) conf_refuse(c, "quant_config", "a stored config of this method has it");
    if (from_file(q) && !conf_given(c, "skip_modules")) conf_refuse(c, "skip_modules", "a stored config of this method has it");
    int64_t axis = conf_given(c, "axis") ? conf_int(c, "axis", 1) : 1;
    if (axis != 0 && axis != 1) conf_refuse(c, "axis", "known are 0, 1");
    h->skip = conf_texts(c, "skip_modules");
    h->parts = conf_part(c, from_file(q) ? "quant_config" : "dynamic_config").d;
}
/* What is left of a path without "model", "layers" and numbers: "self_attn.k_proj". */
static void tag_of(const char *path, char *tag) {
    size_t n = 0;
    for (size_t k; *path; path += k + (path[k] == '.')) {
        k = strcspn(path, ".");
        bool number = strspn(path, "0123456789") == k, plain = (k == 5 && !strncmp(path, "model", k)) || (k == 6 && !strncmp(path, "layers", k));
        if (number || plain) continue;
        if (n) tag[n++] = '.';
        memcpy(tag + n, path, k);
        n += k;
    }
    tag[n] = 0;
}
static bool is_skipped(const hqq *h, const char *tag) {
    if (h->skip.kind != VAL_LIST) return !strcmp(tag, "lm_head");
    for (uint32_t i = 0; i < h->skip.n; i++)
        if (!strcmp(h->skip.items[i].s, tag)) return true;
    return false;
}
static bool has_tag(const quant *q, const mod *m, const char *path, const void *of) {
    (void)q;
    char tag[MODULE_PATH];
    tag_of(path, tag);
    return is_linear(m) && !strcmp(tag, of);
}
static void start(quant *q) {
    hqq *h = state(q);
    for (uint32_t i = 0; i < h->parts.n && !h->by_tag; i++) {
        const char *tag = h->parts.members[i].key;
        h->by_tag = !is_skipped(h, tag) && some_module(q, has_tag, tag);
    }
}
static int64_t takes(quant *q, const mod *m, const char *path) {
    const hqq *h = state(q);
    if (!is_linear(m)) return LEAVE;
    char tag[MODULE_PATH];
    tag_of(path, tag);
    return (h->by_tag ? val_given(dict_get(h->parts, tag)) : !is_skipped(h, tag)) ? MARKED : LEAVE;
}
static void make(quant *q, mod *to, const mod *from, int64_t kind) {
    (void)q, (void)kind;
    only_holds(to);
    keep_tensors(to, from);
    freeze_all(to);
}
static void finish(quant *q) {
    warn_of_dense_experts(q);
    note_warning(q, "transformers 5.23.0 has no operation that quantises for this method: weights stay as they are in the files");
}

const quant_method method_hqq = {
    .name = "hqq",
    .names = SET("hqq"),
    .settle = settle,
    .start = start,
    .takes = takes,
    .make = make,
    .finish = finish,
};
