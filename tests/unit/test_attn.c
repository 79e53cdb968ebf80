#define _POSIX_C_SOURCE 200809L
#include "build/attn.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* ---- the reference's decisions ------------------------------------------------------------------------------- */

/* Taken by constructing tiny models of these classes on meta with config._attn_implementation set, in transformers 5.23.0. For
 * the described hosts, torch.cuda.is_available and get_device_capability were replaced, importable packages of that name and
 * version were put on sys.path, and the `kernels` package was one whose every download fails. WhisperModel and
 * MixtralForCausalLM decide as LlamaForCausalLM does in every case, BloomModel as ResNetModel. */
static const char *const gpt_oss_flash[] = {"kernels-community/vllm-flash-attn3", "flash_attention_4",
    "kernels-community/metal-flash-sdpa", "kernels-community/aiter-flash-attn", NULL};
static const char *const mimo_flash[] = {"flash_attention_4", NULL};
enum { CLASSES = 5 };
static const attn_support classes[CLASSES] = {
    {.class_name = "LlamaForCausalLM", .sdpa = true, .flash = true, .flex = true, .dtype = TARE_BF16, .has_dtype = true},
    {.class_name = "ResNetModel", .dtype = TARE_BF16, .has_dtype = true},
    {.class_name = "T5Model", .sdpa = true, .flex = true, .dtype = TARE_BF16, .has_dtype = true},
    {.class_name = "GptOssForCausalLM", .flash = true, .flex = true, .experts = true, .compatible_flash = gpt_oss_flash,
     .dtype = TARE_BF16, .has_dtype = true},
    {.class_name = "MiMoV2FlashForCausalLM", .flash = true, .experts = true, .compatible_flash = mimo_flash,
     .dtype = TARE_BF16, .has_dtype = true},
};
#define LLAMA (&classes[0])
#define RESNET (&classes[1])
#define GPT_OSS (&classes[3])
#define MIMO (&classes[4])

static const char *const requests[] = {
    NULL, "eager", "sdpa", "flex_attention", "flash_attention_2", "flash_attention_3", "flash_attention_4", "flash_attention_5", "x", "",
    "paged|eager", "paged|sdpa", "paged|x", "paged|", "paged|paged|eager", "paged|flash_attention_2", "paged|flex_attention",
    "kernels-community/flash-attn2", "kernels-community/flash-attn2@v1:fn", "a/b:c:d", "a/b/c", "paged|a/b",
    "kernels-community/vllm-flash-attn3", "flash", "eager|", "SDPA", "flash_attention_2 "};

/* One letter per request. Chosen: e eager, s sdpa, x flex_attention, 2 3 4 flash_attention_N, p paged|eager. Refused:
 * U ValueError, not a name; N ValueError, not supported by the model; P ImportError, package missing; V ImportError, version;
 * G ImportError, no GPU; K ImportError or ValueError, kernel not to be had. */
