/* tare load: the weights of a checkpoint, in the model's names, shapes and dtypes; here they are read, looked at and let go. */
#include "load.h"
#include "lines.h"
#include "progress.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what of it --------------------------------------------------------------------------------------------------- */

static int read_rank(const char *text, tare_load_options *o) {
    char *end;
    long rank = strtol(text, &end, 10), ranks = *end == '/' ? strtol(end + 1, &end, 10) : 0;
    if (*end || *text < '0' || *text > '9' || ranks < 1 || ranks > 1 << 20 || rank >= ranks)
        return fail_usage("--rank is R/N, a rank and how many there are, counted from 0: 0/8; not \"%s\"", text);
    o->rank = (int)rank, o->ranks = (int)ranks;
    return TARE_OK;
}
static int read_io(const char *text, tare_load_options *o) {
    static const char *const ways[] = {[TARE_IO_READ] = "read", [TARE_IO_MAP] = "map", [TARE_IO_DIRECT] = "direct"};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        if (strcmp(ways[i], text) == 0) return o->io = (tare_io)i, TARE_OK;
    return fail_usage("--io is read, map or direct, not \"%s\"", text);
}
/* "a,b" as a list, in one piece of memory. */
static int read_only(const char *text, load_wishes *w) {
    size_t n = strlen(text), most = n / 2 + 2, k = 0;
    const char **list = malloc((most + 1) * sizeof *list + n + 1);
    if (!list) return fail_with(TARE_IO, "out_of_memory", "out of memory");
    char *word = memcpy((char *)(list + most + 1), text, n + 1);
    for (char *end; word; word = end) {
        end = strchr(word, ',');
        if (end) *end++ = '\0';
        if (*word) list[k++] = word;
    }
    list[k] = NULL;
    w->o.only = w->only = list;
    return k ? TARE_OK : fail_usage("--only needs the names of modules or tensors: model.layers.0,lm_head");
}
static int read_device_map(const args *a, load_wishes *w) {
    const char *file = a->value[OPT_DEVICE_MAP];
    if (!file != !a->value[OPT_ON]) return fail_usage("--device-map and --on go together: what the map puts on that device is loaded");
    if (!file) return TARE_OK;
    if (!read_map_file(file, &w->map)) return TARE_USAGE;
    out_put(&w->map, "", 1);
    if (w->map.failed) return fail_with(TARE_IO, "out_of_memory", "out of memory");
    w->o.device_map = w->map.data;
    w->o.device = a->value[OPT_ON];
    return TARE_OK;
}
static int read_draws(const args *a, tare_load_options *o) {
    const char *seed = a->value[OPT_SEED], *rng = a->value[OPT_RNG], *threads = a->value[OPT_THREADS];
    if (seed && !seed_read(seed, strlen(seed), &o->seed))
        return fail_usage("--seed is a whole number from -9223372036854775808 to 18446744073709551615, not \"%s\"", seed);
    if (rng && strcmp(rng, "torch") && strcmp(rng, "philox")) return fail_usage("--rng is torch or philox, not \"%s\"", rng);
    o->rng = rng && *rng == 'p' ? TARE_RNG_PHILOX : TARE_RNG_TORCH;
    return !threads || (o->threads = thread_count(threads)) > 0 ? TARE_OK : TARE_USAGE;
}
int load_wishes_read(const args *a, load_wishes *w) {
    const char *memory = a->value[OPT_MEMORY];
    *w = (load_wishes){.map = {.fd = -1}};
    int status = check_options_read(a, &w->o.check);
    if (!status && a->value[OPT_RANK]) status = read_rank(a->value[OPT_RANK], &w->o);
    if (!status && a->value[OPT_IO]) status = read_io(a->value[OPT_IO], &w->o);
    if (!status && memory && (tare_size_parse(memory, &w->o.memory_limit) != TARE_OK || !w->o.memory_limit))
        status = fail_usage("--memory is a size such as 200MB or 50GB, not \"%s\"", memory);
    if (!status) status = read_draws(a, &w->o);
    if (!status && a->value[OPT_ONLY]) status = read_only(a->value[OPT_ONLY], w);
    return status ? status : read_device_map(a, w);
}
void load_wishes_free(load_wishes *w) {
    free(w->only);
    out_free(&w->map);
}

/* ---- --digest ----------------------------------------------------------------------------------------------------- */

static bool is_saved(void *to, const tare_item *t) { return (void)to, t->persistent; }
static bool put_digest(void *to, const tare_item *t, const char hex[65]) {
    (void)to;
    out_text(&std_out, t->path);
    out_format(&std_out, "\t%s\t", tare_dtype_name(t->dtype));
    for (int k = 0; k < t->rank; k++) out_format(&std_out, "%s%" PRId64, k ? "," : "", t->shape[k]);
    out_format(&std_out, "\t%.16s\n", hex);
    return !std_out.failed;
}
static int print_digests(const source *s, load_wishes *w) {
    tare_error err = {0};
    w->o.wanted = is_saved;
    return exit_status(tare_load_digests(s->m, s->c, &w->o, put_digest, NULL, &err), &err);
}

