/* The tree in memory, built from one walk. All of it lives in blocks that are freed together. */
#include "nodes.h"
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 1 << 18, DEPTH = 256, LOOK_BACK = 8 };

typedef struct block {
    struct block *next;
    size_t used, size;
} block;
struct nodes {
    block *blocks;
    node *root;
    node *open[DEPTH];      /* the modules on the way to the last one */
    node *last_child[DEPTH];
    node *last_tensor;
    int depth;
    bool failed;
};

static void *take(nodes *t, size_t n) {
    n = (n + 15) & ~(size_t)15;
    block *b = t->blocks;
    if (!b || b->size - b->used < n) {
        size_t size = n + sizeof *b > BLOCK ? n + sizeof *b + 16 : BLOCK;
        block *fresh = malloc(size);
        if (!fresh) return t->failed = true, NULL;
        *fresh = (block){.next = b, .used = (sizeof *b + 15) & ~(size_t)15, .size = size};
        t->blocks = b = fresh;
    }
    void *p = (char *)b + b->used;
    b->used += n;
    return p;
}

static const char *copy(nodes *t, const char *s) {
    size_t n = s ? strlen(s) + 1 : 0;
    char *c = s ? take(t, n) : NULL;
    return c ? memcpy(c, s, n) : NULL;
}

static bool under(const char *path, const char *parent) {
    size_t n = strlen(parent);
    return n == 0 || (strncmp(path, parent, n) == 0 && path[n] == '.');
}

static node *new_node(nodes *t, const tare_item *item) {
    node *n = take(t, sizeof *n);
    if (!n) return NULL;
    *n = (node){.item = *item, .path = copy(t, item->path), .class_name = copy(t, item->class_name)};
    if (!n->path) return NULL;
    const char *dot = strrchr(n->path, '.');
    n->name = dot ? dot + 1 : n->path;
    n->item.path = n->path, n->item.class_name = n->class_name, n->item.owner = copy(t, item->owner);
    if (item->rank > 0) {
        int64_t *shape = take(t, (size_t)item->rank * sizeof *shape);
        if (!shape) return NULL;
        memcpy(shape, item->shape, (size_t)item->rank * sizeof *shape);
        n->item.shape = shape;
    }
    return t->failed ? NULL : n;
}

static bool add_module(nodes *t, node *n) {
    if (!t->root) {
        t->root = t->open[0] = n;
        t->last_child[0] = t->last_tensor = NULL;
        t->depth = 1;
        return true;
    }
    while (t->depth > 1 && !under(n->path, t->open[t->depth - 1]->path)) t->depth--;
    int d = t->depth;
    if (d == DEPTH) return false;
    if (t->last_child[d - 1]) t->last_child[d - 1]->next = n;
    else t->open[d - 1]->modules = n;
    t->last_child[d - 1] = n;
    t->open[d] = n, t->last_child[d] = t->last_tensor = NULL;
    t->depth++;
    return true;
}

static uint64_t element_count(const tare_item *item) {
    uint64_t n = 1;
    for (int i = 0; i < item->rank; i++) n *= (uint64_t)item->shape[i];
    return n;
}

static void add_tensor(nodes *t, node *n) {
    if (t->last_tensor) t->last_tensor->next = n;
    else t->open[t->depth - 1]->tensors = n;
    t->last_tensor = n;
    if (n->item.kind != TARE_PARAM || n->item.owner) return;
    n->elements = element_count(&n->item);
    for (int i = 0; i < t->depth; i++) t->open[i]->elements += n->elements;
}

static bool visit(void *to, const tare_item *item) {
    nodes *t = to;
    node *n = new_node(t, item);
    if (!n) return false;
    if (item->kind == TARE_MODULE) return add_module(t, n);
    add_tensor(t, n);
    return true;
}

nodes *nodes_of(const tare_model *m, tare_error *err) {
    nodes *t = calloc(1, sizeof *t);
    if (t && tare_model_walk(m, visit, t, err) == TARE_OK && t->root) return t;
    if (!t || t->failed) error_fill(err, TARE_IO, "out_of_memory", "out of memory");
    else if (!err->status) error_fill(err, TARE_BAD, "too_large", "the tree is nested deeper than %d modules", DEPTH);
    nodes_free(t);
    return NULL;
}

void nodes_free(nodes *t) {
    if (!t) return;
    for (block *b = t->blocks, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(t);
}

node *nodes_root(nodes *t) { return t->root; }

bool is_number(const char *name) { return *name && name[strspn(name, "0123456789")] == '\0'; }

bool is_list(const node *n) {
    if (strcmp(n->class_name, "ModuleList") != 0 && strcmp(n->class_name, "Sequential") != 0) return false;
    for (const node *c = n->modules; c; c = c->next)
        if (!is_number(c->name)) return false;
    return n->modules && !n->tensors;
}

/* Owners are equal when they are the same tensor, or the same one seen from each of the two modules. */
static bool same_owner(const char *a, const char *b, const node *in_a, const node *in_b) {
    if (!a || !b) return a == b;
    if (strcmp(a, b) == 0) return true;
    return under(a, in_a->path) && under(b, in_b->path) && strcmp(a + strlen(in_a->path), b + strlen(in_b->path)) == 0;
}

static bool same_tensors(const node *a, const node *b, const node *in_a, const node *in_b) {
    for (; a && b; a = a->next, b = b->next) {
        const tare_item *x = &a->item, *y = &b->item;
        if (x->kind != y->kind || x->dtype != y->dtype || x->rank != y->rank) return false;
        if (x->trainable != y->trainable || x->persistent != y->persistent) return false;
        if (strcmp(a->name, b->name) != 0 || !same_owner(x->owner, y->owner, in_a, in_b)) return false;
        if (x->rank > 0 && memcmp(x->shape, y->shape, (size_t)x->rank * sizeof *x->shape) != 0) return false;
    }
    return a == b;
}

static bool same_modules(const node *a, const node *b, const node *in_a, const node *in_b) {
    if (a->elements != b->elements || strcmp(a->class_name, b->class_name) != 0) return false;
    if (!same_tensors(a->tensors, b->tensors, in_a, in_b)) return false;
    const node *x = a->modules, *y = b->modules;
    for (; x && y; x = x->next, y = y->next)
        if (strcmp(x->name, y->name) != 0 || !same_modules(x, y, in_a, in_b)) return false;
    return x == y;
}

void group(node *n) {
    node *first[LOOK_BACK], *last[LOOK_BACK];
    size_t kinds = 0;
    for (node *c = n->modules; c; c = c->next) {
        if (!is_number(c->name)) continue;
        size_t k = 0, held = kinds < LOOK_BACK ? kinds : LOOK_BACK;
        while (k < held && !same_modules(first[k], c, first[k], c)) k++;
        if (k < held) {
            last[k]->alike = c, last[k] = c, c->follows = true;
        } else {
            k = kinds++ % LOOK_BACK; /* with more kinds than that, the oldest is forgotten: a list of many kinds stays linear */
            first[k] = last[k] = c;
        }
    }
}

void out_numbers(out *o, const node *first) {
    if (!first->alike) {
        out_text(o, first->name);
        return;
    }
    out_text(o, "{");
    for (const node *n = first; n;) {
        const node *end = n;
        while (end->alike && atol(end->alike->name) == atol(end->name) + 1) end = end->alike;
        if (n != first) out_text(o, ",");
        out_text(o, n->name);
        if (end != n) out_format(o, "%s%s", n->alike == end ? "," : "...", end->name);
        n = end->alike;
    }
    out_text(o, "}");
}