static const struct { const char *host, *outcomes[CLASSES]; } recorded[] = {
    {"gpu=none",
     {"sesxPPPUUUpsUUpPxKKUUKKUUUU", "eeNNNNNUUUpNUUpNNKKUUKKUUUU", "sesxNNNUUUpsUUpNxKKUUKKUUUU",
      "eeNxKKPKUUpNUUpKxKKUUKKKUUK", "eeNNPPPPUUpNUUpPNPPUUKPPUUP"}},
    {"gpu=sm_90",
     {"sesxPPPUUUpsUUpPxKKUUKKUUUU", "eeNNNNNUUUpNUUpNNKKUUKKUUUU", "sesxNNNUUUpsUUpNxKKUUKKUUUU",
      "eeNxKKPKUUpNUUpKxKKUUKKKUUK", "eeNNPPPPUUpNUUpPNPPUUKPPUUP"}},
    {"gpu=none,flash_attn=2.8.3",
     {"sesxGPPUUUpsUUpGxKKUUKKUUUU", "eeNNNNNUUUpNUUpNNKKUUKKUUUU", "sesxNNNUUUpsUUpNxKKUUKKUUUU",
      "eeNxKKPKUUpNUUpKxKKUUKKKUUK", "eeNNPPPPUUpNUUpPNPPUUKPPUUP"}},
    {"gpu=sm_75,flash_attn=2.8.3,flash_attn_3=3.0.0,flash_attn_4=4.0.0",
     {"sesx234UUUpsUUp2xKKUUKKUUUU", "eeNNNNNUUUpNUUpNNKKUUKKUUUU", "sesxNNNUUUpsUUpNxKKUUKKUUUU",
      "eeNxKK4KUUpNUUpKxKKUUKKKUUK", "eeNN4444UUpNUUp4N44UUK44UU4"}},
    {"gpu=sm_90,flash_attn=2.8.3,flash_attn_3=3.0.0,flash_attn_4=4.0.0",
     {"sesx234UUUpsUUp2xKKUUKKUUUU", "eeNNNNNUUUpNUUpNNKKUUKKUUUU", "sesxNNNUUUpsUUpNxKKUUKKUUUU",
      "eeNxKK4KUUpNUUpKxKKUUKKKUUK", "eeNN4444UUpNUUp4N44UUK44UU4"}},
    {"gpu=sm_90,flash_attn=2.3.2",
     {"sesxVPPUUUpsUUpVxKKUUKKUUUU", "eeNNNNNUUUpNUUpNNKKUUKKUUUU", "sesxNNNUUUpsUUpNxKKUUKKUUUU",
      "eeNxKKPKUUpNUUpKxKKUUKKKUUK", "eeNNPPPPUUpNUUpPNPPUUKPPUUP"}},
    {"gpu=none,flash_attn=2.3.2",
     {"sesxVPPUUUpsUUpVxKKUUKKUUUU", "eeNNNNNUUUpNUUpNNKKUUKKUUUU", "sesxNNNUUUpsUUpNxKKUUKKUUUU",
      "eeNxKKPKUUpNUUpKxKKUUKKKUUK", "eeNNPPPPUUpNUUpPNPPUUKPPUUP"}},
    {"gpu=sm_90,flash_attn_4=4.0.0",
     {"sesxPP4UUUpsUUpPxKKUUKKUUUU", "eeNNNNNUUUpNUUpNNKKUUKKUUUU", "sesxNNNUUUpsUUpNxKKUUKKUUUU",
      "eeNxKK4KUUpNUUpKxKKUUKKKUUK", "eeNN4444UUpNUUp4N44UUK44UU4"}},
    {"gpu=none,flash_attn_3=3.0.0",
     {"sesxPGPUUUpsUUpPxKKUUKKUUUU", "eeNNNNNUUUpNUUpNNKKUUKKUUUU", "sesxNNNUUUpsUUpNxKKUUKKUUUU",
      "eeNxKKPKUUpNUUpKxKKUUKKKUUK", "eeNNPPPPUUpNUUpPNPPUUKPPUUP"}},
    {"gpu=none,kernels=yes",
     {"sesxPPPUUUpsUUpPxKKUUKKUUUU", "eeNNNNNUUUpNUUpNNKKUUKKUUUU", "sesxNNNUUUpsUUpNxKKUUKKUUUU",
      "eeNxKKPKUUpNUUpKxKKUUKKKUUK", "eeNNPPPPUUpNUUpPNPPUUKPPUUP"}},
    {"gpu=sm_90,kernels=yes",
     {"sesxPPPUUUpsUUpPxKKUUKKUUUU", "eeNNNNNUUUpNUUpNNKKUUKKUUUU", "sesxNNNUUUpsUUpNxKKUUKKUUUU",
      "eeNxKKPKUUpNUUpKxKKUUKKKUUK", "eeNNPPPPUUpNUUpPNPPUUKPPUUP"}},
    {"gpu=sm_90,flash_attn=2.3.2,kernels=yes",
     {"sesxVPPUUUpsUUpVxKKUUKKUUUU", "eeNNNNNUUUpNUUpNNKKUUKKUUUU", "sesxNNNUUUpsUUpNxKKUUKKUUUU",
      "eeNxKKPKUUpNUUpKxKKUUKKKUUK", "eeNNPPPPUUpNUUpPNPPUUKPPUUP"}},
    {"gpu=sm_90,flash_attn=2.3.3rc1",
     {"sesxVPPUUUpsUUpVxKKUUKKUUUU", "eeNNNNNUUUpNUUpNNKKUUKKUUUU", "sesxNNNUUUpsUUpNxKKUUKKUUUU",
      "eeNxKKPKUUpNUUpKxKKUUKKKUUK", "eeNNPPPPUUpNUUpPNPPUUKPPUUP"}},
};

static host described(const char *text) {
    host h;
    char why[256];
    if (!host_describe(&h, text, why, sizeof why)) fail_msg("%s: %s", text, why);
    return h;
}

