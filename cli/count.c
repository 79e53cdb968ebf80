/* tare count: how many parameters, where they are, and what they weigh. */
#include "budget.h"
#include "nodes.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One group of parameters: a part of the model, or equal members of a list. */
typedef struct part {
    const char *label;
    const node *first;  /* linked by alike */
    uint64_t each, times;
    const char *tied;   /* the owner when all of it is shared with an earlier part */
    bool untied;        /* a head that might be tied and is not */
} part;
typedef struct parts {
    part *rows;
    size_t n, cap;
    const node *root;
    bool failed;
} parts;

static bool holds_list(const node *n) {
    for (const node *c = n->modules; c; c = c->next)
        if (is_list(c) || holds_list(c)) return true;
    return false;
}

/* nn.Embedding and its kin: a module that is itself a table. */
static bool is_table(const node *n) {
    size_t length = strlen(n->class_name);
    return length >= 9 && strcmp(n->class_name + length - 9, "Embedding") == 0 && n->tensors && n->tensors->item.rank == 2;
}

/* Elements in embedding tables, for the label only. */
static uint64_t in_tables(const node *n) {
    if (is_table(n)) return n->elements;
    uint64_t sum = 0;
    for (const node *c = n->modules; c; c = c->next) sum += in_tables(c);
    return sum;
}

static const char *label_of(const node *n, bool top, const node *root) {
    if (is_number(n->name)) return "layers";
    if (is_table(n) || in_tables(n) * 2 > n->elements) return "embeddings";
    if (strstr(n->class_name, "Norm")) return "norm";
    if (top && (strstr(root->class_name, "For") || strstr(root->class_name, "Head"))) return "head";
    return n->name;
}

/* The tensor that everything below n is shared with; NULL when n holds a parameter of its own, or none. */
static const char *shared_with(const node *n) {
    if (n->elements) return NULL;
    for (const node *t = n->tensors; t; t = t->next)
        if (t->item.kind == TARE_PARAM) return t->item.owner;
    for (const node *c = n->modules; c; c = c->next)
        if (shared_with(c)) return shared_with(c);
    return NULL;
}

/* An embedding table below n, outside of lists, has the shape of this weight. */
static bool same_size(const node *weight, const node *n) {
    if (is_table(n) && memcmp(n->tensors->item.shape, weight->item.shape, 2 * sizeof *weight->item.shape) == 0) return true;
    for (const node *c = n->modules; c; c = c->next)
        if (!is_list(c) && same_size(weight, c)) return true;
    return false;
}

/* A head with a weight of an embedding's shape, which is not that embedding. */
static bool is_untied(const node *n, const node *root) {
    for (const node *t = n->tensors; t; t = t->next)
        if (t->item.rank == 2 && !t->item.owner && same_size(t, root)) return true;
    for (const node *c = n->modules; c; c = c->next)
        if (is_untied(c, root)) return true;
    return false;
}

static void add(parts *p, const char *label, const node *first) {
    uint64_t times = 0;
    for (const node *k = first; k; k = k->alike) times++;
    const char *tied = shared_with(first);
    if (!first->elements && !tied) return;
    if (p->n == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 32;
        part *rows = realloc(p->rows, cap * sizeof *rows);
        if (!rows) {
            p->failed = true;
            return;
        }
        p->rows = rows, p->cap = cap;
    }
    bool untied = strcmp(label, "head") == 0 && is_untied(first, p->root);
    p->rows[p->n++] = (part){.label = label, .first = first, .each = first->elements, .times = times, .tied = tied, .untied = untied};
}

/* Lists become rows of their own, so what holds one is taken apart; everything else is a row as it stands. */
static void collect(parts *p, node *n) {
    bool top = n == p->root;
    group(n);
    for (node *t = n->tensors; t; t = t->next)
        if (t->item.kind == TARE_PARAM && t->elements) add(p, t->name, t);
    for (node *c = n->modules; c; c = c->next) {
        if (c->follows) continue;
        bool head = top && strcmp(c->class_name, "Sequential") == 0; /* a classifier, not a stack of layers */
        if (!head && (is_list(c) || (!is_number(c->name) && holds_list(c)))) collect(p, c);
        else add(p, label_of(c, top, p->root), c);
    }
}

static void put_path(out *o, const part *r) {
    const node *n = r->first;
    out_put(o, n->path, (size_t)(n->name - n->path));
    out_numbers(o, n);
}

