/* tare facts: what __init__ and post_init settle, as one JSON object. */
#include "cli.h"

static int print(const args *a, const tare_model *m) { return (void)a, print_text(m, TARE_TEXT_FACTS); }

static int run(const args *a) { return with_model(a, print); }

const command command_facts = {
    .name = "facts",
    .usage = "MODEL [options]",
    .summary = "what __init__ and post_init settle: attention, ties, loss, plans",
    .about = "Prints one JSON object with what the constructor settles besides the tree: attention and experts\n"
             "implementation, tied keys, no-split classes, modules kept in float32, loss, generation config,\n"
             "tensor- and pipeline-parallel plans.\n",
    .examples = "  tare facts meta-llama/Llama-2-7b-hf\n"
                "  tare facts google-t5/t5-base --auto seq2seq-lm\n",
    .exits = "  0 printed\n",
    .options = MODEL_OPTIONS | BIT(OPT_JSON),
    .min_words = 1,
    .max_words = 1,
    .run = run,
};