static char letter(bool ok, const char *chosen, const char *why) {
    static const struct { const char *text; char letter; } choices[] = {
        {"eager", 'e'}, {"sdpa", 's'}, {"flex_attention", 'x'}, {"flash_attention_2", '2'}, {"flash_attention_3", '3'},
        {"flash_attention_4", '4'}, {"paged|eager", 'p'}};
    static const struct { const char *text; char letter; } reasons[] = { /* the first that is found is the main one */
        {"is no attention implementation", 'U'}, {"does not support", 'N'}, {"is a kernel on the Hub", 'K'}, {"is not installed", 'P'},
        {"must be 2.3.3 or newer", 'V'}, {"none is present", 'G'}, {"this one has", 'C'}};
    for (size_t i = 0; ok && i < sizeof choices / sizeof *choices; i++)
        if (strcmp(chosen, choices[i].text) == 0) return choices[i].letter;
    for (size_t i = 0; !ok && i < sizeof reasons / sizeof *reasons; i++)
        if (strstr(why, reasons[i].text)) return reasons[i].letter;
    return '?';
}

/* Capability is the one thing where the reference is laxer: it builds for sm_75 and the first forward pass fails. */
static char expected(char recorded_letter, const host *h) {
    return strchr("234", recorded_letter) && h->sm == 75 ? 'C' : recorded_letter;
}

static void test_decisions_are_the_reference_s(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof recorded / sizeof *recorded; i++) {
        host h = described(recorded[i].host);
        for (size_t c = 0; c < CLASSES; c++) {
            assert_int_equal(strlen(recorded[i].outcomes[c]), sizeof requests / sizeof *requests);
            for (size_t k = 0; k < sizeof requests / sizeof *requests; k++) {
                const char *chosen, *code;
                char why[ATTN_WHY];
                tare_status status;
                bool ok = attn_settle(&classes[c], &h, requests[k], &chosen, why, sizeof why, &status, &code);
                char want = expected(recorded[i].outcomes[c][k], &h), got = letter(ok, chosen, why);
                if (got != want)
                    fail_msg("%s, %s, %s: %c, not %c: %s", recorded[i].host, classes[c].class_name, requests[k], got, want, why);
                assert_int_equal(status, ok ? TARE_OK : TARE_NO);
                assert_string_equal(code, ok ? "" : strchr("PV", want) ? "unavailable_attention" : "unsupported_attention");
                assert_true(ok || !chosen);
                assert_int_equal(attn_possible(&classes[c], &h, requests[k], why, sizeof why), ok);
            }
        }
    }
}

/* ---- the words ----------------------------------------------------------------------------------------------- */

static void expect(const attn_support *s, const char *on, const char *requested, const char *choice, const char *words) {
    host h = described(on);
    const char *chosen, *code;
    char why[ATTN_WHY];
    tare_status status;
    bool ok = attn_settle(s, &h, requested, &chosen, why, sizeof why, &status, &code);
    assert_int_equal(ok, choice != NULL);
    if (choice) assert_string_equal(chosen, choice);
    assert_string_equal(why, words);
}

