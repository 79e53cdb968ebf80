#define _POSIX_C_SOURCE 200809L
#include "core/host.h"
#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* ---- described ----------------------------------------------------------------------------------------------- */

static host described(const char *text) {
    host h;
    char why[256] = "untouched";
    if (!host_describe(&h, text, why, sizeof why)) fail_msg("%s: %s", text, why);
    assert_string_equal(why, "");
    return h;
}

static void test_whole_descriptions_are_read(void **state) {
    (void)state;
    host h = described("gpu=sm_90,flash_attn=2.8");
    assert_true(h.gpu && h.described && !h.kernels);
    assert_int_equal(h.sm, 90);
    assert_int_equal(h.gpus, 1);
    assert_string_equal(h.flash_attn, "2.8");
    assert_string_equal(h.flash_attn_3, "");
    assert_string_equal(h.words, "described host: GPU sm_90, flash_attn 2.8");
    h = described("kernels=yes, flash_attn_4=4.0.0b1,flash_attn_3=3.0.0,gpu=none");
    assert_true(!h.gpu && h.kernels);
    assert_int_equal(h.sm, 0);
    assert_int_equal(h.gpus, 0);
    assert_string_equal(h.words, "described host: no GPU, flash_attn_3 3.0.0, flash_attn_4 4.0.0b1, kernels");
}

static void test_every_kind_of_value_is_read(void **state) {
    (void)state;
    assert_int_equal(described("gpu=sm_75").sm, 75);
    assert_int_equal(described("gpu=sm_90a").sm, 90);
    assert_int_equal(described("gpu=sm_120f").sm, 120);
    assert_string_equal(described("gpu=none,flash_attn=2.8.3.post1").flash_attn, "2.8.3.post1");
    assert_string_equal(described("gpu=none,flash_attn=2.7.4+cu12").flash_attn, "2.7.4+cu12");
    assert_string_equal(described("gpu=none,flash_attn=none").flash_attn, "");
    assert_false(described("gpu=none,kernels=no").kernels);
}

static void test_wrong_descriptions_are_refused(void **state) {
    (void)state;
    static const char *const wrong[][2] = {
        {"", "\"\" in the host description: expected one of gpu, flash_attn, flash_attn_3, flash_attn_4, kernels, then = and a value"},
        {"gpu", "\"gpu\" in the host description: expected one of"},
        {"gpu=none,", "\"\" in the host description: expected one of"},
        {"cpu=4", "\"cpu=4\" in the host description: expected one of gpu,"},
        {"gp=none", "\"gp=none\" in the host description: expected one of gpu,"},
        {"gpus=2", "\"gpus=2\" in the host description: expected one of gpu,"},
        {"=none", "\"=none\" in the host description: expected one of gpu,"},
        {"flash_attn_2=2.8", "\"flash_attn_2=2.8\" in the host description: expected one of gpu,"},
        {"gpu=none,gpu=none", "\"gpu=none\" in the host description: given twice"},
        {"gpu=", "\"gpu=\" in the host description: expected gpu=none or a compute capability such as gpu=sm_90"},
        {"gpu=h100", "\"gpu=h100\" in the host description: expected gpu=none or"},
        {"gpu=sm_9", "\"gpu=sm_9\" in the host description: expected gpu=none or"},
        {"gpu=sm_0900", "\"gpu=sm_0900\" in the host description: expected gpu=none or"},
        {"gpu=sm_09", "\"gpu=sm_09\" in the host description: expected gpu=none or"},
        {"gpu=sm_90x", "\"gpu=sm_90x\" in the host description: expected gpu=none or"},
        {"gpu=sm_90af", "\"gpu=sm_90af\" in the host description: expected gpu=none or"},
        {"flash_attn=yes", "\"flash_attn=yes\" in the host description: expected a version such as flash_attn=2.8.3, or none"},
        {"flash_attn=", "\"flash_attn=\" in the host description: expected a version"},
        {"flash_attn_3=1/2", "\"flash_attn_3=1/2\" in the host description: expected a version such as flash_attn_3=3.0.0, or none"},
        {"flash_attn_4=1234567890.12345", "expected a version such as flash_attn_4=4.0.0, or none"},
        {"flash_attn=2.8.3.4.5.6.7.8.9.10.11.12.13.14.15", "expected a version such as flash_attn=2.8.3, or none"},
        {"kernels=1", "\"kernels=1\" in the host description: expected kernels=yes or kernels=no"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        host h;
        char why[256] = "";
        if (host_describe(&h, wrong[i][0], why, sizeof why)) fail_msg("\"%s\" was taken", wrong[i][0]);
        if (!strstr(why, wrong[i][1])) fail_msg("\"%s\": %s", wrong[i][0], why);
    }
}

static void test_a_long_item_is_cut_in_the_message(void **state) {
    (void)state;
    char text[400], why[256], small[8];
    host h;
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    assert_false(host_describe(&h, text, why, sizeof why));
    assert_non_null(strstr(why, "then = and a value"));
    assert_false(host_describe(&h, text, small, sizeof small));
    assert_int_equal(strlen(small), sizeof small - 1);
    assert_false(host_describe(&h, text, NULL, 0));
}

/* ---- asked of the driver ------------------------------------------------------------------------------------- */

static void answer(const char *gpus, const char *sm, const char *name, const char *fails) {
    setenv("TARE_CUDA_LIBRARY", STANDIN_CUDA, 1);
    setenv("STANDIN_GPUS", gpus, 1);
    setenv("STANDIN_SM", sm, 1);
    setenv("STANDIN_NAME", name, 1);
    setenv("STANDIN_FAIL", fails, 1);
}

static void test_the_driver_is_asked(void **state) {
    (void)state;
    host h;
    answer("8", "90", "NVIDIA H200", "");
    host_probe(&h);
    assert_true(h.gpu && !h.described && !h.kernels);
    assert_int_equal(h.sm, 90);
    assert_int_equal(h.gpus, 8);
    assert_string_equal(h.gpu_name, "NVIDIA H200");
    assert_string_equal(
        h.words, "this host: 8 x NVIDIA H200 sm_90; flash_attn taken as not installed, say --host flash_attn=VERSION if it is");
    answer("1", "120", "NVIDIA", "");
    host_probe(&h);
    assert_int_equal(h.sm, 120);
    answer("1", "75", "a name of far more than the sixty-three characters that are kept of it", "");
    host_probe(&h);
    assert_int_equal(h.sm, 75);
    assert_int_equal(strlen(h.gpu_name), sizeof h.gpu_name - 1);
    assert_non_null(strstr(h.words, "if it is"));
}

static void test_a_driver_that_fails_means_no_gpu(void **state) {
    (void)state;
    static const char *const calls[] = {"init", "count", "get", "attribute"};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        host h;
        answer("2", "90", "NVIDIA", calls[i]);
        host_probe(&h);
        assert_false(h.gpu);
        assert_int_equal(h.gpus, 0);
        assert_int_equal(h.sm, 0);
        assert_string_equal(h.words, "this host: no GPU; flash_attn taken as not installed, say --host flash_attn=VERSION if it is");
    }
}

