/* Config handles as objects: one value read, set, a part of it, its JSON. */
#include "handle.h"
#include "../config/json.h"
#include <string.h>

static const char *const no_key = "no key was given";

/* ---- reading ---- */

typedef struct reading { const cfg *c; const char *key; bool use_diff; sink *s; arena a; tare_error err; bool found; } reading;

/* On a copy that makes its values in this call's arena. */
static bool computed(reading *r, val *v) {
    session s = {.a = &r->a};
    cfg copy = *r->c;
    copy.s = &s;
    *v = cfg_computed(&copy, r->key);
    if (!session_ok(&s)) r->err = s.err;
    return session_ok(&s);
}
static bool write_value(void *to) {
    reading *r = to;
    val v = dict_get(r->c->written, r->key);
    if (v.kind == VAL_ABSENT) v = cfg_get(r->c, r->key);
    if (v.kind == VAL_ABSENT && !computed(r, &v)) return false;
    r->found = v.kind != VAL_ABSENT;
    if (v.kind == VAL_CFG) v = cfg_to_dict_in(v.cfg, &r->a);
    if (r->found) json_write(r->s, v, -1);
    return true;
}
static bool write_whole(void *to) {
    reading *r = to;
    val v = cfg_json(r->c, &r->a, r->use_diff, &r->err);
    r->found = v.kind != VAL_ABSENT;
    if (!r->found) return false;
    json_write_ascii(r->s, v, 2);
    sink_char(r->s, '\n');
    return true;
}
static tare_status read_with(reading *r, const tare_config *c, bool (*work)(void *), tare_sink out, void *to, tare_error *err) {
    sink s;
    sink_open(&s, out, to);
    r->c = c->c;
    r->s = &s;
    pthread_mutex_lock(&root_of(c)->lock);
    bool ok = guarded(&r->a, &r->err, work, r);
    pthread_mutex_unlock(&root_of(c)->lock);
    arena_free(&r->a);
    sink_flush(&s);
    if (ok && s.failed) error_set(&r->err, TARE_IO, "io", NULL, "the output could not be written");
    if (err && r->err.status) *err = r->err;
    return r->err.status ? r->err.status : r->found ? TARE_OK : TARE_NO;
}
static tare_status usage(const char *what, tare_error *err) {
    if (err) *err = (tare_error){0}, error_set(err, TARE_USAGE, "usage", NULL, "%s", what);
    return TARE_USAGE;
}
tare_status tare_config_get(const tare_config *c, const char *key, tare_sink out, void *to, tare_error *err) {
    if (!c || !key) return usage(no_key, err);
    return read_with(&(reading){.key = key}, c, write_value, out, to, err);
}
tare_status tare_config_json(const tare_config *c, bool use_diff, tare_sink out, void *to, tare_error *err) {
    if (!c) return usage("no config was given", err);
    return read_with(&(reading){.use_diff = use_diff}, c, write_whole, out, to, err);
}
const char *tare_config_class(const tare_config *c) { return c ? c->c->k->name : NULL; }

/* ---- parts ---- */

typedef struct part_work { tare_config *c; const char *key; tare_config *made; } part_work;
static bool find_part(void *to) {
    part_work *w = to;
    val v = cfg_get(w->c->c, w->key);
    if (v.kind != VAL_CFG) return false;
    for (tare_config *p = w->c->parts; p; p = p->next)
        if (p->c == v.cfg) return (w->made = p) != NULL;
    arena *a = &root_of(w->c)->a;
    tare_config *p = arena_new(a, tare_config);
    p->c = v.cfg;
    p->owner = w->c;
    p->key = arena_text(a, w->key, strlen(w->key));
    p->next = w->c->parts;
    return (w->made = w->c->parts = p) != NULL;
}
tare_config *tare_config_part(tare_config *c, const char *key) {
    part_work w = {.c = c, .key = key};
    if (!c || !key) return NULL;
    pthread_mutex_lock(&root_of(c)->lock);
    guarded(&root_of(c)->a, NULL, find_part, &w);
    pthread_mutex_unlock(&root_of(c)->lock);
    return w.made;
}

/* ---- setting ---- */

typedef struct setting { tare_config *c; session *s; const char *key, *json; size_t n; const tare_config *part; } setting;
static bool set_value(void *to) {
    setting *w = to;
    session *s = w->s;
    val v = {0};
    cfg *c = w->c->c;
    const char *key = arena_text(s->a, w->key, strlen(w->key));
    if (w->part) v = (val){.kind = VAL_CFG, .cfg = cfg_copy(s, w->part->c, arena_printf(s->a, "%s.%s", c->path, key), key)};
    else if (!json_read(s->a, w->json, w->n, key, &v, &s->err)) return false;
    if (!strcmp(key, "model_type"))
        error_set(&s->err, TARE_BAD, "bad_value", "$.model_type", "model_type is what %s is, and cannot be set", c->k->name);
    if (session_ok(s)) cfg_assign(c, key, v);
    return session_ok(s);
}
static tare_status set(setting *w, tare_error *err) {
    tare_config *root = root_of(w->c);
    pthread_mutex_lock(&root->lock);
    w->s = w->c->c->s;
    bool ok = guarded(&root->a, &w->s->err, set_value, w);
    tare_status status = ok ? TARE_OK : w->s->err.status;
    if (!ok && err) *err = w->s->err;
    w->s->err = (tare_error){0};
    for (tare_config *c = w->c; c; c = c->owner) c->rows = NULL;
    pthread_mutex_unlock(&root->lock);
    return status;
}
tare_status tare_config_set(tare_config *c, const char *key, const char *json, size_t n, tare_error *err) {
    if (!c || !key || !json) return usage(no_key, err);
    return set(&(setting){.c = c, .key = key, .json = json, .n = n}, err);
}
tare_status tare_config_set_part(tare_config *c, const char *key, const tare_config *part, tare_error *err) {
    tare_error wrong = {0};
    if (!c || !key || !part) return usage(no_key, err);
    tare_config *own = tare_config_copy(part, &wrong); /* its lock is not held together with this one's */
    if (!own) {
        if (err) *err = wrong;
        return wrong.status;
    }
    tare_status status = set(&(setting){.c = c, .key = key, .part = own}, err);
    tare_config_free(own);
    return status;
}