static void test_refusals_say_what_why_and_what_to_do(void **state) {
    (void)state;
    expect(LLAMA, "gpu=none", "flash_attention_2", NULL,
           "flash_attention_2 cannot be used: package flash_attn is not installed on the described host; it needs a GPU of compute "
           "capability 8.0 or newer and none is present; choose eager, sdpa or flex_attention");
    expect(LLAMA, "gpu=sm_90", "flash_attention_3", NULL,
           "flash_attention_3 cannot be used: package flash_attn_3 is not installed on the described host; choose eager, sdpa or "
           "flex_attention");
    expect(LLAMA, "gpu=sm_75", "flash_attention_2", NULL,
           "flash_attention_2 cannot be used: package flash_attn is not installed on the described host; it needs a GPU of compute "
           "capability 8.0 or newer and this one has 7.5; choose eager, sdpa or flex_attention");
    expect(LLAMA, "gpu=sm_75,flash_attn=2.8.3", "flash_attention_2", NULL,
           "flash_attention_2 cannot be used: it needs a GPU of compute capability 8.0 or newer and this one has 7.5; choose eager, "
           "sdpa or flex_attention");
    expect(LLAMA, "gpu=sm_86,flash_attn_4=4.0.0", "flash_attention_4", NULL,
           "flash_attention_4 cannot be used: it needs a GPU of compute capability 9.0 or newer and this one has 8.6; choose eager, "
           "sdpa or flex_attention");
    expect(LLAMA, "gpu=none,flash_attn=2.3.2", "flash_attention_2", NULL,
           "flash_attention_2 cannot be used: package flash_attn 2.3.2 on the described host must be 2.3.3 or newer; it needs a GPU of "
           "compute capability 8.0 or newer and none is present; choose eager, sdpa or flex_attention");
    expect(LLAMA, "gpu=sm_90,kernels=yes", "flash_attention_2", NULL,
           "flash_attention_2 cannot be used: package flash_attn is not installed on the described host; the kernel "
           "kernels-community/flash-attn2 that transformers would fetch instead is never followed; choose eager, sdpa or flex_attention");
    expect(RESNET, "gpu=none", "sdpa", NULL, "ResNetModel does not support sdpa; choose eager");
    expect(RESNET, "gpu=none", "flex_attention", NULL, "ResNetModel does not support flex_attention; choose eager");
    expect(RESNET, "gpu=sm_90,flash_attn=2.8.3", "flash_attention_2", NULL, "ResNetModel does not support flash_attention_2; choose eager");
    expect(LLAMA, "gpu=none", "x", NULL,
           "\"x\" is no attention implementation; LlamaForCausalLM takes eager, sdpa, flash_attention_2, flash_attention_3, "
           "flash_attention_4 and flex_attention");
    expect(RESNET, "gpu=none", "", NULL, "\"\" is no attention implementation; ResNetModel takes eager");
    expect(LLAMA, "gpu=none", "org/repo@rev:fn", NULL,
           "org/repo@rev:fn is a kernel on the Hub, which would have to be fetched and run; tare never does that; choose eager, sdpa or "
           "flex_attention");
    expect(GPT_OSS, "gpu=none", "flash_attention_2", NULL,
           "flash_attention_2 becomes kernels-community/vllm-flash-attn3, which GptOssForCausalLM is made for; "
           "kernels-community/vllm-flash-attn3 is a kernel on the Hub, which would have to be fetched and run; tare never does that; "
           "choose eager or flex_attention");
}

static void test_remarks_go_with_a_choice(void **state) {
    (void)state;
    static const char all[] = "gpu=sm_90,flash_attn=2.8.3,flash_attn_3=3.0.0,flash_attn_4=4.0.0";
    attn_support s = *LLAMA;
    expect(&s, all, "flash_attention_2", "flash_attention_2", "");
    s.dropout = true;
    expect(&s, all, "flash_attention_2", "flash_attention_2", "");
    expect(&s, all, "flash_attention_3", "flash_attention_3", "flash_attention_3 has no dropout and attention_dropout is above 0");
    s.dtype = TARE_F32;
    expect(&s, all, "flash_attention_2", "flash_attention_2", "flash_attention_2 computes in float16 or bfloat16 and the dtype is float32");
    expect(&s, all, "paged|flash_attention_4", "flash_attention_4",
           "flash_attention_4 has no dropout and attention_dropout is above 0; flash_attention_4 computes in float16 or bfloat16 and the "
           "dtype is float32; the prefix paged| is needed for eager only");
    expect(&s, all, "sdpa", "sdpa", "");
    s = *LLAMA;
    s.dtype = TARE_F16;
    expect(&s, all, "flash_attention_4", "flash_attention_4", "");
    s.has_dtype = false;
    expect(&s, all, "flash_attention_2", "flash_attention_2", "flash_attention_2 computes in float16 or bfloat16 and no dtype is given");
    expect(LLAMA, "gpu=none", "paged|sdpa", "sdpa", "the prefix paged| is needed for eager only");
    expect(LLAMA, "gpu=none", "paged|eager", "paged|eager", "");
    expect(MIMO, all, "flash_attention_2", "flash_attention_4",
           "flash_attention_2 becomes flash_attention_4, which MiMoV2FlashForCausalLM is made for");
    expect(MIMO, all, "flash_attention_4", "flash_attention_4", "");
}