static void test_odd_answers(void **state) {
    (void)state;
    host h;
    answer("0", "90", "NVIDIA", "");
    host_probe(&h);
    assert_false(h.gpu);
    answer("-1", "90", "NVIDIA", "");
    host_probe(&h);
    assert_false(h.gpu);
    answer("1", "90", "NVIDIA", "name");
    host_probe(&h);
    assert_true(h.gpu);
    assert_string_equal(h.gpu_name, "");
    assert_non_null(strstr(h.words, "this host: GPU sm_90;"));
}

static void test_no_driver_library(void **state) {
    (void)state;
    static const char *const libraries[] = {"", "no-such-library.so", "libm.so.6" /* a library without the calls */};
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        host h;
        answer("1", "90", "NVIDIA", "");
        setenv("TARE_CUDA_LIBRARY", libraries[i], 1);
        host_probe(&h);
        assert_false(h.gpu);
    }
    unsetenv("TARE_CUDA_LIBRARY"); /* whatever this machine has */
    host h;
    host_probe(&h);
    assert_int_equal(h.gpu, h.sm > 0);
}

static void *detect(void *out) {
    host_detect(out);
    return NULL;
}

/* Last of the list: what is detected first stays for the process. */
static void test_this_machine_is_asked_once(void **state) {
    (void)state;
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    host seen[THREADS];
    answer("4", "80", "NVIDIA A100", "");
    void *library = dlopen(STANDIN_CUDA, RTLD_NOW);
    int (*inits)(void);
    void *at = dlsym(library, "standin_inits");
    memcpy(&inits, &at, sizeof at);
    int before = inits();
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, detect, &seen[i]), 0);
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    answer("1", "75", "another", "");
    host h = described("flash_attn=2.8.3"); /* without gpu= it is this machine's */
    assert_int_equal(inits(), before + 1);
    for (int i = 0; i < THREADS; i++) assert_string_equal(seen[i].gpu_name, "NVIDIA A100");
    assert_string_equal(h.words, "described host: 4 x NVIDIA A100 sm_80, flash_attn 2.8.3");
    char why[8];
    assert_true(host_describe(&h, NULL, why, sizeof why));
    assert_true(h.gpu && !h.described && h.sm == 80);
    dlclose(library);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_descriptions_are_read),
        cmocka_unit_test(test_every_kind_of_value_is_read),
        cmocka_unit_test(test_wrong_descriptions_are_refused),
        cmocka_unit_test(test_a_long_item_is_cut_in_the_message),
        cmocka_unit_test(test_the_driver_is_asked),
        cmocka_unit_test(test_a_driver_that_fails_means_no_gpu),
        cmocka_unit_test(test_odd_answers),
        cmocka_unit_test(test_no_driver_library),
        cmocka_unit_test(test_this_machine_is_asked_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
