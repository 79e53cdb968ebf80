/* Budgets: the order of devices, and what get_balanced_memory makes of them. */
#include "accelerate.h"
#include "../core/num.h"
#include "../core/val.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- get_max_memory ---- */

static const char *const named[] = {"mps", "cpu", "disk"}; /* in this order, behind the numbers */
enum { NAMED = 3 };
static int rank_of(const acc_device *d) {
    for (int i = 0; i < NAMED; i++)
        if (!d->numbered && !strcmp(d->name, named[i])) return i + 1;
    return d->numbered ? 0 : -1;
}
static bool same_device(const acc_device *a, const acc_device *b) {
    return a->numbered == b->numbered && (a->numbered ? a->number == b->number : !strcmp(a->name, b->name));
}
static int by_order(const void *a, const void *b) {
    const acc_device *x = a, *y = b;
    int k = rank_of(x) - rank_of(y);
    return k ? k : (x->number > y->number) - (x->number < y->number);
}
static bool budget_of(const tare_device *from, acc_device *d, tare_error *err) {
    d->given = true;
    d->none = !from->size && !from->has_bytes;
    d->budget = (amount){from->bytes, from->real};
    const char *wrong = from->size ? memory_read(from->size, &d->budget) : NULL;
    if (wrong) error_set(err, TARE_BAD, "bad_value", NULL, "the memory of device %s: \"%.80s\" %s", d->name, from->size, wrong);
    return !wrong;
}
static bool read_device(arena *a, const tare_device *from, acc_device *d, tare_error *err) {
    char number[NUM_TEXT];
    *d = (acc_device){.numbered = !from->name, .number = from->name ? 0 : from->index};
    num_int(number, from->index);
    d->name = from->name ? arena_text(a, from->name, strlen(from->name)) : arena_text(a, number, strlen(number));
    return budget_of(from, d, err);
}
static int by_name(const void *a, const void *b) { return by_order(*(acc_device *const *)a, *(acc_device *const *)b); }
/* In a dict the last of equal keys counts. */
static size_t drop_equal(arena *a, acc_device *d, size_t n) {
    acc_device **sorted = arena_array(a, n, sizeof *sorted);
    for (size_t i = 0; i < n; i++) sorted[i] = &d[i];
    if (n) qsort(sorted, n, sizeof *sorted, by_name);
    acc_device *kept = arena_array(a, n + 1, sizeof *kept);
    size_t k = 0;
    for (size_t i = 0, end; i < n; i = end) {
        acc_device *last = sorted[i];
        for (end = i; end < n && same_device(sorted[end], sorted[i]); end++)
            if (sorted[end] > last) last = sorted[end];
        kept[k++] = *last;
    }
    memcpy(d, kept, k * sizeof *d);
    return k;
}
bool budgets_read(arena *a, const accelerate_options *o, accelerate_plan *p, tare_error *err) {
    p->devices = arena_array(a, o->device_count + 1, sizeof *p->devices);
    for (size_t i = 0; i < o->device_count; i++)
        if (!read_device(a, &o->devices[i], &p->devices[i], err)) return false;
    for (size_t i = 0; i < o->device_count; i++) {
        const char *name = p->devices[i].name;
        if (rank_of(&p->devices[i]) >= 0) continue;
        error_set(err, TARE_BAD, "bad_value", NULL,
            "device \"%.80s\" is not known: there are whole numbers for accelerators, mps, cpu and disk", name);
        return false;
    }
    p->device_count = drop_equal(a, p->devices, o->device_count);
    return true;
}

/* ---- get_balanced_memory ---- */