static void put_part(const part *r, size_t width, uint64_t total) {
    char number[32];
    uint64_t sum = r->each * r->times;
    out_format(&std_out, "  %-*s  %16s", (int)width, r->label, grouped(sum, number));
    out_format(&std_out, "   %5.1f %%     ", total ? 100.0 * (double)sum / (double)total : 0.0);
    put_path(&std_out, r);
    if (r->times > 1) out_format(&std_out, "  %" PRIu64 " x %s", r->times, grouped(r->each, number));
    if (r->tied) out_format(&std_out, " (tied to %s)", r->tied);
    if (r->untied) out_text(&std_out, " (not tied)");
    out_text(&std_out, "\n");
}

static void put_sum(const char *label, size_t width, uint64_t n, const char *size, const char *remark) {
    char number[32];
    out_format(&std_out, "%-*s  %16s", (int)width + 2, label, grouped(n, number));
    if (*size) {
        const char *unit = strchr(size, ' ');
        out_format(&std_out, "   %5.*s %-3s", (int)(unit - size), size, unit + 1);
    }
    if (*remark) out_format(&std_out, "%s%s", *size ? "   " : "               ", remark);
    out_text(&std_out, "\n");
}

/* The dtypes of buffers, "float32, int64", by a walk. */
typedef struct kinds {
    bool seen[TARE_DTYPE_COUNT];
} kinds;

static bool see(void *to, const tare_item *t) {
    if (t->kind == TARE_BUFFER) ((kinds *)to)->seen[t->dtype] = true;
    return true;
}

static void put_buffers(const tare_model *m, const tare_counts *c, size_t width) {
    char size[32], some[32];
    kinds k = {0};
    tare_error err;
    out remark = {.fd = -1};
    if (c->transient_bytes && c->persistent_bytes) out_format(&remark, "%s of it transient", bytes_text(c->transient_bytes, some));
    else out_text(&remark, c->transient_bytes ? "transient" : "persistent");
    tare_model_walk(m, see, &k, &err);
    for (int i = 0; i < TARE_DTYPE_COUNT; i++)
        if (k.seen[i]) out_format(&remark, ", %s", tare_dtype_torch((tare_dtype)i));
    out_put(&remark, "", 1);
    if (!remark.failed) put_sum("buffers", width, c->buffers, bytes_text(c->persistent_bytes + c->transient_bytes, size), remark.data);
    out_free(&remark);
}

/* What the quantised weights stand for, and how many bits each of them takes with all that belongs to it. */
static void put_quantization(const tare_model *m, const args *a, size_t width) {
    const tare_quantization *q = tare_model_quantization(m);
    char size[32], remark[160], replaced[32], left[32];
    if (!q || a->value[OPT_DEQUANTIZE]) return;
    if (!q->weights) {
        snprintf(remark, sizeof remark, "%s stores no weight of this tree quantised: all are counted as they are", q->method);
        note(remark);
        return;
    }
    snprintf(remark, sizeof remark, "%.3f bits each by %s: %s modules, and %s linear layer%s as %s", 8.0 * (double)q->bytes / (double)q->weights,
             q->method, grouped(q->replaced, replaced), grouped(q->left, left), q->left == 1 ? "" : "s", q->left == 1 ? "it is" : "they are");
    put_sum("quantised", width, q->weights, bytes_text(q->bytes, size), remark);
}

static uint64_t all_bytes(const tare_counts *c) {
    uint64_t sum = 0;
    for (int i = 0; i < TARE_DTYPE_COUNT; i++) sum += c->bytes[i];
    return sum;
}

static void put_text(const tare_model *m, const args *a, const tare_counts *c, const parts *p, const budget *b) {
    char size[32], name[64];
    size_t width = strlen("embeddings");
    for (size_t i = 0; i < p->n; i++)
        if (strlen(p->rows[i].label) > width) width = strlen(p->rows[i].label);
    out_format(&std_out, "%s, %s   (config: ", tare_model_class(m), tare_dtype_torch(tare_model_dtype(m)));
    out_safe(&std_out, source_of(a->words[0]));
    out_format(&std_out, "; %s)\n", reference_name(name));
    put_sum("parameters", width, c->total, bytes_text(all_bytes(c), size), "");
    for (size_t i = 0; i < p->n; i++) put_part(&p->rows[i], width, c->total);
    put_quantization(m, a, width);
    if (c->trainable != c->total) put_sum("trainable", width, c->trainable, "", "");
    if (c->active != c->total) put_sum("active", width, c->active, "", "used for one token");
    if (c->buffers) put_buffers(m, c, width);
    budget_text(&std_out, b);
}

