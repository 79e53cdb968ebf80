/* tree --fold. The same walk runs twice: first to find how wide the left column is, then to print. */
#include "fold.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { WIDEST = 64 };
typedef struct folding {
    bool measuring;
    size_t width;
    out label; /* of the line at hand; more names are appended and cut off again on the way down */
} folding;

static void fold_children(folding *f, const node *n, size_t depth);

/* The left column of a line; false while measuring. */
static bool left(folding *f, size_t depth) {
    size_t n = depth * 2 + f->label.n;
    if (f->measuring) {
        if (n <= WIDEST && n > f->width) f->width = n;
        return false;
    }
    out_spaces(&std_out, depth * 2);
    out_put(&std_out, f->label.data, f->label.n);
    out_spaces(&std_out, n < f->width ? f->width - n + 2 : 2);
    return true;
}

static void put_tensor(const tare_item *t) {
    out_format(&std_out, "%-4s  ", tare_dtype_name(t->dtype));
    if (!t->rank) out_text(&std_out, "scalar");
    for (int i = 0; i < t->rank; i++) out_format(&std_out, "%s%" PRId64, i ? " x " : "", t->shape[i]);
    if (t->kind == TARE_BUFFER) out_text(&std_out, t->persistent ? "  buffer" : "  transient buffer");
    else if (!t->trainable) out_text(&std_out, "  frozen");
    if (t->owner) out_format(&std_out, "  = %s", t->owner);
    out_text(&std_out, "\n");
}

static bool one_line(const tare_item *a, const tare_item *b) {
    return a->kind == b->kind && a->dtype == b->dtype && a->rank == b->rank && a->trainable == b->trainable && a->persistent == b->persistent
        && !a->owner && !b->owner && (!a->rank || memcmp(a->shape, b->shape, (size_t)a->rank * sizeof *a->shape) == 0);
}

/* Own tensors of a module, neighbours of one shape on one line: norm.{weight,bias}. */
static void fold_tensors(folding *f, const node *first, size_t depth) {
    size_t keep = f->label.n;
    for (const node *t = first, *end; t; t = end) {
        for (end = t->next; end && one_line(&t->item, &end->item);) end = end->next;
        bool several = t->next != end;
        if (keep) out_text(&f->label, ".");
        if (several) out_text(&f->label, "{");
        for (const node *k = t; k != end; k = k->next) out_format(&f->label, "%s%s", k == t ? "" : ",", k->name);
        if (several) out_text(&f->label, "}");
        if (left(f, depth)) put_tensor(&t->item);
        f->label.n = keep;
    }
}

/* A module under the label at hand: a leaf is joined with its tensors, others get a line and their content below. */
static void fold_module(folding *f, node *n, size_t depth) {
    if (!n->modules && n->tensors) {
        fold_tensors(f, n->tensors, depth);
        return;
    }
    if (left(f, depth)) out_format(&std_out, "%s\n", n->class_name);
    size_t keep = f->label.n;
    out label = f->label;
    f->label = (out){.fd = -1};
    fold_tensors(f, n->tensors, depth + 1);
    fold_children(f, n, depth + 1);
    if (f->label.failed) label.failed = f->label.failed;
    out_free(&f->label);
    f->label = label, f->label.n = keep;
}

/* A child: its numbers when it stands for several, its name; members of a ModuleList are joined with the list. */
static void fold_child(folding *f, node *c, size_t depth) {
    size_t keep = f->label.n;
    if (c->follows) return;
    if (keep) out_text(&f->label, ".");
    if (is_number(c->name)) out_numbers(&f->label, c);
    else out_text(&f->label, c->name);
    if (is_list(c) && strcmp(c->class_name, "ModuleList") == 0) fold_children(f, c, depth);
    else fold_module(f, c, depth);
    f->label.n = keep;
}

static void fold_children(folding *f, const node *n, size_t depth) {
    for (node *c = n->modules; c; c = c->next) fold_child(f, c, depth);
}

static void group_all(node *n) {
    group(n);
    for (node *c = n->modules; c; c = c->next)
        if (!c->follows) group_all(c);
}

tare_status fold_print(const tare_model *m, tare_error *err) {
    nodes *t = nodes_of(m, err);
    if (!t) return err->status;
    node *root = nodes_root(t);
    folding f = {.measuring = true, .label = {.fd = -1}};
    group_all(root);
    fold_tensors(&f, root->tensors, 1);
    fold_children(&f, root, 1);
    f.measuring = false;
    out_format(&std_out, "%s\n", root->class_name);
    fold_tensors(&f, root->tensors, 1);
    fold_children(&f, root, 1);
    bool failed = f.label.failed;
    out_free(&f.label);
    nodes_free(t);
    if (failed) error_fill(err, TARE_IO, "out_of_memory", "out of memory");
    return failed ? TARE_IO : TARE_OK;
}
