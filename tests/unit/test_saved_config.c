/* config.json and generation_config.json as transformers 5.23.0 saved them; what it refuses to save. */
#include "api/handle.h"
#include "core/buf.h"
#include "tiny.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <tare.h>
#include <cmocka.h>

typedef struct saved_case { const char *cls, *config, *saved, *generation; } saved_case;
static const saved_case cases[] = {
    {
        "BertForSequenceClassification",
        "{\"model_type\": \"bert\", \"hidden_size\": 16, \"num_hidden_layers\": 0, \"num_attention_heads\": 2, "
        "\"id2label\": {\"10\": \"k\\u00e4se\", \"9\": \"\\ud83d\\ude00\", \"-1\": \"\\u007f\\\"\\\\\"}, "
        "\"gr\\u00f6\\u00dfe\": {\"\\u00e9\": 1, \"a\": 2}}",
        "{\n  \"add_cross_attention\": false,\n  \"architectures\": [\n    \"BertForSequenceClassification\"\n  ],\n  "
        "\"attention_probs_dropout_prob\": 0.1,\n  \"bos_token_id\": null,\n  \"classifier_dropout\": null,\n  \"dtype\": \"float32\",\n  "
        "\"eos_token_id\": null,\n  \"gr\\u00f6\\u00dfe\": {\n    \"a\": 2,\n    \"\\u00e9\": 1\n  },\n  \"hidden_act\": \"gelu\",\n  "
        "\"hidden_dropout_prob\": 0.1,\n  \"hidden_size\": 16,\n  \"id2label\": {\n    \"-1\": \"\\u007f\\\"\\\\\",\n    "
        "\"9\": \"\\ud83d\\ude00\",\n    \"10\": \"k\\u00e4se\"\n  },\n  \"initializer_range\": 0.02,\n  \"intermediate_size\": 3072,\n  "
        "\"is_decoder\": false,\n  \"label2id\": null,\n  \"layer_norm_eps\": 1e-12,\n  \"max_position_embeddings\": 512,\n  "
        "\"model_type\": \"bert\",\n  \"num_attention_heads\": 2,\n  \"num_hidden_layers\": 0,\n  \"pad_token_id\": 0,\n  "
        "\"tie_word_embeddings\": true,\n  \"transformers_version\": \"5.23.0\",\n  \"type_vocab_size\": 2,\n  \"use_cache\": true,\n  "
        "\"vocab_size\": 30522\n}\n",
        "",
    },
    {
        "GPT2LMHeadModel",
        "{\"model_type\": \"gpt-sw3\", \"n_embd\": 16, \"n_layer\": 0, \"n_head\": 2, \"vocab_size\": 20, \"max_new_tokens\": 7, "
        "\"min_p\": NaN, \"temperature\": 0.5, \"transformers_weights\": \"a.safetensors\", \"note\": [Infinity, {\"low\": -Infinity}], "
        "\"torch_dtype\": \"bfloat16\"}",
        "{\n  \"activation_function\": \"gelu_new\",\n  \"add_cross_attention\": false,\n  \"architectures\": [\n    \"GPT2LMHeadModel\"\n  "
        "],\n  \"attn_pdrop\": 0.1,\n  \"bos_token_id\": 50256,\n  \"dtype\": \"bfloat16\",\n  \"embd_pdrop\": 0.1,\n  "
        "\"eos_token_id\": 50256,\n  \"initializer_range\": 0.02,\n  \"layer_norm_epsilon\": 1e-05,\n  \"max_new_tokens\": 7,\n  "
        "\"min_p\": {\n    \"__float__\": \"NaN\"\n  },\n  \"model_type\": \"gpt2\",\n  \"n_embd\": 16,\n  \"n_head\": 2,\n  "
        "\"n_inner\": null,\n  \"n_layer\": 0,\n  \"n_positions\": 1024,\n  \"note\": [\n    {\n      \"__float__\": \"Infinity\"\n    "
        "},\n    {\n      \"low\": {\n        \"__float__\": \"-Infinity\"\n      }\n    }\n  ],\n  \"pad_token_id\": null,\n  "
        "\"reorder_and_upcast_attn\": false,\n  \"resid_pdrop\": 0.1,\n  \"scale_attn_by_inverse_layer_idx\": false,\n  "
        "\"scale_attn_weights\": true,\n  \"summary_activation\": null,\n  \"summary_first_dropout\": 0.1,\n  "
        "\"summary_proj_to_labels\": true,\n  \"summary_type\": \"cls_index\",\n  \"summary_use_proj\": true,\n  "
        "\"tie_word_embeddings\": true,\n  \"transformers_version\": \"5.23.0\",\n  \"use_cache\": true,\n  \"vocab_size\": 20\n}\n",
        "{\n  \"_from_model_config\": true,\n  \"bos_token_id\": 50256,\n  \"eos_token_id\": 50256,\n  \"max_new_tokens\": 7,\n  "
        "\"min_p\": NaN,\n  \"output_attentions\": false,\n  \"output_hidden_states\": false,\n  \"transformers_version\": \"5.23.0\",\n  "
        "\"use_cache\": true\n}\n",
    },
    {
        "GPT2DoubleHeadsModel",
        "{\"model_type\": \"gpt2\", \"n_embd\": 16, \"n_layer\": 0, \"n_head\": 2, \"vocab_size\": 20}",
        "{\n  \"activation_function\": \"gelu_new\",\n  \"add_cross_attention\": false,\n  \"architectures\": [\n    "
        "\"GPT2DoubleHeadsModel\"\n  ],\n  \"attn_pdrop\": 0.1,\n  \"bos_token_id\": 50256,\n  \"dtype\": \"float32\",\n  "
        "\"embd_pdrop\": 0.1,\n  \"eos_token_id\": 50256,\n  \"id2label\": {\n    \"0\": \"LABEL_0\"\n  },\n  "
        "\"initializer_range\": 0.02,\n  \"label2id\": {\n    \"LABEL_0\": 0\n  },\n  \"layer_norm_epsilon\": 1e-05,\n  "
        "\"model_type\": \"gpt2\",\n  \"n_embd\": 16,\n  \"n_head\": 2,\n  \"n_inner\": null,\n  \"n_layer\": 0,\n  "
        "\"n_positions\": 1024,\n  \"pad_token_id\": null,\n  \"reorder_and_upcast_attn\": false,\n  \"resid_pdrop\": 0.1,\n  "
        "\"scale_attn_by_inverse_layer_idx\": false,\n  \"scale_attn_weights\": true,\n  \"summary_activation\": null,\n  "
        "\"summary_first_dropout\": 0.1,\n  \"summary_proj_to_labels\": true,\n  \"summary_type\": \"cls_index\",\n  "
        "\"summary_use_proj\": true,\n  \"tie_word_embeddings\": true,\n  \"transformers_version\": \"5.23.0\",\n  \"use_cache\": true,\n  "
        "\"vocab_size\": 20\n}\n",
        "{\n  \"_from_model_config\": true,\n  \"bos_token_id\": 50256,\n  \"eos_token_id\": 50256,\n  \"output_attentions\": false,\n  "
        "\"output_hidden_states\": false,\n  \"transformers_version\": \"5.23.0\",\n  \"use_cache\": true\n}\n",
    },
    {
        "T5EncoderModel",
        "{\"model_type\": \"t5\", \"d_model\": 16, \"d_kv\": 8, \"num_layers\": 0, \"num_heads\": 2, \"d_ff\": 20, \"vocab_size\": 20, "
        "\"return_dict\": null}",
        "{\n  \"architectures\": [\n    \"T5EncoderModel\"\n  ],\n  \"classifier_dropout\": 0.0,\n  \"d_ff\": 20,\n  \"d_kv\": 8,\n  "
        "\"d_model\": 16,\n  \"dense_act_fn\": \"relu\",\n  \"dropout_rate\": 0.1,\n  \"dtype\": \"float32\",\n  \"eos_token_id\": 1,\n  "
        "\"feed_forward_proj\": \"relu\",\n  \"initializer_factor\": 1.0,\n  \"is_decoder\": false,\n  \"is_encoder_decoder\": false,\n  "
        "\"is_gated_act\": false,\n  \"layer_norm_epsilon\": 1e-06,\n  \"model_type\": \"t5\",\n  \"num_decoder_layers\": 0,\n  "
        "\"num_heads\": 2,\n  \"num_layers\": 0,\n  \"pad_token_id\": 0,\n  \"relative_attention_max_distance\": 128,\n  "
        "\"relative_attention_num_buckets\": 32,\n  \"return_dict\": null,\n  \"scale_decoder_outputs\": true,\n  "
        "\"tie_word_embeddings\": true,\n  \"transformers_version\": \"5.23.0\",\n  \"use_cache\": false,\n  \"vocab_size\": 20\n}\n",
        "",
    },
    {
        "CLIPModel",
        "{\"model_type\": \"clip\", \"text_config\": {\"num_hidden_layers\": 0, \"dtype\": \"float16\", \"architectures\": [\"X\"], "
        "\"_name_or_path\": \"x\", \"id2label\": {\"10\": \"a\", \"9\": \"b\"}}, \"vision_config\": {\"num_hidden_layers\": 0}, "
        "\"_name_or_path\": \"y\"}",
        "{\n  \"architectures\": [\n    \"CLIPModel\"\n  ],\n  \"dtype\": \"float32\",\n  \"initializer_factor\": 1.0,\n  "
        "\"logit_scale_init_value\": 2.6592,\n  \"model_type\": \"clip\",\n  \"projection_dim\": 512,\n  \"text_config\": {\n    "
        "\"_name_or_path\": \"x\",\n    \"architectures\": [\n      \"X\"\n    ],\n    \"attention_dropout\": 0.0,\n    "
        "\"bos_token_id\": 49406,\n    \"eos_token_id\": 49407,\n    \"hidden_act\": \"quick_gelu\",\n    \"hidden_size\": 512,\n    "
        "\"id2label\": {\n      \"9\": \"b\",\n      \"10\": \"a\"\n    },\n    \"initializer_factor\": 1.0,\n    "
        "\"initializer_range\": 0.02,\n    \"intermediate_size\": 2048,\n    \"label2id\": null,\n    \"layer_norm_eps\": 1e-05,\n    "
        "\"max_position_embeddings\": 77,\n    \"model_type\": \"clip_text_model\",\n    \"num_attention_heads\": 8,\n    "
        "\"num_hidden_layers\": 0,\n    \"pad_token_id\": 1,\n    \"projection_dim\": 512,\n    \"vocab_size\": 49408\n  },\n  "
        "\"transformers_version\": \"5.23.0\",\n  \"vision_config\": {\n    \"attention_dropout\": 0.0,\n    "
        "\"hidden_act\": \"quick_gelu\",\n    \"hidden_size\": 768,\n    \"image_size\": 224,\n    \"initializer_factor\": 1.0,\n    "
        "\"initializer_range\": 0.02,\n    \"intermediate_size\": 3072,\n    \"layer_norm_eps\": 1e-05,\n    "
        "\"model_type\": \"clip_vision_model\",\n    \"num_attention_heads\": 12,\n    \"num_channels\": 3,\n    "
        "\"num_hidden_layers\": 0,\n    \"patch_size\": 32,\n    \"projection_dim\": 512\n  }\n}\n",
        "",
    },
    {
        "Gemma3ForConditionalGeneration",
        "{\"model_type\": \"gemma3\", \"text_config\": {\"vocab_size\": 20, \"hidden_size\": 16, \"num_hidden_layers\": 0, "
        "\"num_attention_heads\": 2, \"num_key_value_heads\": 1, \"head_dim\": 8, \"intermediate_size\": 20, "
        "\"use_bidirectional_attention\": true, \"sliding_window\": 100, \"pad_token_id\": 3, \"output_scores\": true}, "
        "\"vision_config\": {\"num_hidden_layers\": 0}}",
        "{\n  \"architectures\": [\n    \"Gemma3ForConditionalGeneration\"\n  ],\n  \"boi_token_index\": 255999,\n  "
        "\"dtype\": \"float32\",\n  \"eoi_token_index\": 256000,\n  \"image_token_index\": 262144,\n  \"initializer_range\": 0.02,\n  "
        "\"mm_tokens_per_image\": 256,\n  \"model_type\": \"gemma3\",\n  \"text_config\": {\n    \"_sliding_window_pattern\": 6,\n    "
        "\"attention_bias\": false,\n    \"attention_dropout\": 0.0,\n    \"attn_logit_softcapping\": null,\n    \"bos_token_id\": 2,\n    "
        "\"eos_token_id\": 1,\n    \"final_logit_softcapping\": null,\n    \"head_dim\": 8,\n    "
        "\"hidden_activation\": \"gelu_pytorch_tanh\",\n    \"hidden_size\": 16,\n    \"initializer_range\": 0.02,\n    "
        "\"intermediate_size\": 20,\n    \"layer_types\": [],\n    \"max_position_embeddings\": 131072,\n    "
        "\"model_type\": \"gemma3_text\",\n    \"num_attention_heads\": 2,\n    \"num_hidden_layers\": 0,\n    "
        "\"num_key_value_heads\": 1,\n    \"pad_token_id\": 3,\n    \"query_pre_attn_scalar\": 256,\n    \"rms_norm_eps\": 1e-06,\n    "
        "\"rope_parameters\": {\n      \"full_attention\": {\n        \"rope_theta\": 1000000.0,\n        \"rope_type\": \"default\"\n      "
        "},\n      \"rope_theta\": null,\n      \"rope_type\": \"default\",\n      \"sliding_attention\": {\n        "
        "\"rope_theta\": 10000.0,\n        \"rope_type\": \"default\"\n      }\n    },\n    \"sliding_window\": 100,\n    "
        "\"tie_word_embeddings\": true,\n    \"use_bidirectional_attention\": true,\n    \"use_cache\": true,\n    \"vocab_size\": 20\n  "
        "},\n  \"tie_word_embeddings\": true,\n  \"transformers_version\": \"5.23.0\",\n  \"vision_config\": {\n    "
        "\"attention_dropout\": 0.0,\n    \"hidden_act\": \"gelu_pytorch_tanh\",\n    \"hidden_size\": 768,\n    \"image_size\": 224,\n    "
        "\"intermediate_size\": 3072,\n    \"layer_norm_eps\": 1e-06,\n    \"model_type\": \"siglip_vision_model\",\n    "
        "\"num_attention_heads\": 12,\n    \"num_channels\": 3,\n    \"num_hidden_layers\": 0,\n    \"patch_size\": 16,\n    "
        "\"vision_use_head\": true\n  }\n}\n",
        "{\n  \"_from_model_config\": true,\n  \"bos_token_id\": 2,\n  \"eos_token_id\": 1,\n  \"output_attentions\": false,\n  "
        "\"output_hidden_states\": false,\n  \"pad_token_id\": 3,\n  \"transformers_version\": \"5.23.0\",\n  \"use_cache\": true\n}\n",
    },
    {
        "WhisperForConditionalGeneration",
        "{\"model_type\": \"whisper\", \"d_model\": 16, \"encoder_layers\": 0, \"decoder_layers\": 0, \"encoder_attention_heads\": 2, "
        "\"decoder_attention_heads\": 2, \"vocab_size\": 60000, \"suppress_tokens\": [1, 2], \"output_logits\": true, "
        "\"decoder_max_length\": 9, \"watermarking_config\": {\"bias\": 1.5}, \"is_encoder_decoder\": true}",
        "{\n  \"activation_dropout\": 0.0,\n  \"activation_function\": \"gelu\",\n  \"apply_spec_augment\": false,\n  "
        "\"architectures\": [\n    \"WhisperForConditionalGeneration\"\n  ],\n  \"attention_dropout\": 0.0,\n  "
        "\"begin_suppress_tokens\": [\n    220,\n    50256\n  ],\n  \"bos_token_id\": 50256,\n  \"classifier_proj_size\": 256,\n  "
        "\"d_model\": 16,\n  \"decoder_attention_heads\": 2,\n  \"decoder_ffn_dim\": 1536,\n  \"decoder_layerdrop\": 0.0,\n  "
        "\"decoder_layers\": 0,\n  \"decoder_max_length\": 9,\n  \"decoder_start_token_id\": 50257,\n  \"dropout\": 0.0,\n  "
        "\"dtype\": \"float32\",\n  \"encoder_attention_heads\": 2,\n  \"encoder_ffn_dim\": 1536,\n  \"encoder_layerdrop\": 0.0,\n  "
        "\"encoder_layers\": 0,\n  \"eos_token_id\": 50256,\n  \"init_std\": 0.02,\n  \"is_encoder_decoder\": true,\n  "
        "\"mask_feature_length\": 10,\n  \"mask_feature_min_masks\": 0,\n  \"mask_feature_prob\": 0.0,\n  \"mask_time_length\": 10,\n  "
        "\"mask_time_min_masks\": 2,\n  \"mask_time_prob\": 0.05,\n  \"max_source_positions\": 1500,\n  \"max_target_positions\": 448,\n  "
        "\"median_filter_width\": 7,\n  \"model_type\": \"whisper\",\n  \"num_mel_bins\": 80,\n  \"output_logits\": true,\n  "
        "\"pad_token_id\": 50256,\n  \"scale_embedding\": false,\n  \"suppress_tokens\": [\n    1,\n    2\n  ],\n  "
        "\"tie_word_embeddings\": true,\n  \"transformers_version\": \"5.23.0\",\n  \"use_cache\": true,\n  "
        "\"use_weighted_layer_sum\": false,\n  \"vocab_size\": 60000,\n  \"watermarking_config\": {\n    \"bias\": 1.5\n  }\n}\n",
        "{\n  \"_from_model_config\": true,\n  \"begin_suppress_tokens\": [\n    220,\n    50256\n  ],\n  \"bos_token_id\": 50256,\n  "
        "\"decoder_start_token_id\": 50257,\n  \"eos_token_id\": 50256,\n  \"max_length\": 9,\n  \"output_attentions\": false,\n  "
        "\"output_hidden_states\": false,\n  \"output_logits\": true,\n  \"pad_token_id\": 50256,\n  \"return_dict_in_generate\": true,\n  "
        "\"suppress_tokens\": [\n    1,\n    2\n  ],\n  \"transformers_version\": \"5.23.0\",\n  \"use_cache\": true,\n  "
        "\"watermarking_config\": {\n    \"bias\": 1.5,\n    \"context_width\": 1,\n    \"greenlist_ratio\": 0.25,\n    "
        "\"hashing_key\": 15485863,\n    \"seeding_scheme\": \"lefthash\"\n  }\n}\n",
    },
    {
        "Wav2Vec2ForCTC",
        "{\"model_type\": \"wav2vec2\", \"num_hidden_layers\": 0, \"hidden_size\": 16, \"num_attention_heads\": 2, \"conv_dim\": [8], "
        "\"conv_kernel\": [3], \"conv_stride\": [2], \"num_conv_pos_embeddings\": 4, \"num_conv_pos_embedding_groups\": 2}",
        "{\n  \"activation_dropout\": 0.1,\n  \"adapter_attn_dim\": null,\n  \"adapter_kernel_size\": 3,\n  \"adapter_stride\": 2,\n  "
        "\"add_adapter\": false,\n  \"apply_spec_augment\": true,\n  \"architectures\": [\n    \"Wav2Vec2ForCTC\"\n  ],\n  "
        "\"attention_dropout\": 0.1,\n  \"bos_token_id\": 1,\n  \"classifier_proj_size\": 256,\n  \"codevector_dim\": 256,\n  "
        "\"contrastive_logits_temperature\": 0.1,\n  \"conv_bias\": false,\n  \"conv_dim\": [\n    8\n  ],\n  \"conv_kernel\": [\n    3\n  "
        "],\n  \"conv_stride\": [\n    2\n  ],\n  \"ctc_loss_reduction\": \"sum\",\n  \"ctc_zero_infinity\": false,\n  "
        "\"diversity_loss_weight\": 0.1,\n  \"do_stable_layer_norm\": false,\n  \"dtype\": \"float32\",\n  \"eos_token_id\": 2,\n  "
        "\"feat_extract_activation\": \"gelu\",\n  \"feat_extract_norm\": \"group\",\n  \"feat_proj_dropout\": 0.0,\n  "
        "\"feat_quantizer_dropout\": 0.0,\n  \"final_dropout\": 0.1,\n  \"hidden_act\": \"gelu\",\n  \"hidden_dropout\": 0.1,\n  "
        "\"hidden_size\": 16,\n  \"initializer_range\": 0.02,\n  \"intermediate_size\": 3072,\n  \"layer_norm_eps\": 1e-05,\n  "
        "\"layerdrop\": 0.1,\n  \"mask_feature_length\": 10,\n  \"mask_feature_min_masks\": 0,\n  \"mask_feature_prob\": 0.0,\n  "
        "\"mask_time_length\": 10,\n  \"mask_time_min_masks\": 2,\n  \"mask_time_prob\": 0.05,\n  \"model_type\": \"wav2vec2\",\n  "
        "\"num_adapter_layers\": 3,\n  \"num_attention_heads\": 2,\n  \"num_codevector_groups\": 2,\n  "
        "\"num_codevectors_per_group\": 320,\n  \"num_conv_pos_embedding_groups\": 2,\n  \"num_conv_pos_embeddings\": 4,\n  "
        "\"num_feat_extract_layers\": 1,\n  \"num_hidden_layers\": 0,\n  \"num_negatives\": 100,\n  \"output_hidden_size\": 16,\n  "
        "\"pad_token_id\": 0,\n  \"proj_codevector_dim\": 256,\n  \"tdnn_dilation\": [\n    1,\n    2,\n    3,\n    1,\n    1\n  ],\n  "
        "\"tdnn_dim\": [\n    512,\n    512,\n    512,\n    512,\n    1500\n  ],\n  \"tdnn_kernel\": [\n    5,\n    3,\n    3,\n    1,\n    "
        "1\n  ],\n  \"transformers_version\": \"5.23.0\",\n  \"use_weighted_layer_sum\": false,\n  \"vocab_size\": 32,\n  "
        "\"xvector_output_dim\": 512\n}\n",
        "",
    },
    {
        "ResNetBackbone",
        "{\"model_type\": \"resnet\", \"embedding_size\": 8, \"hidden_sizes\": [8, 16], \"depths\": [1, 1], \"out_features\": [\"stage1\"], "
        "\"num_labels\": 3}",
        "{\n  \"architectures\": [\n    \"ResNetBackbone\"\n  ],\n  \"depths\": [\n    1,\n    1\n  ],\n  "
        "\"downsample_in_bottleneck\": false,\n  \"downsample_in_first_stage\": false,\n  \"dtype\": \"float32\",\n  "
        "\"embedding_size\": 8,\n  \"hidden_act\": \"relu\",\n  \"hidden_sizes\": [\n    8,\n    16\n  ],\n  \"id2label\": {\n    "
        "\"0\": \"LABEL_0\",\n    \"1\": \"LABEL_1\",\n    \"2\": \"LABEL_2\"\n  },\n  \"label2id\": {\n    \"LABEL_0\": 0,\n    "
        "\"LABEL_1\": 1,\n    \"LABEL_2\": 2\n  },\n  \"layer_type\": \"bottleneck\",\n  \"model_type\": \"resnet\",\n  "
        "\"num_channels\": 3,\n  \"out_features\": [\n    \"stage1\"\n  ],\n  \"out_indices\": [\n    1\n  ],\n  \"stage_names\": [\n    "
        "\"stem\",\n    \"stage1\",\n    \"stage2\"\n  ],\n  \"transformers_version\": \"5.23.0\"\n}\n",
        "",
    },
    {
        "DetrModel",
        "{\"model_type\": \"detr\", \"encoder_layers\": 0, \"decoder_layers\": 0, \"encoder_attention_heads\": 2, "
        "\"decoder_attention_heads\": 2, \"d_model\": 8, \"num_queries\": 2, \"backbone\": \"resnet18\"}",
        "{\n  \"activation_dropout\": 0.0,\n  \"activation_function\": \"relu\",\n  \"architectures\": [\n    \"DetrModel\"\n  ],\n  "
        "\"attention_dropout\": 0.0,\n  \"auxiliary_loss\": false,\n  \"backbone_config\": {\n    \"_name_or_path\": \"\",\n    "
        "\"architectures\": null,\n    \"backbone\": \"resnet18\",\n    \"chunk_size_feed_forward\": 0,\n    \"dtype\": null,\n    "
        "\"features_only\": true,\n    \"freeze_batch_norm_2d\": false,\n    \"id2label\": {\n      \"0\": \"LABEL_0\",\n      \"1\": "
        "\"LABEL_1\"\n    },\n    \"is_encoder_decoder\": false,\n    \"label2id\": {\n      \"LABEL_0\": 0,\n      \"LABEL_1\": 1\n    "
        "},\n    \"model_type\": \"timm_backbone\",\n    \"num_channels\": 3,\n    \"out_features\": [\n      \"layer1\",\n      "
        "\"layer2\",\n      \"layer3\",\n      \"layer4\"\n    ],\n    \"out_indices\": [\n      1,\n      2,\n      3,\n      4\n    "
        "],\n    \"output_attentions\": false,\n    \"output_hidden_states\": false,\n    \"output_stride\": null,\n    "
        "\"problem_type\": null,\n    \"return_dict\": true,\n    \"stage_names\": [\n      \"act1\",\n      \"layer1\",\n      "
        "\"layer2\",\n      \"layer3\",\n      \"layer4\"\n    ],\n    \"use_pretrained_backbone\": false\n  },\n  \"bbox_cost\": 5,\n  "
        "\"bbox_loss_coefficient\": 5,\n  \"class_cost\": 1,\n  \"d_model\": 8,\n  \"decoder_attention_heads\": 2,\n  "
        "\"decoder_ffn_dim\": 2048,\n  \"decoder_layerdrop\": 0.0,\n  \"decoder_layers\": 0,\n  \"dice_loss_coefficient\": 1,\n  "
        "\"dilation\": false,\n  \"dropout\": 0.1,\n  \"dtype\": \"float32\",\n  \"encoder_attention_heads\": 2,\n  \"encoder_ffn_dim\": "
        "2048,\n  \"encoder_layerdrop\": 0.0,\n  \"encoder_layers\": 0,\n  \"eos_coefficient\": 0.1,\n  \"giou_cost\": 2,\n  "
        "\"giou_loss_coefficient\": 2,\n  \"init_std\": 0.02,\n  \"init_xavier_std\": 1.0,\n  \"is_encoder_decoder\": true,\n  "
        "\"mask_loss_coefficient\": 1,\n  \"model_type\": \"detr\",\n  \"num_channels\": 3,\n  \"num_queries\": 2,\n  "
        "\"position_embedding_type\": \"sine\",\n  \"transformers_version\": \"5.23.0\"\n}\n",
        "",
    },
};
enum { CASES = sizeof cases / sizeof *cases };

