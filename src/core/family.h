/* What a family says about its classes: upstream's class attributes, under upstream's names. */
#ifndef TARE_CORE_FAMILY_H
#define TARE_CORE_FAMILY_H
struct tare_mod;
struct cfg;

enum { NO = -1, INHERIT = 0, YES = 1 };
typedef struct text_pair { const char *from, *to; } text_pair;
#define SET(...) ((const char *const[]){__VA_ARGS__, NULL})
#define MAP(...) ((const text_pair[]){__VA_ARGS__, {NULL, NULL}})
#define NONE ((const char *const[]){NULL})
#define NO_MAP ((const text_pair[]){{NULL, NULL}})

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
} config_class;
typedef struct family {
    const char *name;                     /* the package: "llama" */
    const config_class *configs;          /* ended by an empty row */
    const model_class *models;            /* every PreTrainedModel of the package, ended by an empty row */
} family;
#define CONFIGS(...) ((const config_class[]){__VA_ARGS__, {.name = NULL}})
#define MODELS(...) ((const model_class[]){__VA_ARGS__, {.name = NULL}})
#endif
