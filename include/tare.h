/* tare: from a Hugging Face config.json, the exact model that Transformers would build, without its weights.
 *
 *     tare_error err = {0};
 *     tare_model *m = tare_model_open("config.json", NULL, &err);
 *     if (!m) return fprintf(stderr, "%s\n", err.message), 1;
 *     printf("%s has %" PRIu64 " parameters\n", tare_model_class(m), tare_model_params(m));
 *     tare_model_free(m);
 *
 * Handles are opaque. A call that can fail returns a handle, NULL or a status, and fills `err` (may be NULL), which is untouched on
 * success. The library never prints, exits or aborts on input, and never runs anything a config names. Strings and
 * views that are returned belong to their handle and live as long as it does. A handle, once returned, may be read by
 * many threads at once. Reference for every name, shape and rule: transformers 5.23.0, torch 2.13.0. */
#ifndef TARE_H
#define TARE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TARE_VERSION "0.1.0"
#define TARE_API __attribute__((visibility("default")))

/* Also the exit codes of the command line. */
typedef enum tare_status {
    TARE_OK = 0,
    TARE_NO = 1,      /* the answer is no: does not fit, incomplete, unsupported */
    TARE_USAGE = 2,   /* the call or command line is wrong */
    TARE_BAD = 3,     /* the input is bad */
    TARE_UNKNOWN = 4, /* unknown architecture */
    TARE_IO = 5       /* the system failed: file, memory, thread */
} tare_status;

typedef struct tare_error {
    tare_status status;
    char code[32];     /* one word of the list in docs/errors.md, "bad_value" */
    char path[256];    /* JSON path "$.num_attention_heads", module path "model.layers.0", or file; "" when there is none */
    char message[768]; /* a complete lower-case sentence that names the path too */
} tare_error;

typedef enum tare_dtype {
    TARE_F32, TARE_F16, TARE_BF16, TARE_F64, TARE_I64, TARE_I32, TARE_I16, TARE_I8, TARE_U8, TARE_BOOL, TARE_C64,
    TARE_F8_E4M3, TARE_F8_E5M2,
    /* in files alone: */
    TARE_U16, TARE_U32, TARE_U64, TARE_F8_E8M0, TARE_F8_E4M3FNUZ, TARE_F8_E5M2FNUZ, TARE_F6_E2M3, TARE_F6_E3M2, TARE_F4, TARE_DTYPE_COUNT
} tare_dtype;
TARE_API const char *tare_dtype_name(tare_dtype d);  /* as safetensors spells it: "BF16" */
TARE_API const char *tare_dtype_torch(tare_dtype d); /* as torch spells it: "bfloat16"; for the six-bit ones, which it lacks, as safetensors does */
TARE_API size_t tare_dtype_bits(tare_dtype d);
TARE_API size_t tare_dtype_bytes(tare_dtype d);      /* 0 for those of less than eight bits */

TARE_API const char *tare_version(void);   /* "0.1.0" */
TARE_API const char *tare_reference(void); /* "transformers 5.23.0, accelerate 1.15.0, torch 2.13.0" */

/* ---- configs ------------------------------------------------------------------------------------------------- */

typedef struct tare_config tare_config;
typedef struct tare_model tare_model;

typedef enum tare_stage { /* of a model whose weights are quantised */
    TARE_STAGE_DEFAULT,  /* PREPARED; of tare_checkpoint_model() LOADED */
    TARE_STAGE_PLAIN,    /* as if they were not */
    TARE_STAGE_PREPARED, /* as from_pretrained() prepares it, before a weight is read */
    TARE_STAGE_LOADED    /* as files hold it, which is what is in memory once it is loaded */
} tare_stage;
typedef struct tare_open_options {
    const char *class_name;      /* exact class; NULL: architectures[0], else the base model of the type */
    const char *auto_class;      /* "model", "causal-lm", or the full name "AutoModelForCausalLM"; used when class_name is NULL */
    const char *const *set;      /* NULL-ended "key.sub=JSON": overrides, applied to the file's JSON in order; a bare word is text */
    const char *dtype;           /* torch's name, or bf16 fp16 fp32; NULL: the config's, else float32 */
    const char *attn;            /* attention implementation; NULL: the config's, else the reference's choice; {"part": "eager"} as JSON per part */
    const char *host;            /* "gpu=sm_90,flash_attn=2.8", "gpu=none"; NULL: this host */
    bool plain;                  /* true: Model(config), which is float32 whatever dtype the config names (its parts keep theirs);
                                  * false: Model._from_config(config), which follows it. For fresh weights; dtype is NULL then */
    /* The tree for quantised weights (docs/quantisation.md). Without these it is the plain one. */
    bool quantized;              /* as the config's quantization_config says, where it has one */
    const char *quantize;        /* "METHOD" or "METHOD:key=value,...": as if it were quantised so on loading; NULL: not */
    bool dequantize;             /* with either of them: what a loader holds that turns the weights back into floats */
    tare_stage stage;            /* with either of them, and of tare_checkpoint_model(), which takes the config's without being asked */
    const char *config_class;    /* of tare_config_open() and _parse(): "LlamaConfig", whatever model_type says. A file of another type
                                  * gives its part of that class, where it has one; text is taken whole. NULL: model_type decides */
} tare_open_options;

/* MODEL is a config.json path, a folder that holds one, a built-in id ("meta-llama/Llama-2-7b-hf"), a model type
 * ("llama": its defaults), or JSON text (begins with '{'). options may be NULL. NULL on failure.
 * tare_config_open() reads options->set, options->dtype and options->config_class only. */
TARE_API tare_config *tare_config_open(const char *model, const tare_open_options *options, tare_error *err);
TARE_API tare_model *tare_model_open(const char *model, const tare_open_options *options, tare_error *err);
/* The same from n bytes of JSON. */
TARE_API tare_config *tare_config_parse(const char *json, size_t n, const tare_open_options *options, tare_error *err);
TARE_API tare_model *tare_model_parse(const char *json, size_t n, const tare_open_options *options, tare_error *err);
TARE_API void tare_config_free(tare_config *c); /* NULL is fine, here and below */
TARE_API void tare_model_free(tare_model *m);

