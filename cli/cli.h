/* What the subcommands share: arguments, output, messages, opening a model. The library is used through tare.h alone. */
#ifndef TARE_CLI_H
#define TARE_CLI_H
#include "../include/tare.h"

/* ---- output: one buffer type for standard output (fd 1) and for answers kept in memory (fd -1) --------------- */

typedef struct out {
    char *data;
    size_t n, cap;
    int fd;     /* -1: memory only, grows */
    int failed; /* errno of the first write or allocation that failed; later output is dropped */
} out;
extern out std_out;

void out_put(out *o, const char *data, size_t n);
void out_text(out *o, const char *text);
void out_format(out *o, const char *format, ...) __attribute__((format(printf, 2, 3)));
void out_spaces(out *o, size_t n);
void out_json(out *o, const char *text); /* a JSON string; null for NULL; broken UTF-8 becomes U+FFFD */
void out_safe(out *o, const char *text); /* text from outside: control characters cannot reach a terminal */
size_t safe_width(const char *text); /* columns that out_safe() takes */
bool out_flush(out *o);
void out_free(out *o);
bool out_take(void *o, const char *data, size_t n); /* a tare_sink */

/* A tare_sink that drops white space between JSON tokens: many lines become one. */
typedef struct squeeze {
    out *o;
    bool in_text, escaped;
} squeeze;
bool squeeze_take(void *s, const char *data, size_t n);

size_t utf8_length(const char *text, size_t left);    /* of the sequence that text begins with; 0 when it is broken */
const char *grouped(uint64_t value, char text[32]);   /* 6,738,415,616 */
const char *bytes_text(uint64_t bytes, char text[32]); /* "12.55 GiB" */
const char *device_kind_name(tare_device_kind kind);
bool colour(void);                                     /* a terminal, and NO_COLOR is not set */
size_t screen_width(void);                             /* of the terminal; 100 when it is none */

/* ---- arguments ----------------------------------------------------------------------------------------------- */

typedef enum option_id {
    OPT_CLASS, OPT_AUTO, OPT_SET, OPT_DTYPE, OPT_ATTN, OPT_HOST, OPT_PARAMS, OPT_BUFFERS, OPT_FOLD, OPT_LAYOUT, OPT_WHY, OPT_BATCH,
    OPT_FACTS, OPT_NO_DIGEST, OPT_QUANTIZED, OPT_THREADS, OPT_IDS, OPT_SEED, OPT_OUTPUT, OPT_RNG, OPT_DIGEST, OPT_MAX_SHARD, OPT_FORCE,
    OPT_TRAINING, OPT_CONTEXT, OPT_BATCH_SIZE, OPT_KV_DTYPE, OPT_SOURCE, OPT_ACTIVATIONS, OPT_FILE_DTYPE, OPT_MARGIN, OPT_ACCELERATE, OPT_MAX_MEMORY,
    OPT_MODE, OPT_NO_SPLIT, OPT_KEEP_PARTS, OPT_OFFLOAD_BUFFERS, OPT_FALLBACK,
    OPT_DEVICE, OPT_SPLIT_EXPERTS, OPT_COPY_TIES, OPT_EXPLAIN, OPT_MAX, OPT_VERIFY_MAP, OPT_EXPORT,
    OPT_CONFIG, OPT_VARIANT, OPT_SUBFOLDER, OPT_ALLOW, OPT_LIKE, OPT_STRIP_PREFIX, OPT_ADD_PREFIX, OPT_MAPPING, OPT_DATA,
    OPT_ONLY, OPT_RANK, OPT_DEVICE_MAP, OPT_ON, OPT_IO, OPT_SCAN, OPT_MEMORY, OPT_JSON, OPT_HELP,
    OPT_WITH_QUANTIZED, /* from here on: taken wherever --quantized is */
    OPT_QUANTIZE = OPT_WITH_QUANTIZED, OPT_DEQUANTIZE, OPT_STAGE, OPT_COUNT
} option_id;
#define BIT(id) (UINT64_C(1) << (id))
_Static_assert(OPT_WITH_QUANTIZED <= 64, "options of a command are bits of one number");
#define CHECKPOINT_OPTIONS (BIT(OPT_CLASS) | BIT(OPT_AUTO) | BIT(OPT_SET) | BIT(OPT_DTYPE) | BIT(OPT_CONFIG) | BIT(OPT_VARIANT) | \
                            BIT(OPT_SUBFOLDER) | BIT(OPT_ALLOW) | BIT(OPT_LIKE) | BIT(OPT_STRIP_PREFIX) | BIT(OPT_ADD_PREFIX) | \
                            BIT(OPT_QUANTIZED))
