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

/* ---- parts of encoders and decoders ---- */

void heads_at_most(const cfg *c, const char *heads, const char *width); /* a head's size, width / heads cut, is to be 1 at least */
/* q_proj, k_proj, v_proj, o_proj of grouped-query attention: from d to `queries` and to `keys` wide, and back. */
void attention_projections(mod *m, int64_t d, int64_t queries, int64_t keys, bool bias, bool out_bias);
/* k_proj, v_proj, q_proj, out_proj, all (d, d) with biases. */
void square_attention(mod *m, int64_t d);
/* gate_proj, up_proj, down_proj, and act_fn = ACT2FN[config.act_key]. */
void gated_mlp(mod *m, const cfg *c, int64_t d, int64_t ff, bool bias, const char *act_key);
/* activation_fn = ACT2FN[config.act_key], fc1, fc2, with biases. */
void fc_mlp(mod *m, const cfg *c, int64_t d, int64_t ff, const char *act_key);
/* Experts in one tensor each way: gate_up_proj (n, 2 ff, hidden_size), down_proj (n, hidden_size, ff), act_fn; of the n =
 * config.experts_key experts num_experts_per_tok take part. */
void stacked_experts(mod *m, const cfg *c, const char *experts_key, const char *size_key);
void init_stacked_experts(mod *m, double std);
/* The layers of which mlp_only_layers says nothing have experts, every decoder_sparse_step-th of them. */
bool layer_has_experts(mod *m, const cfg *c, const char *experts_key);
/* BART's layers over d_model, with attention of the family's own class. Norms stand before or behind: the modules are the same. */
void seq2seq_encoder_layer(mod *m, const cfg *c, const char *attention);
void seq2seq_decoder_layer(mod *m, const cfg *c, const char *attention);
bool reads_encoder(const cfg *c); /* a decoder alone keeps nothing of an encoder, unless its config tells of one */
/* dense from hidden_size to intermediate_size, intermediate_act_fn; and dense, LayerNorm, dropout, as BERT has them. */
void dense_act(mod *m, const cfg *c);
void dense_norm_dropout(mod *m, const cfg *c, int64_t in, int64_t d);
/* projection: pixels of patches to hidden_size. */
void patch_projection(mod *m, const cfg *c);
/* drop_path: the family's own class with p=rate as extra_repr; nn.Identity for a rate of 0. */
void drop_path(mod *m, const char *cls, num rate);
/* XSequenceSummary(config): summary, activation, first_dropout, last_dropout. */
void sequence_summary(mod *m, const cfg *c, int64_t labels);
/* wav2vec 2.0's conv_layers, of classes {prefix}GroupNormConvLayer, ...NoLayerNormConvLayer or ...LayerNormConvLayer. And the rule
 * of its config: a file may name num_feat_extract_layers itself, as anything at all. */
void speech_convs(mod *m, const cfg *c, const char *prefix);
void speech_convs_agree(const cfg *c);
val speech_computed(cfg *c, const char *key);  /* the computed values of such a config */
val one_type_per_layer(cfg *c, const char *type); /* a list as long as num_hidden_layers */
int64_t sum_before(const cfg *c, const char *key, int64_t n); /* of the first n numbers of a list, or of all */
/* layer_types = "full_attention" where Python's (i + first) % period is 0, else `other`. `key` is where the period comes from. */
void alternate_layer_types(cfg *c, val period, const char *key, int64_t first, const char *other);

void token_classifier(mod *m, const cfg *c); /* dropout and classifier over hidden_size, where the rate may go unsaid */
/* Heads of transformers.modeling_layers, for base classes without arguments: AutoModel under base_model_prefix, then the head. */
void GenericForSequenceClassification(mod *m, const cfg *c);
void GenericForQuestionAnswering(mod *m, const cfg *c); /* base under `transformer` if the class says base_model_prefix = "transformer" */
void GenericForTokenClassification(mod *m, const cfg *c);