TARE_API const char *tare_config_type(const tare_config *c); /* model_type, the real one: "gpt2" for "gpt-sw3" */
TARE_API const tare_config *tare_model_config(const tare_model *m); /* the part that the model's class takes */

/* What a model was prepared for. NULL: a plain build, or a config without a method that changes it. */
typedef struct tare_quantization {
    const char *method;          /* "fp8", "gptq", ... */
    uint64_t replaced, left;     /* modules that store quantised weights; linear layers that do not */
    uint64_t weights;            /* the numbers that the replaced modules stand for, */
    uint64_t bytes;              /* and what they take, scales and zero points with them */
    const char *const *warnings; /* sentences, what this format makes of this model that is easily missed */
    size_t warning_count;
} tare_quantization;
TARE_API const tare_quantization *tare_model_quantization(const tare_model *m);

/* ---- texts --------------------------------------------------------------------------------------------------- */

/* Takes n bytes; false stops the writing, which then returns TARE_IO. */
typedef bool (*tare_sink)(void *to, const char *data, size_t n);

typedef enum tare_text {
    TARE_TEXT_PRINT, /* print(model), with its final newline */
    TARE_TEXT_TREE,  /* the canonical tree (docs/formats.md) */
    TARE_TEXT_FACTS, /* JSON: what __init__ and post_init settle */
    TARE_TEXT_CONFIG, /* JSON: the effective config, as to_dict() gives it */
    TARE_TEXT_SAVED_CONFIG, /* config.json as save_pretrained() writes it; TARE_BAD for what it refuses */
    TARE_TEXT_SAVED_GENERATION /* generation_config.json likewise; nothing for a model that does not generate */
} tare_text;
TARE_API tare_status tare_model_write(const tare_model *m, tare_text what, tare_sink take, void *to, tare_error *err);
TARE_API tare_status tare_model_digest(const tare_model *m, tare_text what, char hex[65], tare_error *err); /* sha256 of that text */
TARE_API tare_status tare_config_write(const tare_config *c, tare_sink take, void *to, tare_error *err);

/* Where a value of the effective config came from. */
typedef enum tare_origin {
    TARE_FROM_FILE, TARE_FROM_OVERRIDE, TARE_FROM_ALIAS, TARE_FROM_DEFAULT, TARE_FROM_FORMULA, TARE_FROM_LEGACY
} tare_origin;
typedef struct tare_config_row {
    const char *path;   /* "$.text_config.head_dim" without the "$." */
    const char *value;  /* compact JSON */
    tare_origin origin;
    const char *detail; /* the spelling in the file for alias and legacy, the formula for formula; else NULL */
    bool known;         /* a key that the config class or the build reads; false: kept, never read */
    const char *near;   /* for an unknown key: the nearest known name, or NULL */
} tare_config_row;
TARE_API size_t tare_config_rows(const tare_config *c, const tare_config_row **rows); /* parts follow their parent's own keys */

/* A config object as the reference's: values are read and set one at a time, what was derived from them is not worked out again, and
 * a model is made from what it holds then, leaving it as it is. Setting is for one thread at a time, and ends the life of rows that
 * were handed out. Keys may be aliases and properties (hidden_size, num_labels, torch_dtype, _attn_implementation). */
TARE_API tare_config *tare_config_copy(const tare_config *c, tare_error *err); /* equal, and of its own; of a part and of a model's too */
TARE_API tare_status tare_config_set(tare_config *c, const char *key, const char *json, size_t n, tare_error *err);
TARE_API tare_status tare_config_set_part(tare_config *c, const char *key, const tare_config *part, tare_error *err); /* keeps a copy */
/* The value as JSON, a part as its to_dict(). TARE_NO, without an error, when there is none. */
TARE_API tare_status tare_config_get(const tare_config *c, const char *key, tare_sink take, void *to, tare_error *err);
TARE_API tare_config *tare_config_part(tare_config *c, const char *key); /* belongs to c; setting in it changes c. NULL: no part */
TARE_API const char *tare_config_class(const tare_config *c);            /* "LlamaConfig" */
/* to_json_string(use_diff=...), with its final newline. */
TARE_API tare_status tare_config_json(const tare_config *c, bool use_diff, tare_sink take, void *to, tare_error *err);
/* options->set and config_class are not for it: TARE_USAGE. */
TARE_API tare_model *tare_model_make(const tare_config *c, const tare_open_options *options, tare_error *err);

/* ---- the tree ------------------------------------------------------------------------------------------------ */

TARE_API const char *tare_model_class(const tare_model *m);  /* "LlamaForCausalLM" */
TARE_API const char *tare_model_note(const tare_model *m);   /* a remark on how the class was chosen, or NULL */
TARE_API tare_dtype tare_model_dtype(const tare_model *m);   /* of the first floating parameter */
TARE_API uint64_t tare_model_params(const tare_model *m);    /* num_parameters(): elements, each shared tensor once */
TARE_API uint64_t tare_model_modules(const tare_model *m);

typedef enum tare_kind { TARE_MODULE, TARE_PARAM, TARE_BUFFER } tare_kind;
typedef struct tare_item { /* one line of the canonical tree */
    tare_kind kind;
    const char *path;         /* "model.layers.0.mlp.up_proj.weight"; "" for the root */
    const char *class_name;   /* of a module; NULL for tensors */
    const char *torch_class;  /* of a module: the class of torch.nn that it is or derives from, "Embedding", "ModuleList"; NULL: none that counts */
    tare_dtype dtype;
    int rank;
    const int64_t *shape;     /* rank sizes, outermost first as torch gives them; a scalar has none */
    bool trainable;           /* of a parameter */
    bool persistent;          /* of a buffer; parameters are */
    const char *owner;        /* the first path that holds the same tensor or module, or NULL when this is it */
} tare_item;

/* Calls visit for every line in walk order, until it returns false (then TARE_NO). Strings live until visit returns. */
typedef bool (*tare_visit)(void *to, const tare_item *item);
TARE_API tare_status tare_model_walk(const tare_model *m, tare_visit visit, void *to, tare_error *err);

