/* Every layer of nn.h, in every form of its arguments: what print() of torch 2.13.0 shows, its tensors, and what is built. */

/* ---- linear ---- */
CASE(linear_bias, "Linear(in_features=3, out_features=4, bias=True)", "weight F32 4x3; bias F32 4", linear(m, "x", 3, 4, true))
CASE(linear_no_bias, "Linear(in_features=3, out_features=4, bias=False)", "weight F32 4x3", linear(m, "x", 3, 4, false))
CASE(linear_subclass, "FalconLinear(in_features=3, out_features=4, bias=True)", "weight F32 4x3; bias F32 4",
     linear_as(m, "x", "FalconLinear", 3, 4, true))
CASE(bilinear_bias, "Bilinear(in1_features=3, in2_features=4, out_features=5, bias=True)", "weight F32 5x3x4; bias F32 5",
     bilinear(m, "x", 3, 4, 5, true))
CASE(bilinear_no_bias, "Bilinear(in1_features=3, in2_features=4, out_features=5, bias=False)", "weight F32 5x3x4",
     bilinear(m, "x", 3, 4, 5, false))
CASE(adaptive_softmax,
     "AdaptiveLogSoftmaxWithLoss(\n"
     "  (head): Linear(in_features=64, out_features=12, bias=True)\n"
     "  (tail): ModuleList(\n"
     "    (0): Sequential(\n"
     "      (0): Linear(in_features=64, out_features=16, bias=False)\n"
     "      (1): Linear(in_features=16, out_features=20, bias=False)\n"
     "    )\n"
     "    (1): Sequential(\n"
     "      (0): Linear(in_features=64, out_features=4, bias=False)\n"
     "      (1): Linear(in_features=4, out_features=70, bias=False)\n"
     "    )\n"
     "  )\n"
     ")",
     "head.weight F32 12x64; head.bias F32 12; tail.0.0.weight F32 16x64; tail.0.1.weight F32 20x16; tail.1.0.weight F32 4x64; "
     "tail.1.1.weight F32 70x4", adaptive_log_softmax(m, "x", 64, 100, (const int64_t[]){10, 30}, 2, num_f(4.0), true))
CASE(adaptive_softmax_one,
     "AdaptiveLogSoftmaxWithLoss(\n"
     "  (head): Linear(in_features=9, out_features=9, bias=False)\n"
     "  (tail): ModuleList(\n"
     "    (0): Sequential(\n"
     "      (0): Linear(in_features=9, out_features=4, bias=False)\n"
     "      (1): Linear(in_features=4, out_features=12, bias=False)\n"
     "    )\n"
     "  )\n"
     ")",
     "head.weight F32 9x9; tail.0.0.weight F32 4x9; tail.0.1.weight F32 12x4",
     adaptive_log_softmax(m, "x", 9, 20, (const int64_t[]){8}, 1, num_i(2), false))

/* ---- embedding ---- */
CASE(embedding_plain, "Embedding(10, 4)", "weight F32 10x4", embedding(m, "x", 10, 4, NO_PAD))
CASE(embedding_pad_zero, "Embedding(10, 4, padding_idx=0)", "weight F32 10x4", embedding(m, "x", 10, 4, 0))
CASE(embedding_pad_last, "Embedding(10, 4, padding_idx=9)", "weight F32 10x4", embedding(m, "x", 10, 4, 9))
CASE(embedding_pad_minus_one, "Embedding(10, 4, padding_idx=9)", "weight F32 10x4", embedding(m, "x", 10, 4, -1))
CASE(embedding_pad_minus_all, "Embedding(10, 4, padding_idx=0)", "weight F32 10x4", embedding(m, "x", 10, 4, -10))
CASE(embedding_subclass, "ScaledWordEmbedding(10, 4, padding_idx=1)", "weight F32 10x4",
     embedding_as(m, "x", "ScaledWordEmbedding", 10, 4, 1))
CASE(embedding_frozen, "Embedding(10, 4)", "weight F32 10x4 frozen", freeze_all(embedding(m, "x", 10, 4, NO_PAD)))

/* ---- dropout ---- */
CASE(dropout_float, "Dropout(p=0.1, inplace=False)", "", dropout(m, "x", num_f(0.1)))
CASE(dropout_float_zero, "Dropout(p=0.0, inplace=False)", "", dropout(m, "x", num_f(0.0)))
CASE(dropout_int_zero, "Dropout(p=0, inplace=False)", "", dropout(m, "x", num_i(0)))
CASE(dropout_int_one, "Dropout(p=1, inplace=False)", "", dropout(m, "x", num_i(1)))
CASE(dropout_small, "Dropout(p=1e-05, inplace=False)", "", dropout(m, "x", num_f(1e-5)))
CASE(dropout_in_place, "Dropout(p=0.2, inplace=True)", "", dropout_inplace(m, "x", num_f(0.2)))
CASE(dropout_1d, "Dropout1d(p=0.5, inplace=False)", "", dropout1d(m, "x", num_f(0.5)))
CASE(dropout_2d, "Dropout2d(p=0.5, inplace=False)", "", dropout2d(m, "x", num_f(0.5)))

