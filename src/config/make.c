/* The life of a config object: fields, own __post_init__, the common part, leftover keys, validation. */
#include "../core/num.h"
#include "json.h"
#include "rules_impl.h"
#include <string.h>

static cfg_left *left_of(const cfg *c, const char *key) {
    for (uint32_t i = 0; i < c->left_n; i++)
        if (!c->left[i].taken && same_word(c->left[i].key, key)) return &c->left[i];
    return NULL;
}
val left_get(const cfg *c, const char *key) {
    const cfg_left *l = left_of(c, key);
    return l ? l->v : (val){0};
}
val left_take(cfg *c, const char *key) {
    cfg_left *l = left_of(c, key);
    if (l) l->taken = true;
    return l ? l->v : (val){0};
}
void left_default(cfg *c, const char *key, val v) {
    if (left_of(c, key)) return;
    cfg_left *all = arena_array(c->s->a, c->left_n + 1, sizeof *all);
    if (c->left_n) memcpy(all, c->left, c->left_n * sizeof *all);
    all[c->left_n++] = (cfg_left){.key = key, .v = v, .origin = TARE_FROM_FORMULA};
    c->left = all;
}

/* The end of a message about a model type that is unknown. */
static const char *types_near(session *s, const char *type) {
    char near[160];
    near_types(type, near, sizeof near);
    return *near ? arena_printf(s->a, "\nknown names near it: %s", near) : "";
}

/* ---- parts ---- */

static const cclass *part_class(cfg *c, const cpart *p, val dict) {
    session *s = c->s;
    if (p->config) return class_by_name(p->config, &s->err);
    val type = dict_get(dict, "model_type");
    const char *path = arena_printf(s->a, "%s.%s.model_type", c->path, p->key), *name = type.kind == VAL_TEXT ? type.s : p->model_type;
    const cclass *k = NULL;
    if (type.kind != VAL_ABSENT && type.kind != VAL_TEXT)
        error_set(&s->err, TARE_BAD, "bad_type", path, "%s is %s: a model type is a string", path, json_short(s->a, type, 60));
    else if (!name)
        error_set(&s->err, TARE_BAD, "missing_key", path, "%s is missing: it says which config this part is", path);
    else if (!(k = class_by_type(name, &s->err)))
        error_set(&s->err, TARE_UNKNOWN, "unknown_model_type", path,
            "%s is \"%s\", an unknown model type%s", path, name, types_near(s, name));
    return k;
}
static void make_part(cfg *c, const cpart *p, val over) {
    cfg_entry *e = cfg_entry_of(c, p->key);
    val v = e ? e->v : val_null();
    tare_origin origin = e ? (tare_origin)e->origin : TARE_FROM_DEFAULT;
    if (v.kind == VAL_NULL && p->optional) return;
    if (v.kind != VAL_DICT && v.kind != VAL_NULL) {
        cfg_refuse(c, p->key, "bad_type", "a part of the config is an object, or null for its defaults");
        return;
    }
    const cclass *k = part_class(c, p, v);
    if (!k) {
        if (session_ok(c->s)) cfg_refuse(c, p->key, "unknown_model_type", "this part's config class is not known");
        return;
    }
    val dict = v.kind == VAL_DICT ? v : p->init.kind == VAL_DICT ? p->init : (val){.kind = VAL_DICT};
    cfg *sub = cfg_make(c->s, k, dict, dict_get(over, p->key), arena_printf(c->s->a, "%s.%s", c->path, p->key), p->key);
    if (sub) cfg_set(c, p->key, (val){.kind = VAL_CFG, .cfg = sub}, origin, NULL);
}

/* ---- dtype ---- */