/* The tensors by index, in walk order. The list is made at the first call: NULL or 0 when memory runs out. Views live as long as m. */
TARE_API size_t tare_tensor_count(const tare_model *m);
TARE_API const tare_item *tare_tensor_at(const tare_model *m, size_t i);           /* NULL beyond the end */
TARE_API const tare_item *tare_tensor_find(const tare_model *m, const char *path); /* NULL when there is none */

/* The modules likewise, the root first; below one lie those whose paths go on from its own. */
TARE_API size_t tare_module_count(const tare_model *m);
TARE_API const tare_item *tare_module_at(const tare_model *m, size_t i);
TARE_API tare_status tare_module_write(const tare_model *m, size_t i, tare_sink take, void *to, tare_error *err); /* print(module) */

typedef struct tare_disk_tensor { /* a tensor as save_pretrained writes it */
    const char *key;
    tare_dtype dtype;
    int rank;
    const int64_t *shape;        /* an axis of -1: text, and how long it is depends on the weights (bitsandbytes) */
} tare_disk_tensor;
/* Calls visit for every tensor that save_pretrained writes for this model, fresh from its config, in the order in which it shards
 * them, until it returns false (then TARE_NO). Strings and shapes live until visit returns. Of a quantised model that is TARE_STAGE_LOADED. */
TARE_API tare_status tare_model_layout(const tare_model *m, bool (*visit)(void *to, const tare_disk_tensor *t), void *to, tare_error *err);

typedef struct tare_counts {
    uint64_t total, trainable;   /* elements of parameters, each shared tensor once */
    uint64_t with_ties;          /* the same, shared tensors counted at every path */
    uint64_t embedding;          /* in weights of nn.Embedding modules */
    uint64_t active;             /* used for one token: experts counted as far as they are chosen */
    uint64_t tensors, modules;   /* parameters and buffers; modules */
    uint64_t buffers, transient_bytes, persistent_bytes; /* elements and bytes of buffers */
    uint64_t bytes[TARE_DTYPE_COUNT]; /* of parameters, by dtype */
} tare_counts;
TARE_API void tare_model_count(const tare_model *m, tare_counts *out);

/* ---- memory -------------------------------------------------------------------------------------------------- */

typedef struct tare_budget_options {
    uint64_t context;       /* tokens of a sequence that a cache holds; 0: no cache */
    uint64_t batch;         /* sequences; 0: 1 */
    uint64_t source;        /* tokens that come out of an encoder, where the config does not fix them; 0: as many as context */
    uint64_t logits;        /* tokens that logits are made for; 0: the last one of a model that generates, else all */
    const char *kv_dtype;   /* of the cache, named as tare_open_options.dtype; NULL: what each layer computes in */
    const char *file_dtype; /* of the tensors in the files that are loaded; NULL: nothing is loaded */
    const char *optimizer;  /* "adamw", "sgd", "sgd-momentum"; NULL: no training */
    bool activations;       /* estimate what a forward pass of all tokens at once holds */
} tare_budget_options;
enum { TARE_BUDGET_LINES = 16 };
typedef struct tare_budget_line {
    char name[16];          /* parameters gradients optimizer buffers cache_full cache_sliding cache_chunked cache_latent cache_cross cache_state
                             * (cache, when no layer keeps one) activations scores logits loading */
    uint64_t bytes;         /* at the most when 64 bits do not hold them */
    char formula[232];      /* what they are the product of, in words; "" where there is nothing to say */
} tare_budget_line;
typedef struct tare_budget {
    tare_budget_line lines[TARE_BUDGET_LINES];
    size_t count;
    uint64_t total;         /* of the lines; of running and loading only the larger, for they are never at once */
    uint64_t cache, token;  /* all caches; what one more token of one sequence adds */
    const char *optimizer;  /* "torch.optim.AdamW", NULL without one */
} tare_budget;
/* What a model holds in memory. Caches are the reference's (DynamicCache), exact; training is torch's after a step; activations are
 * estimates. options may be NULL: the weights alone. TARE_USAGE for options that do not go together. */
TARE_API tare_status tare_model_budget(const tare_model *m, const tare_budget_options *options, tare_budget *out, tare_error *err);

/* ---- attention ----------------------------------------------------------------------------------------------- */

typedef struct tare_attn_row {
    const char *part;      /* "" for the model, "vision_config" for a part */
    const char *class_name;
    const char *name;      /* "eager", "sdpa", "flash_attention_2", ... */
    bool supported;
    bool chosen;           /* what this model was built with */
    const char *why;       /* the reason when not supported, a remark or NULL when it is */
} tare_attn_row;
TARE_API size_t tare_model_attn(const tare_model *m, const tare_attn_row **rows);
TARE_API const char *tare_model_host(const tare_model *m); /* the host that was checked, in words */

/* ---- fresh weights ------------------------------------------------------------------------------------------- */

typedef enum tare_rng {
    TARE_RNG_TORCH, /* torch's CPU generator in the reference's order: what Model(config) holds after torch.manual_seed(seed), bit for bit */
    TARE_RNG_PHILOX /* counter-based, by seed, tensor and element: the same for every thread count, slice, shard and dtype, which rounds
                     * values drawn in float32; equal to the reference in distribution alone */
} tare_rng;
typedef struct tare_generator tare_generator;
typedef struct tare_init_options {
    uint64_t seed;
    tare_rng rng;
    const tare_generator *from; /* where TARE_RNG_TORCH begins, and stays as it is; NULL: a new one of that seed */
    int threads; /* 0: as many as there are cores */
    bool (*progress)(void *to, uint64_t done, uint64_t all); /* bytes; one call at a time, from any thread; false cancels. NULL: none */
    void *progress_to;
    uint32_t *next; /* NULL, or where the bits of the float32 go that torch.rand(1) would give next */
} tare_init_options;

/* Fills every parameter and buffer. NULL on failure: TARE_BAD "no_source" where a tensor has none, TARE_IO when memory runs out or
 * progress said no ("cancelled"). options may be NULL: seed 0. The model may be freed before its weights, but then has no items. */