/* ---- all of it, in memory ----------------------------------------------------------------------------------------- */

typedef struct odd { uint64_t tensors; bool quiet; } odd;
static bool take_odd(void *to, const tare_item *t, uint64_t nan, uint64_t inf) {
    odd *o = to;
    o->tensors++;
    if (o->quiet) return true;
    out_text(&std_out, "not finite: "), out_safe(&std_out, t->path);
    out_format(&std_out, "   %" PRIu64 " NaN, %" PRIu64 " infinite\n", nan, inf);
    return !std_out.failed;
}
static int say_loaded(const args *a, const source *s, const tare_weights *weights, const meter *t, uint64_t reading, const odd *o) {
    double seconds = seconds_now() - t->began;
    char bytes[32];
    if (a->value[OPT_JSON]) {
        out_text(&std_out, "{\"tare\":1,\"class\":"), out_json(&std_out, tare_model_class(s->m));
        out_format(&std_out, ",\"bytes\":%" PRIu64 ",\"read\":%" PRIu64 ",\"reading\":%" PRIu64 ",\"seconds\":%.6f,\"not_finite\":",
                   tare_weights_bytes(weights), t->bytes, reading, seconds);
        if (a->value[OPT_SCAN]) out_format(&std_out, "%" PRIu64 "}\n", o->tensors);
        else out_text(&std_out, "null}\n");
    } else {
        out_format(&std_out, "loaded: %s, %s%s, and %s beside while reading", tare_model_class(s->m), bytes_text(tare_weights_bytes(weights), bytes),
                   a->value[OPT_IO] && *a->value[OPT_IO] == 'm' ? " held or mapped" : "", bytes_text(reading, (char[32]){0}));
        if (t->on) out_format(&std_out, "; %.2f s, %.2f GB/s", seconds, seconds > 0 ? (double)t->bytes / seconds / 1e9 : 0.0);
        if (a->value[OPT_SCAN] && !o->tensors) out_text(&std_out, "; all of it finite");
        out_text(&std_out, "\n");
    }
    return o->tensors ? TARE_NO : TARE_OK;
}
static int load_all(const args *a, const source *s, load_wishes *w) {
    tare_error err = {0};
    meter t;
    odd o = {.quiet = a->value[OPT_JSON]};
    uint64_t all, reading = 0;
    meter_start(&t, "load", a->value[OPT_JSON]);
    w->o.progress = meter_show;
    w->o.progress_to = &t;
    if (a->value[OPT_SCAN]) w->o.odd = take_odd;
    w->o.odd_to = &o;
    tare_status status = tare_load_need(s->m, s->c, &w->o, &all, &reading, &err);
    tare_weights *weights = status == TARE_OK ? tare_load(s->m, s->c, &w->o, &err) : NULL;
    meter_end(&t);
    if (!weights) return stop_signal() ? 128 + stop_signal() : exit_status(err.status, &err);
    int exit = say_loaded(a, s, weights, &t, reading, &o);
    tare_weights_free(weights);
    return exit;
}

static int run(const args *a) {
    load_wishes w;
    source s = {0};
    int status = load_wishes_read(a, &w);
    if (!status && a->value[OPT_DIGEST] && a->value[OPT_SCAN]) status = fail_usage("--digest prints digests alone: it goes without --scan");
    if (!status && source_open(&s, a, &status)) status = a->value[OPT_DIGEST] ? print_digests(&s, &w) : load_all(a, &s, &w);
    source_close(&s);
    load_wishes_free(&w);
    return status;
}

const command command_load = {
    .name = "load",
    .usage = "DIR [options]",
    .summary = "the weights of a checkpoint, loaded: digests, bytes per second, what is not finite",
    .about = "Fills the empty model as from_pretrained() does - renamed, put together, cast, tied - and lets it go again:\n"
             "with --digest it prints PATH, DTYPE, SHAPE and SHA256[:16] of every parameter and persistent buffer. What it\n"
             "will hold is known before the first byte is read, and refused where there is no room. Missing tensors are\n"
             "made by their init rule where --allow missing says so.\n",
    .examples = "  tare load ./my-llama --digest\n"
                "  tare load ./my-llama --dtype bf16 --scan\n"
                "  tare load ./my-llama --only model.layers.0,lm_head --rank 0/2\n",
    .exits = "  0 loaded; 1 incomplete, or with --scan not all finite; 3 something cannot be read\n",
    .options = CHECKPOINT_OPTIONS | BIT(OPT_DIGEST) | BIT(OPT_ONLY) | BIT(OPT_RANK) | BIT(OPT_DEVICE_MAP) | BIT(OPT_ON) | BIT(OPT_IO) |
               BIT(OPT_SCAN) | BIT(OPT_MEMORY) | BIT(OPT_THREADS) | BIT(OPT_SEED) | BIT(OPT_RNG) | BIT(OPT_JSON),
    .of_checkpoint = true,
    .min_words = 1,
    .max_words = 1,
    .run = run,
};