static void put_json(const tare_model *m, const tare_counts *c, const parts *p, const budget *b) {
    out *o = &std_out;
    out_format(o, "{\"tare\":1,\"class\":\"%s\",\"dtype\":\"%s\",\"parameters\":{", tare_model_class(m), tare_dtype_name(tare_model_dtype(m)));
    out_format(o, "\"total\":%" PRIu64 ",\"trainable\":%" PRIu64 ",\"with_ties\":%" PRIu64, c->total, c->trainable, c->with_ties);
    out_format(o, ",\"embedding\":%" PRIu64 ",\"active\":%" PRIu64 ",\"bytes\":{", c->embedding, c->active);
    const char *comma = "";
    for (int i = 0; i < TARE_DTYPE_COUNT; i++) {
        if (!c->bytes[i]) continue;
        out_format(o, "%s\"%s\":%" PRIu64, comma, tare_dtype_name((tare_dtype)i), c->bytes[i]);
        comma = ",";
    }
    out_format(o, "}},\"buffers\":{\"elements\":%" PRIu64 ",\"persistent_bytes\":%" PRIu64, c->buffers, c->persistent_bytes);
    out_format(o, ",\"transient_bytes\":%" PRIu64 "},\"tensors\":%" PRIu64, c->transient_bytes, c->tensors);
    out_format(o, ",\"modules\":%" PRIu64 ",\"groups\":[", c->modules);
    for (size_t i = 0; i < p->n; i++) {
        const part *r = &p->rows[i];
        out_format(o, "%s{\"label\":\"%s\",\"path\":\"", i ? "," : "", r->label);
        put_path(o, r);
        out_format(o, "\",\"count\":%" PRIu64 ",\"elements\":%" PRIu64 ",\"tied\":", r->times, r->each * r->times);
        out_json(o, r->tied);
        out_text(o, "}");
    }
    out_text(o, "]");
    quantization_json(o, m);
    budget_json(o, b);
    out_text(o, "}\n");
}

static int print(const args *a, const tare_model *m) {
    tare_error err = {0};
    tare_counts c;
    budget b;
    if (!budget_read(&b, a)) return TARE_USAGE;
    if (!budget_count(&b, m, &err)) return fail(&err);
    nodes *all = nodes_of(m, &err);
    if (!all) return fail(&err);
    parts p = {.root = nodes_root(all)};
    tare_model_count(m, &c);
    collect(&p, nodes_root(all));
    if (!p.failed && a->value[OPT_JSON]) put_json(m, &c, &p, &b);
    else if (!p.failed) put_text(m, a, &c, &p, &b);
    free(p.rows);
    nodes_free(all);
    return p.failed ? fail_with(TARE_IO, "out_of_memory", "out of memory") : TARE_OK;
}

static int run(const args *a) {
    budget b;
    return budget_read(&b, a) ? with_model(a, print) : TARE_USAGE; /* said before a model is built */
}

const command command_count = {
    .name = "count",
    .usage = "MODEL [options]",
    .summary = "how many parameters, where they are, what they weigh",
    .about = "Counts parameters, each shared tensor once, and says which part of the model holds them; then the\n"
             "buffers. Sizes are in the dtype that the model would have.\n"
             "With --training, the bytes that torch holds once every trainable parameter took a step: parameters,\n"
             "gradients, the states of the optimizer, buffers. Activations are not in it.\n"
             "With --context N, what generating takes: weights, and the cache that the reference keeps of N tokens, by\n"
             "its kinds; with --activations also an estimate of a forward pass of all N tokens at once.\n",
    .examples = "  tare count meta-llama/Llama-2-7b-hf\n"
                "  tare count google-bert/bert-base-uncased --auto model\n"
                "  tare count mistralai/Mixtral-8x22B-v0.1 --dtype float16 --json\n"
                "  tare count meta-llama/Llama-2-7b-hf --training adamw\n"
                "  tare count google/gemma-3-4b --context 32768 --batch-size 4 --kv-dtype float8_e4m3fn\n",
    .exits = "  0 printed\n",
    .options = MODEL_OPTIONS | BUDGET_OPTIONS | BIT(OPT_JSON),
    .of_loaded = true,
    .min_words = 1,
    .max_words = 1,
    .run = run,
};