/* ---- shapes ---- */
CASE(identity_plain, "Identity()", "", identity(m, "x"))
CASE(flatten_default, "Flatten(start_dim=1, end_dim=-1)", "", flatten(m, "x", 1, -1))
CASE(flatten_from_end, "Flatten(start_dim=-2, end_dim=-1)", "", flatten(m, "x", -2, -1))
CASE(unflatten_two, "Unflatten(dim=1, unflattened_size=(2, 3))", "", unflatten(m, "x", 1, 2, 3))
CASE(pixel_shuffle_four, "PixelShuffle(upscale_factor=4)", "", pixel_shuffle(m, "x", 4))
CASE(pixel_unshuffle_two, "PixelUnshuffle(downscale_factor=2)", "", pixel_unshuffle(m, "x", 2))
CASE(upsample_int, "Upsample(scale_factor=2.0, mode='nearest')", "", upsample(m, "x", num_i(2), "nearest", false, false))
CASE(upsample_float, "Upsample(scale_factor=2.5, mode='bilinear')", "", upsample(m, "x", num_f(2.5), "bilinear", true, true))
CASE(upsample_nothing, "Upsample(size=None, mode='bicubic')", "", upsample(m, "x", num_i(0), "bicubic", false, true))

/* ---- padding ---- */
CASE(zero_pad, "ZeroPad2d((0, 1, 0, -1))", "", zero_pad2d(m, "x", 0, 1, 0, -1))
CASE(constant_pad_1d, "ConstantPad1d(padding=(2, 3), value=0.0)", "", constant_pad1d(m, "x", 2, 3, num_f(0.0)))
CASE(constant_pad_1d_int, "ConstantPad1d(padding=(2, 3), value=0)", "", constant_pad1d(m, "x", 2, 3, num_i(0)))
CASE(constant_pad_2d, "ConstantPad2d(padding=(1, 1, 2, 2), value=0.0)", "", constant_pad2d(m, "x", 1, 1, 2, 2, num_f(0.0)))
CASE(reflection_pad_1d, "ReflectionPad1d((1, 0))", "", reflection_pad1d(m, "x", 1, 0))
CASE(reflection_pad_2d, "ReflectionPad2d((0, 1, 0, 1))", "", reflection_pad2d(m, "x", 0, 1, 0, 1))

/* ---- parameters as modules ---- */
CASE(parameter_list_none, "ParameterList()", "", parameter_list(m, "x"))
CASE(parameter_list_one, "ParameterList(  (0): Parameter containing: [torch.float32 of size 1x1x4])", "0 F32 1x1x4",
     param(parameter_list(m, "x"), "0", ZEROS, 1, 1, 4))
CASE(parameter_list_two,
     "ParameterList(\n"
     "    (0): Parameter containing: [torch.float32 of size 4x5]\n"
     "    (1): Parameter containing: [torch.bfloat16 of size 3]\n"
     ")",
     "0 F32 4x5; 1 BF16 3", mod *l = parameter_list(m, "x"); param(l, "0", ZEROS, 4, 5); in_dtype(param(l, "1", ZEROS, 3), DT_BF16))
CASE(parameter_dict_one, "ParameterDict(  (image): Parameter containing: [torch.meta.FloatTensor of size 1x4])", "image F32 1x4",
     param(parameter_dict(m, "x"), "image", ZEROS, 1, 4))
CASE(parameter_dict_two,
     "ParameterDict(\n"
     "    (audio): Parameter containing: [torch.meta.FloatTensor of size 1x4]\n"
     "    (image): Parameter containing: [torch.meta.BFloat16Tensor of size 2]\n"
     ")",
     "audio F32 1x4; image BF16 2", mod *d = parameter_dict(m, "x"); param(d, "audio", ZEROS, 1, 4);
     in_dtype(param(d, "image", ZEROS, 2), DT_BF16))

/* ---- convolutions ---- */
CASE(conv1d_one, "Conv1d(3, 8, kernel_size=(5,), stride=(1,))", "weight F32 8x3x5; bias F32 8", conv1d(m, "x", 3, 8, .kernel = SIZE1(5)))
CASE(conv1d_all, "Conv1d(4, 8, kernel_size=(5,), stride=(2,), padding=(2,), dilation=(3,), groups=2, bias=False)", "weight F32 8x2x5",
     conv1d(m, "x", 4, 8, .kernel = SIZE1(5), .stride = SIZE1(2), .padding = SIZE1(2), .dilation = SIZE1(3), .groups = 2, .no_bias = true))