/* The first that is built for the device is taken; when none is, the first. */
static void test_a_compatible_list_follows_the_device(void **state) {
    (void)state;
    static const char *const metal_first[] = {"kernels-community/metal-flash-sdpa", "flash_attention_4", NULL};
    static const char *const anywhere[] = {"flash_attention_4", "MiniMaxAI/msa", NULL};
    static const char *const nothing[] = {NULL};
    attn_support s = *LLAMA;
    s.compatible_flash = metal_first;
    expect(&s, "gpu=sm_90,flash_attn_4=4.0.0", "flash_attention_2", "flash_attention_4",
           "flash_attention_2 becomes flash_attention_4, which LlamaForCausalLM is made for");
    expect(&s, "gpu=none", "flash_attention_2", NULL,
           "flash_attention_2 becomes kernels-community/metal-flash-sdpa, which LlamaForCausalLM is made for; "
           "kernels-community/metal-flash-sdpa is a kernel on the Hub, which would have to be fetched and run; tare never does that; "
           "choose eager, sdpa or flex_attention");
    s.compatible_flash = anywhere;
    expect(&s, "gpu=none", "flash_attention_2", NULL,
           "flash_attention_2 becomes MiniMaxAI/msa, which LlamaForCausalLM is made for; MiniMaxAI/msa is a kernel on the Hub, which "
           "would have to be fetched and run; tare never does that; choose eager, sdpa or flex_attention");
    s.compatible_flash = nothing;
    expect(&s, "gpu=sm_90,flash_attn=2.8.3", "flash_attention_2", "flash_attention_2", "");
}

static void test_versions_are_compared_as_python_does(void **state) {
    (void)state;
    static const char *const enough[] = {"2.3.3", "2.3.3.post1", "2.3.3+cu12", "2.3.3.1", "2.4", "2.10", "3", "2.3.3-1"};
    static const char *const old[] = {"2.3.2", "2.3", "2", "1.0.9", "2.3.3rc1", "2.3.3.rc1", "2.3.3a1",
        "2.3.3b2", "2.3.3.dev0", "2.3.3pre1", "2.3rc1"};
    for (size_t i = 0; i < sizeof enough / sizeof *enough + sizeof old / sizeof *old; i++) {
        bool good = i < sizeof enough / sizeof *enough;
        const char *version = good ? enough[i] : old[i - sizeof enough / sizeof *enough];
        char text[64], why[ATTN_WHY];
        snprintf(text, sizeof text, "gpu=sm_80,flash_attn=%s", version);
        host h = described(text);
        if (attn_possible(LLAMA, &h, "flash_attention_2", why, sizeof why) != good) fail_msg("%s: %s", version, why);
    }
}

static void test_a_table_gets_fewer_words(void **state) {
    (void)state;
    char why[ATTN_WHY];
    host h = {0}; /* a machine that was asked and has nothing */
    const char *const *names;
    assert_int_equal(attn_names(&names), 6);
    assert_string_equal(names[0], "eager");
    assert_string_equal(names[5], "flex_attention");
    assert_false(attn_possible(LLAMA, &h, "flash_attention_2", why, sizeof why));
    assert_string_equal(
        why, "package flash_attn is not installed here; it needs a GPU of compute capability 8.0 or newer and none is present");
    h = described("gpu=sm_75,flash_attn=2.8.3");
    assert_false(attn_possible(LLAMA, &h, "flash_attention_2", why, sizeof why));
    assert_string_equal(why, "it needs a GPU of compute capability 8.0 or newer and this one has 7.5");
    assert_false(attn_possible(RESNET, &h, "sdpa", why, sizeof why));
    assert_string_equal(why, "ResNetModel does not support sdpa");
    assert_true(attn_possible(RESNET, &h, "eager", why, sizeof why));
    assert_string_equal(why, "");
}

/* Which names the reference takes for a kernel. */
static void test_kernels_are_told_by_their_form(void **state) {
    (void)state;
    static const char *const kernels[] = {"org/repo", "a/b@", "a/@v", "a/b@v:f", "a/b@v@w", "a b/c", "a/b\n"};
    static const char *const others[] = {"/x", "a/", "a/b:", "a:b/c", "a/b:c/d", "a/:f", "a/b:f:"};
    char why[ATTN_WHY];
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) {
        assert_false(attn_possible(LLAMA, NULL, kernels[i], why, sizeof why));
        assert_non_null(strstr(why, " is a kernel on the Hub"));
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_false(attn_possible(LLAMA, NULL, others[i], why, sizeof why));
        assert_non_null(strstr(why, " is no attention implementation"));
    }
}

