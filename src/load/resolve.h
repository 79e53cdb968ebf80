/* Which tensor of a checkpoint fills which tensor of a model: upstream's loading, carried out on names and shapes alone. */
#ifndef TARE_LOAD_RESOLVE_H
#define TARE_LOAD_RESOLVE_H
#include "slots.h"
#include "../files/checkpoint.h"
#include "../files/rules.h"

typedef enum key_fate {
    KEY_MATCHED,    /* its name in the file is its name in the model */
    KEY_RENAMED,    /* or became it */
    KEY_CONVERTED,  /* it is a part of what fills one or several */
    KEY_UNEXPECTED, /* the model has no such tensor */
    KEY_IGNORED,    /* nor has it, and a pattern of the class says that this is fine */
    KEY_SURPLUS     /* another tensor of the file fills the same, and comes first */
} key_fate;
typedef struct load_key { /* a tensor of the checkpoint */
    key_fate fate;
    const char *name;   /* what it became */
    size_t slot;        /* of that name; SIZE_MAX */
    size_t converter;   /* whose operations run on it; SIZE_MAX */
    size_t pattern;     /* which of its patterns it has */
    const char *ignored_by;
} load_key;
typedef struct load_fault { /* a converter that could not do its work: upstream raises an error */
    size_t slot;
    const char *message;
} load_fault;

typedef enum tie_case {
    TIE_ABSENT,   /* the file holds one of the two, and the other is tied to it */
    TIE_BOTH,     /* it holds both: tied where they are equal, else both are kept */
    TIE_NEITHER   /* it holds none of them */
} tie_case;
typedef struct load_tie {
    size_t target, source; /* slots, as the class ties them */
    tie_case which;
    bool swapped;          /* the source is tied to the target */
} load_tie;

typedef struct resolution {
    const checkpoint *c;
    load_slots slots;
    load_key *keys;           /* one for each tensor of the checkpoint; those that are replaced have no slot and are surplus */
    rule_set rules;           /* with what they were used for */
    load_fault *faults;
    size_t fault_n, fault_cap;
    load_tie *ties;
    size_t tie_n;
    const char *crash;        /* upstream raises an error that is none of the report's rows; NULL */
} resolution;

typedef struct resolve_options {
    int dtype;                /* that the model is loaded in: a tare_dtype */
    const char *strip_prefix; /* taken off every key that has it, before any rule; NULL */
    const char *add_prefix;   /* put before every key, with strip_prefix before those that lost theirs; NULL */
} resolve_options;

/* NULL with err set; lives in the arena. */
resolution *resolve(arena *a, const node *root, const checkpoint *c, const resolve_options *o, tare_error *err);
#endif