CASE(conv1d_braces, "Conv1d(3, 8, kernel_size=(5,), stride=(2,))", "weight F32 8x3x5; bias F32 8",
     conv1d(m, "x", 3, 8, .kernel = {5}, .stride = {2}))
CASE(conv2d_no_axes, "Conv2d(3, 8, kernel_size=(), stride=())", "weight F32 8x3; bias F32 8",
     conv_(m, "x", 0, false, 3, 8, (conv_spec){.kernel = {0, 0, 0, SIZE_TUPLE}, .stride = {0, 0, 0, SIZE_TUPLE}, .cls = "Conv2d"}))
CASE(conv1d_same_reflect, "Conv1d(3, 8, kernel_size=(5,), stride=(1,), padding=same, padding_mode=reflect)", "weight F32 8x3x5; bias F32 8",
     conv1d(m, "x", 3, 8, .kernel = SIZE1(5), .padding_text = "same", .padding_mode = "reflect"))
CASE(conv1d_circular, "Conv1d(3, 8, kernel_size=(3,), stride=(1,), padding=(1,), bias=False, padding_mode=circular)", "weight F32 8x3x3",
     conv1d(m, "x", 3, 8, .kernel = SIZE1(3), .padding = SIZE1(1), .no_bias = true, .padding_mode = "circular"))
CASE(conv1d_subclass, "ParakeetEncoderCTCHead(3, 8, kernel_size=(1,), stride=(1,))", "weight F32 8x3x1; bias F32 8",
     conv1d(m, "x", 3, 8, .kernel = SIZE1(1), .cls = "ParakeetEncoderCTCHead"))
CASE(conv2d_number, "Conv2d(3, 8, kernel_size=(7, 7), stride=(2, 2), padding=(3, 3))", "weight F32 8x3x7x7; bias F32 8",
     conv2d(m, "x", 3, 8, .kernel = SIZE1(7), .stride = SIZE1(2), .padding = SIZE1(3)))
CASE(conv2d_tuple, "Conv2d(3, 8, kernel_size=(3, 5), stride=(1, 2), padding=(0, 1), dilation=(2, 1))", "weight F32 8x3x3x5; bias F32 8",
     conv2d(m, "x", 3, 8, .kernel = SIZE2(3, 5), .stride = SIZE2(1, 2), .padding = SIZE2(0, 1), .dilation = SIZE2(2, 1)))
CASE(conv2d_half_padding, "Conv2d(3, 8, kernel_size=(5, 1), stride=(1, 1), padding=(2, 0))", "weight F32 8x3x5x1; bias F32 8",
     conv2d(m, "x", 3, 8, .kernel = SIZE2(5, 1), .padding = SIZE2(2, 0)))
CASE(conv2d_same2, "Conv2d(3, 8, kernel_size=(4, 4), stride=(4, 4))", "weight F32 8x3x4x4; bias F32 8",
     conv2d(m, "x", 3, 8, .kernel = SAME2(4), .stride = SAME2(4)))
CASE(conv2d_list, "Conv2d(3, 8, kernel_size=(4, 2), stride=(1, 1))", "weight F32 8x3x4x2; bias F32 8",
     conv2d(m, "x", 3, 8, .kernel = LIST2(4, 2)))
CASE(conv2d_same, "Conv2d(3, 8, kernel_size=(3, 5), stride=(1, 1), padding=same, bias=False)", "weight F32 8x3x3x5",
     conv2d(m, "x", 3, 8, .kernel = SIZE2(3, 5), .padding_text = "same", .no_bias = true))
CASE(conv2d_valid, "Conv2d(3, 8, kernel_size=(2, 2), stride=(2, 2), padding=valid)", "weight F32 8x3x2x2; bias F32 8",
     conv2d(m, "x", 3, 8, .kernel = SIZE1(2), .stride = SIZE1(2), .padding_text = "valid"))
CASE(conv2d_depthwise, "Conv2d(6, 6, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), groups=6)", "weight F32 6x1x3x3; bias F32 6",
     conv2d(m, "x", 6, 6, .kernel = SIZE1(3), .padding = SIZE1(1), .groups = 6))
CASE(conv3d_number, "Conv3d(3, 8, kernel_size=(2, 2, 2), stride=(2, 2, 2))", "weight F32 8x3x2x2x2; bias F32 8",
     conv3d(m, "x", 3, 8, .kernel = SIZE1(2), .stride = SIZE1(2)))
