/* Rotary tables: how many entries each rope type gives, and which parameters its formula cannot take. */
#include "mod.h"
#include <string.h>

typedef struct parameters { /* of one table */
    const cfg *c;
    val all;            /* rope_parameters, or its entry for a layer type */
    const char *type;
    double head;        /* head_dim: a leftover key may make it a float */
    double share;       /* partial_rotary_factor */
} parameters;

static bool ok(const parameters *p) { return session_ok(p->c->s); }
static double needed(const parameters *p, const char *key) {
    double d = 1;
    if (!val_number(dict_get(p->all, key), &d)) cfg_refuse(p->c, "rope_parameters", "bad_type", "its %s has to be a number", key);
    return d;
}
static bool given(const parameters *p, const char *key) { return val_given(dict_get(p->all, key)); }
static bool set(const parameters *p, const char *key) { return val_true(dict_get(p->all, key)); }
static void refuse_value(const parameters *p, const char *what) { cfg_refuse(p->c, "rope_parameters", "bad_value", "%s", what); }

/* ---- per type ---- */

/* dynamic, yarn and longrope ask for head_dim by getattr with a default, which null and 0 do not trigger. */
static bool reads_null(const char *type) { return !strcmp(type, "dynamic") || !strcmp(type, "yarn") || !strcmp(type, "longrope"); }
static double head_dim_of(const cfg *c, const char *type) {
    val v = get(c, "head_dim");
    double d = 0;
    if (v.kind == VAL_NULL && reads_null(type)) cfg_refuse(c, "head_dim", "bad_type", "rope_type \"%s\" needs a number", type);
    if (val_true(v) && !val_number(v, &d)) cfg_refuse(c, "head_dim", "bad_type", "a number is needed");
    return d != 0 || (v.kind != VAL_ABSENT && reads_null(type)) ? d : (double)(dim(c, "hidden_size") / dim(c, "num_attention_heads"));
}
static double ratio(const parameters *p) { /* what stands in for a factor of null */
    double original = needed(p, "original_max_position_embeddings"), most = 1;
    val_number(cfg_get(p->c, "max_position_embeddings"), &most);
    if (original == 0) refuse_value(p, "its original_max_position_embeddings is 0");
    return most / original;
}
/* The entry that turns so many times over the original length. */
static double yarn_entry(const rope *r, double turns) {
    const double pi = 3.141592653589793;
    return ((double)r->dim * log(r->original / (turns * 2 * pi))) / (2 * log(r->theta));
}
static void settle_yarn(const parameters *p, rope *r) {
    double fast = set(p, "beta_fast") ? needed(p, "beta_fast") : 32, slow = set(p, "beta_slow") ? needed(p, "beta_slow") : 1;
    r->factor = given(p, "factor") ? needed(p, "factor") : ratio(p);
    r->original = needed(p, "original_max_position_embeddings");
    r->low = yarn_entry(r, fast);
    r->high = yarn_entry(r, slow);
    val truncate = dict_get(cfg_get(p->c, "rope_parameters"), "truncate"); /* of the whole, not of a layer type */
    if (truncate.kind == VAL_ABSENT || val_true(truncate)) {
        r->low = floor(r->low);
        r->high = ceil(r->high);
    }
    r->low = fmax(r->low, 0);
    r->high = fmin(r->high, (double)(r->dim - 1));
}
static void check_yarn(const parameters *p, int64_t d) {
    static const char *const betas[] = {"beta_fast", "beta_slow"}, *const scales[] = {"mscale", "mscale_all_dim"};
    double theta = needed(p, "rope_theta"), original = needed(p, "original_max_position_embeddings");
    if (given(p, "factor")) needed(p, "factor");
    for (int i = 0; i < 2; i++) {
        double beta = set(p, betas[i]) ? needed(p, betas[i]) : 1;
        if (ok(p) && original / beta <= 0) refuse_value(p, "its original_max_position_embeddings and betas have to be above 0");
        if (set(p, "mscale") && set(p, "mscale_all_dim") && !given(p, "attention_factor")) needed(p, scales[i]);
    }
    if (ok(p) && (theta <= 0 || theta == 1)) refuse_value(p, "rope_type \"yarn\" needs a rope_theta above 0 other than 1");
    if (ok(p) && d % 2 && d > 3) refuse_value(p, "rope_type \"yarn\" needs an even number of rotary dimensions");
}
static void settle_llama3(const parameters *p, rope *r) {
    r->factor = needed(p, "factor");
    r->low = needed(p, "low_freq_factor");
    r->high = needed(p, "high_freq_factor");
    r->original = needed(p, "original_max_position_embeddings");
}
static void check_llama3(const parameters *p) {
    needed(p, "factor");
    if (needed(p, "low_freq_factor") == 0 || needed(p, "high_freq_factor") == 0)
        refuse_value(p, "its low_freq_factor and high_freq_factor cannot be 0");
}
static void check_dynamic(const parameters *p, int64_t d) {
    double most = 1;
    needed(p, "factor");
    if (!val_number(cfg_get(p->c, "max_position_embeddings"), &most) || most == 0)
        cfg_refuse(p->c, "max_position_embeddings", "bad_value", "rope_type \"dynamic\" divides by it");
    if (ok(p) && d == 2) refuse_value(p, "rope_type \"dynamic\" needs more than 2 rotary dimensions");
}
static void settle_dynamic(const parameters *p, rope *r) {
    double factor = needed(p, "factor"), most = 1;
    val_number(cfg_get(p->c, "max_position_embeddings"), &most);
    r->theta *= pow(factor * most / most - (factor - 1), (double)r->dim / (double)(r->dim - 2));
}
static void settle_longrope(const parameters *p, rope *r) {
    val factors = dict_get(p->all, "short_factor");
    double *short_factors = arena_array(p->c->s->a, factors.n, sizeof(double));
    for (uint32_t i = 0; i < factors.n; i++) val_number(factors.items[i], &short_factors[i]);
    r->short_factors = short_factors;
    r->short_n = factors.n;
}
/* The short factors scale the table entry by entry; a single one, or a single entry, is spread over the other. */
static int64_t check_longrope(const parameters *p, int64_t n) {
    val factors = dict_get(p->all, "short_factor");
    double original = needed(p, "original_max_position_embeddings"), d, factor = given(p, "factor") ? needed(p, "factor") : ratio(p);
    bool no_root = original <= 0 || original == 1 || 1 + log(factor) / log(original) < 0;
    if (ok(p) && factor > 1 && !given(p, "attention_factor") && no_root)
        refuse_value(p, "its original_max_position_embeddings has to be above 1");
    if (factors.kind != VAL_LIST) refuse_value(p, "its short_factor has to be a list of numbers");
    for (uint32_t i = 0; ok(p) && i < factors.n; i++)
        if (!val_number(factors.items[i], &d)) refuse_value(p, "its short_factor has to be a list of numbers");
    if (ok(p) && factors.n != n && factors.n != 1 && n != 1) refuse_value(p, "its short_factor needs one number for every two rotary dimensions");
    return n == 1 ? factors.n : n;
}
/* The full table, the part that does not turn filled with zeros. */
static int64_t proportional(const parameters *p) {
    double turning = floor(p->share * p->head / 2), half = floor(p->head / 2);
    if (!(fabs(turning) <= INT32_MAX && half <= INT32_MAX)) {
        refuse_value(p, "its partial_rotary_factor is absurd");
        return 1;
    }
    int64_t angles = (int64_t)turning, all = (int64_t)half;
    if (dict_get(p->all, "factor").kind != VAL_ABSENT) needed(p, "factor");
    if (angles < 0) refuse_value(p, "its partial_rotary_factor is below 0");
    return angles > all ? angles : all;
}

