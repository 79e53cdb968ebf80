/* The effective config: what the reference's config object holds after it was made from a config.json.
 * Fields first (typed, with defaults), then what rules derive, then the leftover keys of the file. */
#ifndef TARE_CONFIG_CFG_H
#define TARE_CONFIG_CFG_H
#include "cls.h"

typedef struct session { /* one public call: its memory and its first error */
    arena *a;
    tare_error err;
} session;
#define session_ok(s) ((s)->err.status == TARE_OK)

typedef struct cfg_entry {
    const char *key;
    uint32_t hash;
    uint8_t origin;      /* tare_origin */
    bool known, read;    /* a field or set by a rule; read by a definition */
    val v;
    const char *detail;
} cfg_entry;
typedef struct cfg_left { /* a key of the file that is no field */
    const char *key;
    val v;
    uint8_t origin;
    bool taken, read;
} cfg_left;
typedef struct cfg {
    session *s;
    const cclass *k;
    const char *path;    /* "$", "$.text_config" */
    const char *part;    /* the parent's key for this config, NULL at the top */
    cfg_entry *entries;
    uint32_t n, cap;
    cfg_left *left;
    uint32_t left_n;
    val attn, experts;   /* requested implementations: text, null, or whatever the file says */
    const char *attn_chosen, *experts_chosen; /* once a model was built */
    val output_attentions, name_or_path;
    val written;         /* what a model class writes into its config: seen where the config is saved */
    val written_own;     /* and into a copy of its own: seen where that model is saved, not where a model around it is */
    bool done;           /* post_init is over */
    _Atomic uint8_t hints[64]; /* where a key was found last, by its address: a guess that saves the search; index + 1 */
} cfg;

/* Makes the config of class k from a dict of the file; `over` holds the keys that the user set, for the origin. NULL after an error. */
cfg *cfg_make(session *s, const cclass *k, val dict, val over, const char *path, const char *part);
/* From a top-level dict: model_type decides, or architectures where it is missing. */
cfg *cfg_load(session *s, val dict, val over);

/* An equal one in another session, of its own from then on; implementations that a model chose are its request. */
cfg *cfg_copy(session *s, const cfg *c, const char *path, const char *part);

val cfg_get(const cfg *c, const char *key);      /* getattr without noting the read; absent when there is none */
/* What the config's class works out from other values, which no build reads; absent when it has no such property. */
val cfg_computed(cfg *c, const char *key);
void cfg_set(cfg *c, const char *key, val v, tare_origin origin, const char *detail); /* setattr, as a rule or a leftover does it */
void cfg_assign(cfg *c, const char *key, val v);  /* the same, as a user does it to a config that is made */
void cfg_forget(cfg *c, const char *key);        /* delattr, of a key that is no field */
cfg_entry *cfg_entry_of(const cfg *c, const char *key); /* the stored entry, aliases resolved; NULL */
void cfg_refuse(const cfg *c, const char *key, const char *code, const char *format, ...) __attribute__((format(printf, 4, 5)));
void cfg_attn(cfg *c, val v);                    /* config._attn_implementation = v */
void cfg_experts(cfg *c, val v);
void cfg_dtype(cfg *c, const char *torch_name);  /* _from_config: this config and its parts */
val cfg_to_dict(const cfg *c);                   /* to_dict() */
val cfg_to_dict_in(const cfg *c, arena *a);      /* the same, made in another arena: the config is only read */
/* config.json as save_pretrained() has it, of a model of that class and dtype; absent when it is refused, and then err says why. */
val cfg_saved(const cfg *c, arena *a, const char *class_name, const char *dtype, tare_error *err);
/* What to_json_string(use_diff) writes; absent when a part cannot be compared, and then err says why. */
val cfg_json(const cfg *c, arena *a, bool use_diff, tare_error *err);
val val_settled(arena *a, val v);                /* keys sorted at every depth */
const char *const *generation_defaults(void);    /* settings of generation that no config keeps unless it has such a field; NULL-ended */
const cfg *cfg_text_config(const cfg *c, bool decoder); /* get_text_config(decoder=...); an error when ambiguous or no config */
val cfg_text_part(const cfg *c, bool decoder);   /* the value it finds; absent when there is none */
const char *dtype_canonical(const char *name);   /* "half" -> "float16"; NULL: torch has no such dtype */

/* pieces of post_init */
bool cfg_takes(const cfg *c, const cfield *f, val v); /* the field's type and range; false with an error */
void rope_convert(cfg *c);                       /* convert_rope_params_to_dict() */
void rope_standardize(cfg *c);
void rope_validate(const cfg *c);
void labels_settle(cfg *c);
void labels_count(cfg *c, val n, tare_origin origin); /* config.num_labels = n */
#endif