CASE(conv3d_tuple, "Conv3d(3, 8, kernel_size=(2, 14, 7), stride=(2, 14, 7), padding=(1, 0, 0), bias=False)", "weight F32 8x3x2x14x7",
     conv3d(m, "x", 3, 8, .kernel = SIZE3(2, 14, 7), .stride = SIZE3(2, 14, 7), .padding = SIZE3(1, 0, 0), .no_bias = true))
CASE(conv3d_same3, "Conv3d(3, 8, kernel_size=(2, 2, 2), stride=(1, 1, 1))", "weight F32 8x3x2x2x2; bias F32 8",
     conv3d(m, "x", 3, 8, .kernel = SAME3(2)))
CASE(conv_transpose1d_all,
     "ConvTranspose1d(4, 8, kernel_size=(4,), stride=(2,), padding=(1,), dilation=(2,), output_padding=(1,), groups=2, bias=False)",
     "weight F32 4x4x4",
     conv_transpose1d(m, "x", 4, 8, .kernel = SIZE1(4), .stride = SIZE1(2), .padding = SIZE1(1), .output_padding = SIZE1(1), .groups = 2,
     .no_bias = true, .dilation = SIZE1(2)))
CASE(conv_transpose2d_one, "ConvTranspose2d(4, 8, kernel_size=(2, 2), stride=(2, 2))", "weight F32 4x8x2x2; bias F32 8",
     conv_transpose2d(m, "x", 4, 8, .kernel = SIZE1(2), .stride = SIZE1(2)))
CASE(conv_transpose2d_tuple, "ConvTranspose2d(4, 8, kernel_size=(2, 3), stride=(2, 2), output_padding=(1, 0))",
     "weight F32 4x8x2x3; bias F32 8",
     conv_transpose2d(m, "x", 4, 8, .kernel = SIZE2(2, 3), .output_padding = SIZE2(1, 0), .stride = SIZE1(2)))

/* ---- weight norm ---- */
CASE(weight_norm_last,
     "ParametrizedConv1d(\n"
     "  8, 8, kernel_size=(5,), stride=(1,), padding=(2,), groups=4\n"
     "  (parametrizations): ModuleDict(\n"
     "    (weight): ParametrizationList(\n"
     "      (0): _WeightNorm()\n"
     "    )\n"
     "  )\n"
     ")",
     "bias F32 8; parametrizations.weight.original0 F32 1x1x5; parametrizations.weight.original1 F32 8x2x5",
     weight_norm(conv1d(m, "x", 8, 8, .kernel = SIZE1(5), .padding = SIZE1(2), .groups = 4), 2))
CASE(weight_norm_first,
     "ParametrizedConv1d(\n"
     "  8, 4, kernel_size=(5,), stride=(1,), bias=False\n"
     "  (parametrizations): ModuleDict(\n"
     "    (weight): ParametrizationList(\n"
     "      (0): _WeightNorm()\n"
     "    )\n"
     "  )\n"
     ")",
     "parametrizations.weight.original0 F32 4x1x1; parametrizations.weight.original1 F32 4x8x5",
     weight_norm(conv1d(m, "x", 8, 4, .kernel = SIZE1(5), .no_bias = true), 0))
CASE(weight_norm_middle,
     "ParametrizedConvTranspose1d(\n"
     "  8, 4, kernel_size=(5,), stride=(1,)\n"
     "  (parametrizations): ModuleDict(\n"
     "    (weight): ParametrizationList(\n"
     "      (0): _WeightNorm()\n"
     "    )\n"
     "  )\n"
     ")",
     "bias F32 4; parametrizations.weight.original0 F32 1x4x1; parametrizations.weight.original1 F32 8x4x5",
     weight_norm(conv_transpose1d(m, "x", 8, 4, .kernel = SIZE1(5)), 1))
CASE(weight_norm_linear,
     "ParametrizedLinear(\n"
     "  in_features=3, out_features=4, bias=True\n"
     "  (parametrizations): ModuleDict(\n"
     "    (weight): ParametrizationList(\n"
     "      (0): _WeightNorm()\n"
     "    )\n"
     "  )\n"
     ")",
     "bias F32 4; parametrizations.weight.original0 F32 4x1; parametrizations.weight.original1 F32 4x3",
     weight_norm(linear_as(m, "x", "Linear", 3, 4, true), 0))
CASE(weight_norm_no_axis,
     "ParametrizedConv1d(\n"
     "  8, 4, kernel_size=(5,), stride=(1,)\n"
     "  (parametrizations): ModuleDict(\n"
     "    (weight): ParametrizationList(\n"
     "      (0): _WeightNorm()\n"
     "    )\n"
     "  )\n"
     ")",
     "bias F32 4; parametrizations.weight.original0 F32 ; parametrizations.weight.original1 F32 4x8x5",
     weight_norm(conv1d(m, "x", 8, 4, .kernel = SIZE1(5)), -1))
