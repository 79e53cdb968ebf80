/* Config rules beyond scalars. Part of def.h. Values here are JSON values. */
#include "../core/val.h"

val get(const cfg *c, const char *key);                 /* absent when there is none; the read is noted */
void put(cfg *c, const char *key, val v, const char *formula); /* setattr(): aliases apply, a field's type is checked */
bool defaulted(const cfg *c, const char *key);          /* nobody gave it: a default, which may be a tuple where a file has lists */
val leftover(const cfg *c, const char *key);            /* kwargs.get(key): keys of the file that are no fields */
void put_legacy(cfg *c, const char *key, val v, const char *spelling); /* put(), for a value that the file gives under an old spelling */
val take(cfg *c, const char *key);                      /* kwargs.pop(key, absent) */
void leftover_or(cfg *c, const char *key, val v);       /* kwargs.setdefault(key, v) */
void drop(cfg *c, const char *key);                     /* delattr */
val dict_new(cfg *c);
val dict_put(cfg *c, val d, const char *key, val v);    /* a copy of d with key set */
val list_new(cfg *c, const val *items, size_t n);
/* Room for a list of *n values; list_in() makes it one. Above a million, key is refused and *n becomes 0. */
val *list_room(cfg *c, const char *key, int64_t *n);
val list_in(const val *items, int64_t n);
val text_new(cfg *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The words between a text's `mark`s, in lower case and without the blanks around them. */
val words_of(const cfg *c, const char *all, char mark);
/* Class attribute of the config class, as dumped: "default_theta". */
val class_value(const cfg *c, const char *key);
/* ConfigClass(**d).to_dict(), for a config class of any family. */
val config_to_dict(cfg *c, const char *config_class_name, val d);
/* BackboneConfigMixin.set_output_features_output_indices(): needs stage_names set. */
void backbone_outputs(cfg *c, val out_features, val out_indices);
val backbone_computed(cfg *c, const char *key);          /* out_features and out_indices, */
bool backbone_assign(cfg *c, const char *key, val v);    /* each of which sets both */
void backbone_to_dict(cfg *c);
#define BACKBONE .computed = backbone_computed, .assign = backbone_assign, .to_dict = backbone_to_dict
void backbone_verify(const cfg *c);                     /* BackboneMixin.__init__: the same check again, after leftover keys */
/* config.key = v in a model's __init__, on the config that it was given and not on a copy: only a saved config shows it. */
void writes(const cfg *c, const char *key, val v);
/* The same on a copy that the model makes for itself: a model around it keeps the config that it gave. */
void writes_own(const cfg *c, const char *key, val v);
/* standardize_rope_params() */
void standardize_rope(cfg *c);
/* The validate_architecture() that many classes share: hidden_size must be a multiple of num_attention_heads. */
void heads_divide_hidden_size(const cfg *c);
void fill_key_value_heads(cfg *c); /* num_key_value_heads: num_attention_heads, if null */
