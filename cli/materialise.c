/* tare materialise: a checkpoint rewritten. */
#include "load.h"
#include "progress.h"
#include <inttypes.h>
#include <string.h>

static int read_save(const args *a, tare_save_options *how) {
    const char *layout = a->value[OPT_LAYOUT], *size = a->value[OPT_MAX_SHARD];
    *how = (tare_save_options){.force = a->value[OPT_FORCE]};
    if (!a->value[OPT_OUTPUT]) return fail_usage("say where the checkpoint goes: -o DIR");
    if (layout && strcmp(layout, "file") && strcmp(layout, "runtime")) return fail_usage("--layout is runtime or file, not \"%s\"", layout);
    how->runtime = layout && *layout == 'r';
    if (size && tare_size_parse(size, &how->max_shard_bytes) != TARE_OK)
        return fail_usage("--max-shard-size is a size such as 200MB or 50GB, not \"%s\"", size);
    if (size && !how->max_shard_bytes) how->max_shard_bytes = 1; /* each tensor alone: 0 is the library's default */
    return TARE_OK;
}
static void say_written(const args *a, const source *s, const meter *t) {
    double seconds = seconds_now() - t->began;
    if (a->value[OPT_JSON]) {
        out_text(&std_out, "{\"tare\":1,\"class\":"), out_json(&std_out, tare_model_class(s->m));
        out_format(&std_out, ",\"dtype\":\"%s\",\"folder\":", tare_dtype_name(tare_model_dtype(s->m)));
        out_json(&std_out, a->value[OPT_OUTPUT]);
        out_format(&std_out, ",\"read\":%" PRIu64 "}\n", t->bytes);
        return;
    }
    out_text(&std_out, "wrote "), out_safe(&std_out, a->value[OPT_OUTPUT]);
    out_format(&std_out, ": %s, %s", tare_model_class(s->m), tare_dtype_torch(tare_model_dtype(s->m)));
    if (t->on && seconds > 0.5) out_format(&std_out, ", %.1f s, %.2f GB/s", seconds, (double)t->bytes / seconds / 1e9);
    out_text(&std_out, "\n");
}
/* An interrupt ends the run where the next one can go on. */
static int ended(const args *a, const tare_error *err) {
    if (!stop_signal()) return fail(err);
    fail_with(TARE_IO, "cancelled", "interrupted; %s is as it was, and the same command goes on from here", a->value[OPT_OUTPUT]);
    return 128 + stop_signal();
}
static int rewrite(const args *a, const source *s, load_wishes *w, const tare_save_options *how) {
    tare_error err = {0};
    meter t;
    meter_start(&t, "materialise", a->value[OPT_JSON]);
    w->o.progress = meter_show;
    w->o.progress_to = &t;
    tare_status status = tare_materialise(s->m, s->c, &w->o, a->value[OPT_OUTPUT], how, &err);
    meter_end(&t);
    if (status != TARE_OK) return ended(a, &err);
    say_written(a, s, &t);
    return TARE_OK;
}
static int run(const args *a) {
    load_wishes w;
    tare_save_options how;
    source s = {0};
    int status = load_wishes_read(a, &w);
    if (!status) status = read_save(a, &how);
    if (!status && source_open(&s, a, &status)) status = rewrite(a, &s, &w, &how);
    source_close(&s);
    load_wishes_free(&w);
    return status;
}

const command command_materialise = {
    .name = "materialise",
    .usage = "DIR -o OUT [options]",
    .summary = "a checkpoint rewritten: cast, sharded anew, experts stacked or apart",
    .about = "Reads a checkpoint as from_pretrained() does and writes it as save_pretrained() would, in pieces: the model may\n"
             "be larger than memory. --dtype casts, --max-shard-size divides anew, --layout runtime keeps the names and\n"
             "shapes of the tree (experts stacked). OUT appears whole or not at all; the same command again goes on where\n"
             "an interrupted one stopped.\n",
    .examples = "  tare materialise ./my-llama --dtype bf16 -o ./my-llama-bf16\n"
                "  tare materialise ./my-llama -o ./my-llama-sharded --max-shard-size 200KB\n",
    .exits = "  0 written; 1 incomplete; 3 something cannot be read\n",
    .options = CHECKPOINT_OPTIONS | BIT(OPT_OUTPUT) | BIT(OPT_FORCE) | BIT(OPT_MAX_SHARD) | BIT(OPT_LAYOUT) | BIT(OPT_IO) | BIT(OPT_MEMORY) |
               BIT(OPT_THREADS) | BIT(OPT_SEED) | BIT(OPT_RNG) | BIT(OPT_JSON),
    .of_checkpoint = true,
    .min_words = 1,
    .max_words = 1,
    .run = run,
};