CASE(weight_norm_hook_last, "Conv1d(8, 4, kernel_size=(5,), stride=(1,))", "bias F32 4; weight_g F32 1x1x5; weight_v F32 4x8x5",
     weight_norm_hook(conv1d(m, "x", 8, 4, .kernel = SIZE1(5)), 2))
CASE(weight_norm_hook_first, "Conv1d(8, 4, kernel_size=(5,), stride=(1,), bias=False)", "weight_g F32 4x1x1; weight_v F32 4x8x5",
     weight_norm_hook(conv1d(m, "x", 8, 4, .kernel = SIZE1(5), .no_bias = true), 0))

/* ---- pools ---- */
CASE(avg_pool1d_default, "AvgPool1d(kernel_size=(2,), stride=(2,), padding=(0,))", "", avg_pool1d(m, "x", .kernel = SIZE1(2)))
CASE(avg_pool1d_all, "AvgPool1d(kernel_size=(3,), stride=(2,), padding=(1,))", "",
     avg_pool1d(m, "x", .kernel = SIZE1(3), .stride = SIZE1(2), .padding = SIZE1(1)))
CASE(avg_pool2d_number, "AvgPool2d(kernel_size=3, stride=1, padding=1)", "",
     avg_pool2d(m, "x", .kernel = SIZE1(3), .stride = SIZE1(1), .padding = SIZE1(1), .no_count_include_pad = true))
CASE(avg_pool2d_ceil, "AvgPool2d(kernel_size=2, stride=2, padding=0)", "", avg_pool2d(m, "x", .kernel = SIZE1(2), .ceil_mode = true))
CASE(avg_pool2d_tuple, "AvgPool2d(kernel_size=(3, 4), stride=(3, 4), padding=0)", "", avg_pool2d(m, "x", .kernel = SIZE2(3, 4)))
CASE(max_pool1d_number, "MaxPool1d(kernel_size=3, stride=2, padding=1, dilation=1, ceil_mode=False)", "",
     max_pool1d(m, "x", .kernel = SIZE1(3), .stride = SIZE1(2), .padding = SIZE1(1)))
CASE(max_pool2d_default, "MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)", "",
     max_pool2d(m, "x", .kernel = SIZE1(2)))
CASE(max_pool2d_ceil, "MaxPool2d(kernel_size=2, stride=1, padding=0, dilation=1, ceil_mode=True)", "",
     max_pool2d(m, "x", .kernel = SIZE1(2), .stride = SIZE1(1), .ceil_mode = true))
CASE(max_pool2d_tuple, "BitMaxPool2d(kernel_size=(3, 3), stride=(2, 2), padding=(0, 0), dilation=(1, 1), ceil_mode=False)", "",
     max_pool2d(m, "x", .kernel = SAME2(3), .stride = SAME2(2), .padding = SIZE2(0, 0), .dilation = SAME2(1), .cls = "BitMaxPool2d"))
CASE(max_pool2d_list, "MaxPool2d(kernel_size=[2, 3], stride=[2, 3], padding=0, dilation=1, ceil_mode=False)", "",
     max_pool2d(m, "x", .kernel = LIST2(2, 3)))
CASE(adaptive_avg_1d, "AdaptiveAvgPool1d(output_size=1)", "", adaptive_avg_pool1d(m, "x", 1))
CASE(adaptive_avg_2d, "AdaptiveAvgPool2d(output_size=7)", "", adaptive_avg_pool2d(m, "x", 7, 0))
CASE(adaptive_avg_2d_tuple, "AdaptiveAvgPool2d(output_size=(1, 2))", "", adaptive_avg_pool2d(m, "x", 1, 2))
CASE(adaptive_max_2d, "AdaptiveMaxPool2d(output_size=3)", "", adaptive_max_pool2d(m, "x", 3, 0))
CASE(unfold_numbers, "Unfold(kernel_size=3, dilation=1, padding=0, stride=2)", "", unfold(m, "x", 3, 1, 0, 2))
CASE(unfold_zero_padding, "Unfold(kernel_size=3, dilation=2, padding=1, stride=1)", "", unfold(m, "x", 3, 2, 1, 1))
CASE(unfold_tuple, "Unfold(kernel_size=(14, 14), dilation=1, padding=0, stride=14)", "",
     unfold_with(m, "x", .kernel = SIZE2(14, 14), .stride = SIZE1(14)))
CASE(unfold_list, "Unfold(kernel_size=[9, 1], dilation=1, padding=[4, 0], stride=1)", "",
     unfold_with(m, "x", .kernel = LIST2(9, 1), .padding = LIST2(4, 0)))