static tare_model *open_as(const char *cls, const char *json) {
    tare_error err = {0};
    tare_model *m = tare_model_parse(json, strlen(json), &(tare_open_options){.class_name = cls, .host = "gpu=none"}, &err);
    if (!m) fail_msg("%s: %s", json, err.message);
    return m;
}
/* The text, for buf_free(). */
static buf text_of(const tare_model *m, tare_text what) {
    buf b = {0};
    tare_error err = {0};
    if (tare_model_write(m, what, buf_take, &b, &err) != TARE_OK) fail_msg("%s: %s", tare_model_class(m), err.message);
    return b;
}
static void text_is(const tare_model *m, tare_text what, const char *want) {
    buf b = text_of(m, what);
    assert_string_equal(b.data ? b.data : "", want);
    buf_free(&b);
}

static void test_files(void **state) {
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        tare_model *m = open_as(cases[i].cls, cases[i].config);
        text_is(m, TARE_TEXT_SAVED_CONFIG, cases[i].saved);
        text_is(m, TARE_TEXT_SAVED_GENERATION, cases[i].generation);
        tare_model_free(m);
    }
}
/* A saved file is a config of the same model. It names a dtype, which its parts get then; after that nothing changes any more. */
static void test_again(void **state) {
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        tare_model *m = open_as(cases[i].cls, cases[i].saved);
        buf once = text_of(m, TARE_TEXT_SAVED_CONFIG);
        tare_model *again = open_as(cases[i].cls, once.data);
        text_is(again, TARE_TEXT_SAVED_CONFIG, once.data);
        if (!strstr(cases[i].config, "vision_config") && !strstr(cases[i].config, "backbone")) assert_string_equal(once.data, cases[i].saved);
        buf_free(&once);
        tare_model_free(again);
        tare_model_free(m);
    }
}
static void test_dtype(void **state) {
    (void)state;
    tare_error err = {0};
    tare_open_options o = {.dtype = "bf16"};
    tare_model *m = tare_model_parse(TINY_BERT, strlen(TINY_BERT), &o, &err);
    assert_non_null(m);
    buf b = text_of(m, TARE_TEXT_SAVED_CONFIG);
    assert_non_null(strstr(b.data, "\n  \"dtype\": \"bfloat16\",\n"));
    buf_free(&b);
    tare_model_free(m);
}

