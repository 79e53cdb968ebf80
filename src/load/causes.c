/* What is behind many rows at once, in a sentence with a remedy. */
#include "verdict.h"
#include "../build/mod.h"
#include "../files/names.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- a prefix ---- */

typedef struct name_list { const char **v; size_t n; } name_list;
static name_list names_of(verdict *v, tare_row_kind kind) {
    name_list l = {arena_array(v->a, v->row_n, sizeof *l.v), 0};
    for (size_t i = 0; i < v->row_n; i++)
        if (v->rows[i].kind == kind) l.v[l.n++] = v->rows[i].name;
    return l;
}
static name_table table_of(verdict *v, const name_list *l) {
    name_table t = {.a = v->a};
    for (size_t i = 0; i < l->n; i++) name_put(&t, l->v[i], i);
    return t;
}
/* How many bytes two names share at their ends, whole words between dots alone. */
static size_t shared_end(const char *x, const char *y) {
    size_t n = strlen(x), m = strlen(y), k = 0, whole = 0;
    while (k < n && k < m && x[n - 1 - k] == y[m - 1 - k]) {
        k++;
        bool begins_x = k == n || x[n - 1 - k] == '.', begins_y = k == m || y[m - 1 - k] == '.';
        if (begins_x && begins_y) whole = k;
    }
    return whole;
}
typedef struct prefixes { const char *model, *file; size_t n; } prefixes; /* n missing names are unexpected ones with the other prefix */
static size_t count_swapped(verdict *v, const name_list *missing, const name_table *unexpected, const prefixes *p) {
    size_t n = 0, k = strlen(p->model);
    for (size_t i = 0; i < missing->n; i++)
        n += !strncmp(missing->v[i], p->model, k) && name_get(unexpected, arena_printf(v->a, "%s%s", p->file, missing->v[i] + k)) != SIZE_MAX;
    return n;
}
/* A few missing names are held against all unexpected ones; those that end alike suggest the prefixes. */
static prefixes best_prefixes(verdict *v, const name_list *missing, const name_list *unexpected) {
    enum { TRIED = 4 };
    prefixes best = {"", "", 0};
    name_table table = table_of(v, unexpected);
    for (size_t s = 0; s < TRIED && s < missing->n; s++) {
        const char *name = missing->v[missing->n * s / (missing->n < TRIED ? missing->n : TRIED)], *like = NULL;
        size_t most = 0;
        for (size_t i = 0, k; i < unexpected->n; i++)
            if ((k = shared_end(name, unexpected->v[i])) > most) most = k, like = unexpected->v[i];
        if (!like) continue;
        prefixes p = {arena_text(v->a, name, strlen(name) - most), arena_text(v->a, like, strlen(like) - most), 0};
        p.n = count_swapped(v, missing, &table, &p);
        if (p.n > best.n) best = p;
    }
    return best;
}
static void find_prefix(verdict *v, const name_list *missing, const name_list *unexpected) {
    if (missing->n < 2 || unexpected->n < 2) return;
    prefixes p = best_prefixes(v, missing, unexpected);
    if (p.n * 2 <= missing->n || (!*p.model && !*p.file)) return;
    const char *strip = *p.file ? arena_printf(v->a, " --strip-prefix %s", p.file) : "";
    const char *add = *p.model ? arena_printf(v->a, " --add-prefix %s", p.model) : "";
    if (!*p.model) cause_add(v, "%zu of %zu missing are unexpected ones without \"%s\": try%s", p.n, missing->n, p.file, strip);
    else if (!*p.file) cause_add(v, "%zu of %zu missing are unexpected ones with \"%s\" before them: try%s", p.n, missing->n, p.model, add);
    else cause_add(v, "%zu of %zu missing are unexpected ones with \"%s\" in place of \"%s\": try%s%s", p.n, missing->n, p.model, p.file, strip, add);
}

/* ---- a size in the config ---- */

typedef struct size_cause { const char *key; int64_t model, file; size_t n; } size_cause;