/* ---- tables ---- */

static const char *const types[] = {"default", "linear", "dynamic", "yarn", "longrope", "llama3", "proportional"};
static const char *type_of(const cfg *c, val params) {
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (val_is(dict_get(params, "rope_type"), types[i])) return types[i];
    cfg_refuse(c, "rope_parameters", "bad_value", "its rope_type is none of default, linear, dynamic, yarn, longrope, llama3, proportional");
    return NULL;
}
static int64_t entries_of(const parameters *p, int64_t d) {
    int64_t n = (d + 1) / 2;
    if (!strcmp(p->type, "linear")) needed(p, "factor");
    else if (!strcmp(p->type, "dynamic")) check_dynamic(p, d);
    else if (!strcmp(p->type, "yarn")) return check_yarn(p, d), d == 1 ? 0 : n; /* it blends d / 2 entries: of 1, none */
    else if (!strcmp(p->type, "llama3")) check_llama3(p);
    else if (!strcmp(p->type, "longrope")) return check_longrope(p, n);
    else if (!strcmp(p->type, "proportional")) return proportional(p);
    return n;
}
/* What the table's values are worked out from, once its parameters are known to be good. */
static void settle(const parameters *p, rope *r) {
    r->factor = 1;
    r->turning = strcmp(p->type, "proportional") ? r->entries : (int64_t)floor(p->share * p->head / 2);
    if (!strcmp(p->type, "yarn")) settle_yarn(p, r);
    else if (!strcmp(p->type, "llama3")) settle_llama3(p, r);
    else if (!strcmp(p->type, "dynamic")) settle_dynamic(p, r);
    else if (!strcmp(p->type, "longrope")) settle_longrope(p, r);
    else if (strcmp(p->type, "default") && given(p, "factor")) r->factor = needed(p, "factor");
}
static const struct rope *table(mod *m, const cfg *c, val params, bool partial) {
    parameters p = {.c = c, .all = params, .type = type_of(c, params), .share = 1};
    if (!p.type) return NULL;
    p.head = head_dim_of(c, p.type);
    double theta = needed(&p, "rope_theta");
    bool shared = (partial || strcmp(p.type, "default")) && dict_get(params, "partial_rotary_factor").kind != VAL_ABSENT;
    if (shared) p.share = needed(&p, "partial_rotary_factor");
    double size = p.head * p.share;
    int64_t d = fabs(size) <= INT32_MAX ? (int64_t)(strcmp(p.type, "default") || partial ? size : ceil(size)) : -1;
    if (mod_ok(m) && d < 0 && strcmp(p.type, "proportional")) fail(m, "the rotary part of the head is below 0 or absurd");
    struct rope *r = arena_new(c->s->a, struct rope);
    bool of_head = !strcmp(p.type, "proportional") || (!strcmp(p.type, "default") && !partial);
    *r = (struct rope){.type = p.type, .theta = theta, .dim = d, .over = of_head ? p.head : (double)d};
    if (mod_ok(m)) r->entries = entries_of(&p, d);
    if (mod_ok(m)) settle(&p, r);
    return mod_ok(m) ? r : NULL;
}
static void add_tables(mod *m, const char *prefix, const struct rope *r) {
    if (!r) return;
    made how = {.op = MADE_ROPE, .of = r};
    may_be_empty(m); /* a head of which too little rotates */
    buffer(m, mod_printf(m, "%sinv_freq", prefix), how, DT_F32, TRANSIENT, r->entries);
    buffer(m, mod_printf(m, "%soriginal_inv_freq", prefix), how, DT_F32, TRANSIENT, r->entries);
}
void rotary(mod *m, const char *name, const char *cls, const cfg *c, bool partial) {
    mod *x = child(m, name, cls);
    if (!mod_ok(m)) return;
    /* every formula but the default one completes the parameters again: by now leftover keys count too */
    if (!val_is(dict_get(get(c, "rope_parameters"), "rope_type"), "default")) rope_standardize((cfg *)c);
    val params = get(c, "rope_parameters");
    if (params.kind != VAL_DICT) cfg_refuse(c, "rope_parameters", "bad_type", "rotary parameters are an object");
    add_tables(x, "", mod_ok(m) ? table(x, c, params, partial) : NULL);
    done(x);
}
void rotary_axial(mod *m, const char *name, const char *cls, const cfg *c, const char *width, axial kind) {
    mod *x = child(m, name, cls);
    if (!mod_ok(m)) return;
    parameters p = {.c = c, .all = get(c, "rope_parameters")};
    val own = get(c, "head_dim");
    double head = 0, theta = needed(&p, "rope_theta");
    if (!val_is(dict_get(p.all, "rope_type"), "axial")) refuse_value(&p, "its rope_type has to be axial");
    if (!val_true(own)) head = (double)(dim(c, width) / dim(c, "num_attention_heads"));
    else if (!val_number(own, &head)) cfg_refuse(c, "head_dim", "bad_type", "a number is needed");
    double size = kind == ONE_TABLE ? floor(head / 2) : head;
    bool fits = size >= 0 && size <= INT32_MAX;
    if (mod_ok(m) && !fits) fail(x, "a head of %g is no number of dimensions", head);
    struct rope *r = arena_new(c->s->a, struct rope);
    int64_t d = fits ? (int64_t)ceil(size) : 0, n = (d + 1) / 2;
    *r = (struct rope){.type = "default", .theta = theta, .over = size, .dim = d, .entries = n, .turning = n, .factor = 1,
                       .by_axis = kind == BY_AXIS};
    add_tables(x, "", mod_ok(m) ? r : NULL);
    done(x);
}

