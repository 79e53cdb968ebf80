#include "queue.h"
#include "../core/num.h"
#include <string.h>

const char *unit_path(arena *a, acc_unit *u) {
    if (u->path) return u->path;
    const char *above = u->parent ? unit_path(a, u->parent) : "";
    size_t n = strlen(above), k = strlen(u->name);
    if (!n) return u->path = arena_text(a, u->name, k);
    char *path = arena_alloc(a, n + k + 2);
    memcpy(path, above, n);
    path[n] = '.';
    memcpy(path + n + 1, u->name, k);
    return u->path = path;
}

/* ---- links ---- */

static void link_between(acc_queue *q, acc_run *before, acc_run *r, acc_run *next) {
    r->before = before;
    r->next = next;
    *(before ? &before->next : &q->first) = r;
    *(next ? &next->before : &q->last) = r;
    q->modules += !r->slot;
}
void queue_drop(acc_queue *q, acc_run *r) {
    *(r->before ? &r->before->next : &q->first) = r->next;
    *(r->next ? &r->next->before : &q->last) = r->before;
    q->modules -= !r->slot;
}
static acc_run *copy_of(acc_queue *q, const acc_run *r) {
    acc_run *c = arena_new(q->a, acc_run);
    *c = *r;
    return c;
}
acc_queue queue_copy(const acc_queue *q) {
    acc_queue c = {.a = q->a, .w = q->w};
    for (const acc_run *r = q->first; r; r = r->next) link_between(&c, c.last, copy_of(&c, r), NULL);
    return c;
}

/* ---- units ---- */

static const char *run_name(acc_queue *q, const acc_run *r) {
    if (r->slot) return r->slot->name;
    if (r->kid.e->name) return r->kid.e->name;
    char text[NUM_TEXT];
    size_t n = num_int(text, r->kid.first);
    return arena_text(q->a, text, n);
}
acc_unit *run_unit(acc_queue *q, acc_run *r) {
    if (r->made) return r->made;
    acc_unit *u = arena_new(q->a, acc_unit);
    u->parent = r->parent;
    u->b = r->slot ? NULL : r->kid.body;
    u->name = run_name(q, r);
    u->size = r->slot ? measure_tensor(q->w, r->parent->b, r->slot) : r->kid.body->size;
    u->is_buffer = r->slot && r->slot->kind == TARE_BUFFER;
    return r->made = u;
}
/* The i-th of a run alone: what is before and behind it waits as runs of their own. */
static acc_run *cut(acc_queue *q, acc_run *r, int64_t i) {
    if (i > 0) {
        acc_run *head = copy_of(q, r);
        head->kid.n = i;
        link_between(q, r->before, head, r);
        r->kid.first += i;
        r->kid.n -= i;
    }
    if (r->kid.n > 1) {
        acc_run *tail = copy_of(q, r);
        tail->kid.first++;
        tail->kid.n--;
        link_between(q, r, tail, r->next);
        r->kid.n = 1;
    }
    return r;
}
acc_unit *queue_pop(acc_queue *q) {
    acc_run *r = q->first;
    if (r->kid.n == 1) {
        queue_drop(q, r);
        return run_unit(q, r);
    }
    acc_run one = *r;
    r->kid.first++;
    r->kid.n--;
    return run_unit(q, &one);
}
static acc_run *run_for(acc_queue *q, acc_unit *parent, acc_kid kid, const tensor_node *slot) {
    acc_run *r = arena_new(q->a, acc_run);
    *r = (acc_run){.parent = parent, .kid = kid, .slot = slot};
    return r;
}
void queue_push(acc_queue *q, acc_unit *u) {
    static const tensor_node tensor; /* stands for the slot of one that is made */
    acc_run *r = run_for(q, u->parent, (acc_kid){.n = 1, .body = u->b}, u->b ? NULL : &tensor);
    r->made = u;
    link_between(q, NULL, r, q->first);
}
/* The parameters and children of u between two entries. */
static void put_parts(acc_queue *q, acc_unit *u, acc_run *before, acc_run *next) {
    for (const tensor_node *t = u->b->m->params; t; t = t->next) {
        if (acc_held_before(u->b->m->params, t)) continue;
        acc_run *r = run_for(q, u, (acc_kid){.n = 1}, t);
        link_between(q, before, r, next);
        before = r;
    }
    for (size_t i = 0; i < u->b->kid_count; i++) {
        acc_run *r = run_for(q, u, u->b->kids[i], NULL);
        link_between(q, before, r, next);
        before = r;
    }
}
void queue_push_parts(acc_queue *q, acc_unit *u) { put_parts(q, u, NULL, q->first); }
void queue_split(acc_queue *q, acc_run *r) {
    put_parts(q, run_unit(q, r), r, r->next);
    queue_drop(q, r);
}
void queue_begin(acc_queue *q, acc_unit *root) {
    queue_push_parts(q, root);
    for (const tensor_node *t = root->b->m->buffers; t; t = t->next)
        if (!acc_held_before(root->b->m->buffers, t)) link_between(q, q->last, run_for(q, root, (acc_kid){.n = 1}, t), NULL);
}

/* ---- finding ---- */

/* What follows `prefix` and a dot; all of the text where the prefix is empty. */
static const char *after(const char *text, const char *prefix) {
    size_t n = strlen(prefix);
    if (!n) return text;
    return !strncmp(text, prefix, n) && text[n] == '.' ? text + n + 1 : NULL;
}
/* Which of a run the name at the beginning of `rest` means; -1: none. */
static int64_t place_in(const acc_run *r, const char *rest) {
    const char *dot = strchr(rest, '.');
    size_t n = dot ? (size_t)(dot - rest) : strlen(rest);
    const char *name = r->made ? r->made->name : r->kid.e->name;
    if (name) return strlen(name) == n && !memcmp(name, rest, n) ? 0 : -1;
    int64_t k = 0;
    for (size_t i = 0; i < n; i++) {
        if (rest[i] < '0' || rest[i] > '9' || k > INT32_MAX || (n > 1 && rest[0] == '0')) return -1;
        k = k * 10 + (rest[i] - '0');
    }
    return n && k >= r->kid.first && k < r->kid.first + r->kid.n ? k - r->kid.first : -1;
}
acc_run *queue_holder(acc_queue *q, const char *tensor) {
    const acc_unit *parent = NULL;
    const char *rest = NULL;
    for (acc_run *r = q->first; r; r = r->next) {
        if (r->slot) continue;
        if (r->parent != parent) parent = r->parent, rest = after(tensor, unit_path(q->a, r->parent));
        int64_t i = rest && strchr(rest, '.') ? place_in(r, rest) : -1;
        if (i >= 0) return cut(q, r, i);
    }
    return NULL;
}
acc_run *queue_find(acc_queue *q, const acc_unit *parent, const char *name, bool is_module) {
    for (acc_run *r = q->first; r; r = r->next) {
        if (r->parent != parent || !r->slot != is_module) continue;
        int64_t i = is_module ? place_in(r, name) : strcmp(r->made ? r->made->name : r->slot->name, name) ? -1 : 0;
        if (i >= 0) return cut(q, r, i);
    }
    return NULL;
}
