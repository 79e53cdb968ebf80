/* print(model), as torch.nn.Module.__repr__ lays it out; equal neighbours in a ModuleList fold. */
#include "tree.h"
#include <string.h>

static bool same_text(const char *a, const char *b) { return a == b || (a && b && !strcmp(a, b)); }

/* Walks a module's children as if every run were written out, in pieces of equal children. */
typedef struct pieces { const edge *e; int64_t used; } pieces;
static int64_t left(const pieces *p) { return p->e ? (p->e->name ? 1 : p->e->count) - p->used : 0; }
static void advance(pieces *p, int64_t n) {
    p->used += n;
    if (left(p) == 0) *p = (pieces){p->e->next, 0};
}
static bool same_print(const node *a, const node *b);
static bool same_children(const node *a, const node *b) {
    pieces p = {a->children, 0}, q = {b->children, 0};
    while (p.e && q.e) {
        if (!same_text(p.e->name, q.e->name) || !same_print(p.e->to, q.e->to)) return false;
        if (!p.e->name && p.e->first + p.used != q.e->first + q.used) return false;
        int64_t n = left(&p) < left(&q) ? left(&p) : left(&q);
        advance(&p, n);
        advance(&q, n);
    }
    return !p.e && !q.e;
}
static bool prints_params(const node *n) { return n->kind == KIND_PARAMETER_LIST || n->kind == KIND_PARAMETER_DICT; }
static bool same_params(const node *a, const node *b) {
    const tensor_node *p = a->params, *q = b->params;
    for (; p && q; p = p->next, q = q->next)
        if (strcmp(p->name, q->name) || p->rank != q->rank || p->dtype != q->dtype ||
            memcmp(p->shape, q->shape, (size_t)p->rank * sizeof *p->shape))
            return false;
    return !p && !q;
}
static bool same_print(const node *a, const node *b) {
    if (a == b) return true;
    if (strcmp(a->cls, b->cls) || !same_text(a->extra, b->extra) || a->kind != b->kind) return false;
    return (!prints_params(a) || same_params(a, b)) && same_children(a, b);
}

static void line(sink *s, int depth) {
    sink_char(s, '\n');
    sink_spaces(s, (size_t)depth * 2);
}
static void print_node(const node *n, sink *s, int depth);

static void print_name(sink *s, const edge *e) {
    sink_char(s, '(');
    if (e->name) sink_text(s, e->name);
    else sink_int(s, e->first);
    sink_text(s, "): ");
}
/* ModuleList: "(0-31): 32 x LlamaDecoderLayer(...)". Numbers are positions. */
static void print_list(const node *n, sink *s, int depth) {
    int64_t at = 0;
    for (const edge *e = n->children, *next; e; e = next) {
        int64_t times = e->name ? 1 : e->count;
        for (next = e->next; next && same_print(e->to, next->to); next = next->next) times += next->name ? 1 : next->count;
        line(s, depth + 1);
        sink_char(s, '(');
        sink_int(s, at);
        if (times > 1) sink_char(s, '-'), sink_int(s, at + times - 1);
        sink_text(s, "): ");
        if (times > 1) sink_int(s, times), sink_text(s, " x ");
        print_node(e->to, s, depth + 1);
        at += times;
    }
}
static void print_children(const node *n, sink *s, int depth) {
    for (const edge *e = n->children; e; e = e->next)
        for (int64_t i = 0; i < (e->name ? 1 : e->count); i++) {
            edge one = *e;
            one.first += i;
            line(s, depth + 1);
            print_name(s, &one);
            print_node(e->to, s, depth + 1);
        }
}
/* Children that a quantiser numbers: "(0-7): 8 x _ExpertContainer(...)" after the others, as the first of them is. */
static void print_numbered(const node *n, sink *s, int depth) {
    const node *first = NULL;
    int64_t times = 0;
    for (const edge *e = n->children; e; e = e->next) {
        if (!e->name) {
            times += e->count;
            if (!first) first = e->to;
            continue;
        }
        line(s, depth + 1);
        print_name(s, e);
        print_node(e->to, s, depth + 1);
    }
    line(s, depth + 1);
    sink_text(s, "(0");
    if (times > 1) sink_char(s, '-'), sink_int(s, times - 1);
    sink_text(s, "): ");
    if (times > 1) sink_int(s, times), sink_text(s, " x ");
    print_node(first, s, depth + 1);
}
/* torch.typename() of a tensor on the meta device. */
static const char *tensor_type(int dtype) {
    switch (dtype) {
    case TARE_F16: return "meta.HalfTensor";
    case TARE_BF16: return "meta.BFloat16Tensor";
    case TARE_F64: return "meta.DoubleTensor";
    default: return "meta.FloatTensor";
    }
}
/* ParameterList and ParameterDict describe themselves by their parameters, each line two blanks further in; a single one
 * stays on the line of the class. */
static void print_params(const node *n, sink *s, int depth) {
    for (const tensor_node *t = n->params; t; t = t->next) {
        if (t != n->params || t->next || n->children) line(s, depth + 1);
        sink_text(s, "  (");
        sink_text(s, t->name);
        sink_text(s, "): Parameter containing: [torch.");
        sink_text(s, n->kind == KIND_PARAMETER_DICT ? tensor_type(t->dtype) : tare_dtype_torch((tare_dtype)t->dtype));
        sink_text(s, " of size ");
        for (int i = 0; i < t->rank; i++) {
            if (i) sink_char(s, 'x');
            sink_int(s, t->shape[i]);
        }
        sink_char(s, ']');
    }
}
static void print_extra(const char *extra, sink *s, int depth) {
    for (const char *end; extra; extra = end ? end + 1 : NULL) {
        end = strchr(extra, '\n');
        line(s, depth + 1);
        sink_put(s, extra, end ? (size_t)(end - extra) : strlen(extra));
    }
}
static void print_node(const node *n, sink *s, int depth) {
    bool list = n->kind == KIND_LIST, params = prints_params(n) && n->params;
    sink_text(s, n->cls);
    sink_char(s, '(');
    if (n->extra && !n->children && !params && !strchr(n->extra, '\n')) sink_text(s, n->extra);
    else if (n->children || n->extra || params) {
        if (!list) print_extra(n->extra, s, depth);
        if (params) print_params(n, s, depth);
        (list ? print_list : n->kind == KIND_NUMBERED ? print_numbered : print_children)(n, s, depth);
        if (!params || n->children || n->params->next) line(s, depth);
    }
    sink_char(s, ')');
}
void tree_print(const node *root, sink *s) {
    print_node(root, s, 0);
    sink_char(s, '\n');
}
