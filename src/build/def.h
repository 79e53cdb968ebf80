/* The language of definition files: src/models/NAME.c includes this and nothing else, and so may a family from outside
 * (tare_register_family). A definition reads like the reference's own __init__ methods: same classes, same attribute
 * names, same order, because call order is registration order, print order and drawing order.
 *
 * There are no error codes and no memory to manage. The first error is kept with its path and later calls do nothing;
 * dim() and its kin return 1 after an error, so nothing traps. A module function has the name of its class. */
#ifndef TARE_DEF_H
#define TARE_DEF_H
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "names.h"
#pragma GCC visibility push(default)

typedef struct tare_mod mod;        /* a module under construction */
typedef struct tare_tensor_node tensor;
typedef struct cfg cfg;             /* a config: fields of the config class, then leftover keys */

/* ---- numbers: Python keeps 0 and 0.0 apart, and so does print(model) ------------------------------------------- */
typedef struct num {
    bool real, none; /* none: Python's None, where a number may be missing */
    int64_t i; /* when !real */
    double d;  /* always */
} num;
static inline num num_i(int64_t i) { return (num){.i = i, .d = (double)i}; }
static inline num num_f(double d) { return (num){.real = true, .d = d}; }

/* ---- reading a config ------------------------------------------------------------------------------------------
 * Keys are the reference's attribute names; aliases (attribute_map) work. Every read is noted for --why. */
