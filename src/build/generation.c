/* What GenerationConfig.from_model_config makes of a model's config, and what it refuses. */
#include "generation.h"
#include <string.h>

static bool hashable(val v) {
    for (uint32_t i = 0; v.kind == VAL_LIST && i < v.n; i++)
        if (v.items[i].kind == VAL_LIST || v.items[i].kind == VAL_DICT) return false;
    return true;
}
static bool is_cache(val v) {
    static const char *const names[] = {
        "static", "offloaded_static", "sliding_window", "hybrid", "hybrid_chunked", "offloaded_hybrid", "offloaded_hybrid_chunked",
        "dynamic", "offloaded", "quantized", "paged", NULL,
    };
    return val_in(v, names);
}
static void check_kinds(const cfg *c) {
    val pad = cfg_get(c, "pad_token_id"), cache = cfg_get(c, "cache_implementation"), watermark = cfg_get(c, "watermarking_config");
    if (pad.kind > VAL_REAL) cfg_refuse(c, "pad_token_id", "bad_type", "generation needs a number, or null");
    if (val_given(cache) && !is_cache(cache))
        cfg_refuse(c, "cache_implementation", "bad_value", "it is no cache of generation: static, dynamic, offloaded, quantized, ...");
    if (val_given(watermark) && watermark.kind != VAL_DICT) cfg_refuse(c, "watermarking_config", "bad_type", "an object is needed");
    if (!hashable(cfg_get(c, "suppress_tokens"))) cfg_refuse(c, "suppress_tokens", "bad_type", "a list of ints is needed");
}
/* Each field of WatermarkingConfig has a default, and no other key is taken. */
static val watermark_of(arena *a, val given) {
    const member all[] = {
        {"greenlist_ratio", val_real(0.25)}, {"bias", val_real(2.0)}, {"hashing_key", val_int(15485863)}, {"seeding_scheme", val_text("lefthash")},
        {"context_width", val_int(1)},
    };
    val out = {.kind = VAL_DICT};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) out = dict_with(a, out, all[i].key, val_or(dict_get(given, all[i].key), all[i].v));
    return out;
}
static void check_watermark(const cfg *c) {
    static const char *const schemes[] = {"selfhash", "lefthash", NULL};
    val given = cfg_get(c, "watermarking_config");
    if (given.kind != VAL_DICT) return;
    val all = watermark_of(c->s->a, given);
    double ratio = -1, width = 0;
    val_number(dict_get(all, "greenlist_ratio"), &ratio);
    val_number(dict_get(all, "context_width"), &width);
    for (uint32_t i = 0; i < given.n; i++)
        if (dict_get(all, given.members[i].key).kind == VAL_ABSENT)
            cfg_refuse(c, "watermarking_config", "bad_value", "it has no setting %.60s", given.members[i].key);
    if (!val_in(dict_get(all, "seeding_scheme"), schemes))
        cfg_refuse(c, "watermarking_config", "bad_value", "seeding_scheme is selfhash or lefthash");
    if (!(ratio >= 0 && ratio <= 1) || !(width >= 1))
        cfg_refuse(c, "watermarking_config", "bad_value", "greenlist_ratio is a number from 0 to 1, context_width one of at least 1");
}
static bool among(val v, val list) {
    for (uint32_t i = 0; i < list.n; i++)
        if (val_equal(v, list.items[i])) return true;
    return false;
}
/* A token cannot be forced and suppressed; an old key forces the first one. */
static void check_forced(const cfg *c) {
    val bos = cfg_get(c, "bos_token_id"), suppressed = cfg_get(c, "suppress_tokens");
    if (!val_true(cfg_get(c, "force_bos_token_to_be_generated")) || suppressed.kind != VAL_LIST || !val_given(bos)) return;
    bool all = bos.kind == VAL_LIST ? bos.n > 0 : among(bos, suppressed);
    for (uint32_t i = 0; bos.kind == VAL_LIST && i < bos.n; i++) all = all && among(bos.items[i], suppressed);
    if (all) cfg_refuse(c, "suppress_tokens", "bad_value", "bos_token_id is in it, and force_bos_token_to_be_generated forces that token");
}
static void check_numbers(const cfg *c) {
    val n = cfg_get(c, "max_new_tokens"), weight = cfg_get(c, "assistant_ensemble_weight");
    double tokens;
    if (val_given(n) && (!val_number(n, &tokens) || tokens <= 0))
        cfg_refuse(c, "max_new_tokens", "bad_value", "generation needs a number above 0");
    if (val_given(cfg_get(c, "compile_config"))) cfg_refuse(c, "compile_config", "bad_value", "a model config cannot hold it");
    if (val_given(weight) && !(weight.kind == VAL_REAL && weight.d > 0 && weight.d < 1))
        cfg_refuse(c, "assistant_ensemble_weight", "bad_value", "a number between 0 and 1 is needed");
}
bool generation_check(const cfg *c) {
    check_numbers(c);
    check_kinds(c);
    check_watermark(c);
    check_forced(c);
    cfg_text_config(c, true); /* its values complete the outer ones */
    return session_ok(c->s);
}