/* ---- norms ---- */
CASE(layernorm_plain, "LayerNorm((8,), eps=1e-05, elementwise_affine=True, bias=True)", "weight F32 8; bias F32 8",
     layernorm(m, "x", 8, num_f(1e-5)))
CASE(layernorm_eps, "LayerNorm((8,), eps=1e-12, elementwise_affine=True, bias=True)", "weight F32 8; bias F32 8",
     layernorm(m, "x", 8, num_f(1e-12)))
CASE(layernorm_eps_plain, "LayerNorm((8,), eps=0.001, elementwise_affine=True, bias=True)", "weight F32 8; bias F32 8",
     layernorm(m, "x", 8, num_f(0.001)))
CASE(layernorm_eps_int, "LayerNorm((8,), eps=0, elementwise_affine=True, bias=True)", "weight F32 8; bias F32 8",
     layernorm(m, "x", 8, num_i(0)))
CASE(layernorm_subclass, "SamLayerNorm((8,), eps=1e-06, elementwise_affine=True, bias=True)", "weight F32 8; bias F32 8",
     layernorm_as(m, "x", "SamLayerNorm", 8, num_f(1e-6)))
CASE(layernorm_no_affine, "LayerNorm((8,), eps=1e-05, elementwise_affine=False, bias=False)", "",
     layernorm_with(m, "x", 8, num_f(1e-5), .no_affine = true))
CASE(layernorm_no_bias, "LayerNorm((8,), eps=1e-05, elementwise_affine=True, bias=False)", "weight F32 8",
     layernorm_with(m, "x", 8, num_f(1e-5), .no_bias = true))
CASE(layernorm_two, "LayerNorm((8, 4), eps=1e-05, elementwise_affine=True, bias=True)", "weight F32 8x4; bias F32 8x4",
     layernorm_with(m, "x", 8, num_f(1e-5), .more = {4}))
CASE(layernorm_three, "LayerNorm((8, 4, 2), eps=1e-05, elementwise_affine=True, bias=False)", "weight F32 8x4x2",
     layernorm_with(m, "x", 8, num_f(1e-5), .more = {4, 2}, .no_bias = true))
CASE(rms_norm_eps, "RMSNorm((8,), eps=1e-06, elementwise_affine=True)", "weight F32 8", rms_norm(m, "x", 8, num_f(1e-6), true))
CASE(rms_norm_none, "RMSNorm((8,), eps=None, elementwise_affine=True)", "weight F32 8", rms_norm(m, "x", 8, num_f(0), false))
CASE(rms_norm_no_affine, "RMSNorm((8,), eps=1e-05, elementwise_affine=False)", "",
     rms_norm_with(m, "x", 8, .no_affine = true, .eps = num_f(1e-5), .has_eps = true))
CASE(groupnorm_affine, "GroupNorm(2, 8, eps=1e-05, affine=True, bias=True)", "weight F32 8; bias F32 8",
     groupnorm(m, "x", 2, 8, num_f(1e-5), true))
CASE(groupnorm_no_affine, "GroupNorm(2, 8, eps=1e-06, affine=False, bias=False)", "", groupnorm(m, "x", 2, 8, num_f(1e-6), false))
CASE(groupnorm_subclass, "PoolFormerGroupNorm(1, 8, eps=1e-05, affine=True, bias=True)", "weight F32 8; bias F32 8",
     groupnorm_as(m, "x", "PoolFormerGroupNorm", 1, 8, num_f(1e-5), true))
CASE(batchnorm1d_default, "BatchNorm1d(8, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)",
     "weight F32 8; bias F32 8; running_mean F32 8 persistent; running_var F32 8 persistent; num_batches_tracked I64  persistent",
     batchnorm1d(m, "x", 8, .no_affine = false))
CASE(batchnorm2d_eps, "BatchNorm2d(8, eps=0.001, momentum=0.1, affine=True, bias=True, track_running_stats=True)",
     "weight F32 8; bias F32 8; running_mean F32 8 persistent; running_var F32 8 persistent; num_batches_tracked I64  persistent",
     batchnorm2d(m, "x", 8, .eps = num_f(0.001), .has_eps = true))
CASE(batchnorm2d_momentum, "BatchNorm2d(8, eps=0.001, momentum=0.99, affine=True, bias=True, track_running_stats=True)",
     "weight F32 8; bias F32 8; running_mean F32 8 persistent; running_var F32 8 persistent; num_batches_tracked I64  persistent",
     batchnorm2d(m, "x", 8, .eps = num_f(1e-3), .has_eps = true, .momentum = num_f(0.99), .has_momentum = true))