/* The next name after `last` in the sorted set of a list; NULL at its end. */
static const char *next_in_set(val list_value, const char *last) {
    const char *next = NULL;
    for (uint32_t i = 0; i < list_value.n; i++) {
        const char *s = list_value.items[i].kind == VAL_TEXT ? list_value.items[i].s : "";
        if (strcmp(s, last) > 0 && (!next || strcmp(s, next) < 0)) next = s;
    }
    return next;
}
void rotary_by_layer_type(mod *m, const char *name, const char *cls, const cfg *c) {
    mod *x = child(m, name, cls);
    if (!mod_ok(m)) return;
    val params = get(c, "rope_parameters"), kinds = get(c, "layer_types");
    if (kinds.kind != VAL_LIST) cfg_refuse(c, "layer_types", "bad_type", "a list of layer types is needed");
    for (const char *kind = mod_ok(m) ? next_in_set(kinds, "") : NULL; kind && mod_ok(m); kind = next_in_set(kinds, kind)) {
        val one = dict_get(params, kind);
        if (one.kind == VAL_NULL) continue;
        if (one.kind != VAL_DICT) cfg_refuse(c, "rope_parameters", "missing_key", "it needs an entry \"%s\"", kind);
        else add_tables(x, mod_printf(x, "%s_", kind), table(x, c, one, false));
    }
    done(x);
}