typedef struct tare_weights tare_weights;
TARE_API tare_weights *tare_init(const tare_model *m, const tare_init_options *options, tare_error *err);
/* The little-endian elements of a tensor of the same model (tare_tensor_at, tare_tensor_find), row by row, 64-byte aligned, yours to
 * change; tied tensors are one. NULL when it is none. */
TARE_API void *tare_weights_data(const tare_weights *w, const tare_item *tensor);
TARE_API uint64_t tare_weights_bytes(const tare_weights *w); /* of all of them, each shared tensor once */
TARE_API void tare_weights_free(tare_weights *w);

/* The same one tensor at a time, in no set order, each that is no one else's once: bytes live until take returns, and no more than
 * one tensor is held at a time. False from take cancels. */
typedef bool (*tare_take)(void *to, const tare_item *tensor, const void *bytes, size_t n);
TARE_API tare_status tare_init_each(const tare_model *m, const tare_init_options *options, tare_take take, void *to, tare_error *err);
/* Elements [first, first + n) of one tensor, alone; TARE_RNG_PHILOX only, and transient memory for all of it where it is no draw. */
TARE_API tare_status tare_init_slice(const tare_model *m, const tare_init_options *options, const tare_item *tensor, uint64_t first, uint64_t n,
                                     void *out, tare_error *err);
/* The tensors whose bits TARE_RNG_TORCH does not share with the reference, only their distribution, and why (docs/init.md); none in most
 * models. False from remark ends it. */
typedef bool (*tare_remark)(void *to, const tare_item *tensor, const char *why);
TARE_API tare_status tare_init_inexact(const tare_model *m, tare_remark remark, void *to, tare_error *err);

/* Weights that are made when they are needed: address space for all of them at once, memory for each tensor from then on. */
TARE_API tare_weights *tare_init_later(const tare_model *m, const tare_init_options *options, tare_error *err);
/* Makes those of n tensors that are not made yet; tensors NULL: all. Of `how`, which may be NULL, threads and progress count. For many
 * threads at once: what one makes the others wait for. Weights of tare_init() and tare_load() are all there. The model has to be, too. */
TARE_API tare_status tare_weights_need(tare_weights *w, const tare_item *const *tensors, size_t n, const tare_init_options *how, tare_error *err);

/* torch's CPU generator at some place of its stream, for models that are made one after the other. One thread at a time. */
TARE_API tare_generator *tare_generator_new(uint64_t seed, tare_error *err); /* as after torch.manual_seed(seed) */
TARE_API tare_generator *tare_generator_copy(const tare_generator *g, tare_error *err);
/* Moves it on as drawing all of m does, at the cost of some arithmetic; only truncated normals that may be drawn again are drawn. Of
 * `how`, which may be NULL, threads and progress count. */
TARE_API tare_status tare_generator_pass(tare_generator *g, const tare_model *m, const tare_init_options *how, tare_error *err);
#define TARE_GENERATOR_BYTES 5056 /* what torch.get_rng_state() gives, and torch.set_rng_state() takes: */
TARE_API tare_generator *tare_generator_load(const void *state, size_t n, tare_error *err);
TARE_API void tare_generator_save(tare_generator *g, unsigned char state[TARE_GENERATOR_BYTES]); /* settles what was skipped */
TARE_API uint64_t tare_generator_seed(const tare_generator *g);
TARE_API void tare_generator_free(tare_generator *g);

typedef struct tare_save_options {
    uint64_t max_shard_bytes; /* no file holds more bytes of tensors, where tensors allow; 0: 50 GB, as save_pretrained() */
    bool force;               /* exchange a checkpoint folder that is there, whole; else it is refused */
    bool runtime;             /* the tree's own names and shapes, experts stacked: save_original_format=False */
    bool (*progress)(void *to, uint64_t done, uint64_t all); /* of tare_save(); as in tare_init_options */
    void *progress_to;
} tare_save_options;
/* Writes a checkpoint as save_pretrained() lays it out: shards, index, config.json, generation_config.json. `dir` appears whole or
 * not at all; a run that was killed or cancelled is gone on with by the same call. tare_init_save() makes each tensor as it writes it,
 * in pieces, so the model may be larger than memory. TARE_IO for what the system refuses, TARE_USAGE for a `dir` that cannot be. */
TARE_API tare_status tare_init_save(const tare_model *m, const tare_init_options *options, const char *dir, const tare_save_options *how,
                                    tare_error *err);
TARE_API tare_status tare_save(const tare_model *m, const tare_weights *w, const char *dir, const tare_save_options *how, tare_error *err);
TARE_API tare_status tare_size_parse(const char *text, uint64_t *bytes); /* "200MB" as save_pretrained() reads max_shard_size; else TARE_USAGE */
TARE_API void tare_sha256(const void *bytes, size_t n, char hex[65]);

/* ---- checkpoints --------------------------------------------------------------------------------------------- */

typedef struct tare_checkpoint_options {
    const char *variant;   /* "fp16": model.fp16.safetensors; NULL: none */
    const char *subfolder; /* where in the folder config and weights are; NULL: at its top */
} tare_checkpoint_options;
/* Reads the headers of a checkpoint, no weight: a folder, a snapshot or repository of the Hub's cache, one .safetensors file or an index.
 * Files are chosen as from_pretrained() does. options may be NULL. NULL on failure: TARE_NO "no_weights", TARE_BAD for what cannot be
 * read and what it is instead, TARE_IO. What concerns single tensors or files is a flaw, and the rest is listed. */
typedef struct tare_checkpoint tare_checkpoint;
TARE_API tare_checkpoint *tare_checkpoint_open(const char *path, const tare_checkpoint_options *options, tare_error *err);
TARE_API void tare_checkpoint_free(tare_checkpoint *c);

/* The folder that config and weights are in; of a repository of the Hub's cache its snapshot. */
TARE_API const char *tare_checkpoint_dir(const tare_checkpoint *c);

