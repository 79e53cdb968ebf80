/* Walks a model, then asks for tensors by index and by name.
 *     walk_tree meta-llama/Llama-2-7b-hf */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <tare.h>

/* Parameters held by modules of one class. */
typedef struct share { char name[64]; uint64_t modules, parameters; } share;
typedef struct shares { share row[64]; size_t n, now; } shares;

static uint64_t elements(const tare_item *t) {
    uint64_t n = 1;
    for (int i = 0; i < t->rank; i++) n *= (uint64_t)t->shape[i];
    return n;
}

/* A module's own tensors follow its line, so the last module seen is the one that holds them. */
static bool visit(void *to, const tare_item *item) {
    shares *s = to;
    if (item->kind == TARE_MODULE) {
        for (s->now = 0; s->now < s->n && strcmp(s->row[s->now].name, item->class_name);) s->now++;
        if (s->now == 64) return false;
        if (s->now == s->n) snprintf(s->row[s->n++].name, sizeof s->row->name, "%s", item->class_name);
        s->row[s->now].modules++;
    } else if (item->kind == TARE_PARAM && !item->owner) { /* a tied tensor is counted where it was first */
        s->row[s->now].parameters += elements(item);
    }
    return true;
}

static void show_tensor(const tare_item *t) {
    printf("%s %s [", t->path, tare_dtype_name(t->dtype));
    for (int i = 0; i < t->rank; i++) printf("%s%" PRId64, i ? ", " : "", t->shape[i]);
    puts("]");
}

int main(int argc, char **argv) {
    if (argc != 2) return fprintf(stderr, "usage: walk_tree MODEL\n"), 2;

    tare_error err = {0};
    tare_model *m = tare_model_open(argv[1], NULL, &err);
    if (!m) return fprintf(stderr, "%s\n", err.message), 1;

    shares s = {0};
    tare_status status = tare_model_walk(m, visit, &s, &err);
    for (size_t i = 0; i < s.n; i++)
        printf("%5" PRIu64 " x %-24s %14" PRIu64 "\n", s.row[i].modules, s.row[i].name, s.row[i].parameters);

    printf("%zu tensors, the first and the last of them:\n", tare_tensor_count(m));
    show_tensor(tare_tensor_at(m, 0));
    show_tensor(tare_tensor_at(m, tare_tensor_count(m) - 1));
    const tare_item *t = tare_tensor_find(m, "model.layers.3.mlp.down_proj.weight");
    if (t) show_tensor(t);
    tare_model_free(m);
    return status != TARE_OK;
}
