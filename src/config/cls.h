/* Config classes as data: the reference's dataclass fields with their types and defaults, read from src/models/NAME.json
 * the first time a family is used, and kept for the life of the process. */
#ifndef TARE_CONFIG_CLS_H
#define TARE_CONFIG_CLS_H
#include "../core/error.h"
#include "../core/family.h"
#include "../core/val.h"

typedef enum type_kind {
    TYPE_ANY, TYPE_NEVER, TYPE_NONE, TYPE_BOOL, TYPE_INT, TYPE_FLOAT, TYPE_STR, TYPE_DICT, TYPE_LIST, TYPE_TUPLE, TYPE_SEQUENCE,
    TYPE_CONFIG, TYPE_LITERAL, TYPE_UNION
} type_kind;
typedef struct ctype {
    type_kind kind;
    uint32_t n;               /* arguments of list, dict, union */
    const struct ctype *args;
    val literals;             /* a list */
} ctype;
typedef struct cfield {
    const char *key;
    uint32_t hash;
    const char *stored;       /* the attribute it is kept under: another one where attribute_map names the key */
    uint32_t stored_hash;
    const char *type_text;
    ctype type;
    val preset;               /* the default; absent when the field is required */
    val check;                /* {"min":..., "max":...}, {"probability": true}, {"activation": true}; absent */
} cfield;
typedef struct cpart {
    const char *key;
    const char *config;       /* a fixed config class, or NULL: by model_type */
    const char *model_type;   /* the default one */
    bool optional;
    val init;
} cpart;
typedef struct cclass {
    const char *name, *model_type, *base_config_key;
    const struct family *family;
    const struct config_class *rules;
    const cfield *fields;
    size_t field_count;
    val aliases;              /* dict: spelling -> field */
    const cpart *parts;
    size_t part_count;
    val tp_plan, pp_plan, values, readonly;
} cclass;

/* The class by name within a family, or by model type anywhere; NULL with err set when the data is wrong, without when unknown. */
const cclass *class_by_name(const char *config_name, tare_error *err);
const cclass *class_by_type(const char *model_type, tare_error *err);
const struct family *family_by_type(const char *model_type);
/* The auto table's entry of a family: "AutoModel", "llama" -> text or list; absent when there is none. */
val auto_entry(const struct family *f, const char *auto_class, const char *model_type, tare_error *err);
/* All auto classes any family has, as the dict of one family. */
val auto_tables(const struct family *f, tare_error *err);
const cfield *class_field(const cclass *k, const char *key, uint32_t hash);
/* Families, built in and registered; NULL beyond the end. */
const struct family *family_at(size_t i);
/* The family that has a model class of that name; *row is its entry. */
const struct family *family_of_class(const char *class_name, const struct model_class **row);
bool type_takes(const ctype *t, val v);
/* Up to five names near `word`, nearest first, as "a, b"; "" when none is near. name(i) is NULL beyond the last. For messages. */
void near_names(const char *word, const char *(*name)(size_t i, void *to), void *to, char *out, size_t n);
void near_types(const char *word, char *out, size_t n);
#endif