typedef struct tare_stored { /* a tensor in a file */
    const char *key, *file;
    tare_dtype dtype;      /* TARE_DTYPE_COUNT: one that is not known */
    int rank;
    const int64_t *shape;  /* elements, of sub-byte dtypes too */
    uint64_t at, bytes;    /* in the file */
} tare_stored;
typedef struct tare_stored_file {
    const char *name;
    uint64_t bytes;        /* of all of it */
    size_t tensors;
    bool present;          /* false: the index names it, and it is not there */
} tare_stored_file;
typedef struct tare_flaw {
    const char *file, *key; /* which it concerns, or NULL */
    const char *message;
    bool damage;            /* the content cannot be trusted */
} tare_flaw;
/* File by file, in the order of their data. The list is made at the first call: NULL and 0 when memory runs out. */
TARE_API size_t tare_checkpoint_tensors(const tare_checkpoint *c, const tare_stored **rows);
TARE_API size_t tare_checkpoint_files(const tare_checkpoint *c, const tare_stored_file **rows);
TARE_API size_t tare_checkpoint_flaws(const tare_checkpoint *c, const tare_flaw **rows);
/* n bytes of one of its tensors, from byte `at` on, as they are. */
TARE_API tare_status tare_checkpoint_read(const tare_checkpoint *c, const tare_stored *tensor, uint64_t at, void *to, size_t n, tare_error *err);

/* The empty model that from_pretrained() would load it into: of the config.json beside it or, where `config` is not NULL, of that MODEL.
 * As tare_model_open(), but the dtype is options->dtype, else the config's, else the index's, else that of the first floating tensor;
 * "auto" is as good as NULL. Weights that the config says are quantised have the places that files hold; with options->dequantize they are
 * turned into floats when they are loaded, and TARE_STAGE_PLAIN takes the config as if it said nothing of it. */
TARE_API tare_model *tare_checkpoint_model(const tare_checkpoint *c, const char *config, const tare_open_options *options, tare_error *err);

typedef struct tare_check_options {
    bool like_transformers;   /* wrong is what makes from_pretrained() raise an error, and nothing else */
    bool allow_missing, allow_unexpected, allow_mismatched; /* not wrong then */
    bool data;                /* read tied tensors whole to compare them; else their first megabyte at the most */
    const char *strip_prefix; /* taken off every key that has it; NULL */
    const char *add_prefix;   /* put before every key, with strip_prefix before those that lost theirs; NULL */
} tare_check_options;

typedef enum tare_row_kind {
    TARE_ROW_MATCHED,    /* a tensor of the tree, by its name in the file */
    TARE_ROW_RENAMED,    /* by a name that a rule or prefix changes */
    TARE_ROW_CONVERTED,  /* put together from tensors of the file, or a part of one */
    TARE_ROW_TIED,       /* it is another one's */
    TARE_ROW_FORMULA,    /* a buffer that is never saved */
    TARE_ROW_MADE,       /* not in the file, and not missed: made by its init rule or formula */
    TARE_ROW_MISSING,    /* in need of a source */
    TARE_ROW_SHAPE,      /* the file has it in another shape */
    TARE_ROW_DTYPE,      /* a floating tensor, and the file holds numbers that a cast would take the sense of */
    TARE_ROW_CONVERSION, /* what should be put together does not go together */
    TARE_ROW_UNEXPECTED, /* a tensor of the file that the tree does not have */
    TARE_ROW_IGNORED,    /* likewise, and a rule of the class says that this is fine */
    TARE_ROW_SURPLUS,    /* a second tensor of the file for one of the tree */
    TARE_ROW_FILE,       /* a flaw of the files */
    TARE_ROW_KINDS
} tare_row_kind;
TARE_API const char *tare_row_name(tare_row_kind kind); /* "matched" */
typedef struct tare_row { /* a tensor of the tree with its one source, or what of a file is none's */
    tare_row_kind kind;
    bool wrong;
    const char *name;      /* in the tree; of the last four kinds in the file */
    const char *key;       /* in the file, the first where there are several; of TIED: whose it is in the tree; or NULL */
    const char *file;      /* that holds it, or NULL */
    uint64_t keys;         /* tensors of the file that go into it */
    tare_dtype dtype, file_dtype;
    int rank, file_rank;   /* -1: there is no shape to tell */
    const int64_t *shape, *file_shape;
    const char *why;       /* the rule or the reason in words, or NULL */
} tare_row;
typedef struct tare_verdict {
    bool complete;         /* every tensor of the tree has exactly one source, and nothing else is wrong */
    bool damage;           /* something cannot be read */
    bool loads;            /* from_pretrained() would load it, whatever it says meanwhile */
    const char *error;     /* what it would raise, in words; NULL when it loads */
    uint64_t expected;     /* tensors of the tree that a file should hold, ties once */
    uint64_t found;        /* tensors of the files */
    uint64_t rows[TARE_ROW_KINDS];
} tare_verdict;
/* Holds a checkpoint against a model, from its headers; of tied tensors that are both there the first bytes are compared. NULL on
 * failure. Model and checkpoint outlive the report. */
typedef struct tare_report tare_report;
TARE_API tare_report *tare_check(const tare_model *m, const tare_checkpoint *c, const tare_check_options *options, tare_error *err);
TARE_API void tare_report_free(tare_report *r);
TARE_API void tare_report_verdict(const tare_report *r, tare_verdict *out);
TARE_API size_t tare_report_rows(const tare_report *r, const tare_row **rows); /* the tree's in walk order, then the files' */
TARE_API size_t tare_report_causes(const tare_report *r, const char *const **texts); /* what is behind several rows, and what to do */
/* What from_pretrained(..., output_loading_info=True) gives: names as it spells them, sorted; made at the first call: NULL and 0
 * when memory runs out. Rows of TARE_ROW_SHAPE are its mismatched keys. */
TARE_API size_t tare_report_missing(const tare_report *r, const char *const **names);
TARE_API size_t tare_report_unexpected(const tare_report *r, const char *const **names);

/* The report in words, as `tare check` prints it. */
TARE_API tare_status tare_report_write(const tare_report *r, tare_sink take, void *to, tare_error *err);

/* From the files to the tree: every tensor of a file with every one of the tree that it goes into. */
typedef struct tare_mapping {
    const char *key;       /* in the file */
    const char *name;      /* in the tree; NULL: it goes nowhere */
    const char *operation; /* "as it is", "renamed", "stacked, joined: [3, 0:2048, 0:7168]", "unexpected", ... */
} tare_mapping;
TARE_API tare_status tare_report_mapping(const tare_report *r, bool (*visit)(void *to, const tare_mapping *row), void *to);

