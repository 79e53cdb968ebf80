/* tare init: fresh weights, as a checkpoint, as digests, or digests for many configs at once. */
#include "init.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what was asked for --------------------------------------------------------------------------------------- */

bool seed_read(const char *text, size_t n, uint64_t *seed) {
    bool minus = n && *text == '-';
    uint64_t value = 0;
    if (n == minus) return false;
    for (size_t i = minus; i < n; i++) {
        if (text[i] < '0' || text[i] > '9' || value > (UINT64_MAX - (uint64_t)(text[i] - '0')) / 10) return false;
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    if (minus && value > (uint64_t)INT64_MAX + 1) return false;
    *seed = minus ? 0 - value : value; /* torch.manual_seed(-1) is that of 2^64 - 1 */
    return true;
}

static bool read_options(const args *a, tare_init_options *o) {
    const char *seed = a->value[OPT_SEED], *rng = a->value[OPT_RNG], *threads = a->value[OPT_THREADS];
    *o = (tare_init_options){.seed = 0};
    if (seed && !seed_read(seed, strlen(seed), &o->seed))
        return fail_usage("--seed is a whole number from -9223372036854775808 to 18446744073709551615, not \"%s\"", seed), false;
    if (rng && strcmp(rng, "torch") && strcmp(rng, "philox")) return fail_usage("--rng is torch or philox, not \"%s\"", rng), false;
    o->rng = rng && *rng == 'p' ? TARE_RNG_PHILOX : TARE_RNG_TORCH;
    return !threads || (o->threads = thread_count(threads)) > 0;
}

/* ---- --digest --------------------------------------------------------------------------------------------------- */

enum { SHORT = 64 }; /* elements of a transient buffer whose values are given whole */
typedef struct digest {
    char hex[17];
    unsigned char bytes[SHORT * 8];
    size_t n;                       /* of bytes */
    bool given;
} digest;
typedef struct digests { /* of all tensors, in walk order */
    const tare_item *items;
    digest *of;
    size_t n;
    uint32_t next;
} digests;

static bool take_digest(void *to, const tare_item *t, const void *bytes, size_t n) {
    digests *d = to;
    digest *at = &d->of[t - d->items];
    char hex[65];
    tare_sha256(bytes, n, hex);
    memcpy(at->hex, hex, 16);
    if (t->kind != TARE_BUFFER || t->persistent || n > sizeof at->bytes) return true;
    uint64_t elements = 1;
    for (int i = 0; i < t->rank; i++) elements *= (uint64_t)t->shape[i];
    if (elements > SHORT) return true;
    if (n) memcpy(at->bytes, bytes, n);
    at->n = n;
    at->given = true;
    return true;
}

static bool digests_make(digests *d, const tare_model *m, tare_init_options *o, tare_error *err) {
    size_t n = tare_tensor_count(m);
    *d = (digests){.items = tare_tensor_at(m, 0), .n = n, .of = calloc(n + 1, sizeof *d->of)};
    if (!d->of || (n && !d->items)) return error_fill(err, TARE_IO, "out_of_memory", "out of memory"), false;
    o->next = &d->next;
    if (tare_init_each(m, o, take_digest, d, err) != TARE_OK) return false;
    for (size_t i = 0; i < n; i++) {
        const tare_item *owner = d->items[i].owner ? tare_tensor_find(m, d->items[i].owner) : NULL;
        if (owner) d->of[i] = d->of[owner - d->items];
    }
    return true;
}

static void digests_free(digests *d) { free(d->of); }

static void put_shape(out *o, const tare_item *t) {
    for (int k = 0; k < t->rank; k++) out_format(o, "%s%" PRId64, k ? "," : "", t->shape[k]);
}

static void put_lines(const digests *d, out *o) {
    for (size_t i = 0; i < d->n; i++) {
        out_format(o, "%s\t%s\t", d->items[i].path, tare_dtype_name(d->items[i].dtype));
        put_shape(o, &d->items[i]);
        out_format(o, "\t%s\n", d->of[i].hex);
    }
    out_format(o, "next\t%08" PRIx32 "\n", d->next);
}

/* What an object says of them, here and in --batch. */
static void put_members(const digests *d, out *o) {
    static const char kinds[] = "pbn";
    const char *comma = "";
    out_format(o, ",\"next\":\"%08" PRIx32 "\",\"tensors\":[", d->next);
    for (size_t i = 0; i < d->n; i++) {
        const tare_item *t = &d->items[i];
        out_text(o, i ? ",[" : "[");
        out_json(o, t->path);
        out_format(o, ",\"%c\",\"%s\",[", kinds[t->kind == TARE_PARAM ? 0 : t->persistent ? 1 : 2], tare_dtype_name(t->dtype));
        put_shape(o, t);
        out_format(o, "],\"%s\"]", d->of[i].hex);
    }
    out_text(o, "],\"values\":{");
    for (size_t i = 0; i < d->n; i++) {
        if (!d->of[i].given) continue;
        out_text(o, comma);
        out_json(o, d->items[i].path);
        out_text(o, ":\"");
        for (size_t k = 0; k < d->of[i].n; k++) out_format(o, "%02x", d->of[i].bytes[k]);
        out_text(o, "\"");
        comma = ",";
    }
    out_text(o, "}");
}

static int print_digests(const args *a, const tare_model *m, tare_init_options *o) {
    tare_error err = {0};
    digests d;
    bool ok = digests_make(&d, m, o, &err);
    if (ok && a->value[OPT_JSON]) {
        out_format(&std_out, "{\"tare\":1,\"class\":\"%s\"", tare_model_class(m));
        put_members(&d, &std_out);
        out_text(&std_out, "}\n");
    } else if (ok) put_lines(&d, &std_out);
    digests_free(&d);
    return ok ? TARE_OK : fail(&err);
}

/* ---- --batch ------------------------------------------------------------------------------------------------- */

/* float32 is Model(config), as torch users write it; any other dtype is that of _from_config(). */
static tare_model *open_request(const request *r, tare_open_options open, tare_error *err) {
    bool plain = !r->dtype[0] || !strcmp(r->dtype, "float32");
    if (r->class_name[0]) open.class_name = r->class_name;
    open.dtype = plain ? NULL : r->dtype;
    open.plain = plain;
    return tare_model_parse(r->config.text, r->config.n, &open, err);
}

static bool line_refused(const line *in, const char *path, const char *code, const char *what, tare_error *err) {
    error_fill(err, TARE_BAD, code, "line %" PRIu64 ": %s %s", in->number, path, what);
    snprintf(err->path, sizeof err->path, "%s", path);
    return false;
}
/* What of a line says how to draw; null is as good as absent. */
static bool draw_read(const request *r, const line *in, tare_init_options *init, tare_error *err) {
    bool seed = r->seed.text && *r->seed.text != 'n';
    if (r->no_dtype) return line_refused(in, "$.dtype", "bad_type", "is not the name of a dtype", err);
    return !seed || seed_read(r->seed.text, r->seed.n, &init->seed) || line_refused(in, "$.seed", "bad_value", "is no whole number of 64 bits", err);
}

bool init_line(const void *to, const line *in, out *o) {
    const init_wishes *w = to;
    tare_init_options init = w->init;
    request r;
    tare_error err = {0};
    digests d = {.of = NULL};
    tare_model *m = request_read(&r, in, &err) && draw_read(&r, in, &init, &err) ? open_request(&r, w->open, &err) : NULL;
    size_t begin = o->n;
    request_begin(&r, o);
    bool ok = m && digests_make(&d, m, &init, &err);
    if (ok) put_members(&d, o);
    else request_fail(&r, o, begin, "", &err);
    digests_free(&d);
    tare_model_free(m);
    out_text(o, "}\n");
    return ok;
}

/* Lines go round the cores, so that one line has one of them. */
static int batch(const args *a, tare_init_options *o) {
    init_wishes w = {.open = options_of(a), .init = *o};
    w.init.threads = 1;
    if (a->n_words) return fail_usage("init --batch reads standard input, not \"%s\"", a->words[0]);
    if (a->value[OPT_OUTPUT] || a->value[OPT_DTYPE] || a->value[OPT_FORCE] || a->value[OPT_MAX_SHARD])
        return fail_usage("init --batch goes with no -o, --dtype, --force or --max-shard-size: it writes no folder, and a line has its dtype");
    return lines_run(NULL, a->value[OPT_THREADS], init_line, &w);
}

/* ---- one model ------------------------------------------------------------------------------------------------- */

/* The config's own dtype, where Model(config) does not follow it. */
static void say_dtype(const args *a, const tare_model *m) {
    char text[256];
    if (a->value[OPT_DTYPE]) return;
    snprintf(text, sizeof text, "float32, as %s(config) makes it; --dtype says another", tare_model_class(m));
    note(text);
}

typedef struct remarks { char paths[400]; const char *why; size_t n; } remarks;

static bool take_remark(void *to, const tare_item *t, const char *why) {
    remarks *r = to;
    size_t used = strlen(r->paths);
    if (r->n++ < 3) snprintf(r->paths + used, sizeof r->paths - used, "%s%s", used ? ", " : "", t->path);
    r->why = why;
    return true;
}

static void say_inexact(const tare_model *m, const tare_init_options *o) {
    remarks r = {.n = 0};
    tare_error err = {0};
    char text[700];
    if (o->rng != TARE_RNG_TORCH || tare_init_inexact(m, take_remark, &r, &err) != TARE_OK || !r.n) return;
    snprintf(text, sizeof text, "%zu of the tensors have the reference's distribution, not its bits: %s%s\n%s", r.n, r.paths, r.n > 3 ? ", ..." : "",
             r.why);
    note(text);
}

static int run_model(const args *a, tare_init_options *o) {
    int status = TARE_OK;
    tare_model *m = open_plain_model(a, !a->value[OPT_DTYPE], &status);
    if (!m) return status;
    say_dtype(a, m);
    say_inexact(m, o);
    status = a->value[OPT_DIGEST] ? print_digests(a, m, o) : init_to_folder(a, m, o);
    tare_model_free(m);
    return status;
}

static int run(const args *a) {
    tare_init_options o;
    bool hashes = a->value[OPT_DIGEST], folder = a->value[OPT_OUTPUT];
    if (!read_options(a, &o)) return TARE_USAGE;
    if (a->value[OPT_BATCH]) return batch(a, &o);
    if (!a->n_words) return fail_usage("init needs a MODEL, or --batch\nusage: tare init %s", a->command->usage);
    if (hashes == folder) return fail_usage("say where the weights go: -o DIR, or --digest for their hashes alone");
    if (!folder && (a->value[OPT_FORCE] || a->value[OPT_MAX_SHARD])) return fail_usage("--force and --max-shard-size go with -o DIR");
    return run_model(a, &o);
}

const command command_init = {
    .name = "init",
    .usage = "MODEL -o DIR [options] | MODEL --digest | --batch",
    .summary = "fresh weights, bit for bit those of Model(config), as a checkpoint",
    .about = "Draws the weights that Transformers draws for torch.manual_seed(SEED); Model(config) on a CPU, bit for\n"
             "bit, and writes them as a checkpoint that from_pretrained loads. DIR appears whole or not at all; the\n"
             "same command again goes on where an interrupted one stopped. Without --dtype the weights are float32,\n"
             "as Model(config) makes them; with it they are what from_config(config, dtype=...) holds.\n"
             "--rng philox draws each tensor by its name: the same bytes for every number of threads, shard and\n"
             "dtype, equal to the reference in distribution alone.\n",
    .examples = "  tare init gpt2 --set n_layer=2 --set n_embd=64 --set n_head=4 --seed 0 -o gpt2-fresh\n"
                "  tare init llama --set hidden_size=64 --dtype bf16 --rng philox -o small --max-shard-size 20MB\n"
                "  tare init bert --set num_hidden_layers=1 --digest\n",
    .exits = "  0 written or printed; with --batch: 0, or 1 if any line failed\n",
    .options = PLAIN_OPTIONS | BIT(OPT_SEED) | BIT(OPT_OUTPUT) | BIT(OPT_RNG) | BIT(OPT_DIGEST) | BIT(OPT_MAX_SHARD) | BIT(OPT_FORCE) |
               BIT(OPT_BATCH) | BIT(OPT_THREADS) | BIT(OPT_JSON),
    .min_words = 0,
    .max_words = 1,
    .run = run,
};