const char *dtype_canonical(const char *name) {
    static const char *const names[] = {
        "float32", "float16", "bfloat16", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool",
        "complex32", "complex64", "complex128", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu",
        "float4_e2m1fn_x2", "quint8", "qint8", "qint32", "quint4x2", "quint2x4", "bits1x8", "bits2x4", "bits4x2", "bits8", "bits16",
        "uint1", "uint2", "uint3", "uint4", "uint5", "uint6", "uint7", "int1", "int2", "int3", "int4", "int5", "int6", "int7",
    };
    static const char *const others[][2] = {
        {"float", "float32"}, {"half", "float16"}, {"double", "float64"}, {"short", "int16"}, {"int", "int32"}, {"long", "int64"},
        {"chalf", "complex32"}, {"cfloat", "complex64"}, {"cdouble", "complex128"}, {"bit", "uint1"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (same_word(names[i], name)) return names[i];
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (same_word(others[i][0], name)) return others[i][1];
    return NULL;
}
static void settle_dtype(cfg *c) {
    val legacy = left_take(c, "torch_dtype");
    if (val_given(legacy) && cfg_get(c, "dtype").kind == VAL_NULL) cfg_set(c, "dtype", legacy, TARE_FROM_LEGACY, "torch_dtype");
    val now = cfg_get(c, "dtype");
    if (now.kind != VAL_TEXT && now.kind != VAL_LIST) return; /* kept in a config; no model is built in it */
    const char *name = now.kind == VAL_TEXT ? dtype_canonical(now.s) : NULL;
    if (name) cfg_entry_of(c, "dtype")->v = val_text(name);
    else cfg_refuse(c, "dtype", "bad_value", "it is not the name of a torch dtype (float32, float16, bfloat16, float64, ...)");
}

/* ---- the common part ---- */

const char *const *generation_defaults(void) {
    static const char *const keys[] = {
        "max_length", "min_length", "do_sample", "use_cache", "early_stopping", "num_beams", "temperature", "top_k", "top_p", "typical_p",
        "repetition_penalty", "length_penalty", "no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "bad_words_ids",
        "num_return_sequences", "output_scores", "return_dict_in_generate", "forced_bos_token_id", "forced_eos_token_id",
        "remove_invalid_values", "exponential_decay_length_penalty", "suppress_tokens", "begin_suppress_tokens", "epsilon_cutoff",
        "eta_cutoff", "encoder_repetition_penalty", "num_assistant_tokens", "num_assistant_tokens_schedule",
        "assistant_confidence_threshold", "assistant_lookbehind", "target_lookbehind", "num_beam_groups", "diversity_penalty", NULL,
    };
    return keys;
}
static void drop_generation_keys(cfg *c) {
    for (const char *const *key = generation_defaults(); *key; key++) left_take(c, *key);
}
static void take_reserved(cfg *c) {
    drop_generation_keys(c);
    c->name_or_path = val_or(left_take(c, "name_or_path"), val_text(""));
    left_take(c, "_commit_hash");
    c->output_attentions = val_or(left_take(c, "output_attentions"), val_bool(false));
    cfg_attn(c, val_or(left_take(c, "attn_implementation"), val_null()));
    cfg_experts(c, val_or(left_take(c, "experts_implementation"), val_null()));
    if (val_given(left_take(c, "per_layer_config")))
        cfg_refuse(c, NULL, "not_available", "per_layer_config (layers with configs of their own) is not built by this release");
    left_take(c, "_attn_implementation_internal");
    left_take(c, "_experts_implementation_internal");
}
/* Keys that would replace what a config object needs itself: the reference fails on them, each in its own way. */
static bool breaks(const cfg *c, const char *key, val v) {
    static const char *const needed[] = {
        "self", "__class__", "__dict__", "_heterogeneity_spec", "to_dict", "to_diff_dict", "to_json_string", "get_text_config",
        "default_config_fields", "dict_dtype_to_str", "_remove_keys_not_serialized", "_encode_special_floats",
        "_getattr_without_heterogeneous_validation", "_update_heterogeneous_to_dict_output",
        "_iter_config_keys_with_heterogeneous_adjustment", NULL,
    };
    if (word_in(key, needed)) return true;
    if (same_word("quantization_config", key)) return v.kind != VAL_DICT && v.kind != VAL_NULL;
    if (same_word("nested_rope_parameter_keys", key)) return val_true(cfg_get(c, "rope_parameters"));
    if (!same_word("attribute_map", key)) return false;
    return c->k->aliases.n || (v.kind != VAL_DICT && v.kind != VAL_LIST && v.kind != VAL_TEXT);
}
static void apply_leftovers(cfg *c) {
    for (const cfg_left *l = c->left; l < c->left + c->left_n; l++) {
        if (l->taken) continue;
        if (breaks(c, l->key, l->v))
            cfg_refuse(c, NULL, "bad_value", "the key \"%s\" cannot be %s: a config object needs that name itself",
                l->key, json_short(c->s->a, l->v, 60));
        cfg_set(c, l->key, l->v, (tare_origin)l->origin, NULL);
        cfg_entry *e = l->read ? cfg_entry_of(c, l->key) : NULL;
        if (e) e->read = true;
    }
}
/* What iterating over a value gives in Python: the letters of a string, the keys of an object. */
static val items_of(cfg *c, const char *key, val v) {
    if (v.kind == VAL_LIST) return v;
    if (v.kind != VAL_TEXT && v.kind != VAL_DICT) {
        cfg_refuse(c, key, "bad_type", "a list of layer types is needed");
        return (val){.kind = VAL_LIST};
    }
    val *items = arena_array(c->s->a, v.n, sizeof *items);
    uint32_t n = 0;
    for (; v.kind == VAL_DICT && n < v.n; n++) items[n] = val_text(v.members[n].key);
    for (uint32_t at = 0, end = 0; v.kind == VAL_TEXT && at < v.n; at = end) {
        for (end = at + 1; end < v.n && ((unsigned char)v.s[end] & 0xc0) == 0x80;) end++;
        items[n++] = val_text(arena_text(c->s->a, v.s + at, end - at));
    }
    return (val){.kind = VAL_LIST, .n = n, .items = items};
}
static void rename_layer_types(cfg *c, const char *key) {
    static const char *const names[][2] = {
        {"mamba", "linear_attention"}, {"attention", "full_attention"},
        {"deepseek_sparse_attention", "indexed_attention"}, {"qwen_sparse_attention", "indexed_attention"},
    };
    cfg_entry *e = cfg_entry_of(c, key);
    if (!e || e->v.kind == VAL_NULL || (e->v.kind == VAL_LIST && !e->v.n)) return;
    val all = items_of(c, key, e->v), *items = arena_array(c->s->a, all.n, sizeof *items);
    for (uint32_t i = 0; i < all.n; i++) {
        items[i] = all.items[i];
        if (items[i].kind == VAL_LIST || items[i].kind == VAL_DICT) cfg_refuse(c, key, "bad_type", "item %u is no layer type", i);
        for (size_t j = 0; j < 4; j++)
            if (val_is(items[i], names[j][0])) items[i] = val_text(names[j][1]);
    }
    if (e->v.kind == VAL_LIST) e->v.items = items;
    else cfg_set(c, key, (val){.kind = VAL_LIST, .n = all.n, .items = items}, (tare_origin)e->origin, e->detail);
}
static void common_post_init(cfg *c, val over) {
    for (size_t i = 0; i < c->k->part_count && session_ok(c->s); i++) make_part(c, &c->k->parts[i], over);
    settle_dtype(c);
    labels_settle(c);
    if (val_is(cfg_get(c, "problem_type"), "single_label_classification") && val_equal(cfg_get(c, "num_labels"), val_int(1)))
        cfg_refuse(c, "problem_type", "bad_value", "it needs at least two labels, and this config has one");
    if (!session_ok(c->s)) return;
    bool old_rope = val_true(left_get(c, "rope_scaling")) && val_true(left_get(c, "rope_theta"));
    if (old_rope || cfg_get(c, "rope_parameters").kind != VAL_ABSENT) {
        if (c->k->rules && c->k->rules->convert_rope) c->k->rules->convert_rope(c);
        else rope_convert(c);
    }
    take_reserved(c);
    apply_leftovers(c);
    rename_layer_types(c, "layer_types");
    rename_layer_types(c, "mtp_layer_types");
    c->done = true;
}

/* ---- validation ---- */

static void validate_architecture(const cfg *c) {
    val head = cfg_get(c, "head_dim"), heads = cfg_get(c, "num_heads"), all = cfg_get(c, "embed_dim");
    if (head.kind == VAL_ABSENT || heads.kind == VAL_ABSENT || all.kind == VAL_ABSENT) return;
    int64_t product;
    if (head.kind == VAL_INT && heads.kind == VAL_INT && num_mul(head.i, heads.i, &product) && val_equal(all, val_int(product))) return;
    cfg_refuse(c, "embed_dim", "bad_value", "it is not num_heads times head_dim");
}
static bool validate_layer_list(const cfg *c, const char *key, const char *const *names) {
    val layers = cfg_get(c, key), n = cfg_get(c, "num_hidden_layers");
    if (!val_given(layers) || n.kind == VAL_ABSENT) return false;
    if (layers.kind != VAL_LIST) return cfg_refuse(c, key, "bad_type", "a list of layer types is needed"), false;
    for (uint32_t i = 0; i < layers.n; i++)
        if (!val_in(layers.items[i], names)) {
            cfg_refuse(c, key, "bad_value", "item %u is not a known layer type (%s, %s, ...)", i, names[0], names[1]);
            return false;
        }
    if (n.kind != VAL_NULL && !val_equal(n, val_int(layers.n)))
        cfg_refuse(c, key, "bad_value", "it has %u items, and num_hidden_layers is %s", layers.n, json_short(c->s->a, n, 40));
    return session_ok(c->s);
}
static void validate_layer_type(const cfg *c) {
    static const char *const attention[] = {
        "full_attention", "sliding_attention", "chunked_attention", "window_attention", "indexed_attention",
        "compressed_sparse_attention", "heavily_compressed_attention", "minimax_m3_sparse", "conv", "moe", "hybrid", "hybrid_sliding",
        "reference_sliding_attention", "linear_attention", NULL,
    };
    static const char *const mlp[] = {"sparse", "dense", NULL};
    if (validate_layer_list(c, "layer_types", attention)) validate_layer_list(c, "mlp_layer_types", mlp);
}
/* For an encoder-decoder without parts the reference looks at a copy in which decoder_x is called x, and types are checked there. */
static void validate_decoder_keys(const cfg *c) {
    for (uint32_t i = 0; i < c->n && session_ok(c->s); i++) {
        const char *key = c->entries[i].key, *name = key + strlen("decoder");
        if (strncmp(key, "decoder", strlen("decoder")) || *name != '_') continue;
        if (same_word(name, "_layers")) name = "num_hidden_layers";
        else if (same_word(name, "_attention_heads")) name = "num_attention_heads";
        else name++;
        val alias = dict_get(c->k->aliases, name);
        if (alias.kind == VAL_TEXT) name = alias.s;
        const cfield *f = class_field(c->k, name, hash_text(name));
        if (f) cfg_takes(c, f, c->entries[i].v);
    }
}
/* The reference compares every *_token_id with the vocabulary, only to warn, but stumbles over a vocabulary that is no number. */
static void validate_token_ids(const cfg *c) {
    val part = cfg_text_part(c, true), vocab = cfg_get(c, "vocab_size");
    if (part.kind == VAL_ABSENT && val_true(cfg_get(c, "is_encoder_decoder"))) validate_decoder_keys(c);
    if (part.kind != VAL_ABSENT || vocab.kind <= VAL_REAL || vocab.kind == VAL_BIG) return;
    for (uint32_t i = 0; i < c->n; i++) {
        const char *key = c->entries[i].key, *end = strstr(key, "_token_id");
        val v = c->entries[i].v;
        if (end && !strcmp(end, "_token_id") && (v.kind == VAL_BOOL || v.kind == VAL_INT))
            cfg_refuse(c, "vocab_size", "bad_type", "%s cannot be compared with it", key);
    }
}
static void validate(const cfg *c) {
    const config_class *r = c->k->rules;
    if (r && r->validate_architecture) r->validate_architecture(c);
    else validate_architecture(c);
    if (r && r->validate_layer_type) r->validate_layer_type(c);
    else validate_layer_type(c);
    if (val_true(c->output_attentions) && c->attn.kind != VAL_NULL && !val_is(c->attn, "eager"))
        cfg_refuse(c, "output_attentions", "bad_value", "it needs attn_implementation \"eager\", and the config asks for another");
    validate_token_ids(c);
    rope_validate(c);
}

/* ---- making one ---- */

static tare_origin origin_in(val over, const char *key) {
    return dict_get(over, key).kind == VAL_ABSENT ? TARE_FROM_FILE : TARE_FROM_OVERRIDE;
}
/* Unchecked: defaults fit their types, tuples too, which JSON cannot say. */
static void add_default(cfg *c, const cfield *f) {
    c->entries[c->n++] = (cfg_entry){.key = f->stored, .hash = f->stored_hash, .v = f->preset, .origin = TARE_FROM_DEFAULT, .known = true};
}
static void set_fields(cfg *c, val dict, val over) {
    for (size_t i = 0; i < c->k->field_count && session_ok(c->s); i++) {
        const cfield *f = &c->k->fields[i];
        val v = dict_get(dict, f->key);
        if (v.kind != VAL_ABSENT) cfg_set(c, f->key, v, origin_in(over, f->key), NULL);
        else if (f->preset.kind == VAL_ABSENT) cfg_refuse(c, f->key, "missing_key", "%s has no default for it", c->k->name);
        else add_default(c, f);
    }
}
static void gather_leftovers(cfg *c, val dict, val over) {
    c->left = arena_array(c->s->a, dict.n, sizeof *c->left);
    for (uint32_t i = 0; i < dict.n; i++) {
        const char *key = dict.members[i].key;
        if (!strcmp(key, "model_type") || class_field(c->k, key, hash_text(key))) continue;
        c->left[c->left_n++] = (cfg_left){.key = key, .v = dict.members[i].v, .origin = (uint8_t)origin_in(over, key)};
    }
}
cfg *cfg_make(session *s, const cclass *k, val dict, val over, const char *path, const char *part) {
    if (!session_ok(s)) return NULL;
    cfg *c = arena_new(s->a, cfg);
    *c = (cfg){.s = s, .k = k, .path = path, .part = part, .attn = val_null(), .experts = val_null(), .name_or_path = val_text(""),
               .output_attentions = val_bool(false)};
    c->cap = (uint32_t)k->field_count + dict.n + 16;
    c->entries = arena_array(s->a, c->cap, sizeof *c->entries);
    set_fields(c, dict, over);
    gather_leftovers(c, dict, over);
    if (session_ok(s) && k->rules && k->rules->post_init) k->rules->post_init(c);
    if (session_ok(s)) common_post_init(c, over);
    if (session_ok(s) && k->rules && k->rules->after_post_init) k->rules->after_post_init(c);
    if (session_ok(s)) validate(c);
    return session_ok(s) ? c : NULL;
}

/* ---- which class ---- */

static const cclass *class_of_architectures(session *s, val dict) {
    val names = dict_get(dict, "architectures");
    const model_class *row = NULL;
    if (names.kind == VAL_LIST && names.n && names.items[0].kind == VAL_TEXT && family_of_class(names.items[0].s, &row)) {
        const char *config = row->own.config ? row->own.config : row->like ? row->like->config : NULL;
        if (config) return class_by_name(config, &s->err);
    }
    if (session_ok(s))
        error_set(&s->err, TARE_BAD, "missing_key", "$.model_type", "$.model_type is missing%s", names.kind == VAL_LIST
            ? ", and architectures names no known class: say which model this is with --set model_type=TYPE"
            : ": it says which model this config is of");
    return NULL;
}
cfg *cfg_load(session *s, val dict, val over) {
    if (dict.kind != VAL_DICT) {
        error_set(&s->err, TARE_BAD, "bad_type", "$", "a config is a JSON object, this is %s", json_short(s->a, dict, 60));
        return NULL;
    }
    val type = dict_get(dict, "model_type");
    const cclass *k = NULL;
    if (!val_given(type)) k = class_of_architectures(s, dict);
    else if (type.kind != VAL_TEXT)
        error_set(&s->err, TARE_BAD, "bad_type", "$.model_type", "$.model_type is %s: a model type is a string", json_short(s->a, type, 60));
    else if (!(k = class_by_type(type.s, &s->err)))
        error_set(&s->err, TARE_UNKNOWN, "unknown_model_type", "$.model_type",
            "unknown model type \"%.100s\"%s", type.s, types_near(s, type.s));
    return k ? cfg_make(s, k, dict, over, "$", NULL) : NULL;
}