static void test_names_from_outside_are_tamed(void **state) {
    (void)state;
    char long_name[300], why[ATTN_WHY], small[16];
    const char *chosen, *code;
    tare_status status;
    memset(long_name, 'x', sizeof long_name);
    memcpy(long_name + 63, "\xC3\xA4", 2); /* a character across the cut */
    memcpy(long_name, "\x1B[2J", 4);
    long_name[sizeof long_name - 1] = '\0';
    assert_false(attn_settle(LLAMA, NULL, long_name, &chosen, why, sizeof why, &status, &code));
    assert_memory_equal(why, "\"?[2Jxxxx", 9);
    assert_non_null(strstr(why, "xx...\" is no attention implementation; LlamaForCausalLM takes eager"));
    assert_int_equal(strcspn(why, "."), 1 + 63);
    assert_false(attn_settle(LLAMA, NULL, long_name, &chosen, small, sizeof small, &status, &code));
    assert_int_equal(strlen(small), sizeof small - 1);
    assert_false(attn_settle(LLAMA, NULL, "y", &chosen, NULL, 0, &status, &code));
    assert_int_equal(status, TARE_NO);
}

/* Last of the list: this machine is asked once per process. */
static void test_this_machine_is_asked_for_flash_only(void **state) {
    (void)state;
    const char *chosen, *code;
    char why[ATTN_WHY];
    tare_status status;
    setenv("TARE_CUDA_LIBRARY", STANDIN_CUDA, 1);
    setenv("STANDIN_SM", "75", 1);
    assert_true(attn_settle(LLAMA, NULL, NULL, &chosen, why, sizeof why, &status, &code));
    assert_string_equal(chosen, "sdpa");
    assert_true(attn_settle(LLAMA, NULL, "eager", &chosen, why, sizeof why, &status, &code));
    setenv("STANDIN_SM", "86", 1); /* not asked so far */
    assert_false(attn_settle(LLAMA, NULL, "flash_attention_4", &chosen, why, sizeof why, &status, &code));
    assert_string_equal(why, "flash_attention_4 cannot be used: package flash_attn_4 is not installed here; it needs a GPU of compute "
                             "capability 9.0 or newer and this one has 8.6; choose eager, sdpa or flex_attention");
}

/* ---- experts ------------------------------------------------------------------------------------------------- */

/* The reference, asked in the same way: only grouped_mm is checked against the model, every other known name is taken. */
static void test_experts_are_settled(void **state) {
    (void)state;
    static const struct { const char *requested, *llama, *gpt_oss; } cases[] = {
        {NULL, "eager", "grouped_mm"}, {"eager", "eager", "eager"}, {"grouped_mm", NULL, "grouped_mm"},
        {"batched_mm", "batched_mm", "batched_mm"}, {"deepgemm", "deepgemm", "deepgemm"}, {"sonicmoe", "sonicmoe", "sonicmoe"},
        {"deepgemm_megamoe", "deepgemm_megamoe", "deepgemm_megamoe"},
        {"x", NULL, NULL}, {"", NULL, NULL}, {"Eager", NULL, NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int k = 0; k < 2; k++) {
            const char *chosen, *want = k ? cases[i].gpt_oss : cases[i].llama;
            char why[ATTN_WHY];
            bool ok = experts_settle(k ? GPT_OSS : LLAMA, cases[i].requested, &chosen, why, sizeof why);
            assert_int_equal(ok, want != NULL);
            assert_int_equal(ok, why[0] == '\0');
            if (ok) assert_string_equal(chosen, want);
            else assert_null(chosen);
        }
    }
}

static void test_refused_experts_are_explained(void **state) {
    (void)state;
    const char *chosen;
    char why[ATTN_WHY];
    assert_false(experts_settle(LLAMA, "grouped_mm", &chosen, why, sizeof why));
    assert_string_equal(why, "LlamaForCausalLM does not support the experts implementation grouped_mm; choose eager");
    assert_false(experts_settle(LLAMA, "x", &chosen, why, sizeof why));
    assert_string_equal(
        why, "\"x\" is no experts implementation; known are eager, grouped_mm, batched_mm, deepgemm, deepgemm_megamoe and sonicmoe");
    assert_false(experts_settle(LLAMA, "x", &chosen, NULL, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decisions_are_the_reference_s),
        cmocka_unit_test(test_refusals_say_what_why_and_what_to_do),
        cmocka_unit_test(test_remarks_go_with_a_choice),
        cmocka_unit_test(test_a_compatible_list_follows_the_device),
        cmocka_unit_test(test_versions_are_compared_as_python_does),
        cmocka_unit_test(test_a_table_gets_fewer_words),
        cmocka_unit_test(test_kernels_are_told_by_their_form),
        cmocka_unit_test(test_names_from_outside_are_tamed),
        cmocka_unit_test(test_experts_are_settled),
        cmocka_unit_test(test_refused_experts_are_explained),
        cmocka_unit_test(test_this_machine_is_asked_for_flash_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