CASE(batchnorm2d_no_affine, "BatchNorm2d(8, eps=1e-05, momentum=0.1, affine=False, bias=False, track_running_stats=True)",
     "running_mean F32 8 persistent; running_var F32 8 persistent; num_batches_tracked I64  persistent",
     batchnorm2d(m, "x", 8, .no_affine = true))
CASE(batchnorm2d_no_track, "BatchNorm2d(8, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=False)",
     "weight F32 8; bias F32 8", batchnorm2d(m, "x", 8, .no_track = true))
CASE(batchnorm3d_default, "BatchNorm3d(8, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)",
     "weight F32 8; bias F32 8; running_mean F32 8 persistent; running_var F32 8 persistent; num_batches_tracked I64  persistent",
     batchnorm3d(m, "x", 8, .no_affine = false))
CASE(batchnorm_sync, "SyncBatchNorm(8, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)",
     "weight F32 8; bias F32 8; running_mean F32 8 persistent; running_var F32 8 persistent; num_batches_tracked I64  persistent",
     batchnorm2d(m, "x", 8, .cls = "SyncBatchNorm"))
CASE(instancenorm1d_affine, "InstanceNorm1d(8, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=False)",
     "weight F32 8; bias F32 8", instancenorm1d(m, "x", 8, num_f(1e-5), true))
CASE(instancenorm2d_plain, "InstanceNorm2d(8, eps=1e-05, momentum=0.1, affine=False, bias=False, track_running_stats=False)", "",
     instancenorm2d(m, "x", 8, num_f(1e-5), false))

/* ---- recurrent layers ---- */
CASE(lstm_plain, "LSTM(3, 5)", "weight_ih_l0 F32 20x3; weight_hh_l0 F32 20x5; bias_ih_l0 F32 20; bias_hh_l0 F32 20",
     lstm(m, "x", 3, 5, .layers = 1))
CASE(lstm_layers, "LSTM(3, 5, num_layers=2, batch_first=True)",
     "weight_ih_l0 F32 20x3; weight_hh_l0 F32 20x5; bias_ih_l0 F32 20; bias_hh_l0 F32 20; weight_ih_l1 F32 20x5; "
     "weight_hh_l1 F32 20x5; bias_ih_l1 F32 20; bias_hh_l1 F32 20", lstm(m, "x", 3, 5, .layers = 2, .batch_first = true))
CASE(lstm_both_ways, "LSTM(3, 5, num_layers=2, dropout=0.1, bidirectional=True)",
     "weight_ih_l0 F32 20x3; weight_hh_l0 F32 20x5; bias_ih_l0 F32 20; bias_hh_l0 F32 20; weight_ih_l0_reverse F32 20x3; "
     "weight_hh_l0_reverse F32 20x5; bias_ih_l0_reverse F32 20; bias_hh_l0_reverse F32 20; weight_ih_l1 F32 20x10; "
     "weight_hh_l1 F32 20x5; bias_ih_l1 F32 20; bias_hh_l1 F32 20; weight_ih_l1_reverse F32 20x10; weight_hh_l1_reverse F32 20x5; "
     "bias_ih_l1_reverse F32 20; bias_hh_l1_reverse F32 20", lstm(m, "x", 3, 5, .layers = 2, .bidirectional = true, .dropout = num_f(0.1)))
CASE(lstm_all, "LSTM(3, 5, proj_size=2, num_layers=2, bias=False, batch_first=True, dropout=1.0, bidirectional=True)",
     "weight_ih_l0 F32 20x3; weight_hh_l0 F32 20x2; weight_hr_l0 F32 2x5; weight_ih_l0_reverse F32 20x3; "
     "weight_hh_l0_reverse F32 20x2; weight_hr_l0_reverse F32 2x5; weight_ih_l1 F32 20x4; weight_hh_l1 F32 20x2; "
     "weight_hr_l1 F32 2x5; weight_ih_l1_reverse F32 20x4; weight_hh_l1_reverse F32 20x2; weight_hr_l1_reverse F32 2x5",
     lstm(m, "x", 3, 5, .layers = 2, .proj = 2, .no_bias = true, .batch_first = true, .bidirectional = true, .dropout = num_i(1)))
CASE(lstm_proj, "LSTM(3, 5, proj_size=2)",
     "weight_ih_l0 F32 20x3; weight_hh_l0 F32 20x2; bias_ih_l0 F32 20; bias_hh_l0 F32 20; weight_hr_l0 F32 2x5",
     lstm(m, "x", 3, 5, .proj = 2))
CASE(gru_plain, "GRU(3, 5, batch_first=True)", "weight_ih_l0 F32 15x3; weight_hh_l0 F32 15x5; bias_ih_l0 F32 15; bias_hh_l0 F32 15",
     gru(m, "x", 3, 5, .batch_first = true))