/* ---- what it holds ---- */

static const char *const generation_keys[] = {
    "max_length", "max_new_tokens", "min_length", "min_new_tokens", "early_stopping", "max_time", "stop_strings", "do_sample", "num_beams",
    "use_mtp", "use_cache", "cache_implementation", "cache_config", "max_cache_len", "temperature", "top_k", "top_p", "min_p", "top_h",
    "typical_p", "epsilon_cutoff", "eta_cutoff", "repetition_penalty", "encoder_repetition_penalty", "length_penalty",
    "no_repeat_ngram_size", "bad_words_ids", "renormalize_logits", "forced_bos_token_id", "forced_eos_token_id", "remove_invalid_values",
    "exponential_decay_length_penalty", "suppress_tokens", "begin_suppress_tokens", "sequence_bias", "token_healing", "guidance_scale",
    "watermarking_config", "num_return_sequences", "output_attentions", "output_hidden_states", "output_scores", "output_logits",
    "return_dict_in_generate", "pad_token_id", "bos_token_id", "eos_token_id", "encoder_no_repeat_ngram_size", "decoder_start_token_id",
    "is_assistant", "num_assistant_tokens", "num_assistant_tokens_schedule", "assistant_confidence_threshold", "prompt_lookup_num_tokens",
    "max_matching_ngram_size", "assistant_early_exit", "assistant_lookbehind", "target_lookbehind", "assistant_ensemble_weight",
    "speculation_type", "compile_config", "disable_compile", "continuous_batching_config", "low_memory", "penalty_alpha", "dola_layers",
    "diversity_penalty", "num_beam_groups", "constraints", "force_words_ids", "prefill_chunk_size",
};

/* The part that generates: a decoder, generator or text config, else the config itself. */
static const cfg *decoder_config(const cfg *c) {
    val v = cfg_text_part(c, true);
    return v.kind == VAL_CFG ? v.cfg : c;
}
/* Its value of a key; of an encoder-decoder in one config the reference takes decoder_x for x there. */
static val of_decoder(const cfg *c, val dict, const char *key) {
    static const char prefix[] = "decoder_";
    size_t n = strlen(prefix);
    val v = dict_get(dict, key);
    if (decoder_config(c) != c || !val_true(cfg_get(c, "is_encoder_decoder"))) return v;
    for (uint32_t i = 0; i < dict.n; i++)
        if (!strncmp(dict.members[i].key, prefix, n) && same_word(dict.members[i].key + n, key)) v = dict.members[i].v;
    return v;
}
static val of_whole(arena *a, val dict, const char *key) {
    val v = dict_get(dict, key);
    if (same_word("watermarking_config", key) && v.kind == VAL_DICT) return watermark_of(a, v);
    if (same_word("forced_bos_token_id", key) && val_true(dict_get(dict, "force_bos_token_to_be_generated"))) return dict_get(dict, "bos_token_id");
    return v;
}
val generation_config(arena *a, const cfg *c) {
    static const char *const extra_outputs[] = {"output_attentions", "output_hidden_states", "output_scores", "output_logits"};
    val whole = cfg_to_dict_in(c, a), decoder = cfg_to_dict_in(decoder_config(c), a), out = {.kind = VAL_DICT};
    for (size_t i = 0; i < sizeof generation_keys / sizeof *generation_keys; i++) {
        val v = of_whole(a, whole, generation_keys[i]);
        if (!val_given(v)) v = of_decoder(c, decoder, generation_keys[i]);
        if (val_given(v)) out = dict_with(a, out, generation_keys[i], v);
    }
    for (size_t i = 0; i < 4 && !val_true(dict_get(out, "return_dict_in_generate")); i++)
        if (val_true(dict_get(out, extra_outputs[i]))) out = dict_with(a, out, "return_dict_in_generate", val_bool(true));
    out = dict_with(a, out, "_from_model_config", val_bool(true));
    return dict_with(a, out, "transformers_version", val_text("5.23.0"));
}

/* ---- saving it ---- */

/* It is checked again, now with what the part that generates brought. */
static void check_again(session *s, const cfg *c, val all) {
    static const cclass plain = {.name = "GenerationConfig", .model_type = ""};
    cfg *g = arena_new(s->a, cfg);
    *g = (cfg){.s = s, .k = &plain, .path = c->path, .entries = arena_array(s->a, all.n, sizeof *g->entries), .n = all.n};
    for (uint32_t i = 0; i < all.n; i++)
        g->entries[i] = (cfg_entry){.key = all.members[i].key, .hash = hash_text(all.members[i].key), .v = all.members[i].v};
    generation_check(g);
    if (val_given(cfg_get(g, "watermarking_config")) && !val_given(cfg_get(c, "watermarking_config")))
        cfg_refuse(g, "watermarking_config", "bad_value", "a part of the config cannot bring it");
}
val generation_saved(arena *a, const cfg *c, tare_error *err) {
    session s = {.a = a};
    val all = generation_config(a, c);
    check_again(&s, c, all);
    if (session_ok(&s)) return val_settled(a, all);
    *err = s.err;
    return (val){0};
}
