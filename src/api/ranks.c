/* Which part of a tensor a rank holds, by the styles of upstream's tensor-parallel plans. */
#include "facts.h"
#include "../core/path.h"
#include <stdio.h>
#include <string.h>

/* Numbers of layers and experts are stars in a plan. */
static void generic(char out[MODULE_PATH], const char *path) {
    size_t n = 0;
    for (const char *p = path; *p && n < MODULE_PATH - 2;) {
        size_t word = strcspn(p, "."), digits = strspn(p, "0123456789");
        if (word && digits == word) out[n++] = '*', p += word;
        else
            while (word-- && n < MODULE_PATH - 2) out[n++] = *p++;
        if (*p == '.') out[n++] = *p++;
    }
    out[n] = 0;
}
static const char *style_of(val plan, const char *path, bool *bias) {
    char name[MODULE_PATH];
    generic(name, path);
    char *last = strrchr(name, '.');
    *bias = last && !strcmp(last + 1, "bias");
    val style = dict_get(plan, name);
    if (style.kind != VAL_TEXT && last) *last = 0, style = dict_get(plan, name);
    return style.kind == VAL_TEXT ? style.s : NULL;
}
/* torch.chunk(): all parts of one size, the last ones shorter or empty. */
static void share_out(tare_slice *s, const tare_item *t, int axis, int64_t blocks, int rank, int ranks) {
    if (t->shape[axis] % blocks) blocks = 1;
    int64_t block = t->shape[axis] / blocks, share = block / ranks + (block % ranks != 0), first = share * rank;
    if (first > block) first = block;
    *s = (tare_slice){axis, first, share < block - first ? share : block - first, blocks};
}
bool rank_slice(val plan, const tare_item *t, int rank, int ranks, tare_slice *s, tare_error *err) {
    static const char *const whole[] = {"replicate", "replicated_with_grad_allreduce", "all_reduce", "moe_tp_experts", "moe_identity_expert",
                                        "local_params", "mla_kv_a_proj", "sequence_parallel", NULL};
    bool bias;
    const char *style = t->kind == TARE_PARAM ? style_of(plan, t->path, &bias) : NULL;
    int last = t->rank - 1, rows = t->rank > 1 ? t->rank - 2 : 0;
    if (!style || !t->rank || word_in(style, whole)) return true;
    if (!strncmp(style, "colwise", 7)) share_out(s, t, rows, 1, rank, ranks);
    else if (!strncmp(style, "rowwise", 7)) {
        if (!bias) share_out(s, t, last, 1, rank, ranks);
    } else if (!strcmp(style, "embedding_rowwise")) share_out(s, t, 0, 1, rank, ranks);
    else if (!strcmp(style, "embedding_colwise")) share_out(s, t, last, 1, rank, ranks);
    else if (!strcmp(style, "packed_colwise")) share_out(s, t, rows, t->rank > 1 ? 2 : 1, rank, ranks);
    else if (!strcmp(style, "packed_rowwise")) {
        if (t->rank > 1) share_out(s, t, last, 2, rank, ranks);
    } else {
        error_set(err, TARE_BAD, "not_available", t->path, "%s is divided by the style \"%.60s\", which is not in this release", t->path, style);
        return false;
    }
    return true;
}