/* ---- loading ------------------------------------------------------------------------------------------------- */

typedef enum tare_io {
    TARE_IO_READ,   /* large reads, in parallel */
    TARE_IO_MAP,    /* mapped: of tare_load() tensors that need no change stay in the files' pages, copied as they are written to. A file that
                     * is cut short meanwhile kills the process, so this is a choice */
    TARE_IO_DIRECT  /* past the page cache, where the file system can */
} tare_io;
typedef struct tare_slice { /* a part of a tensor: the axis is cut into `blocks` equal parts, and of each is [first, first + n) */
    int axis;               /* -1: all of it */
    int64_t first, n, blocks;
} tare_slice;
typedef struct tare_load_options {
    tare_check_options check;    /* what may be wrong, and how names are read; `data` is always so */
    const char *const *only;     /* NULL-ended paths of modules and tensors: these, with all below them; NULL: everything */
    bool (*wanted)(void *to, const tare_item *tensor); /* of those; NULL: all */
    const char *device_map;      /* of those again: JSON, {"model.layers.0": 0, ...}, and */
    const char *device;          /* what it puts on this device, "0"; the longest key that holds a tensor decides */
    /* Called for each tensor: what of it is loaded. NULL: all of it. With `ranks` it comes after the plan's. */
    bool (*slice)(void *to, const tare_item *tensor, tare_slice *slice);
    void *to;                    /* of both */
    int rank, ranks;             /* ranks > 1: the part of this rank, by the model's tensor-parallel plan */
    tare_io io;
    int threads;                 /* 0: as many as there are cores */
    uint64_t memory_limit;       /* refuse to hold more bytes; 0: more than the machine has available */
    uint64_t seed;               /* of tensors that are missing, where that is allowed: as tare_init() draws them */
    tare_rng rng;
    bool (*progress)(void *to, uint64_t done, uint64_t all); /* bytes of the files; as in tare_init_options */
    void *progress_to;
    bool (*odd)(void *to, const tare_item *tensor, uint64_t nan, uint64_t inf); /* for tensors that are not all finite; NULL: nobody looks */
    void *odd_to;
} tare_load_options;

/* Fills the model from the checkpoint: cast, put together and put in place in one go. NULL on failure: TARE_NO "incomplete" for what
 * tare_check() with the same options calls wrong, TARE_BAD for damage, TARE_IO, also "out_of_memory" before the first byte is read where
 * the tensors and what reading holds are more than the limit. options may be NULL. The checkpoint may be freed before the weights. */
TARE_API tare_weights *tare_load(const tare_model *m, const tare_checkpoint *c, const tare_load_options *options, tare_error *err);
/* A tensor of these weights as it is held: its dtype may be kept in float32, a tie that the files contradict is none, a slice is
 * smaller. False when the weights do not hold it. The view lives as long as they do. */
TARE_API bool tare_weights_item(const tare_weights *w, const tare_item *tensor, tare_item *out);
/* What a load needs: bytes of the tensors, and of all else at the same time. */
TARE_API tare_status tare_load_need(const tare_model *m, const tare_checkpoint *c, const tare_load_options *options, uint64_t *tensors,
                                    uint64_t *reading, tare_error *err);

typedef struct tare_receiver { /* who takes tensors as they are loaded, each that is no one else's once; any order, any thread */
    /* Where the n bytes of a tensor go, or NULL: then they come in pieces. `tensor` is as it is loaded (tare_weights_item()). */
    void *(*memory)(void *to, const tare_item *tensor, uint64_t n);
    bool (*piece)(void *to, const tare_item *tensor, uint64_t first, const void *bytes, size_t n); /* a tensor's by rising `first` */
    bool (*done)(void *to, const tare_item *tensor); /* it is complete */
    void *to;
} tare_receiver; /* false cancels */
TARE_API tare_status tare_load_to(const tare_model *m, const tare_checkpoint *c, const tare_load_options *options, const tare_receiver *receiver,
                                  tare_error *err);

/* The sha256 of every tensor's little-endian bytes as it would be loaded, tied ones too, in walk order. False from take cancels. */
typedef bool (*tare_take_digest)(void *to, const tare_item *tensor, const char hex[65]);
TARE_API tare_status tare_load_digests(const tare_model *m, const tare_checkpoint *c, const tare_load_options *options, tare_take_digest take,
                                       void *to, tare_error *err);

/* Layer by layer: the parts of a model that stay whole, in walk order, one at a time in memory that is used again. */
typedef struct tare_window tare_window;
typedef struct tare_unit {
    const char *path;        /* "model.layers.3"; of a tensor of its own its path */
    const char *class_name;  /* NULL for a tensor */
    size_t first, n;         /* its tensors: tare_tensor_at(first ... first + n - 1) */
    uint64_t bytes;
} tare_unit;
TARE_API tare_window *tare_window_open(const tare_model *m, const tare_checkpoint *c, const tare_load_options *options, tare_error *err);
TARE_API size_t tare_window_units(const tare_window *w, const tare_unit **rows);
TARE_API uint64_t tare_window_bytes(const tare_window *w); /* of the largest: as much is held */
/* Loads a unit in place of the one before. */
TARE_API tare_status tare_window_load(tare_window *w, size_t unit, tare_error *err);
/* As of tare_weights_data(): of a tensor of the unit that is loaded, tied ones too; else NULL. */
TARE_API void *tare_window_data(const tare_window *w, const tare_item *tensor, tare_item *as_held);
TARE_API void tare_window_free(tare_window *w);

/* Rewrites a checkpoint: what tare_load() with these options gives, as save_pretrained() writes a model that was loaded - by the names that
 * the files had - with the folder's own generation_config.json, if there is one. Tensors go from file to file in pieces, so that the model
 * may be larger than memory; a run that was stopped is gone on with by the same call. TARE_USAGE for options that take a part alone. */
TARE_API tare_status tare_materialise(const tare_model *m, const tare_checkpoint *c, const tare_load_options *options, const char *dir,
                                      const tare_save_options *how, tare_error *err);

