#include "rules.h"
#include "../build/mod.h"
#include "../tree/tree.h"
#include <stdlib.h>
#include <string.h>

/* ---- which rules ---- */

typedef struct claim { /* a class name or model type whose rules were taken, and where */
    const char *name, *path;
    struct claim *next;
} claim;
typedef struct walk {
    arena *a;
    held_rules *out;
    size_t cap;
    claim *claims;
    const char *twice; /* a module met under a second name: nothing below it is a module of its own */
} walk;

static bool is_below(const char *path, const char *above) {
    size_t n = strlen(above);
    return !n || (!strncmp(path, above, n) && path[n] == '.');
}
static bool claimed(const walk *w, const char *name, const char *path) {
    for (const claim *c = w->claims; c; c = c->next)
        if (!strcmp(c->name, name) && is_below(path, c->path)) return true;
    return false;
}
static void add_claim(walk *w, const char *name, const char *path) {
    claim *c = arena_new(w->a, claim);
    *c = (claim){name, path, w->claims};
    w->claims = c;
}
static void add_rules(walk *w, const layout_rule *rules, const char *scope) {
    for (; rules->what != LAYOUT_END; rules++) {
        held_rules *out = w->out;
        out->v = arena_grow(w->a, out->v, out->n, &w->cap, 1, sizeof *out->v);
        out->v[out->n++] = (held_rule){rules, scope};
    }
}
/* The module's path without the root's base model before it. */
static const char *scope_of(const walk *w, const char *path) {
    size_t n = strlen(w->out->base);
    if (!strncmp(path, w->out->base, n)) path += n;
    return *path == '.' ? path + 1 : path;
}
/* The class's rules come before its config's; only rules of a type claim the type. */
static bool visit(void *to, const tree_item *item) {
    walk *w = to;
    const node *m = item->module;
    if (item->slot || (w->twice && is_below(item->path, w->twice))) return true;
    bool again = m->shared && m->first_path && strcmp(m->first_path, item->path) != 0;
    if (again) w->twice = arena_text(w->a, item->path, item->path_n);
    if (again || !m->model || claimed(w, m->model->name, item->path)) return true;
    const layout_rule *rules = m->model->own.layout;
    const char *type = rules || !m->config ? NULL : m->config->k->model_type;
    if (type && claimed(w, type, item->path)) return true;
    if (type && m->config->k->rules) rules = m->config->k->rules->layout;
    if (!rules) return true;
    const char *path = arena_text(w->a, item->path, item->path_n);
    add_rules(w, rules, *path ? scope_of(w, path) : NULL);
    add_claim(w, m->model->name, path);
    if (type) add_claim(w, type, path);
    return true;
}
/* ---- what quantised files add to them ---- */

