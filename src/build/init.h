/* Init rules: what _init_weights(module) does. Part of def.h.
 *
 * A model class may name a rule (model_facts.init_weights); without one it is init_weights() below. When a model's constructor
 * is over, the rule is asked about every module under it, children before their parents, with the model's config. A rule
 * says what happens, in the reference's order; nothing is drawn while it runs. `path` is a tensor below the module: "weight",
 * "c_proj.weight"; one that is not there is an error, so what may be missing is asked for with has_tensor().
 *
 *     static void GPT2_init_weights(mod *m, const cfg *c) {
 *         init_weights(m, c);
 *         if (is_a(m, "Conv1D")) {
 *             init_normal(m, "weight", 0, real(c, "initializer_range").d);
 *             init_zeros(m, "bias");
 *         }
 *     } */
void init_weights(mod *m, const cfg *c); /* PreTrainedModel._init_weights(module), which most rules begin with */

/* isinstance(module, (A, B)) for classes of transformers: by name, so subclasses are named too. */
#define is_a(m, ...) is_a_((m), SET(__VA_ARGS__))
bool is_a_(const mod *m, const char *const *classes);
/* isinstance() for torch's own: subclasses of any name count. */
bool is_linear(const mod *m);
bool is_conv(const mod *m, int n);       /* Conv{n}d; 0: any of the three */
bool is_embedding(const mod *m);
bool class_has(const mod *m, const char *part); /* part in type(module).__name__ */

bool has_tensor(const mod *m, const char *path);
int64_t tensor_dim(const mod *m, const char *path, int axis); /* a size of it */
double init_std(const mod *m, const cfg *c); /* the std of init_weights(): initializer_range, else 0.02, ... */

/* torch.nn.init and transformers.initialization: a draw where that draws. A std below 0 is refused, as torch does. */
void init_zeros(mod *m, const char *path);
void init_ones(mod *m, const char *path);
void init_constant(mod *m, const char *path, double value);
void init_row_zero(mod *m, const char *path, int64_t row); /* zeros_(tensor[row]) */
void init_normal(mod *m, const char *path, double mean, double std);
void init_uniform(mod *m, const char *path, double from, double to);
void init_trunc_normal(mod *m, const char *path, double mean, double std, double from, double to);
void init_xavier_uniform(mod *m, const char *path);
void init_xavier_normal(mod *m, const char *path);
typedef enum fan_mode { FAN_IN, FAN_OUT } fan_mode;
void init_kaiming_uniform(mod *m, const char *path, double a);           /* fan_in, leaky_relu of slope a */
void init_kaiming_normal(mod *m, const char *path, fan_mode mode, double a); /* a = 0: relu's gain as well */
void init_lecun_normal(mod *m, const char *path);       /* truncated, variance 1 / fan_in */
void init_default_flax_embed(mod *m, const char *path); /* variance 1 / fan_in */
void init_orthogonal(mod *m, const char *path, double gain); /* equal in distribution: torch's bits are LAPACK's */
void init_made(mod *m, const char *path, made how);     /* copy_() of a formula's values, or of a draw's */
void init_reset(mod *m, const char *path);              /* reset_parameters() of a module below, "" for itself: its constructor's fills again */