/* ---- devices ------------------------------------------------------------------------------------------------- */

typedef enum tare_device_kind { TARE_DEVICE_GPU, TARE_DEVICE_MPS, TARE_DEVICE_CPU, TARE_DEVICE_DISK } tare_device_kind;
typedef struct tare_device_row {
    const char *name;      /* "0", "mps", "cpu", "disk", as device_map= names them */
    tare_device_kind kind;
    int id;                /* of a GPU; -1 for the others */
    bool unlimited;
    uint64_t bytes;        /* for a plan to use; UINT64_MAX when unlimited */
    uint64_t margin;       /* held back from what is there, and not in bytes */
    const char *model;     /* "h100", or as the driver spells it; NULL when only an amount was given */
    const char *note;      /* where the amount comes from, in words */
} tare_device_row;

typedef struct tare_devices_options {
    const char *max_memory; /* amounts as accelerate's max_memory: "0=10GB,cpu=30GiB" or {"0": "10GB", "cpu": 30000000000}; they
                             * replace what `text` says of the same device, and add to it. NULL: none */
    const char *margin;     /* held back on each GPU: "1GiB", "5%"; and on single devices: "1GiB,cpu=10%,1=0". NULL: 512MiB, the context
                             * of CUDA and the like, on GPUs that are known by name or by asking; nothing of amounts that were given */
    const char *folder;     /* whose disk "auto" asks for; NULL: the current one */
} tare_devices_options;

/* Reads "h100:2,rtx4090" (known by name, tare_device_presets()), "auto" (this host: what is free on its GPUs, in memory and on disk),
 * amounts as in max_memory, or several of them with commas. NULL: "auto", but only the amounts where max_memory is given. TARE_USAGE
 * names the item that is wrong. */
typedef struct tare_devices tare_devices;
TARE_API tare_devices *tare_devices_open(const char *text, const tare_devices_options *options, tare_error *err);
TARE_API size_t tare_devices_rows(const tare_devices *d, const tare_device_row **rows); /* GPUs by number, then mps, cpu, disk */
TARE_API void tare_devices_free(tare_devices *d);

typedef struct tare_device_preset {
    const char *name;      /* "a100-80" */
    const char *product;
    tare_device_kind kind; /* TARE_DEVICE_MPS: memory that the processor shares, counted once */
    uint64_t bytes;        /* that a program gets; with several sizes, of the smallest */
    const char *source;    /* where the number comes from */
    const char *sizes;     /* "64 128 192": GiB that are sold; NAME-SIZE picks one, NAME the smallest. NULL: one size */
} tare_device_preset;
TARE_API size_t tare_device_presets(const tare_device_preset **rows);

/* ---- device maps --------------------------------------------------------------------------------------------- */

typedef struct tare_device { /* where modules may go, and how much of them */
    const char *name;  /* "cpu", "mps" or "disk"; NULL: the accelerator of this number: */
    int64_t index;
    const char *size;  /* "10GB", "7.5GiB", "80Gb" (bits), as accelerate reads sizes; NULL: bytes */
    bool has_bytes;    /* false: no number, which accelerate takes for no limit, or refuses on the devices that keep room for a layer */
    double bytes;
    bool real;         /* bytes is a float to accelerate, even where it is whole */
} tare_device;
typedef struct tare_special_dtype { const char *path, *dtype; } tare_special_dtype;

/* What is done with the budgets first: nothing; get_balanced_memory(); the same with low_zero=True; nothing. AUTO is BALANCED. */
typedef enum tare_map_mode { TARE_MAP_INFER, TARE_MAP_AUTO, TARE_MAP_BALANCED, TARE_MAP_BALANCED_LOW_0, TARE_MAP_SEQUENTIAL } tare_map_mode;

typedef struct tare_plan_options {
    bool accelerate;             /* true: the map of accelerate's infer_auto_device_map(), entry for entry, its flaws included;
                                  * false: the best one that keeps the order of the layers */
    const tare_device *devices;  /* in any order; of equal ones the last counts. A disk without end follows them */
    size_t device_count;
    tare_map_mode mode;
    const char *const *no_split; /* NULL-ended classes that stay whole; NULL: those that the model names */
    /* accelerate's arguments: */
    const char *dtype;           /* count floating tensors in it where it is smaller; torch's name, or custom:int4; NULL: their own */
    const tare_special_dtype *special_dtypes; /* of single tensors; before dtype */
    size_t special_count;
    bool keep_parts;             /* clean_result=False: modules that were split stay so where all parts share a device */
    bool offload_buffers;
    bool fallback_allocation;
    bool budgets_only;           /* no map and no disk: the devices with their budgets after `mode`, as get_balanced_memory() gives them */
    /* of the best map: */
    const tare_devices *places;  /* in place of `devices`, and no disk but what it names; NULL: `devices` */
    const tare_budget_options *budget; /* what has to fit besides weights and buffers; NULL: nothing */
    bool split_experts;          /* single experts of a stacked parameter may lie apart, as "model.layers.0.mlp.experts[3:5]" */
    bool copy_ties;              /* a tied tensor may be held on two devices, where that is better; the bytes are stated */
} tare_plan_options;

/* TARE_BAD where the reference raises an error, TARE_USAGE for options that cannot be. The model outlives its plans. */
typedef struct tare_plan tare_plan;
TARE_API tare_plan *tare_plan_make(const tare_model *m, const tare_plan_options *options, tare_error *err);
TARE_API void tare_plan_free(tare_plan *g);

