/* tare init -o DIR: the weights go to a checkpoint folder. */
#include "init.h"
#include "progress.h"
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

/* ---- the folder ------------------------------------------------------------------------------------------------- */

static void say_written(const args *a, const tare_model *m, const meter *t) {
    char params[32], rate[48] = "";
    double seconds = seconds_now() - t->began;
    if (t->on && seconds > 0.5) snprintf(rate, sizeof rate, ", %.1f s, %.2f GB/s", seconds, (double)t->bytes / seconds / 1e9);
    if (a->value[OPT_JSON]) {
        out_format(&std_out, "{\"tare\":1,\"class\":\"%s\",\"parameters\":%" PRIu64 ",\"dtype\":\"%s\",\"folder\":", tare_model_class(m),
                   tare_model_params(m), tare_dtype_name(tare_model_dtype(m)));
        out_json(&std_out, a->value[OPT_OUTPUT]);
        out_format(&std_out, ",\"bytes\":%" PRIu64 "}\n", t->bytes);
        return;
    }
    out_format(&std_out, "wrote %s: %s, %s parameters, %s%s\n", a->value[OPT_OUTPUT], tare_model_class(m), grouped(tare_model_params(m), params),
               tare_dtype_torch(tare_model_dtype(m)), rate);
}

/* An interrupt ends the run where the next one can go on. */
static int ended(const args *a, const tare_error *err) {
    int stopped = stop_signal();
    if (!stopped) return fail(err);
    fail_with(TARE_IO, "cancelled", "interrupted; %s is as it was, and the same command goes on from here", a->value[OPT_OUTPUT]);
    return 128 + stopped;
}

int init_to_folder(const args *a, const tare_model *m, tare_init_options *o) {
    tare_save_options how = {.force = a->value[OPT_FORCE]};
    tare_error err = {0};
    meter t;
    if (a->value[OPT_MAX_SHARD] && tare_size_parse(a->value[OPT_MAX_SHARD], &how.max_shard_bytes) != TARE_OK)
        return fail_usage("--max-shard-size is a size such as 200MB or 50GB, not \"%s\"", a->value[OPT_MAX_SHARD]);
    if (a->value[OPT_MAX_SHARD] && !how.max_shard_bytes) how.max_shard_bytes = 1; /* each tensor alone: 0 is the library's default */
    meter_start(&t, "init", a->value[OPT_JSON]);
    o->progress = meter_show;
    o->progress_to = &t;
    tare_status status = tare_init_save(m, o, a->value[OPT_OUTPUT], &how, &err);
    meter_end(&t);
    if (status != TARE_OK) return ended(a, &err);
    say_written(a, m, &t);
    return TARE_OK;
}
