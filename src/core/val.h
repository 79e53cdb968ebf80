/* A JSON value, small enough to be passed by value. Content is immutable and lives in an arena. */
#ifndef TARE_CORE_VAL_H
#define TARE_CORE_VAL_H
#include "arena.h"
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct cfg;
enum val_kind { VAL_ABSENT, VAL_NULL, VAL_BOOL, VAL_INT, VAL_REAL, VAL_TEXT, VAL_LIST, VAL_DICT, VAL_CFG, VAL_BIG };
typedef struct val {
    uint8_t kind;
    uint32_t n; /* bytes of text and of a big integer's digits, items of a list, members of a dict */
    union {
        bool b;
        int64_t i;
        double d;
        const char *s;
        const struct val *items;
        const struct member *members;
        struct cfg *cfg; /* a sub-config, once the config that holds it is made */
    };
} val;
typedef struct member {
    const char *key;
    val v;
} member;

#define val_null() ((val){.kind = VAL_NULL})
#define val_bool(x) ((val){.kind = VAL_BOOL, .b = (x)})
#define val_int(x) ((val){.kind = VAL_INT, .i = (x)})
#define val_real(x) ((val){.kind = VAL_REAL, .d = (x)})
val val_text(const char *s); /* borrows s */
bool val_equal(val a, val b); /* as Python's ==: 1 == 1.0 == True */
bool val_is(val v, const char *word);
bool val_in(val v, const char *const *words);
bool val_true(val v);         /* as Python's bool(); absent is false */
bool val_given(val v);        /* neither absent nor null */
bool val_number(val v, double *d); /* bool, int or float, as Python calculates with all three; else *d stays as it is */
val val_or(val v, val other); /* other where v is absent */
const char *val_type(val v);  /* Python's name of the type: "NoneType", "int", "str", "list", ... */

/* Dicts: absent when there is no such key, or `d` is no dict. */
val dict_get(val d, const char *key);
/* A new dict with `key` set (in place if present, else last). */
val dict_with(arena *a, val d, const char *key, val v);
val dict_without(arena *a, val d, const char *key);
val list_of(arena *a, const val *items, size_t n);
uint32_t hash_text(const char *s);
/* Equal words; most that are compared differ in their first letter. */
static inline bool same_word(const char *a, const char *b) { return *a == *b && !strcmp(a, b); }
bool word_in(const char *word, const char *const *words); /* words ends with NULL */
#endif
