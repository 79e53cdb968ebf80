/* What a family says about its classes: upstream's class attributes, under upstream's names. */
#ifndef TARE_CORE_FAMILY_H
#define TARE_CORE_FAMILY_H
#include <stdbool.h>
#include <stddef.h>
struct tare_mod;
struct val;
struct cfg;

enum { NO = -1, INHERIT = 0, YES = 1 };
typedef struct text_pair { const char *from, *to; } text_pair;
#define SET(...) ((const char *const[]){__VA_ARGS__, NULL})
#define MAP(...) ((const text_pair[]){__VA_ARGS__, {NULL, NULL}})
#define NONE ((const char *const[]){NULL})
/* What most causal models say beside their group: a head tied to the embedding, and how it is cut for several devices. */
#define CAUSAL_LM(embedding)                                                                                                     \
    .can_generate = YES, .tied_weights_keys = MAP({"lm_head.weight", embedding}), .tp_plan = MAP({"lm_head", "colwise_gather_output"}), \
    .pp_plan = SET("lm_head")
#define NO_MAP ((const text_pair[]){{NULL, NULL}})

/* How a model's files differ from the model: upstream's conversion mapping, written from file to model as upstream writes it.
 * Patterns are upstream's regular expressions, letter for letter. Saving takes the rules backwards. */
typedef struct layout_op { /* what is done to the tensors that a converter takes */
    enum { OP_END, OP_MERGE_MODULELIST, OP_CONCATENATE, OP_CHUNK, OP_SPLIT, OP_TRANSPOSE, OP_INTERLEAVE, OP_PERMUTE_FOR_ROPE,
           OP_ERNIE_TEXT_VISION } what;
    int dim, dim1;           /* dim1: of Transpose the other one, of ErnieFuseAndSplitTextVisionExperts the one to join along */
    bool check_dims;         /* of Transpose: only where the shapes differ */
    const char *attribute;   /* of Concatenate and Chunk: the config's key for how many; of PermuteForRope: the sub-config */
    const char *const *only; /* of PermuteForRope: words in the names of those that it sorts; NULL: all */
} layout_op;
typedef struct layout_rule {
    enum { LAYOUT_END, LAYOUT_RENAME, LAYOUT_CONVERT, LAYOUT_PREFIX_ADD, LAYOUT_PREFIX_REMOVE, LAYOUT_GROUP_RENAME, LAYOUT_RENAME_SHIFTED } what;
    const char *const *file, *const *model; /* patterns; of a prefix: file[0] is it, and model[0] what stands before it, or model is NULL */
    const layout_op *ops;
    int offset;                             /* of LAYOUT_RENAME_SHIFTED: from the file's number to the model's */
    bool once;                              /* for loading alone: what came in so is saved by the model's own names */
} layout_rule;
#define LAYOUT(...) ((const layout_rule[]){__VA_ARGS__, {.what = LAYOUT_END}})
#define RENAME(in_file, in_model) {.what = LAYOUT_RENAME, .file = SET(in_file), .model = SET(in_model)}
#define RENAME_ONCE(in_file, in_model) {.what = LAYOUT_RENAME, .file = SET(in_file), .model = SET(in_model), .once = true}
#define RENAME_SHIFTED(in_file, in_model, by) {.what = LAYOUT_RENAME_SHIFTED, .file = SET(in_file), .model = SET(in_model), .offset = (by)}
/* GroupWeightRename: the first of in_file becomes the first of in_model, and so on, in files where the first of in_file occurs at all. */
#define GROUP_RENAME(in_file, in_model) {.what = LAYOUT_GROUP_RENAME, .file = in_file, .model = in_model}
/* PrefixChange, with the model_prefix that stands before what is added or removed. For loading alone: a fresh model is saved without. */
#define PREFIX_ADD(prefix) {.what = LAYOUT_PREFIX_ADD, .file = SET(prefix)}
#define PREFIX_ADD_IN(model_prefix, prefix) {.what = LAYOUT_PREFIX_ADD, .file = SET(prefix), .model = SET(model_prefix)}
#define PREFIX_REMOVE(prefix) {.what = LAYOUT_PREFIX_REMOVE, .file = SET(prefix)}
#define PREFIX_REMOVE_IN(model_prefix, prefix) {.what = LAYOUT_PREFIX_REMOVE, .file = SET(prefix), .model = SET(model_prefix)}
#define CONVERT(in_file, in_model, ...) \
    {.what = LAYOUT_CONVERT, .file = in_file, .model = in_model, .ops = (const layout_op[]){__VA_ARGS__, {.what = OP_END}}}
#define CONVERT_ONCE(in_file, in_model, ...) \
    {.what = LAYOUT_CONVERT, .file = in_file, .model = in_model, .ops = (const layout_op[]){__VA_ARGS__, {.what = OP_END}}, .once = true}