#define AROUND(decoder) \
    "{\"model_type\": \"vision-encoder-decoder\", \"encoder\": {\"model_type\": \"vit\", \"num_hidden_layers\": 0}, \"decoder\": " decoder "}"
/* What the class of a part wrote into its config: only a saved config shows it. Not if the class made a copy to write into. */
static void test_part(void **state) {
    (void)state;
    tare_model *m = open_as(NULL, AROUND("{\"model_type\": \"bart\", \"decoder_layers\": 0}"));
    buf before = text_of(m, TARE_TEXT_CONFIG), saved = text_of(m, TARE_TEXT_SAVED_CONFIG), after = text_of(m, TARE_TEXT_CONFIG);
    const char *was = strstr(before.data, "\"decoder\": {"), *is = strstr(saved.data, "\"decoder\": {");
    assert_non_null(was);
    assert_non_null(is);
    assert_non_null(strstr(was, "\"is_decoder\": false"));
    assert_non_null(strstr(is, "\"is_decoder\": true"));
    assert_string_equal(before.data, after.data);
    buf_free(&before);
    buf_free(&saved);
    buf_free(&after);
    tare_model_free(m);
    static const struct { const char *cls, *config, *shows; } own[] = {
        {NULL, AROUND("{\"model_type\": \"pegasus\", \"decoder_layers\": 0}"), "\"is_decoder\": false,\n    \"max"},
        {"PegasusForCausalLM", "{\"model_type\": \"pegasus\", \"decoder_layers\": 0}", "\"is_decoder\": true,\n  \"is_encoder_decoder\": false"},
    };
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        m = open_as(own[i].cls, own[i].config);
        saved = text_of(m, TARE_TEXT_SAVED_CONFIG);
        if (!strstr(saved.data, own[i].shows)) fail_msg("\"%s\" is not in %s", own[i].shows, saved.data);
        buf_free(&saved);
        tare_model_free(m);
    }
}