/* Ends as the pattern says, in which a dot is any character. */
static bool ends_as(const char *path, size_t n, const char *pattern, const char *companion) {
    size_t k = strlen(pattern), m = strlen(companion);
    if (n < k + m || memcmp(path + n - m, companion, m)) return false;
    for (size_t i = 0; i < k; i++)
        if (pattern[i] != '.' && path[n - m - k + i] != pattern[i]) return false;
    return true;
}
typedef struct sought { const char *pattern, *companion; bool found; } sought;
static bool seek(void *to, const tree_item *item) {
    sought *s = to;
    s->found |= item->slot && ends_as(item->path, item->path_n, s->pattern, s->companion);
    return !s->found;
}
static bool takes(const layout_rule *r, const char *param) {
    size_t k = strlen(param);
    for (const char *const *p = r->file; *p; p++) {
        size_t n = strlen(*p);
        if (n <= k || strcmp(*p + n - k, param) || (*p)[n - k - 1] != '.') return false;
    }
    return r->what == LAYOUT_CONVERT;
}
static const char *const *with_companion(arena *a, const char *const *names, const char *companion) {
    size_t n = 0;
    while (names[n]) n++;
    const char **all = arena_array(a, n + 1, sizeof *all);
    for (size_t i = 0; i < n; i++) all[i] = arena_printf(a, "%s%s", names[i], companion);
    return all;
}
/* Converters that stack or join weights do the same to what scales them, where the model has it so. */
static void add_companions(arena *a, const node *root, held_rules *rules) {
    const stored_rules *s = root->stored;
    held_rules own = *rules;
    size_t most = 1, cap = 0;
    while (s->companions && s->companions[most - 1]) most++;
    rules->v = NULL;
    rules->n = 0;
    for (size_t i = 0; i < own.n; i++) {
        const layout_rule *r = own.v[i].rule;
        rules->v = arena_grow(a, rules->v, rules->n, &cap, most, sizeof *rules->v);
        rules->v[rules->n++] = own.v[i];
        if (!s->param || !takes(r, s->param)) continue;
        for (size_t k = 0; k + 1 < most; k++) {
            sought wanted = {.pattern = r->model[0], .companion = s->companions[k]};
            tree_walk(root, seek, &wanted);
            if (!wanted.found) continue;
            layout_rule *copy = arena_new(a, layout_rule);
            *copy = *r;
            copy->file = with_companion(a, r->file, s->companions[k]);
            copy->model = with_companion(a, r->model, s->companions[k]);
            rules->v[rules->n++] = (held_rule){copy, own.v[i].scope};
        }
    }
}
void rules_collect(arena *a, const node *root, held_rules *out) {
    const char *base = root->model ? FACT(root->model, base_model_prefix) : NULL;
    *out = (held_rules){.base = base ? base : ""};
    walk w = {.a = a, .out = out};
    tree_walk(root, visit, &w);
    if (root->stored) add_companions(a, root, out);
}
/* Names of old files, which every model takes when it is loaded. */
static const layout_rule legacy[] = {
    RENAME("LayerNorm.gamma", "LayerNorm.weight"),
    RENAME("LayerNorm.beta", "LayerNorm.bias"),
    RENAME(".weight_g", ".parametrizations.weight.original0"),
    RENAME(".weight_v", ".parametrizations.weight.original1"),
    {.what = LAYOUT_RENAME, .file = SET("^model\\.language_model\\.model", "^language_model\\.model\\.model"), .model = SET("model.language_model")},
    {.what = LAYOUT_END},
};

/* ---- as transforms ---- */

