/* Small configs of families that differ: decoder, experts, encoder-decoder, parts with their own types, convolution, weight norm. */
#ifndef TARE_TESTS_TINY_H
#define TARE_TESTS_TINY_H

#define TINY_LLAMA                                                                                                         \
    "{\"model_type\": \"llama\", \"hidden_size\": 16, \"intermediate_size\": 32, \"num_hidden_layers\": 3, "               \
    "\"num_attention_heads\": 4, \"vocab_size\": 64, \"architectures\": [\"LlamaForCausalLM\"], \"tie_word_embeddings\": true}"
#define TINY_BERT                                                                                               \
    "{\"model_type\": \"bert\", \"hidden_size\": 16, \"intermediate_size\": 32, \"num_hidden_layers\": 2, "     \
    "\"num_attention_heads\": 4, \"vocab_size\": 64, \"max_position_embeddings\": 32, \"id2label\": {\"0\": \"no\", \"1\": \"yes\"}}"
#define TINY_T5 \
    "{\"model_type\": \"t5\", \"d_model\": 16, \"d_kv\": 4, \"d_ff\": 32, \"num_layers\": 2, \"num_heads\": 4, \"vocab_size\": 64}"
#define TINY_DEEPSEEK                                                                                                             \
    "{\"model_type\": \"deepseek_v3\", \"hidden_size\": 16, \"intermediate_size\": 32, \"moe_intermediate_size\": 8, "            \
    "\"num_hidden_layers\": 5, \"first_k_dense_replace\": 2, \"num_attention_heads\": 4, \"num_key_value_heads\": 4, "            \
    "\"n_routed_experts\": 8, \"num_experts_per_tok\": 2, \"n_group\": 2, \"topk_group\": 1, \"vocab_size\": 64}"
#define TINY_GEMMA3                                                                                                               \
    "{\"model_type\": \"gemma3\", \"text_config\": {\"hidden_size\": 16, \"intermediate_size\": 32, \"num_hidden_layers\": 7, "   \
    "\"num_attention_heads\": 4, \"num_key_value_heads\": 2, \"head_dim\": 4, \"vocab_size\": 64}, "                              \
    "\"vision_config\": {\"hidden_size\": 16, \"intermediate_size\": 32, \"num_hidden_layers\": 2, \"num_attention_heads\": 4, "  \
    "\"image_size\": 28, \"patch_size\": 14}}"
#define TINY_RESNET \
    "{\"model_type\": \"resnet\", \"embedding_size\": 8, \"hidden_sizes\": [8, 16], \"depths\": [2, 3], \"layer_type\": \"basic\"}"
#define TINY_WAV2VEC2                                                                                                         \
    "{\"model_type\": \"wav2vec2\", \"hidden_size\": 16, \"intermediate_size\": 32, \"num_hidden_layers\": 2, "               \
    "\"num_attention_heads\": 4, \"conv_dim\": [8, 8], \"conv_kernel\": [4, 3], \"conv_stride\": [2, 2], "                    \
    "\"num_conv_pos_embeddings\": 8, \"num_conv_pos_embedding_groups\": 2, \"vocab_size\": 32}"

static const char *const tiny[] = {TINY_LLAMA, TINY_BERT, TINY_T5, TINY_DEEPSEEK, TINY_GEMMA3, TINY_RESNET, TINY_WAV2VEC2};
enum { TINY = sizeof tiny / sizeof *tiny };
#endif