/* The place that a config came from: once in the effective config, nowhere in a saved one. */
static void test_name(void **state) {
    (void)state;
    tare_model *m = open_as(NULL, "{\"model_type\": \"bert\", \"num_hidden_layers\": 0, \"_name_or_path\": \"here\", \"name_or_path\": \"there\"}");
    buf all = text_of(m, TARE_TEXT_CONFIG), saved = text_of(m, TARE_TEXT_SAVED_CONFIG);
    const char *found = strstr(all.data, "\"_name_or_path\": \"here\"");
    assert_non_null(found);
    assert_null(strstr(found + 2, "_name_or_path"));
    assert_null(strstr(saved.data, "name_or_path"));
    buf_free(&all);
    buf_free(&saved);
    tare_model_free(m);
}

static void refuses(const tare_model *m, tare_text what, const char *path, const char *words) {
    buf b = {0};
    tare_error err = {0};
    assert_int_equal(tare_model_write(m, what, buf_take, &b, &err), TARE_BAD);
    assert_string_equal(err.path, path);
    if (!strstr(err.message, words)) fail_msg("\"%s\" is not in \"%s\"", words, err.message);
    assert_int_equal(b.n, 0);
    buf_free(&b);
}
static void test_refused(void **state) {
    (void)state;
    static const struct { const char *config, *path, *words; tare_text what; } rows[] = {
        {"{\"model_type\": \"bert\", \"num_hidden_layers\": 0, \"output_attentions\": true}", "$.output_attentions", "\"sdpa\"",
         TARE_TEXT_SAVED_CONFIG},
        {"{\"model_type\": \"bert\", \"num_hidden_layers\": 0, \"_auto_class\": \"AutoModel\"}", "$._auto_class", "code", TARE_TEXT_SAVED_CONFIG},
        {"{\"model_type\": \"gemma3\", \"architectures\": [\"Gemma3ForConditionalGeneration\"], \"vision_config\": {\"num_hidden_layers\": 0},"
         " \"text_config\": {\"num_hidden_layers\": 0, \"max_new_tokens\": 0}}", "$.max_new_tokens", "above 0", TARE_TEXT_SAVED_GENERATION},
        {"{\"model_type\": \"gemma3\", \"architectures\": [\"Gemma3ForConditionalGeneration\"], \"vision_config\": {\"num_hidden_layers\": 0},"
         " \"text_config\": {\"num_hidden_layers\": 0, \"watermarking_config\": {}}}", "$.watermarking_config", "part",
         TARE_TEXT_SAVED_GENERATION},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tare_model *m = open_as(NULL, rows[i].config);
        refuses(m, rows[i].what, rows[i].path, rows[i].words);
        tare_model_free(m);
    }
}
/* No family of today's sets one; a config class could. */
static void test_generation_setting(void **state) {
    (void)state;
    tare_model *m = open_as(NULL, TINY_LLAMA);
    cfg_set(m->own.c, "num_beams", val_int(4), TARE_FROM_FORMULA, NULL);
    refuses(m, TARE_TEXT_SAVED_CONFIG, "$.num_beams", "generation");
    tare_model_free(m);
}
static void test_bad_generation(void **state) {
    (void)state;
    static const char *const bad[] = {
        "\"watermarking_config\": {\"bia\": 1}", "\"watermarking_config\": {\"greenlist_ratio\": 1.5}",
        "\"watermarking_config\": {\"context_width\": 0}", "\"watermarking_config\": {\"seeding_scheme\": \"x\"}",
        "\"bos_token_id\": 2, \"force_bos_token_to_be_generated\": true, \"suppress_tokens\": [1, 2]",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char json[300];
        tare_error err = {0};
        snprintf(json, sizeof json, "{\"model_type\": \"whisper\", \"encoder_layers\": 0, \"decoder_layers\": 0, %s}", bad[i]);
        tare_open_options o = {.class_name = "WhisperForConditionalGeneration"};
        assert_null(tare_model_parse(json, strlen(json), &o, &err));
        assert_int_equal(err.status, TARE_BAD);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files), cmocka_unit_test(test_again), cmocka_unit_test(test_dtype), cmocka_unit_test(test_part),
        cmocka_unit_test(test_name), cmocka_unit_test(test_refused), cmocka_unit_test(test_generation_setting), cmocka_unit_test(test_bad_generation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
