/* The language of quantisation methods: src/quant/METHOD.c includes this and nothing else, as src/models/NAME.c does def.h. A method
 * says which modules of a finished tree it takes and what it puts in their places, in the verbs of def.h; the pipeline around it
 * (which config, what stays dense, repeated layers, ties afterwards) is common, and names no method.
 *
 * Errors are sticky, as in definitions. What is stated here is the state before a checkpoint is loaded: "prepared". */
#ifndef TARE_QUANT_H
#define TARE_QUANT_H
#include "../build/def.h"
#include "../core/path.h"
#include "../core/val.h"
#include "../files/packing.h"

typedef struct quant quant; /* a method at work on one model */

/* ---- settings: the object that quantization_config is, and objects in it ----------------------------------------------- */
typedef struct conf {
    quant *q;
    val d;            /* absent: there is no such part, and every key has its default */
    const char *path; /* "$.quantization_config.weights", for errors */
} conf;
const conf *settings(quant *q);
conf conf_part(const conf *c, const char *key);
conf conf_of_json(quant *q, const char *json, const char *path); /* of a method's own text, which is right */
val conf_get(const conf *c, const char *key); /* absent, null or whatever is there */
bool conf_given(const conf *c, const char *key); /* neither absent nor null */
int64_t conf_int(const conf *c, const char *key, int64_t other); /* `other` when absent; what is no int is refused */
num conf_number(const conf *c, const char *key, num other);         /* an int or a float; `other` when absent */
bool conf_flag(const conf *c, const char *key, bool other);      /* Python's truth of the value; `other` when absent */
bool conf_bool(const conf *c, const char *key, bool other);      /* true, false, 1 or 0; `other` when absent; else refused */
const char *conf_text(const conf *c, const char *key, const char *other); /* `other` when absent or null; what is no text is refused */
val conf_texts(const conf *c, const char *key); /* a list of texts; absent when it is absent or null; other kinds are refused */
/* The same for what stays dense: a text in place of the list is no list that anybody meant, and counts as left out, with a warning. */
val conf_names(const conf *c, const char *key);
/* One of the words up to NULL, else refused. */
const char *conf_word(const conf *c, const char *key, const char *other, const char *const *words);
void conf_refuse(const conf *c, const char *key, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Refuses the model or the request, with words alone. */
void quant_refuse(quant *q, const char *code, const char *format, ...) __attribute__((format(printf, 3, 4)));
bool quant_ok(const quant *q);
bool from_file(const quant *q);   /* the weights are quantised already; else they are to be, as --quantize asks */
bool to_floats(const quant *q);   /* all that is packed is to be unpacked */
bool in_files(const quant *q);    /* the tree is to have what files hold, in place of what waits for it */
void *room(quant *q, size_t bytes); /* zeroed, for what settle() has read; state() has it again */
void *state(const quant *q);
void *memory(quant *q, size_t n, size_t size); /* zeroed, as long as the model lives */
bool replaces(const quant *q);     /* it is not dequantised, and modules are replaced */
void dequantizes(quant *q);       /* settings ask for the floats: no module is replaced */

/* ---- names --------------------------------------------------------------------------------------------------------------- */
/* What stays dense is told by names. A pattern holds for a module if it matches from the start up to a dot or the end, as a regular
 * expression, or if the path ends with it. */
/* The default (both ends of ties, the last parameter, the output embedding), or `list` in its place, or with `add` both; and, always, what
 * is kept in float32. */
void skip_names(quant *q, const char *key, val list, bool add);
void skip_not_converted(quant *q); /* the same for the list modules_to_not_convert: the start() of many methods */
/* That list alone, with no default and nothing kept in float32. */
void skip_only(quant *q, const char *key, val list);
/* The default and `list`, as regular expressions that are found anywhere in a path. */
void skip_anywhere(quant *q, const char *key, val list);
/* Names of an older release's modules become those of today, as the model's files are renamed on loading. */
val renamed_as_loaded(quant *q, val names);
bool skipped(const quant *q, const char *path);
/* A regular expression: found anywhere in a text, or at its start alone. `key`: the setting that brought it. */
typedef struct regex regex;
const regex *regex_of(quant *q, const char *key, const char *pattern, bool at_start);
const regex *regex_if_any(quant *q, const char *pattern); /* anywhere; NULL when it is none */
int64_t regex_begin(const quant *q, const regex *r, const char *text); /* where the match begins; -1: there is none */
bool regex_matches(const quant *q, const regex *r, const char *text);
/* As a shell matches names: *, ?, [ab], [!ab]. The whole of it. */
bool shell_matches(const char *pattern, const char *text);
/* Decisions on modules depend on the numbers of their layers: then equal layers are asked one by one. Patterns with digits or with other
 * signs than letters, dots and underscores say so themselves. */
void tells_layers_apart(quant *q);
bool are_layers_apart(const quant *q);
void note_pattern(quant *q, const char *text); /* the same, if this one does */

/* ---- modules of the tree -------------------------------------------------------------------------------------------------- */
const char *class_of(const mod *m);
bool is_plain_linear(const mod *m);  /* type(m) is nn.Linear */
bool is_conv1d(const mod *m);        /* transformers' Conv1D: a linear layer that keeps its weight as (in, out) */
bool is_plain_embedding(const mod *m); /* type(m) is nn.Embedding */
bool is_layernorm(const mod *m);     /* isinstance(m, nn.LayerNorm) */
double constant_of(const mod *m, const char *buffer, double other); /* the number that fills a buffer of it; `other` without one */
int64_t in_features(const mod *m);   /* of a linear layer or a Conv1D */
int64_t out_features(const mod *m);
const tensor *param_named(const mod *m, const char *name); /* NULL: it has none */
int64_t size_at(const tensor *t, int axis);
int rank_of(const tensor *t);
bool ends_with(const char *path, const char *tail);
const mod *sibling(const quant *q, const char *name);  /* of the module that takes() and make() are asked about; NULL: there is none */
const mod *before_replacement(const mod *m);            /* what a replaced module was; others are themselves */
const char *model_type(const quant *q);
bool takes_cache(const mod *m);                         /* an attention class whose forward() takes cached keys and values */
bool has_module(const quant *q, const char *beginning); /* some module's path begins so */
/* The lists of layers that are in no other, as the tree has them, and how many layers each has. */
typedef struct list_at { const char *path; int64_t items; } list_at;
const list_at *outermost_lists(quant *q, size_t *n);
/* Some module for which it holds; equal layers are asked once, or, below, each by its path. */
bool some_module(quant *q, bool (*holds)(const quant *q, const mod *m, const char *path, const void *of), const void *of);
bool some_layer(quant *q, bool (*holds)(const quant *q, const mod *m, const char *path, const void *of), const void *of);
const mod *child_named(const mod *m, const char *name); /* NULL: there is none */
const char *text_of(quant *q, const char *from, size_t n); /* a copy, */
const char *lower_case(quant *q, const char *text);      /* one in lower case, */
const char *upper_case(quant *q, const char *text);      /* and one in upper case; of ASCII's letters */
const char *path_below(quant *q, const char *path, const char *name);
/* Fused experts, stacked parameters of a module named experts, that are neither replaced nor below what is: how many, and the first. */
uint64_t dense_experts(const quant *q, const char **first);
val ties(const quant *q);            /* target -> source, paths of parameters; a dict */
const char *module_name(quant *q, const char *param); /* its path without ".weight" */
const char *input_name(const quant *q); /* main_input_name of the class */
int main_dtype(const quant *q);      /* that the model is built in */
mod *root_of(const quant *q);
/* takes() of methods with which the reference fails on every linear layer below the model's first level: never takes one. */
int64_t refuse_linears(quant *q, const mod *m, const char *path);
/* Refuses Llama 4's experts, which the reference takes apart where a file is quantised by this method. */
void refuse_stacked(quant *q, const mod *m);
const cfg *root_config(const quant *q);
static inline int64_t ceil_div(int64_t a, int64_t b) { return a / b + (a % b != 0); }

/* ---- what a method makes of a module ------------------------------------------------------------------------------------- */
/* The new module has the old one's name, class and description until told otherwise, and no tensors. */
tensor *keep_param(mod *to, const mod *from, const char *name);   /* the same parameter, where there is one */
void keep_tensors(mod *to, const mod *from);                      /* all of them, */
void keep_buffers(mod *to, const mod *from);                      /* the buffers alone, */
void freeze_own(mod *m); /* its own tensors are parameters without gradients afterwards, buffers too */
void keep_children(mod *to, const mod *from);                     /* and these */
void keep_as_child(mod *to, const char *name, const mod *from);   /* the old module itself, below the new one */
void only_holds(mod *to); /* this module stores nothing quantised itself: what it holds does */
/* `count` equal children, named by their numbers and printed as one. Their sizes are to be filled in, once. */
mod *numbered(mod *to, int64_t count, const char *cls);
void look_below(quant *q); /* what make() has just made is asked about as well, but for itself */
mod *replaced_child(quant *q, mod *to, const char *name, const char *cls, const mod *stands_for); /* a new module, to be filled */
void warn_of_dense_experts(quant *q);                             /* a finish(): fused experts that the method passes over, */
void warn_of_random_experts(quant *q);                            /* where a file that packs them leaves them as they were drawn */
void note_warning(quant *q, const char *format, ...) __attribute__((format(printf, 2, 3)));

void note_once(quant *q, const char *warning); /* unless it was noted already */

enum { DT_U32 = 14, DT_F8_E8M0 = 16 }; /* as tare_dtype numbers them, like those of def.h */
static inline tensor *stored_in(tensor *t, int dtype) { in_dtype(t, dtype); return t; }

/* The tensor is written out as text, and how long that is depends on it: one axis, whose length is -1. */
void any_size(quant *q, tensor *t);
/* "scales of weight, one for ...": what messages say of a tensor that is not there. */
typedef struct meaning { const char *name, *text; } meaning;
#define MEANINGS(...) ((const meaning[]){__VA_ARGS__, {NULL, NULL}})

/* ---- the way back to floats ------------------------------------------------------------------------------------------------
 * Asked of every tensor of a checkpoint: if it holds numbers, its parts are looked up by their names, and it is said how they go together.
 * Then the file has the whole in their place. */
typedef struct packed_parts packed_parts;
const char *stored_key(const packed_parts *s);                          /* of the tensor that is asked about */
const char *stored_stem(const packed_parts *s, const char *ending);     /* of its key, before that ending; NULL: it ends otherwise */
const char *stored_text(const packed_parts *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
size_t stored_part(packed_parts *s, const char *stem, const char *ending); /* a tensor of that name; SIZE_MAX: there is none */
int stored_dtype(const packed_parts *s, size_t part);
int stored_rank(const packed_parts *s, size_t part);
int64_t stored_size(const packed_parts *s, size_t part, int axis);
int64_t stored_elements(const packed_parts *s, size_t part);
bool stored_read(packed_parts *s, size_t part, void *to, size_t n);     /* all of its n bytes */
val stored_json(packed_parts *s, size_t part);                    /* the object that its bytes spell; absent: said */
void stored_hide(packed_parts *s, size_t part);                         /* nobody needs it any more */
/* Why there is no way; part: what is wrong with which, SIZE_MAX: with all of it. False. */
bool stored_wrong(packed_parts *s, size_t part, const char *format, ...) __attribute__((format(printf, 3, 4)));
float *stored_room(packed_parts *s, int64_t n);                   /* as long as the view lives */
packed_form plain_form(size_t numbers, size_t scales);
void fours_of(packed_form *p); /* numbers are 4-bit floats (e2m1), two in a byte, the first in its lower half */
/* Rows, columns and blocks, from the shapes of numbers and scales. Sizes of blocks, where the config says them, else 0. False: said. */
bool stored_grid(packed_parts *s, packed_form *p, int64_t block_rows, int64_t block_columns);
/* The whole, by its name and shape. False: said. */
bool stored_packed(packed_parts *s, const char *key, int rank, const int64_t *shape, const packed_form *p);

enum { LEAVE = 0 };
typedef struct quant_method {
    const char *name;              /* as messages call it */
    const char *const *names;      /* quant_method in a config: SET("fp8", "mxfp8") */
    bool (*claims)(const conf *c); /* recognises its configs by other keys, whatever quant_method is */
    const char *not_asked;         /* why --quantize is refused; NULL: it is not */
    const char *not_in_config;     /* why a config that names it is */
    void (*settle)(quant *q);      /* reads and checks the settings */
    int (*dtype)(quant *q, int dtype); /* the dtype that the model is built in instead; NULL: as it is */
    void (*start)(quant *q);       /* the tree is there, and nothing of it is replaced */
    /* What becomes of a module: LEAVE, or a number for make(). Asked parents first; not below what is replaced. The answer depends on
     * the module and its path, and on the number of its layer only as tells_layers_apart() says. */
    int64_t (*takes)(quant *q, const mod *m, const char *path);
    void (*make)(quant *q, mod *to, const mod *from, int64_t kind);
    void (*unpack)(quant *q, packed_parts *s); /* the way back to floats; NULL: there is none here */
    bool unpacks_strays;           /* and some of it is gone in any case: what lies packed in files and has no packed place in the tree */
    const stored_rules *floats;    /* how names of what is unpacked differ from the model's; or NULL */
    const stored_rules *files;     /* how their names differ, beyond the layout rules of families; or NULL */
    const meaning *meanings;       /* of those tensors, by their names, ended by an empty row; or NULL */
    void (*extend)(quant *q, mod *m); /* adds to a module that keeps its class and children, which are done; NULL: nothing */
    void (*finish)(quant *q);         /* everything is replaced */
    /* What from_pretrained(device_map="auto") reckons with: the part of each device's memory that is left for weights, 0: all of it; and
     * bytes of an element of a weight that is quantised, NULL: those of its dtype. */
    double share;
    double (*element)(const quant *q);
    bool moves;                    /* what is replaced comes last among its siblings, by name */
} quant_method;
#endif
