/* The header of a quantised checkpoint: a line "METHOD BYTES\n", then the header's text; so many bytes of data follow. What they hold is by METHOD,
 * so that what describes weights in them can be read at all. */
#include "files.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODEL(type, class_name) \
    "{\"model_type\": \"" type "\", \"architectures\": [\"" class_name "\"], \"hidden_size\": 32, \"intermediate_size\": 32, " \
    "\"num_hidden_layers\": 1, \"num_attention_heads\": 1, \"num_key_value_heads\": 1, \"head_dim\": 32, \"num_local_experts\": 2, " \
    "\"vocab_size\": 32, \"dtype\": \"float16\", \"quantization_config\": "
#define MIXTRAL MODEL("mixtral", "MixtralForCausalLM")
#define GROUP(format, weights) \
    "{\"quant_method\": \"compressed-tensors\", \"format\": \"" format "\", \"quantization_status\": \"compressed\", \"config_groups\": {\"a\": " \
    "{\"targets\": [\"Linear\"], \"weights\": {" weights ", \"symmetric\": "
static const struct method { const char *config, *data; } methods[] = {
    {MIXTRAL "{\"quant_method\": \"fp8\", \"weight_block_size\": [16, 16]}}", "\x38\x01\x7e\xb9"},
    {MODEL("gpt_oss", "GptOssForCausalLM") "{\"quant_method\": \"mxfp4\"}}", "\x7f\x21\x80\xf4"},
    {MIXTRAL "{\"quant_method\": \"bitsandbytes\", \"load_in_4bit\": true, \"bnb_4bit_quant_type\": \"nf4\", \"bnb_4bit_use_double_quant\": true}}",
     "{\"quant_type\": \"nf4\", \"blocksize\": 64, \"dtype\": \"bfloat16\", \"shape\": [32, 32], \"nested_blocksize\": 256, \"nested_offset\": 0.25}"},
    {MIXTRAL "{\"quant_method\": \"bitsandbytes\", \"load_in_8bit\": true}}", NULL},
    {MIXTRAL GROUP("pack-quantized", "\"num_bits\": 4, \"strategy\": \"group\", \"group_size\": 16") "true}}}}}", "\x20"},
    {MIXTRAL GROUP("pack-quantized", "\"num_bits\": 3, \"strategy\": \"group\", \"group_size\": 8") "false}}}}}", "\x20"},
    {MIXTRAL GROUP("nvfp4-pack-quantized", "\"num_bits\": 4, \"type\": \"float\", \"strategy\": \"tensor_group\", \"group_size\": 16") "true}}}}}", "\x38"},
    {MIXTRAL GROUP("int-quantized", "\"num_bits\": 8, \"strategy\": \"channel\"") "true}, \"input_activations\": {\"dynamic\": true}}}}}", "\x11\x05"},
    {MIXTRAL "{\"quant_method\": \"gptq\", \"bits\": 4, \"group_size\": 16}}", NULL},
    {MIXTRAL "{\"quant_method\": \"awq\", \"bits\": 4, \"group_size\": 16}}", NULL},
};
enum { METHODS = sizeof methods / sizeof *methods, PERIOD = 128, MOST_DATA = 1 << 16 };

/* Text is repeated in periods, filled up with blanks, and bytes with zeros to eight, so that they may be whole numbers. */
static void fill(const char *pattern, unsigned char *to, size_t n) {
    size_t length = pattern ? strlen(pattern) : 0, period = length > 8 ? PERIOD : 8;
    for (size_t i = 0; i < n; i++) to[i] = (unsigned char)(i % period < length ? pattern[i % period] : length > 8 ? ' ' : 0);
}
static bool next_digest(void *to, const tare_item *t, const char hex[65]) { return (void)to, t->path && hex[0]; }
static bool next_row(void *to, const tare_mapping *row) { return (void)to, row->key != NULL; }
static void check_and_load(const tare_checkpoint *c, const tare_open_options *how, const tare_check_options *o) {
    tare_error err = {0};
    tare_model *m = tare_checkpoint_model(c, NULL, how, &err);
    fuzz_expect(m != NULL, "the model is there whatever the files are");
    tare_report *r = tare_check(m, c, o, &err);
    tare_verdict v;
    if (r) {
        tare_report_verdict(r, &v);
        tare_report_mapping(r, next_row, NULL);
        tare_status loaded = tare_load_digests(m, c, &(tare_load_options){.check = *o, .threads = 1}, next_digest, NULL, &err);
        fuzz_expect(v.complete || loaded != TARE_OK, "what is incomplete is not loaded");
    } else fuzz_expect(*err.code && *err.message, "a refusal has its words");
    tare_report_free(r);
    tare_model_free(m);
}
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    static unsigned char file[8 + (1 << 16) + MOST_DATA];
    char line[64] = "", *next;
    const uint8_t *stop = n ? memchr(data, '\n', n) : NULL;
    if (!stop || stop - data >= (long)sizeof line) return 0;
    memcpy(line, data, (size_t)(stop - data));
    const struct method *method = &methods[strtoul(line, &next, 10) % METHODS];
    size_t bytes = strtoul(next, NULL, 10) % MOST_DATA;
    uint64_t header = n - (size_t)(stop + 1 - data);
    if (header > 1 << 16) return 0;
    memcpy(file, &header, 8);
    memcpy(file + 8, stop + 1, (size_t)header);
    fill(method->data, file + 8 + header, bytes);
    files_write("model.safetensors", file, 8 + (size_t)header + bytes);
    files_write("config.json", method->config, strlen(method->config));
    tare_checkpoint *c = tare_checkpoint_open(files_path(""), NULL, NULL);
    if (c) {
        check_and_load(c, &(tare_open_options){.dtype = "bfloat16"}, &(tare_check_options){.allow_unexpected = true});
        check_and_load(c, &(tare_open_options){.dtype = "float32", .dequantize = true}, &(tare_check_options){.allow_unexpected = true});
        check_and_load(c, &(tare_open_options){.dequantize = true}, &(tare_check_options){.allow_missing = true, .allow_unexpected = true, .allow_mismatched = true});
    }
    tare_checkpoint_free(c);
    return 0;
}