CASE(gru_both_ways, "GRU(3, 5, bias=False, bidirectional=True)",
     "weight_ih_l0 F32 15x3; weight_hh_l0 F32 15x5; weight_ih_l0_reverse F32 15x3; weight_hh_l0_reverse F32 15x5",
     gru(m, "x", 3, 5, .bidirectional = true, .no_bias = true))
CASE(gru_cell_bias, "GRUCell(3, 5)", "weight_ih F32 15x3; weight_hh F32 15x5; bias_ih F32 15; bias_hh F32 15", gru_cell(m, "x", 3, 5, true))
CASE(gru_cell_no_bias, "GRUCell(3, 5, bias=False)", "weight_ih F32 15x3; weight_hh F32 15x5", gru_cell(m, "x", 3, 5, false))

/* ---- attention ---- */
CASE(mha_plain,
     "MultiheadAttention(\n"
     "  (out_proj): NonDynamicallyQuantizableLinear(in_features=8, out_features=8, bias=True)\n"
     ")",
     "in_proj_weight F32 24x8; in_proj_bias F32 24; out_proj.weight F32 8x8; out_proj.bias F32 8",
     multihead_attention(m, "x", 8, 2, .no_bias = false))
CASE(mha_no_bias,
     "MultiheadAttention(\n"
     "  (out_proj): NonDynamicallyQuantizableLinear(in_features=8, out_features=8, bias=False)\n"
     ")",
     "in_proj_weight F32 24x8; out_proj.weight F32 8x8", multihead_attention(m, "x", 8, 2, .no_bias = true))
CASE(mha_widths,
     "MultiheadAttention(\n"
     "  (out_proj): NonDynamicallyQuantizableLinear(in_features=8, out_features=8, bias=True)\n"
     ")",
     "q_proj_weight F32 8x8; k_proj_weight F32 8x3; v_proj_weight F32 8x5; in_proj_bias F32 24; out_proj.weight F32 8x8; "
     "out_proj.bias F32 8", multihead_attention(m, "x", 8, 2, .kdim = 3, .vdim = 5))
CASE(mha_value_width,
     "MultiheadAttention(\n"
     "  (out_proj): NonDynamicallyQuantizableLinear(in_features=8, out_features=8, bias=True)\n"
     ")",
     "q_proj_weight F32 8x8; k_proj_weight F32 8x8; v_proj_weight F32 8x5; in_proj_bias F32 24; bias_k F32 1x1x8; bias_v F32 1x1x8; "
     "out_proj.weight F32 8x8; out_proj.bias F32 8", multihead_attention(m, "x", 8, 2, .vdim = 5, .add_bias_kv = true))
CASE(mha_same_widths,
     "MultiheadAttention(\n"
     "  (out_proj): NonDynamicallyQuantizableLinear(in_features=8, out_features=8, bias=False)\n"
     ")",
     "in_proj_weight F32 24x8; bias_k F32 1x1x8; bias_v F32 1x1x8; out_proj.weight F32 8x8",
     multihead_attention(m, "x", 8, 2, .kdim = 8, .vdim = 8, .add_bias_kv = true, .no_bias = true))

/* ---- activations ---- */
CASE(relu_plain, "ReLU()", "", relu(m, "x", false))
CASE(relu_in_place, "ReLU(inplace=True)", "", relu(m, "x", true))
CASE(silu_in_place, "SiLU(inplace=True)", "", silu(m, "x", true))
CASE(gelu_none, "GELU(approximate='none')", "", gelu(m, "x", "none"))
CASE(gelu_tanh, "GELU(approximate='tanh')", "", gelu(m, "x", "tanh"))
CASE(leaky_relu_slope, "LeakyReLU(negative_slope=0.2)", "", leaky_relu(m, "x", num_f(0.2)))
CASE(leaky_relu_in_place, "LeakyReLU(negative_slope=0.01, inplace=True)", "", leaky_relu_inplace(m, "x", num_f(0.01)))
CASE(softmax_last, "Softmax(dim=-1)", "", softmax(m, "x", num_i(-1), true))
CASE(softmax_none, "Softmax(dim=None)", "", softmax(m, "x", num_i(0), false))
CASE(prelu_one, "PReLU(num_parameters=1)", "weight F32 1", prelu(m, "x", 1))
CASE(prelu_many, "PReLU(num_parameters=6)", "weight F32 6", prelu(m, "x", 6))
CASE(glu_one, "GLU(dim=1)", "", glu(m, "x", 1))
CASE(elu_float, "ELU(alpha=0.5)", "", elu(m, "x", num_f(0.5)))
CASE(elu_int, "ELU(alpha=1)", "", elu(m, "x", num_i(1)))