int64_t dim(const cfg *c, const char *key);   /* an int, 1 .. 2^31-1; null, absent, other kinds are errors */
int64_t count(const cfg *c, const char *key); /* an int, 0 .. 2^31-1 */
int64_t whole(const cfg *c, const char *key); /* any int */
num real(const cfg *c, const char *key);      /* an int or a float */
num real_or_none(const cfg *c, const char *key); /* the same, or null */
bool flag(const cfg *c, const char *key);     /* Python's truth of the value; absent is an error, null is false */
const char *text(const cfg *c, const char *key); /* a string; "" after an error */
bool has(const cfg *c, const char *key);      /* present and not null */
bool known(const cfg *c, const char *key);    /* hasattr(): present, even if null */
int64_t dim_or(const cfg *c, const char *key, int64_t other);  /* other when null or absent */
num real_or(const cfg *c, const char *key, num other);
bool flag_or(const cfg *c, const char *key, bool other);       /* other when absent (getattr default); null is false */
const char *text_or(const cfg *c, const char *key, const char *other); /* other when null or absent */
int64_t len(const cfg *c, const char *key);   /* items of a list */
int64_t dim_at(const cfg *c, const char *key, int64_t i); /* item i of a list of ints (>= 1) */
const char *text_at(const cfg *c, const char *key, int64_t i);
typedef struct pair { int64_t h, w; } pair;
pair dim_pair(const cfg *c, const char *key); /* an int (both) or a list of two ints */
const cfg *part(const cfg *c, const char *key); /* a sub-config */
int64_t num_labels(const cfg *c);             /* len(id2label) */
#define NO_PAD INT64_MIN
int64_t pad(const cfg *c);                    /* pad_token_id, or NO_PAD when null or absent */
const char *attn_implementation(const cfg *c); /* "sdpa", "eager", ...: what the models of this config were settled on when they began */
const cfg *text_config(const cfg *c);         /* get_text_config() */
/* a * b, for products of more than two sizes: what does not fit in 64 bits becomes a size that is refused. */
static inline int64_t times(int64_t a, int64_t b) {
    int64_t product;
    return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
}
/* a + b of numbers that no getter bounds, likewise. */
static inline int64_t plus(int64_t a, int64_t b) {
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}
/* int(d) of one: INT64_MAX where it is past 64 bits or no number, which no size can be either. */
static inline int64_t truncated(double d) { return d > -9e18 && d < 9e18 ? (int64_t)d : INT64_MAX; }
/* Refuses the config: names $.key and its value, then the words. NULL for a key that is gone: then the words say it all. */
void refuse(const cfg *c, const char *key, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Variants: a copy of the config with one key set; the original is untouched (copy.deepcopy(config) and an assignment). */
const cfg *with_flag(const cfg *c, const char *key, bool v);
const cfg *with_int(const cfg *c, const char *key, int64_t v);
const cfg *with_text(const cfg *c, const char *key, const char *v);

/* ---- config rules: what a config class's __post_init__ does beyond the fields' defaults --------------------------
 * Order in the reference: fields are set and checked for their types, then the class's own __post_init__ (these verbs), then the
 * common part (sub-configs, dtype, labels, rope), and last the leftover keys, which override what was derived. */
void fill_int(cfg *c, const char *key, int64_t v, const char *formula);   /* if the value is null */
void fill_text(cfg *c, const char *key, const char *v, const char *formula);
void derive_int(cfg *c, const char *key, int64_t v, const char *formula); /* always; a leftover key of that name still wins */
void derive_flag(cfg *c, const char *key, bool v, const char *formula);
void derive_text(cfg *c, const char *key, const char *v, const char *formula);
void force_flag(cfg *c, const char *key, bool v);                         /* always, and any leftover of that name is dropped */
#include "rules.h"

/* ---- modules --------------------------------------------------------------------------------------------------- */
mod *child(mod *m, const char *name, const char *cls); /* registers a module of class `cls` under `name` */
void begin(mod *m, const cfg *c);                      /* super().__init__(config), for models: settles attention; else nothing */
void done(mod *m);                                     /* its constructor is over (post_init, for models) */
/* self.name = Fn(config, ...): the function's name is the class. */
#define sub(m, name, fn, ...) sub_as(m, name, #fn, fn, __VA_ARGS__)
#define sub_as(m, name, cls, fn, ...)          \
    do {                                       \
        mod *sub_ = child((m), (name), (cls)); \
        begin(sub_, CONFIG_(__VA_ARGS__));     \
        fn(sub_, __VA_ARGS__);                 \
        done(sub_);                            \
    } while (0)
/* The first argument if it is a config, else NULL. */
#define CONFIG_(...) CONFIG_OF_(__VA_ARGS__, 0)
#define CONFIG_OF_(x, ...) _Generic((x), const cfg *: (x), cfg *: (x), default: (const cfg *)0)
/* self.append(Fn(...)) in a ModuleList or Sequential: the name is the next number. */
#define append(m, fn, ...) sub_as(m, next_name(m), #fn, fn, __VA_ARGS__)
const char *next_name(const mod *m);
/* self.name = Class._from_config(config): as sub(), under that config's own dtype. */
#define sub_from_config(m, name, fn, c)              \
    do {                                             \
        mod *sub_ = child((m), (name), #fn);         \
        const cfg *cfg_ = enter_config(sub_, (c));   \
        begin(sub_, cfg_);                           \
        fn(sub_, cfg_);                              \
        done(sub_);                                  \
        leave_config(sub_);                          \
    } while (0)
const cfg *enter_config(mod *m, const cfg *c);
void leave_config(mod *m);
/* self.name = AutoModel.from_config(c); `task` is the auto class, "AutoModel". */
void sub_auto(mod *m, const char *name, const cfg *c, const char *task);
mod *module_list(mod *m, const char *name); /* nn.ModuleList() */
mod *module_dict(mod *m, const char *name);
mod *sequential(mod *m, const char *name);
/* The text between the parentheses of print(model); NULL or "" for none. */
void extra_repr(mod *m, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* One Python number or tuple for extra_repr; the text lives as long as the model. */
const char *show(mod *m, num n);
/* torch.linspace(from, to, n)[i].item(), in torch's default dtype here. */
num linspace(const mod *m, double from, double to, int64_t n, int64_t i);
/* setattr(m, name, other): the same object under a second name. `other` lies outside of any list, and no more than 64
 * modules of a model have several names. */
void share(mod *m, const char *name, mod *other);
void unties(mod *m); /* self._tied_weights_keys = {}: this model ties nothing, whatever its class does */
bool flash_attention(const cfg *c); /* the models of this config were asked for a flash implementation: some have other classes then */
void fail(mod *m, const char *format, ...) __attribute__((format(printf, 2, 3))); /* refuses the build, naming the module path */

/* self.name = nn.ModuleList([Fn(config, ...) for i in range(n)]). Layers whose decisions (below) agree are built once and
 * repeated. n above the cap on modules is refused. */
#define list(m, name, n, fn, ...) list_as(m, name, n, #fn, fn, __VA_ARGS__)
#define list_as(m, name, n, cls, fn, ...)                                                                         \
    for (mod *list_ = list_open((m), (name), "ModuleList", (n)), *item_ = list_next(list_, (cls)); item_;         \
         done(item_), item_ = list_next(list_, (cls)))                                                            \
        begin(item_, CONFIG_(__VA_ARGS__)), fn(item_, __VA_ARGS__)
#define sequential_list(m, name, n, fn, ...)                                                                      \
    for (mod *list_ = list_open((m), (name), "Sequential", (n)), *item_ = list_next(list_, #fn); item_;           \
         done(item_), item_ = list_next(list_, #fn))                                                              \
        begin(item_, CONFIG_(__VA_ARGS__)), fn(item_, __VA_ARGS__)
mod *list_open(mod *m, const char *name, const char *cls, int64_t n);
mod *list_next(mod *l, const char *cls); /* the next layer to build; NULL when the rest repeats or all are built */

/* Decisions: the only way to learn which layer of the nearest enclosing list is being built. */
bool layer_first(mod *m);
bool layer_last(mod *m);
bool layer_from(mod *m, int64_t i);              /* index >= i */
int64_t layer_mod(mod *m, int64_t k);            /* index % k */
bool layer_in(mod *m, const cfg *c, const char *key);          /* index is in a list of ints */
const char *layer_text(mod *m, const cfg *c, const char *key); /* list[index], a string */
int64_t layer_dim(mod *m, const cfg *c, const char *key);      /* list[index], an int >= 1 */
int64_t layer_count(mod *m, const cfg *c, const char *key);    /* list[index], an int >= 0 */
int64_t layer_dim_before(mod *m, const cfg *c, const char *key, int64_t first); /* list[index - 1], or `first` for layer 0 */
int64_t layer_idx(mod *m);                       /* the index itself: layers that ask are never folded */
/* The layer is of another class than its list was told: where decisions settle which. */
void becomes(mod *m, const char *cls);
mod *layer_list(mod *m);                         /* the list item that encloses m's list, to ask about an outer list */

/* ---- parameters and buffers ---------------------------------------------------------------------------------------
 * `made` is how the constructor fills the tensor: kept for initialisation. Sizes follow, outermost first. */
typedef struct made {
    enum { MADE_EMPTY, MADE_ZEROS, MADE_ONES, MADE_FULL, MADE_RANDN, MADE_RAND, MADE_NORMAL, MADE_UNIFORM, MADE_KAIMING_UNIFORM,
           MADE_XAVIER_UNIFORM, MADE_ARANGE, MADE_LINSPACE, MADE_ROPE, MADE_TRIL, MADE_DIRECTION, MADE_MAGNITUDE, MADE_SINUSOIDS,
           MADE_FLOAT_SINUSOIDS, MADE_DOUBLE_SINUSOIDS, MADE_ROTARY_SINUSOIDS, MADE_OFFSETS, MADE_MAPPED, MADE_PIECES } op;
    double a, b;    /* FULL: the value; NORMAL: mean, std; UNIFORM, LINSPACE: from, to; KAIMING_UNIFORM: a, fan_in; XAVIER_UNIFORM:
                     * fan_in, fan_out; ARANGE: the first; TRIL: the width, 0: all; OFFSETS: height, width; SINUSOIDS: the longest wave
                     * or base, and over (ROTARY) or whether sines and cosines take turns */
    int64_t row;    /* NORMAL, FLOAT_SINUSOIDS: this row is zeroed afterwards, counted from 1; MAGNITUDE: the axis that is kept, counted
                     * from 1; 0: none; ROTARY_SINUSOIDS: torch's default dtype */
    const void *of; /* ROPE: a struct rope; DIRECTION, MAGNITUDE: the weight, as drawn, that weight norm splits; MAPPED, PIECES: what
                     * mapped() and pieces() say */
} made;
#define EMPTY ((made){.op = MADE_EMPTY})
#define ZEROS ((made){.op = MADE_ZEROS})
#define ONES ((made){.op = MADE_ONES})
#define RANDN ((made){.op = MADE_RANDN})
#define RAND ((made){.op = MADE_RAND})
#define FULL(x) ((made){.op = MADE_FULL, .a = (x)})
#define NORMAL(mean, std) ((made){.op = MADE_NORMAL, .a = (mean), .b = (std)})
#define UNIFORM(from, to) ((made){.op = MADE_UNIFORM, .a = (from), .b = (to)})
#define ARANGE ((made){.op = MADE_ARANGE}) /* 0, 1, 2, ... along the last axis */
#define ARANGE_FROM(x) ((made){.op = MADE_ARANGE, .a = (x)})
#define TRIL ((made){.op = MADE_TRIL})     /* lower triangle of ones */
#define TRIL_BAND(width) ((made){.op = MADE_TRIL, .a = (double)(width)}) /* of it, the width (1 or more) that ends in the diagonal */
/* Sinusoids, (length, d): rows of sines and cosines of the position at slower and slower rates, in two halves, or IN_TURN side by side.
 * What is worked out in the tensor's own dtype, step by step (Whisper); in float32 whatever the dtype, over the axis before the last, an
 * odd row's last entry 0 and one row zeroed (or NO_PAD); in double precision (Pegasus, XLM); and at rates base ** (-2i / over) in torch's
 * default dtype, for a buffer that is float32 all the same (GPT-J). */
#define SINUSOIDS(max_time) ((made){.op = MADE_SINUSOIDS, .a = (max_time)})
#define FLOAT_SINUSOIDS(max_time, zero_row) \
    ((made){.op = MADE_FLOAT_SINUSOIDS, .a = (max_time), .row = (zero_row) == NO_PAD ? 0 : (zero_row) + 1})
#define FLOAT_SINUSOIDS_IN_TURN(max_time) ((made){.op = MADE_FLOAT_SINUSOIDS, .a = (max_time), .b = 1})
#define DOUBLE_SINUSOIDS(base) ((made){.op = MADE_DOUBLE_SINUSOIDS, .a = (base)})
#define DOUBLE_SINUSOIDS_IN_TURN(base) ((made){.op = MADE_DOUBLE_SINUSOIDS, .a = (base), .b = 1})
#define ROTARY_SINUSOIDS(base, over) ((made){.op = MADE_ROTARY_SINUSOIDS, .a = (base), .b = (double)(over)})
/* Of each two cells of a window h high and w wide, in its rows' order, the number of their offset among the (2h - 1)(2w - 1) there are. */
#define OFFSETS(h, w) ((made){.op = MADE_OFFSETS, .a = (double)(h), .b = (double)(w)})

/* Values worked out from those of `from`, a formula or a draw, element by element: one step after the other, each rounded to `dtype`,
 * in which a draw is drawn as well. DT_DEFAULT is the tensor's own; DT_F64 is for numbers that Python works out.
 *     init_made(m, "A_log", mapped(m, ARANGE_FROM(1), DT_F32, THEN_LOG)); */
typedef struct map_step {
    enum { MAP_PLUS, MAP_TIMES, MAP_OVER, MAP_POWER, MAP_AT_LEAST, MAP_EXP, MAP_LOG, MAP_UNSOFTPLUS } what;
    double x;
} map_step;
#define THEN_PLUS(x) {MAP_PLUS, (x)}
#define THEN_TIMES(x) {MAP_TIMES, (x)}
#define THEN_OVER(x) {MAP_OVER, (x)}
#define THEN_POWER(x) {MAP_POWER, (x)}
#define THEN_AT_LEAST(x) {MAP_AT_LEAST, (x)}
#define THEN_EXP {MAP_EXP, 0}
#define THEN_LOG {MAP_LOG, 0}
#define THEN_UNSOFTPLUS {MAP_UNSOFTPLUS, 0} /* x + log(-expm1(-x)), the inverse of softplus */
#define mapped(m, from, dtype, ...) \
    mapped_((m), (from), (dtype), (const map_step[]){__VA_ARGS__}, sizeof((const map_step[]){__VA_ARGS__}) / sizeof(map_step))
made mapped_(mod *m, made from, int dtype, const map_step *steps, size_t n);
/* Along the last axis so many of one value, then so many of the next:  pieces(m, {d, 1}, {heads, 0.5}) */
typedef struct span { int64_t n; double value; } span;
#define pieces(m, ...) pieces_((m), (const span[]){__VA_ARGS__}, sizeof((const span[]){__VA_ARGS__}) / sizeof(span))
made pieces_(mod *m, const span *all, size_t n);

enum { DT_DEFAULT = -1, DT_F32, DT_F16, DT_BF16, DT_F64, DT_I64, DT_I32, DT_I16, DT_I8, DT_U8, DT_BOOL, DT_C64, DT_F8_E4M3, DT_F8_E5M2 };
enum { TRANSIENT = 0, PERSISTENT = 1 };
#define DIMS_(...) (const int64_t[]){__VA_ARGS__}, (int)(sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))
/* self.name = nn.Parameter(made): default dtype, requires grad. */
#define param(m, name, made, ...) add_param((m), (name), (made), DIMS_(__VA_ARGS__))
#define param_scalar(m, name, made) add_param((m), (name), (made), NULL, 0)
/* self.name = nn.Buffer(made, persistent=...): dtype DT_DEFAULT is torch's default dtype. */
#define buffer(m, name, made, dtype, persistent, ...) add_buffer((m), (name), (made), (dtype), (persistent), DIMS_(__VA_ARGS__))
#define buffer_scalar(m, name, made, dtype, persistent) add_buffer((m), (name), (made), (dtype), (persistent), NULL, 0)
tensor *add_param(mod *m, const char *name, made how, const int64_t *shape, int rank);
tensor *add_buffer(mod *m, const char *name, made how, int dtype, bool persistent, const int64_t *shape, int rank);
/* Tensors below m may have no elements, where the reference works out a size that a config can make 0. Elsewhere 0 is refused. */
void may_be_empty(mod *m);
void in_dtype(tensor *t, int dtype); /* the constructor names a dtype */
void freeze(tensor *t);              /* requires_grad = False */
void freeze_all(mod *m);             /* for every parameter below */
/* Every BatchNorm2d below m becomes a `cls`, whose weight, bias, running_mean and running_var are buffers that hold what those held. */
void freeze_batchnorms(mod *m, const char *cls);
/* self.name = self.name.inner: the wrapper goes, what it held takes its place. */
void unwrap(mod *m, const char *name, const char *inner);
/* A parameter that the constructor makes and does not keep: all that stays of it is the generator's state. To init rules of m they are
 * passing000, passing001, ... */
#define passing_param(m, made, ...) passing((m), (made), DIMS_(__VA_ARGS__))
void passing(mod *m, made how, const int64_t *shape, int rank);
/* The parameters of m belong to `all` experts, of which config.key work on a token: what `tare count` calls active. */
void routed(mod *m, const cfg *c, const char *key, int64_t all);

/* ---- what a layer keeps of the tokens it has seen, said where the module that keeps it is built -------------------------
 * Keys and values of kv_heads heads. How many tokens of them, the reference's cache takes from the config alone: layer_types,
 * else sliding_window or attention_chunk_size, else all. A window takes in the token at hand, so one less is kept. */
void cache_keys(mod *m, const cfg *c, int64_t kv_heads, int64_t head_dim);
/* One compressed vector of `rank` and one rotated key a token, for all heads. */
void cache_latent(mod *m, const cfg *c, int64_t rank, int64_t rope_dim);
/* Keys and values of what an encoder puts out: `source` tokens, or 0: as many as go into it. */
void cache_cross(mod *m, const cfg *c, int64_t kv_heads, int64_t head_dim, int64_t source);
/* The states of a recurrence, of one size however many tokens: elements in the model's dtype, and elements in float32. */
void cache_state(mod *m, int64_t in_dtype, int64_t in_float32);

/* ---- torch.nn: each registers the module with torch's exact extra_repr, parameters and buffers ------------------------ */
#include "nn.h"
/* ---- blocks that many families share ---------------------------------------------------------------------------------- */
#include "blocks.h"
/* ---- init rules ------------------------------------------------------------------------------------------------------- */
#include "init.h"

/* ---- what a family says about its classes ---------------------------------------------------------------------------- */
#include "../core/family.h"

/* Makes a family known; `json` is its config classes in the format of src/models/NAME.json (docs/add-a-model.md). Both must
 * outlive every model. Not to be called while another thread opens a model. Returns NULL, or what is wrong with it. */
const char *tare_register_family(const family *f, const char *json);
#pragma GCC visibility pop
#endif