typedef struct tare_plan_device {
    const char *name;    /* "0", "cpu", "disk" */
    bool is_number;      /* an accelerator */
    bool given;          /* false: disk, which takes what is left */
    bool has_budget;
    double budget;       /* bytes, after balancing; those of a bool tensor count as eighths */
    bool real;           /* budget is a float to accelerate */
    uint64_t load;       /* bytes of the modules here, each shared tensor once; with what the budget adds to them */
    /* of the best map: */
    uint64_t weights, cache, training, logits; /* the parts of load */
    uint64_t running;    /* needed besides while layers run or load, and not in load */
    uint64_t room;       /* bytes that a plan may use, `running` taken off; UINT64_MAX: no end */
    tare_device_kind kind;
} tare_plan_device;
typedef struct tare_plan_entry {
    const char *module;  /* a module or tensor path, with all below it; "" is the whole model */
    size_t device;       /* of tare_plan_devices() */
} tare_plan_entry;
typedef struct tare_plan_sizes {
    double root, largest;           /* bytes of the model, and of its largest layer */
    uint64_t largest_count;         /* layers of that size; the first of them: */
    const char *largest_names[3];
} tare_plan_sizes;
TARE_API size_t tare_plan_devices(const tare_plan *g, const tare_plan_device **rows); /* in the order in which they are filled */
TARE_API size_t tare_plan_entries(const tare_plan *g, const tare_plan_entry **rows);  /* what device_map= takes, in the reference's order */

/* What the best map is, and why none is better. Strings live as long as the plan. */
typedef struct tare_plan_verdict {
    bool fits;              /* every part of the model has a device */
    uint64_t total;         /* bytes of all that should be placed, copies too */
    uint64_t missing;       /* by so much the last device is too small; 0 when it fits */
    const char *stuck;      /* the first part without a device, or NULL */
    uint64_t off_gpus, on_disk;
    uint64_t gpus_missing;  /* by so much the last GPU is too small for all to be on GPUs; 0: all is */
    const char *first_off;  /* the first part that is on no GPU, or NULL */
    uint64_t largest;       /* bytes on the fullest GPU: with each of them held to one byte less, */
    const char *breaks;     /* as much no longer fits, from this part on; NULL when no GPU holds anything */
    uint64_t copied;        /* bytes of tied tensors that are held twice */
    size_t gpus, used;      /* GPUs there are, and those that hold something */
    uint64_t blocks;        /* parts that stay whole */
    bool balanced;          /* the rest of the GPUs is as even as can be, too; false: too large to settle */
} tare_plan_verdict;
TARE_API void tare_plan_verdict_of(const tare_plan *g, tare_plan_verdict *out);
typedef struct tare_plan_part { /* a block: a layer that stays whole, a module without children, a tensor of its own */
    const char *path;
    const char *class_name; /* of a module; NULL for a tensor */
    size_t device;          /* SIZE_MAX: none */
    uint64_t bytes, cache, training, logits;
} tare_plan_part;
/* Every part in walk order, until it returns false. Strings live until then. */
TARE_API tare_status tare_plan_parts(const tare_plan *g, bool (*visit)(void *to, const tare_plan_part *part), void *to);
/* The smallest number of further GPUs like that one on which all lies on GPUs: TARE_NO when none is enough, as for a layer larger than it. */
TARE_API tare_status tare_plan_more(const tare_plan *g, uint64_t gpu_bytes, size_t *more, tare_error *err);
TARE_API size_t tare_plan_remarks(const tare_plan *g, const char *const **texts);
TARE_API void tare_plan_sizes_of(const tare_plan *g, tare_plan_sizes *out);

/* Any map held against the model: "model.layers.0": 0, the longest key that holds a tensor decides. */
typedef enum tare_fault_kind {
    TARE_FAULT_NO_DEVICE, /* path: a tensor, or a module of which nothing has a device */
    TARE_FAULT_CUT,       /* path: a module that should stay whole and lies on several devices; other: its class */
    TARE_FAULT_APART,     /* path: a tied tensor on another device than other, which it shares; bytes: what a copy takes */
    TARE_FAULT_UNKNOWN    /* path: a key that names nothing in the model */
} tare_fault_kind;
typedef struct tare_fault { tare_fault_kind kind; const char *path, *other; uint64_t bytes; } tare_fault;
typedef struct tare_map_device { const char *name; uint64_t bytes; } tare_map_device; /* bytes: each tensor once, where its owner is */
/* json: an object, n bytes; no_split as in tare_plan_options. NULL on failure: TARE_BAD for JSON that is no map. */
typedef struct tare_map_check tare_map_check;
TARE_API tare_map_check *tare_map_check_open(const tare_model *m, const char *json, size_t n, const char *const *no_split, tare_error *err);
TARE_API size_t tare_map_check_devices(const tare_map_check *c, const tare_map_device **rows); /* as the map names them, in its order */
TARE_API size_t tare_map_check_faults(const tare_map_check *c, const tare_fault **rows);
TARE_API void tare_map_check_free(tare_map_check *c);

/* ---- what is known ------------------------------------------------------------------------------------------- */

typedef struct tare_type {
    const char *model_type; /* "gpt-sw3" */
    const char *real_type;  /* "gpt2" */
    const char *family;     /* "gpt2" */
    const char *const *classes; /* NULL-ended: what can be built from a config of this type; none, where it is a part only */
} tare_type;
TARE_API size_t tare_types(const tare_type **types); /* sorted by model_type */
TARE_API size_t tare_ids(const char *const **ids);   /* built-in ids, sorted */

typedef struct tare_class { /* a model class, or a config class */
    const char *name;       /* "LlamaForCausalLM", "LlamaConfig" */
    const char *config;     /* the config class that a model class takes, "LlamaConfig"; NULL for a config class */
    const char *model_type; /* of that config class */
} tare_class;
TARE_API size_t tare_classes(const tare_class **rows);        /* model classes, sorted by name */
TARE_API size_t tare_config_classes(const tare_class **rows); /* config classes, sorted by name */
TARE_API size_t tare_auto_classes(const char *const **names); /* "AutoModel", "AutoModelForCausalLM", ..., sorted */
TARE_API const char *tare_auto_class(const char *auto_class, const char *model_type); /* the model class it picks, or NULL */

typedef struct tare_field { /* of a config class */
    const char *name;       /* as it is set; an alias too */
    const char *stored;     /* the field that an alias stands for, else NULL */
    const char *type;       /* "int | None"; "config" for a part; of an alias its field's */
    const char *preset;     /* the default as JSON; NULL where the field must be given, and for an alias */
} tare_field;
TARE_API size_t tare_config_fields(const char *config_class, const tare_field **rows); /* 0 when there is no such class */

#ifdef __cplusplus
}
#endif
#endif