#define MergeModulelist(d) {.what = OP_MERGE_MODULELIST, .dim = (d)}
#define Concatenate(d) {.what = OP_CONCATENATE, .dim = (d)}
#define ConcatenateBy(d, num_shards) {.what = OP_CONCATENATE, .dim = (d), .attribute = (num_shards)} /* num_shards_attribute */
#define Chunk(d) {.what = OP_CHUNK, .dim = (d)}
#define ChunkBy(d, num_shards) {.what = OP_CHUNK, .dim = (d), .attribute = (num_shards)}
#define Split(d) {.what = OP_SPLIT, .dim = (d)}
#define Transpose(d0, d1) {.what = OP_TRANSPOSE, .dim = (d0), .dim1 = (d1)}
#define TransposeChecked(d0, d1) {.what = OP_TRANSPOSE, .dim = (d0), .dim1 = (d1), .check_dims = true}
#define Interleave(d) {.what = OP_INTERLEAVE, .dim = (d)}
#define PermuteForRope(subconfig, ...) {.what = OP_PERMUTE_FOR_ROPE, .attribute = (subconfig), .only = SET(__VA_ARGS__)}
#define PermuteAllForRope(subconfig) {.what = OP_PERMUTE_FOR_ROPE, .attribute = (subconfig)}
#define ErnieFuseAndSplitTextVisionExperts(stack_dim, concat_dim) {.what = OP_ERNIE_TEXT_VISION, .dim = (stack_dim), .dim1 = (concat_dim)}
/* A list of experts, each with three linear layers, that the model holds as two stacked parameters. */
#define EXPERTS(experts, gate, up, down)                                                                                         \
    CONVERT(SET(experts ".*." gate ".weight", experts ".*." up ".weight"), SET(experts ".gate_up_proj"), MergeModulelist(0), Concatenate(1)), \
    CONVERT(SET(experts ".*." down ".weight"), SET(experts ".down_proj"), MergeModulelist(0))

/* What a quantisation method adds to a model's layout rules, when its weights are stored quantised. */
typedef struct stored_rules {
    const layout_rule *first;       /* rules for files that spell its names otherwise: before all others, for loading alone; or NULL */
    /* A converter of tensors that end in .PARAM, "weight", into NAME goes in the same way for those that end in .PARAM and a companion,
     * "_scale_inv", into NAME and the companion, where the model has that. */
    const char *param, *const *companions;
} stored_rules;

typedef struct model_facts { /* what is left out is inherited from `like`, else the reference's default */
    const char *config;              /* config class, "LlamaConfig" */
    const char *base_model_prefix, *main_input_name;
    signed char can_generate;        /* derives from GenerationMixin */
    signed char supports_sdpa, supports_flash_attn, supports_flex_attn, supports_gradient_checkpointing;
    signed char uses_experts_implementation; /* the modeling file has @use_experts_implementation */
    const char *const *no_split_modules, *const *keep_in_fp32_modules, *const *keep_in_fp32_modules_strict, *const *skip_keys_device_placement;
    const char *const *keys_to_ignore_on_load_unexpected, *const *keys_to_ignore_on_load_missing, *const *keys_to_ignore_on_save;
    const text_pair *tied_weights_keys; /* target -> source */
    const text_pair *tp_plan;
    const char *const *pp_plan;
    const char *const *compatible_flash_implementations;
    void (*init_weights)(struct tare_mod *module, const struct cfg *c); /* def.h's init rules */
    const layout_rule *layout;       /* of this very class, not inherited; looked up before its config's */
} model_facts;
typedef struct model_class {
    const char *name;
    void (*build)(struct tare_mod *m, const struct cfg *c);
    const model_facts *like;         /* the PreTrainedModel of the group: LlamaPreTrainedModel */
    model_facts own;                 /* what this class sets itself */
} model_class;
typedef struct config_class {
    const char *name;                     /* "LlamaConfig" */
    const char *model_type;
    const char *const *also;              /* further model types that make this class: SET("gpt-sw3") */
    void (*post_init)(struct cfg *c);            /* before the common part */
    void (*after_post_init)(struct cfg *c);      /* code that follows super().__post_init__() */
    void (*convert_rope)(struct cfg *c);         /* convert_rope_params_to_dict, where overridden */
    void (*validate_architecture)(const struct cfg *c);
    void (*validate_layer_type)(const struct cfg *c);
    void (*to_dict)(struct cfg *c);              /* changes to the copy that to_dict() prints */
    /* Properties that the class works out from other values, for a user who asks: no model is built from them. Absent for others. */
    struct val (*computed)(struct cfg *c, const char *key);
    /* Setters of the class, for a user who changes a config that is made. False: the key has none. */
    bool (*assign)(struct cfg *c, const char *key, struct val v);
    const layout_rule *layout;                   /* of this model type */
} config_class;
typedef struct family {
    const char *name;                     /* the package: "llama" */
    const config_class *configs;          /* ended by an empty row */
    const model_class *models;            /* every PreTrainedModel of the package, ended by an empty row */
} family;
#define CONFIGS(...) ((const config_class[]){__VA_ARGS__, {.name = NULL}})
#define MODELS(...) ((const model_class[]){__VA_ARGS__, {.name = NULL}})
#endif