/* Upstream's expressions for PrefixChange. */
static bool make_prefix(patterns *p, const layout_rule *r, bool add, transform *t) {
    const char *inner = r->file[0], *outer = r->model && *r->model[0] ? arena_printf(p->a, "%s\\.", r->model[0]) : "";
    const char *without = arena_printf(p->a, add ? "^%s(?:(?!%s\\.))(.+)" : "^%s%s\\.(.+)", outer, inner);
    const char *with = add ? arena_printf(p->a, "%s%s\\.\\1", outer, inner) : arena_printf(p->a, "%s\\1", outer);
    return transform_make(p, SET(without), SET(with), t);
}
typedef struct text_twins { const char *from, *to; } text_twins;
static int by_from(const void *x, const void *y) {
    const text_twins *a = x, *b = y;
    int order = strcmp(a->from, b->from);
    return order ? order : strcmp(a->to, b->to);
}
/* Backwards the pairs are sorted anew, so that the one that wakes the others comes first there too. */
static bool make_group(patterns *p, const layout_rule *r, bool backward, transform *t) {
    size_t n = 0, m = 0;
    while (r->file[n]) n++;
    while (r->model[m]) m++;
    if (n != m) {
        error_set(p->err, TARE_BAD, "bad_layout", NULL, "the layout rule \"%.200s\" renames %d patterns to %d", n ? r->file[0] : "", (int)n, (int)m);
        return false;
    }
    text_twins *twins = arena_array(p->a, n, sizeof *twins);
    const char **from = arena_array(p->a, n + 1, sizeof *from), **to = arena_array(p->a, n + 1, sizeof *to);
    for (size_t i = 0; i < n; i++) twins[i] = backward ? (text_twins){r->model[i], r->file[i]} : (text_twins){r->file[i], r->model[i]};
    if (backward) qsort(twins, n, sizeof *twins, by_from);
    for (size_t i = 0; i < n; i++) from[i] = twins[i].from, to[i] = twins[i].to;
    if (!transform_make(p, from, to, t)) return false;
    return t->pairs = true;
}
static bool make(patterns *p, const layout_rule *r, bool backward, transform *t) {
    switch (r->what) {
    case LAYOUT_PREFIX_ADD: return make_prefix(p, r, !backward, t);
    case LAYOUT_PREFIX_REMOVE: return make_prefix(p, r, backward, t);
    case LAYOUT_GROUP_RENAME: return make_group(p, r, backward, t);
    default: break;
    }
    if (!transform_make(p, backward ? r->model : r->file, backward ? r->file : r->model, t)) return false;
    t->offset = backward ? -r->offset : r->offset;
    return true;
}
static bool add(patterns *p, rule_set *s, const held_rule *r, bool backward) {
    transform t;
    if (!make(p, r->rule, backward, &t)) return false;
    t.scope = r->scope;
    t.base = s->base;
    if (r->rule->what != LAYOUT_CONVERT) {
        s->renamings_of[s->renaming_n] = *r;
        s->renamings[s->renaming_n++] = t;
    } else {
        s->converters_of[s->converter_n] = *r;
        s->converters[s->converter_n++] = (rule_converter){.t = t, .ops = r->rule->ops};
    }
    return true;
}
static bool is_prefix(const held_rule *r) { return r->rule->what == LAYOUT_PREFIX_ADD || r->rule->what == LAYOUT_PREFIX_REMOVE; }
static rule_set room_for(arena *a, size_t renamings, size_t converters, const char *base) {
    return (rule_set){.renamings = arena_array(a, renamings, sizeof(transform)), .converters = arena_array(a, converters, sizeof(rule_converter)),
                      .renamings_of = arena_array(a, renamings, sizeof(held_rule)), .converters_of = arena_array(a, converters, sizeof(held_rule)),
                      .base = base};
}
static void find_twins(arena *a, rule_set *s) {
    for (size_t i = s->converter_n; i-- > 0;) {
        rule_converter *c = &s->converters[i];
        c->run_as = arena_array(a, c->t.from_n, sizeof *c->run_as);
        for (size_t j = 0; j < c->t.from_n; j++) {
            c->run_as[j] = (struct rule_twin){i, j};
            for (size_t k = i; k < s->converter_n; k++)
                for (size_t l = 0; l < s->converters[k].t.from_n; l++)
                    if (!strcmp(s->converters[k].t.from[l], c->t.from[j])) c->run_as[j] = (struct rule_twin){k, l};
        }
    }
}
static bool make_set(patterns *p, const node *root, bool backward, rule_set *out) {
    held_rules held;
    size_t more = 0, before = 0;
    const layout_rule *first = !backward && root->stored ? root->stored->first : NULL;
    rules_collect(p->a, root, &held);
    while (!backward && legacy[more].what != LAYOUT_END) more++;
    while (first && first[before].what != LAYOUT_END) before++;
    *out = room_for(p->a, before + held.n + more, before + held.n, held.base);
    for (size_t i = 0; i < before; i++)
        if (!add(p, out, &(held_rule){.rule = &first[i]}, false)) return false;
    for (size_t i = 0; i < held.n; i++) {
        const held_rule *r = &held.v[backward ? held.n - 1 - i : i];
        if (!(backward && is_prefix(r)) && !add(p, out, r, backward)) return false;
    }
    for (size_t i = 0; i < more; i++)
        if (!add(p, out, &(held_rule){.rule = &legacy[i]}, false)) return false;
    find_twins(p->a, out);
    return true;
}
bool rules_for_load(patterns *p, const node *root, rule_set *out) { return make_set(p, root, false, out); }
bool rules_for_save(patterns *p, const node *root, rule_set *out) { return make_set(p, root, true, out); }
bool rules_taken_back(patterns *p, const rule_set *loaded, rule_set *out) {
    *out = room_for(p->a, loaded->renaming_n, loaded->converter_n, loaded->base);
    for (size_t i = loaded->renaming_n; i-- > 0;)
        if (loaded->renamings[i].used && !loaded->renamings_of[i].rule->once && !add(p, out, &loaded->renamings_of[i], true)) return false;
    for (size_t i = loaded->converter_n; i-- > 0;)
        if (loaded->converters[i].t.used && !loaded->converters_of[i].rule->once && !add(p, out, &loaded->converters_of[i], true)) return false;
    find_twins(p->a, out);
    return true;
}

/* ---- on keys ---- */

const char *rules_rename(patterns *p, rule_set *s, const char *key) {
    for (size_t i = 0, which; i < s->renaming_n; i++) {
        const char *other = transform_key(p, &s->renamings[i], key, &which);
        if (other) key = other;
    }
    return key;
}
const char *rules_convert(patterns *p, rule_set *s, const char *key, size_t *converter, size_t *which) {
    for (size_t i = 0, j; i < s->converter_n; i++) {
        const char *other = transform_key(p, &s->converters[i].t, key, &j);
        if (!other) continue;
        *converter = s->converters[i].run_as[j].converter;
        *which = s->converters[i].run_as[j].which;
        return other;
    }
    return NULL;
}