/* The first module of a class, as the sizes are listed: those with parameters in walk order, then those with buffers alone. */
typedef struct finding { const measure *w; const char *cls; const acc_body *root; bool buffers; uint32_t pass; amount size; } finding;
static bool find_tensor(finding *f, const acc_body *b, const tensor_node *t) {
    if (strcmp(f->cls, f->buffers ? "Tensor" : "Parameter")) return false;
    for (; t; t = t->next) {
        const tensor_node *held = tensor_held(t);
        if (b->again || (held->owner && held->first != t)) continue;
        f->size = measure_tensor(f->w, b, t);
        return true;
    }
    return false;
}
static bool find_first(finding *f, acc_body *b) {
    uint64_t here = f->buffers ? b->entries - b->params : b->params;
    if (!here || b->seen == f->pass) return false;
    b->seen = f->pass;
    if (b != f->root && !strcmp(b->m->cls, f->cls)) return f->size = b->size, true;
    if (find_tensor(f, b, f->buffers ? b->m->buffers : b->m->params)) return true;
    for (size_t i = 0; i < b->kid_count; i++)
        if (find_first(f, b->kids[i].body)) return true;
    return false;
}
static amount first_of_classes(const measure *w, acc_body *root) {
    amount most = {0, false};
    finding f = {.w = w, .root = root};
    bool any = false;
    for (const char *const *c = w->no_split; c && *c; c++)
        for (int buffers = 0; buffers < 2; buffers++) {
            f.cls = *c, f.buffers = buffers, f.pass++;
            if (!find_first(&f, root)) continue;
            most = any ? amount_max(most, f.size) : f.size;
            any = true;
            break;
        }
    return most;
}
/* int(sum / count) over the modules without modules below; the root is none. */
static double mean_of_leaves(const acc_body *root) {
    bool any = false;
    for (size_t i = 0; i < root->kid_count; i++) any |= root->kids[i].body->entries != 0;
    return any ? trunc(root->finals / (double)root->final_count) : 0;
}
static acc_device *numbered(accelerate_plan *p, int64_t number) {
    for (size_t i = 0; i < p->device_count && p->devices[i].numbered; i++)
        if (p->devices[i].number == number) return &p->devices[i];
    return NULL;
}
static bool is_counted(const acc_device *d) { return d->numbered && d->budget.n > 0; }
static bool no_number(int64_t number, tare_error *err) {
    error_set(err, TARE_BAD, "bad_value", NULL,
        "balanced_low_0 counts devices from 0 and finds no device %" PRId64 ": their numbers must have no gaps", number);
    return false;
}
/* The first device takes only what the others leave. */
static bool spare_zero(accelerate_plan *p, amount total, int64_t count, tare_error *err) {
    amount others = {0, false};
    for (int64_t i = 1; i < count; i++) {
        const acc_device *d = numbered(p, i);
        if (!d) return no_number(i, err);
        others = amount_add(others, d->budget);
    }
    acc_device *zero = numbered(p, 0);
    if (!zero) return no_number(0, err);
    amount rest = amount_max((amount){0, false}, amount_sub(total, others));
    zero->budget = amount_min(rest, zero->budget);
    return true;
}
static bool can_balance(const accelerate_plan *p, tare_error *err) {
    for (size_t i = 0; i < p->device_count; i++) {
        const acc_device *d = &p->devices[i];
        if (d->numbered && d->none) error_set(err, TARE_BAD, "bad_type", NULL, "device %s has no number of bytes", d->name);
        else if (!strcmp(d->name, "disk"))
            error_set(err, TARE_BAD, "bad_value", NULL, "budgets with a limit for disk cannot be balanced; leave disk out: it has none");
        else continue;
        return false;
    }
    return true;
}
bool budgets_balance(accelerate_plan *p, const measure *w, acc_body *root, bool low_zero, tare_error *err) {
    int64_t count = 0, i = 0;
    if (!can_balance(p, err)) return false;
    for (size_t k = 0; k < p->device_count; k++) count += is_counted(&p->devices[k]);
    if (count == 0) return true;
    low_zero = low_zero && count > 1;
    double buffer = amount_max(first_of_classes(w, root), (amount){mean_of_leaves(root), false}).n;
    amount share = {floor(root->size.n / (double)(low_zero ? count - 1 : count)), root->size.real};
    share.n += trunc(1.25 * buffer);
    for (size_t k = 0; k < p->device_count; k++) {
        acc_device *d = &p->devices[k];
        if (!is_counted(d) || ++i == count) continue; /* the last keeps its own, should the buffer not be enough */
        if (!(low_zero && d->number == 0)) d->budget = amount_min(share, d->budget);
    }
    return !low_zero || spare_zero(p, root->size, count, err);
}