/* The first key of the config, or of its parts, that holds this number; NULL when there is none. */
static const char *key_of_size(verdict *v, const cfg *c, const char *before, int64_t size) {
    static const char *const keys[] = {
        "vocab_size", "hidden_size", "intermediate_size", "max_position_embeddings", "num_labels", "n_embd", "n_positions", "n_inner", "d_model",
        "d_ff", "d_kv", "moe_intermediate_size", "num_local_experts", "num_experts", "n_routed_experts", "projection_dim", "image_size", "patch_size",
        "head_dim", "type_vocab_size", "num_channels", "embedding_size",
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        val x = cfg_get(c, keys[i]);
        if (x.kind == VAL_INT && x.i == size) return arena_printf(v->a, "%s%s", before, keys[i]);
    }
    for (size_t i = 0; i < c->k->part_count; i++) {
        val part = cfg_get(c, c->k->parts[i].key);
        const char *found = part.kind == VAL_CFG ? key_of_size(v, part.cfg, arena_printf(v->a, "%s%s.", before, c->k->parts[i].key), size) : NULL;
        if (found) return found;
    }
    return NULL;
}
static int differing(const tare_row *row) {
    int which = -1;
    if (row->rank != row->file_rank) return -1;
    for (int i = 0; i < row->rank; i++) {
        if (row->shape[i] == row->file_shape[i]) continue;
        if (which >= 0) return -1;
        which = i;
    }
    return which;
}
static bool is_transposed(const tare_row *row) {
    return row->rank == 2 && row->file_rank == 2 && row->shape[0] == row->file_shape[1] && row->shape[1] == row->file_shape[0];
}
/* Sizes of quantised parts are quotients; the number of experts alone is what it is. */
static bool is_packed(const load_slot *s) { return s->packed || s->t->meaning; }
static void find_sizes(verdict *v) {
    enum { MOST = 8 };
    size_cause causes[MOST];
    size_t n = 0, transposed = 0;
    for (size_t i = 0; i < v->row_n; i++) {
        const tare_row *row = &v->rows[i];
        if (row->kind != TARE_ROW_SHAPE) continue;
        int axis = differing(row);
        if (is_packed(&v->r->slots.v[i]) && !(axis == 0 && row->rank > 2)) continue;
        if (is_transposed(row)) transposed++;
        if (axis < 0) continue;
        size_t k = 0;
        while (k < n && (causes[k].model != row->shape[axis] || causes[k].file != row->file_shape[axis])) k++;
        if (k < n) causes[k].n++;
        else if (n < MOST) causes[n++] = (size_cause){NULL, row->shape[axis], row->file_shape[axis], 1};
    }
    if (transposed) cause_add(v, "%zu of them are transposed in the file: it is of another layout, such as Conv1D beside Linear", transposed);
    for (size_t k = 0; k < n; k++) {
        const char *key = key_of_size(v, v->root->config, "", causes[k].model);
        if (key)
            cause_add(v, "%s is %" PRId64 " in the config, and %zu tensor%s of the file say%s %" PRId64, key, causes[k].model, causes[k].n,
                      causes[k].n == 1 ? "" : "s", causes[k].n == 1 ? "s" : "", causes[k].file);
    }
}

/* ---- stacks ---- */

/* What is joined has as many parts of each name: where the numbers differ, the smaller one says what to look for. */
static void find_uneven(verdict *v) {
    enum { MOST = 8 };
    const resolution *r = v->r;
    for (size_t i = 0; i < r->fault_n && i < MOST; i++) {
        size_t n[MOST] = {0}, least = SIZE_MAX, most = SIZE_MAX;
        const transform *t = NULL;
        for (size_t k = 0; k < r->c->tensor_count; k++) {
            const load_key *key = &r->keys[k];
            if (key->slot != r->faults[i].slot || key->converter == SIZE_MAX || key->pattern >= MOST) continue;
            t = &r->rules.converters[key->converter].t;
            n[key->pattern]++;
        }
        for (size_t k = 0; t && k < t->from_n && k < MOST; k++) {
            if (least == SIZE_MAX || n[k] < n[least]) least = k;
            if (most == SIZE_MAX || n[k] > n[most]) most = k;
        }
        if (least != SIZE_MAX && n[least] < n[most])
            cause_add(v, "%s is made of as many %s as %s, and the file has %zu and %zu", r->slots.v[r->faults[i].slot].path, t->from[least],
                      t->from[most], n[least], n[most]);
    }
}

/* ---- layers ---- */

