/* Blocks that three or more families share. Part of def.h. A block never asks which family calls it. */

/* ACT2FN[config.key]: the activation as a module; an unknown name is refused with the known ones. */
void act(mod *m, const char *name, const cfg *c, const char *key);
void act_named(mod *m, const char *name, const char *activation); /* ACT2FN["gelu"] */

/* A norm of the family's own class with `weight` of ones and "(d,), eps=..." as extra_repr; zeros for the (1 + weight) kind. */
void rmsnorm(mod *m, const char *name, const char *cls, int64_t d, num eps);
void rmsnorm_zeros(mod *m, const char *name, const char *cls, int64_t d, num eps);
/* The same with a plain print: no extra_repr (T5LayerNorm). */
void norm_silent(mod *m, const char *name, const char *cls, int64_t d);

/* transformers.pytorch_utils.Conv1D(nf, nx): weight (nx, nf), bias (nf). */
void conv1d_gpt(mod *m, const char *name, int64_t nf, int64_t nx);

/* What a rotary table is made from: kept with its buffers for initialisation. */
typedef struct rope {
    const char *type;   /* "default", "linear", "dynamic", "yarn", "longrope", "llama3", "proportional" */
    double theta;       /* the base of the powers; "dynamic" has stretched it already */
    double over;        /* the exponents are 0, 2, 4 ... over this */
    int64_t dim;        /* rotary dimensions */
    int64_t entries;    /* of the table */
    int64_t turning;    /* so many entries are not 0: fewer than all for "proportional" */
    double factor;      /* of the types that stretch; else 1 */
    double low, high;   /* "yarn": the entries between which it blends; "llama3": low_freq_factor and high_freq_factor */
    double original;    /* "llama3": original_max_position_embeddings */
    const double *short_factors; /* "longrope": one for each entry, or one for all */
    int64_t short_n;
    bool by_axis;       /* the entries of even place come first, then the odd ones */
} rope;
/* XRotaryEmbedding(config): transient float32 buffers inv_freq and original_inv_freq. The rotary size is head_dim (or
 * hidden_size / num_attention_heads); times partial_rotary_factor for every rope type but "default", and for that too where
 * the class's own function does so (`partial`). Parameters that the type's formula cannot take are refused. */
void rotary(mod *m, const char *name, const char *cls, const cfg *c, bool partial);
/* One table per layer type, {type}_inv_freq and {type}_original_inv_freq, over the sorted set of config.layer_types. */
void rotary_by_layer_type(mod *m, const char *name, const char *cls, const cfg *c);
/* The axial kind of an image tower: over half of a head, one table for both axes (ONE_TABLE); or the entries of a whole head, those
 * of even place for rows and the odd ones for columns (BY_AXIS). A head is head_dim, or config.width / num_attention_heads; any
 * other rope_type is refused. */
typedef enum axial { ONE_TABLE, BY_AXIS } axial;
void rotary_axial(mod *m, const char *name, const char *cls, const cfg *c, const char *width, axial kind);

/* Heads of transformers.modeling_layers, for base classes without arguments: AutoModel under base_model_prefix, then the head. */
void GenericForSequenceClassification(mod *m, const cfg *c);
void GenericForQuestionAnswering(mod *m, const cfg *c); /* base under `transformer` if the class says base_model_prefix = "transformer" */
void GenericForTokenClassification(mod *m, const cfg *c);
