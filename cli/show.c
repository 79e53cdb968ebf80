/* tare show: exactly print(model). */
#include "cli.h"

static int print(const args *a, const tare_model *m) { return (void)a, print_text(m, TARE_TEXT_PRINT); }

static int run(const args *a) { return with_model(a, print); }

const command command_show = {
    .name = "show",
    .usage = "MODEL [options]",
    .summary = "the model as print(model) shows it",
    .about = "Prints the model exactly as print(model) does in Python.\n",
    .examples = "  tare show meta-llama/Llama-2-7b-hf\n"
                "  tare show gpt2 --class GPT2LMHeadModel --set n_layer=6\n"
                "  tare show google-bert/bert-base-uncased --auto sequence-classification\n",
    .exits = "  0 printed\n",
    .options = MODEL_OPTIONS,
    .min_words = 1,
    .max_words = 1,
    .run = run,
};