/* The number behind the first ".layers." or the like: the first component of a name that is one. */
static bool first_number(const char *name, size_t *prefix, int64_t *number) {
    for (const char *p = name; (p = strchr(p, '.')); p++) {
        char *end;
        if (p[1] < '0' || p[1] > '9') continue;
        *number = strtoll(p + 1, &end, 10);
        *prefix = (size_t)(p + 1 - name);
        return *end == '.' && *number >= 0 && *number < INT32_MAX;
    }
    return false;
}
/* The highest number, and whether all below it are there. */
static int64_t last_layer(const verdict *v, const char *prefix, size_t n, bool files, bool *all_there) {
    enum { MOST = 4096 };
    int64_t last = -1, number;
    size_t k, met = 0;
    size_t all = files ? v->r->c->tensor_count : v->r->slots.n;
    uint8_t there[MOST] = {0};
    for (size_t i = 0; i < all; i++) {
        const char *name = files ? v->r->keys[i].name : v->r->slots.v[i].path;
        if (!first_number(name, &k, &number) || k != n || memcmp(name, prefix, n)) continue;
        if (number > last) last = number;
        if (number < MOST && !there[number]) there[number] = 1, met++;
    }
    *all_there = last < MOST && (int64_t)met == last + 1;
    return last;
}
static const char *key_of_layers(const cfg *c, int64_t layers) {
    static const char *const keys[] = {"num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers", "decoder_layers",
                                       "num_decoder_layers"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        val x = cfg_get(c, keys[i]);
        if (x.kind == VAL_INT && x.i == layers) return keys[i];
    }
    return "the number of layers";
}
static void find_layers(verdict *v, const name_list *missing, const name_list *unexpected) {
    enum { LISTS = 16 };
    const name_list *lists[] = {missing, unexpected};
    name_table met = {.a = v->a};
    for (int which = 0; which < 2; which++)
        for (size_t i = 0; i < lists[which]->n && met.n < LISTS; i++) {
            const char *name = lists[which]->v[i];
            size_t n, before = met.n;
            int64_t number;
            if (!first_number(name, &n, &number)) continue;
            const char *list = arena_text(v->a, name, n);
            if (name_put(&met, list, 0), met.n == before) continue;
            bool whole;
            int64_t model = last_layer(v, name, n, false, &whole), file = last_layer(v, name, n, true, &whole);
            if (model == file || model < 0 || file < 0) continue;
            if (!whole) cause_add(v, "the file has layers up to %s%" PRId64 ", and some before it are not there", list, file);
            else
                cause_add(v, "%s is %" PRId64 " in the config, and the file has %" PRId64 ", up to %s%" PRId64,
                          key_of_layers(v->root->config, model + 1), model + 1, file + 1, list, file);
        }
}

/* ---- heads, ties, files ---- */

static void find_head(verdict *v, const name_list *missing, const name_list *unexpected) {
    const char *base = FACT(v->root->model, base_model_prefix);
    size_t n = base ? strlen(base) : 0, heads = 0;
    if (!n || !missing->n) return;
    for (size_t i = 0; i < missing->n; i++) heads += strncmp(missing->v[i], base, n) || missing->v[i][n] != '.';
    if (heads != missing->n || v->sum.expected <= missing->n) return;
    val names = cfg_get(v->root->config, "architectures");
    const char *of = names.kind == VAL_LIST && names.n && names.items[0].kind == VAL_TEXT ? names.items[0].s : NULL;
    if (of && strcmp(of, v->root->cls))
        cause_add(v, "the base model is whole, and what is missing is the head of %s: the config says that the file is of %s%s", v->root->cls, of,
                  unexpected->n ? ", whose own head is what is unexpected" : "");
}
static bool listed(const name_list *l, const char *name) {
    for (size_t i = 0; i < l->n; i++)
        if (!strcmp(l->v[i], name)) return true;
    return false;
}
static void find_untied(verdict *v, const name_list *missing) {
    const text_pair *ties = TIES_OF(v->root);
    if (val_true(cfg_get(v->root->config, "tie_word_embeddings"))) return;
    for (; ties && ties->from; ties++)
        for (size_t i = 0; i < missing->n; i++)
            if (!strcmp(missing->v[i], ties->from) && !listed(missing, ties->to))
                cause_add(v, "tie_word_embeddings is false, so %s is a tensor of its own; if it is meant to be %s: --set tie_word_embeddings=true",
                          ties->from, ties->to);
}
static bool find_files(verdict *v, const name_list *missing) {
    size_t absent = 0, first = SIZE_MAX;
    for (size_t i = 0; i < v->r->c->file_count; i++)
        if (!v->r->c->files[i].present && absent++ == 0) first = i;
    if (absent && missing->n)
        cause_add(v, "%zu file%s not there, %s%s: %s missing may be in %s", absent, absent == 1 ? " is" : "s are", v->r->c->files[first].name,
                  absent == 1 ? "" : " and others", missing->n == 1 ? "what is" : "all that is", absent == 1 ? "it" : "them");
    return absent && missing->n;
}
/* ---- quantised weights ---- */