#define PLAIN_OPTIONS (BIT(OPT_CLASS) | BIT(OPT_AUTO) | BIT(OPT_SET) | BIT(OPT_DTYPE) | BIT(OPT_ATTN) | BIT(OPT_HOST))
#define MODEL_OPTIONS (PLAIN_OPTIONS | BIT(OPT_QUANTIZED))

typedef struct option {
    const char *name;  /* "--class" */
    const char *value; /* "NAME"; NULL for a flag */
    const char *help;
} option;
extern const option options[OPT_COUNT];

typedef struct args {
    const struct command *command;
    const char *value[OPT_COUNT]; /* NULL: not given; "" for a flag that is */
    const char **set;             /* NULL-ended */
    const char *words[2];         /* what is no option: MODEL, NAME */
    int n_words;
} args;

typedef struct command { /* one per subcommand, in its file */
    const char *name;
    const char *usage;    /* what follows "tare NAME" */
    const char *summary;  /* one line for the list of commands */
    const char *about;    /* a paragraph or two */
    const char *examples; /* lines, each a whole command */
    const char *exits;    /* what its exit status means, without those that all share */
    uint64_t options;     /* BIT(id) of each one it takes */
    bool of_checkpoint;   /* its word is no MODEL but a checkpoint */
    bool of_loaded;       /* of quantised models it is about what is in memory in the end */
    int min_words, max_words;
    int (*run)(const args *a);
} command;
extern const command command_show, command_tree, command_facts, command_config, command_count, command_attn, command_models, command_scan,
    command_init, command_devices, command_map, command_check, command_load, command_materialise;
extern const command *const commands[]; /* NULL-ended */
const command *command_find(const char *name);

bool option_taken(const command *c, int id);
/* Fills *a from what follows the command's name. False: wrong usage, and it was said. args_free() either way. */
bool args_parse(args *a, const command *c, int n, char *const *words);
void args_free(args *a);
/* The name of the list nearest to `name`, or NULL when none is near. */
const char *nearest(const char *name, const char *(*at)(size_t i), size_t n);
void help_main(out *o);
void help_command(out *o, const command *c);

/* ---- messages: all on standard error ------------------------------------------------------------------------- */

extern bool json_errors; /* --json was given */
int fail(const tare_error *err); /* says it; its status */
int fail_with(tare_status status, const char *code, const char *format, ...) __attribute__((format(printf, 3, 4)));
int fail_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
void error_fill(tare_error *e, tare_status status, const char *code, const char *format, ...) __attribute__((format(printf, 4, 5)));
void note(const char *text); /* NULL: nothing */
void warning(const char *text);
void out_error(out *o, const tare_error *err); /* {"code":...,"path":...,"message":...} */

/* ---- models -------------------------------------------------------------------------------------------------- */

tare_open_options options_of(const args *a);
bool stage_read(const args *a, tare_stage *stage); /* --stage; false: it was said */
void quantization_notes(const tare_model *m);        /* what its method warns of, on standard error */
void quantization_json(out *o, const tare_model *m); /* ,"quantization":{...}; nothing for plain models */
/* From words[0], "-" included; says what is wrong and returns NULL, *status set; a model's note is printed. */
tare_model *open_model(const args *a, int *status);
tare_model *open_plain_model(const args *a, bool plain, int *status); /* plain: as Model(config) builds it */
tare_config *open_config(const args *a, int *status);
/* A device map, "-" for standard input; false: it was said. */
bool read_map_file(const char *file, out *text);
/* As torch.manual_seed() takes it. */
bool seed_read(const char *text, size_t n, uint64_t *seed);
/* Where the config came from, in words: "config.json", "standard input", "built in", "defaults". */
const char *source_of(const char *model);
const char *reference_name(char text[64]); /* "transformers 5.23.0" */
/* Opens the model, hands it to `use` and frees it; an exit status. */
int with_model(const args *a, int (*use)(const args *a, const tare_model *m));
/* What came of writing to standard output, said where nobody has said it yet. */
int exit_status(tare_status status, const tare_error *err);
/* One text of the model to standard output; an exit status. */
int print_text(const tare_model *m, tare_text what);
#endif
