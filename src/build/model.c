/* One model: attention settled, modules made, ties resolved. */
#include "builder.h"
#include "generation.h"
#include <stdio.h>
#include <string.h>

static attn_support support_of(const model_class *row) {
    return (attn_support){.class_name = row->name, .sdpa = FACT(row, supports_sdpa) == YES, .flash = FACT(row, supports_flash_attn) == YES,
        .flex = FACT(row, supports_flex_attn) == YES, .experts = FACT(row, uses_experts_implementation) == YES,
        .compatible_flash = FACT(row, compatible_flash_implementations)};
}
/* What only the flash implementations ask of a config. */
static void add_config(attn_support *s, const cfg *c) {
    val dtype = cfg_get(c, "dtype");
    double dropped = 0;
    int number = dtype.kind == VAL_TEXT ? dtype_number(dtype.s) : -1;
    if (number >= 0) s->dtype = (tare_dtype)number, s->has_dtype = true;
    s->dropout = val_number(cfg_get(c, "attention_dropout"), &dropped) && dropped > 0;
}
attn_support model_support(const mod *m) {
    attn_support s = support_of(m->model);
    add_config(&s, m->config);
    return s;
}

/* A request is text or null; whatever else a config holds there is refused. */
static bool requested(mod *m, val v, const char *key, const char *chosen, const char **out) {
    *out = chosen ? chosen : v.kind == VAL_TEXT ? v.s : NULL;
    if (chosen || v.kind == VAL_TEXT || v.kind == VAL_NULL) return true;
    const char *path = arena_printf(m->b->s->a, "%s.%s", m->config->path, key);
    error_set(&m->b->s->err, TARE_BAD, "bad_type", path, "%s has to be the name of an implementation, or null", path);
    return false;
}
/* A config may bring parallel plans of its own; every model merges them into its class's. */
static void check_plans(const cfg *c) {
    static const char *const plans[] = {"base_model_tp_plan", "base_model_pp_plan", "base_model_ep_plan", "base_model_fsdp_plan"};
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        val v = cfg_get(c, plans[i]);
        if (val_true(v) && v.kind != VAL_DICT) cfg_refuse(c, plans[i], "bad_type", "a parallel plan is an object");
    }
}
void settle_attention(mod *m) {
    cfg *c = (cfg *)m->config; /* the reference writes its choice into the config object, for inner models to read */
    session *s = m->b->s;
    attn_support support = support_of(m->model);
    const char *asked, *chosen, *code = "unsupported_attention";
    char why[ATTN_WHY] = "";
    tare_status status = TARE_NO;
    bool first = !c->attn_chosen; /* of the models that have this config, or that have a variant of it */
    if (!requested(m, c->attn, "attn_implementation", c->attn_chosen, &asked)) return;
    if (asked && strstr(asked, "flash")) add_config(&support, c);
    if (!attn_settle(&support, m->b->host, asked, &chosen, why, sizeof why, &status, &code)) {
        error_set(&s->err, status, code, mod_path(m), "%s", why);
        return;
    }
    c->attn_chosen = chosen == asked || !chosen ? chosen : arena_text(s->a, chosen, strlen(chosen));
    if (!requested(m, c->experts, "experts_implementation", c->experts_chosen, &asked)) return;
    if (!experts_settle(&support, asked, &chosen, why, sizeof why)) {
        error_set(&s->err, TARE_NO, "unsupported_experts", mod_path(m), "%s", why);
        return;
    }
    c->experts_chosen = chosen;
    if (FACT(m->model, can_generate) == YES) generation_check(c);
    if (first) check_plans(c);
}

bool flash_attention(const cfg *c) { return c->attn_chosen && strstr(c->attn_chosen, "flash"); }

node *build_model(session *s, const family *f, const model_class *row, cfg *c, const host *h, int dtype, const preparation *p) {
    builder *b = arena_new(s->a, builder);
    *b = (builder){.s = s, .family = f, .host = h, .dtype = dtype, .modules = 1};
    mod *root = builder_mod(b, NULL, "", row->name);
    b->root = root;
    begin(root, c);
    if (session_ok(s)) row->build(root, c);
    done(root);
    if (session_ok(s) && p && !p->run(p->to, b)) return NULL;
    if (session_ok(s)) settle_ties(b);
    return session_ok(s) ? root : NULL;
}