/* The last part of a key that is a number; false: there is none. */
static bool last_number(const char *key, size_t *at, size_t *n, uint64_t *number) {
    for (const char *dot = key + strlen(key); dot > key; dot--) {
        char *end;
        if (*dot != '.' || dot[1] < '0' || dot[1] > '9') continue;
        *number = strtoull(dot + 1, &end, 10);
        *at = (size_t)(dot + 1 - key), *n = (size_t)(end - dot - 1);
        if (*end == '.') return true;
    }
    return false;
}
/* Of tensors that are stacked, by their numbers, some are not there: the first of one name, as the others are called. */
static bool find_gap(verdict *v, size_t slot, size_t converter, size_t pattern) {
    enum { MOST = 4096 };
    bool there[MOST] = {false};
    const resolution *r = v->r;
    const char *other = NULL;
    size_t at, n;
    uint64_t number, all = (uint64_t)r->slots.v[slot].t->shape[0];
    for (size_t k = 0; k < r->c->tensor_count; k++) {
        const load_key *key = &r->keys[k];
        if (key->slot != slot || key->converter != converter || key->pattern != pattern) continue;
        other = r->c->tensors[k].key;
        if (last_number(other, &at, &n, &number) && number < MOST) there[number] = true;
    }
    if (!other || all > MOST || !last_number(other, &at, &n, &number)) return false;
    for (uint64_t i = 0; i < all; i++) {
        if (there[i]) continue;
        const char *meaning = r->slots.v[slot].t->meaning;
        cause_add(v, "%.*s%" PRIu64 "%s is not in the files: it is a part of %s%s%s", (int)at, other, i, other + at + n, r->slots.v[slot].path,
                  meaning ? ", " : "", meaning ? meaning : "");
        return true;
    }
    return false;
}
static bool stacks(const rule_converter *c) {
    for (const layout_op *op = c->ops; op->what != OP_END; op++)
        if (op->what == OP_MERGE_MODULELIST && op->dim == 0) return true;
    return false;
}
static void find_gaps(verdict *v) {
    enum { MOST = 8 };
    size_t said = 0;
    for (size_t i = 0; i < v->r->slots.n && said < MOST; i++) {
        const load_slot *s = &v->r->slots.v[i];
        if (s->t->rank < 1 || (s->from == FROM_FILE && !s->mismatched)) continue;
        for (size_t k = 0; k < v->r->rules.converter_n; k++) {
            const rule_converter *c = &v->r->rules.converters[k];
            for (size_t j = 0; stacks(c) && j < c->t.from_n; j++) said += find_gap(v, i, k, j);
        }
    }
}
/* The config is that of another file, or of a run that never quantised anything. */
static void find_floats(verdict *v, const char *method) {
    size_t floats = 0, packed = 0;
    for (size_t i = 0; i < v->r->slots.n; i++) {
        const tare_row *row = &v->rows[i];
        packed += v->r->slots.v[i].packed;
        floats += v->r->slots.v[i].packed && row->kind == TARE_ROW_DTYPE && (row->file_dtype <= TARE_F64);
    }
    if (floats && floats * 2 >= packed)
        cause_add(v, "the config says that the weights are quantised by %.60s, and the files hold floats: --stage plain holds them against the "
                  "plain model", method);
}
static void find_quantised(verdict *v) {
    val q = cfg_get(v->root->config, "quantization_config"), method = dict_get(q, "quant_method");
    bool packed = false;
    for (size_t i = 0; i < v->r->slots.n && !packed; i++) packed = v->r->slots.v[i].packed;
    if (packed) find_gaps(v), find_floats(v, method.kind == VAL_TEXT ? method.s : "its method");
    else if (q.kind == VAL_DICT && (v->sum.rows[TARE_ROW_DTYPE] || v->sum.rows[TARE_ROW_UNEXPECTED] || v->sum.rows[TARE_ROW_SHAPE]))
        cause_add(v, "the config says that the weights are quantised%s%s, and they are held against the plain model",
                  method.kind == VAL_TEXT ? " by " : "", method.kind == VAL_TEXT ? method.s : "");
}

void causes_find(verdict *v) {
    name_list missing = names_of(v, TARE_ROW_MISSING), unexpected = names_of(v, TARE_ROW_UNEXPECTED);
    if (v->r->crash) cause_add(v, "%s: Transformers raises an error", v->r->crash);
    bool absent = find_files(v, &missing); /* that explains what is missing */
    find_prefix(v, &missing, &unexpected);
    find_sizes(v);
    find_uneven(v);
    if (!absent) {
        find_layers(v, &missing, &unexpected);
        find_head(v, &missing, &unexpected);
        find_untied(v, &missing);
    }
    find_quantised(v);
}
