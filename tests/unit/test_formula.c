/* Tensors made by formula, against torch 2.13.0 and transformers 5.23.0: words and digests of their bytes. */
#include "../../src/api/handle.h"
#include "../../src/build/initlog.h"
#include "../../src/init/formula.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "digest.h"

#define SHAPE(...) (const int64_t[]){__VA_ARGS__}, (int)(sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))
#define NO_AXES NULL, 0
static tensor_node tensor_of(int dtype, const int64_t *shape, int rank) {
    tensor_node t = {.name = "t", .shape = shape, .rank = (int8_t)rank, .elements = 1, .dtype = (uint8_t)dtype};
    for (int i = 0; i < rank; i++) t.elements *= shape[i];
    return t;
}
static void *filled(made how, int dtype, const int64_t *shape, int rank) {
    tensor_node t = tensor_of(dtype, shape, rank);
    fill f = {(int)how.op, how.a, how.b, how.row, how.of};
    tare_error err = {0};
    void *data = malloc((size_t)t.elements * tare_dtype_bytes((tare_dtype)dtype) + 1);
    assert_non_null(data);
    if (!value_fill(&t, &f, data, &err)) fail_msg("%s", err.message);
    return data;
}
#define FILLED_IS(type, how, dtype, shape, ...)                                     \
    do {                                                                            \
        const type want_[] = {__VA_ARGS__};                                         \
        type *got_ = filled(how, dtype, shape);                                     \
        assert_memory_equal(got_, want_, sizeof want_);                             \
        free(got_);                                                                 \
    } while (0)

static void scalars(void **state) {
    (void)state;
    FILLED_IS(float, ZEROS, TARE_F32, SHAPE(2, 2), 0, 0, 0, 0);
    FILLED_IS(float, FULL(0.1), TARE_F32, SHAPE(2), 0.1f, 0.1f);
    FILLED_IS(double, FULL(-0.0), TARE_F64, SHAPE(1), -0.0);
    FILLED_IS(uint16_t, ONES, TARE_BF16, SHAPE(1), 0x3f80);
    FILLED_IS(uint16_t, FULL(0.1), TARE_BF16, SHAPE(3), 0x3dcd, 0x3dcd, 0x3dcd);
    FILLED_IS(uint16_t, FULL(1.00390625000001), TARE_BF16, SHAPE(1), 0x3f80); /* a tie once it is float32 */
    FILLED_IS(uint16_t, FULL(0.1), TARE_F16, SHAPE(1), 0x2e66);
    FILLED_IS(int64_t, FULL(-7), TARE_I64, SHAPE(1), -7);
    FILLED_IS(int16_t, FULL(-2.9), TARE_I16, SHAPE(1), -2);
    FILLED_IS(int8_t, FULL(1000), TARE_I8, SHAPE(1), 127);
    FILLED_IS(uint8_t, FULL(-1), TARE_U8, SHAPE(1), 0);
    FILLED_IS(uint8_t, FULL(0.5), TARE_BOOL, SHAPE(2), 1, 1);
    FILLED_IS(float, FULL(2.5), TARE_F32, NO_AXES, 2.5f);
}
static void counts(void **state) {
    (void)state;
    FILLED_IS(int64_t, ARANGE, TARE_I64, SHAPE(1, 4), 0, 1, 2, 3);
    FILLED_IS(int32_t, ARANGE, TARE_I32, SHAPE(2, 3), 0, 1, 2, 0, 1, 2);
    FILLED_IS(float, ARANGE, TARE_F32, SHAPE(3), 0, 1, 2);
    FILLED_IS(uint8_t, TRIL, TARE_BOOL, SHAPE(1, 2, 3, 3), 1, 0, 0, 1, 1, 0, 1, 1, 1, 1, 0, 0, 1, 1, 0, 1, 1, 1);
    FILLED_IS(float, TRIL, TARE_F32, SHAPE(2, 3), 1, 0, 0, 1, 1, 0);
    FILLED_IS(uint8_t, TRIL_BAND(2), TARE_BOOL, SHAPE(4, 4), 1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1);
    FILLED_IS(float, TRIL_BAND(1), TARE_F32, SHAPE(1, 2, 2), 1, 0, 0, 1);
    FILLED_IS(int64_t, OFFSETS(2, 2), TARE_I64, SHAPE(16), 4, 3, 1, 0, 5, 4, 2, 1, 7, 6, 4, 3, 8, 7, 5, 4);
    FILLED_IS(int64_t, OFFSETS(1, 2), TARE_I64, SHAPE(2, 2), 1, 0, 2, 1);
}
static void linspaces(void **state) {
    (void)state;
    static const struct { int dtype; const char *digest; } rows[] = {
        {TARE_F32, "95d9687fa83cdd0e"}, {TARE_BF16, "180e693fc6d1052f"}, {TARE_F16, "ae474bdb14a01152"}, {TARE_F64, "c39beb1b36d1eaf6"},
    };
    made line = {.op = MADE_LINSPACE, .a = 0.1, .b = 7.7};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        void *data = filled(line, rows[i].dtype, SHAPE(101));
        digest_is(data, 101 * tare_dtype_bytes((tare_dtype)rows[i].dtype), rows[i].digest);
        free(data);
    }
    FILLED_IS(float, line, TARE_F32, SHAPE(1), 0.1f);
}
static void sinusoids(void **state) {
    (void)state;
    static const struct { int dtype; const char *small, *whisper_tiny; } rows[] = {
        {TARE_F32, "bf859c12161d75ef", "2fe2eac4f4d1e52f"},
        {TARE_BF16, "a73bb4abbc4d2069", "0e81cb4bbf039bd4"},
        {TARE_F16, "81992779ea664b2f", "fecb1474615aa682"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t bytes = tare_dtype_bytes((tare_dtype)rows[i].dtype);
        void *small = filled(SINUSOIDS(10000), rows[i].dtype, SHAPE(37, 48)), *large = filled(SINUSOIDS(10000), rows[i].dtype, SHAPE(1500, 384));
        digest_is(small, 37 * 48 * bytes, rows[i].small);
        digest_is(large, 1500 * 384 * bytes, rows[i].whisper_tiny);
        free(small);
        free(large);
    }
}
static void positions(void **state) {
    (void)state;
    static const struct { int dtype; const char *padded, *odd, *turn; } rows[] = {
        {TARE_F32, "a7243490bd2d86ce", "abccba9736ef8ace", "605ad6c1cfe847d1"},
        {TARE_BF16, "b3e0664954cb7c49", "1d7d4fdb4b6cb5ba", "23eb587980c98f3d"},
        {TARE_F16, "aca9044180d0dbfc", "e9bf74407a50e7dd", "f5e8cac2c6e93a13"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t bytes = tare_dtype_bytes((tare_dtype)rows[i].dtype);
        void *padded = filled(FLOAT_SINUSOIDS(10000, 1), rows[i].dtype, SHAPE(454, 48)), *odd = filled(FLOAT_SINUSOIDS(10000, NO_PAD), rows[i].dtype, SHAPE(37, 45));
        void *turn = filled(FLOAT_SINUSOIDS_IN_TURN(10000), rows[i].dtype, SHAPE(1, 450, 768));
        digest_is(padded, 454 * 48 * bytes, rows[i].padded);
        digest_is(odd, 37 * 45 * bytes, rows[i].odd);
        digest_is(turn, 450 * 768 * bytes, rows[i].turn);
        free(padded);
        free(odd);
        free(turn);
    }
}

static void rotary_sinusoids(void **state) {
    (void)state;
    static const struct { int dtype; const char *small, *odd, *gptj, *wide; } rows[] = { /* of torch's default dtype */
        {TARE_F32, "79dee2b7a62ce5e0", "6a748a96bff95a40", "5d65832c28204c90", "53edfbd5afd5871d"},
        {TARE_BF16, "a7da7d41f4680177", "37dca536d789a010", "3274aa10d48b8f5e", "7f31339b02dbd3c8"},
        {TARE_F16, "81b5a50da30aae25", "f93856acc6639129", "a2fe1e80229128b0", "f299a1f5104c961a"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        static const struct { int64_t length, over; } sizes[] = {{37, 20}, {37, 25}, {2048, 64}, {16, 300}};
        const char *const want[] = {rows[i].small, rows[i].odd, rows[i].gptj, rows[i].wide};
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            int64_t width = sizes[k].over + sizes[k].over % 2;
            made how = ROTARY_SINUSOIDS(10000, sizes[k].over);
            how.row = rows[i].dtype;
            void *data = filled(how, TARE_F32, SHAPE(sizes[k].length, width));
            digest_is(data, (size_t)(sizes[k].length * width) * sizeof(float), want[k]);
            free(data);
        }
    }
}
static void double_sinusoids(void **state) {
    (void)state;
    static const struct { int dtype; const char *small, *odd, *alternating, *wide; } rows[] = {
        {TARE_F32, "429f0bc4b05d92d6", "8471fb2557b64656", "b7f1c950bc270786", "647c7dc3111ec12c"},
        {TARE_BF16, "87d253811985cd1b", "001e777653c1b9ed", "86b622d4c1946c9f", "42c49aaac4d6701e"},
        {TARE_F16, "d97e26cccf50904f", "ab0c65449c88e55e", "e7cafe5a0252d3e0", "7d093cc840d6d761"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t bytes = tare_dtype_bytes((tare_dtype)rows[i].dtype);
        const struct { made how; int64_t length, width; const char *want; } cases[] = {
            {DOUBLE_SINUSOIDS(10000), 37, 48, rows[i].small},
            {DOUBLE_SINUSOIDS(10000), 37, 25, rows[i].odd},
            {DOUBLE_SINUSOIDS_IN_TURN(10000), 37, 45, rows[i].alternating},
            {DOUBLE_SINUSOIDS_IN_TURN(10000), 512, 384, rows[i].wide},
        };
        for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
            void *data = filled(cases[k].how, rows[i].dtype, SHAPE(cases[k].length, cases[k].width));
            digest_is(data, (size_t)(cases[k].length * cases[k].width) * bytes, cases[k].want);
            free(data);
        }
    }
    void *pegasus = filled(DOUBLE_SINUSOIDS(10000), TARE_F32, SHAPE(1024, 1024));
    digest_is(pegasus, 1024 * 1024 * sizeof(float), "07c44ca6d989e378");
    free(pegasus);
}

static void refused(made how, int dtype, const int64_t *shape, int rank, const char *message) {
    tensor_node t = tensor_of(dtype, shape, rank);
    fill f = {(int)how.op, how.a, how.b, how.row, how.of};
    tare_error err = {0};
    char data[64];
    assert_false(value_fill(&t, &f, data, &err));
    assert_int_equal(err.status, TARE_BAD);
    assert_string_equal(err.message, message);
}
static void what_is_no_formula(void **state) {
    (void)state;
    refused(EMPTY, TARE_F32, SHAPE(2), "t: it is not made by a formula");
    refused(NORMAL(0, 1), TARE_F32, SHAPE(2), "t: it is not made by a formula");
    refused(ONES, TARE_F8_E4M3, SHAPE(2), "t: its dtype is not one that initialisation writes");
    refused(TRIL, TARE_F32, SHAPE(2), "t: a triangle needs two axes");
    refused((made){.op = MADE_LINSPACE}, TARE_I64, SHAPE(2), "t: linspace is made in floating point");
    refused(OFFSETS(2, 2), TARE_I64, SHAPE(2), "t: offsets are of each two cells of a window");
    refused(SINUSOIDS(10000), TARE_F32, SHAPE(2, 2), "t: sinusoids need rows of an even number of floats, four or more");
    refused(ROTARY_SINUSOIDS(10000, 2), TARE_BF16, SHAPE(2, 2), "t: rotary sinusoids need rows of an even number of float32");
    refused(DOUBLE_SINUSOIDS(10000), TARE_I64, SHAPE(2, 2), "t: sinusoids need rows of floats");
    refused(FLOAT_SINUSOIDS(10000, NO_PAD), TARE_F32, SHAPE(2, 3), "t: positions need rows of four floats or more");
    refused(FLOAT_SINUSOIDS_IN_TURN(10000), TARE_F32, SHAPE(2, 3), "t: positions in turn need rows of an even number of floats");
    refused((made){.op = MADE_ROPE}, TARE_F32, SHAPE(2), "t: a rotary table has other entries");
    tensor_node t = tensor_of(TARE_F32, SHAPE(4, 8));
    fill f = {.op = MADE_SINUSOIDS, .a = 10000};
    tare_error err = {0};
    float data[32];
    tarei_fail_after(1);
    assert_false(value_fill(&t, &f, data, &err));
    tarei_fail_after(0);
    assert_int_equal(err.status, TARE_IO);
}

/* ---- rotary tables ---- */

static tare_model *open_model(const char *json) {
    tare_error err = {0};
    tare_model *m = tare_model_parse(json, strlen(json), NULL, &err);
    if (!m) fail_msg("%s", err.message);
    return m;
}
static const tensor_node *table_in(const node *n, const char *name) {
    for (const tensor_node *t = n->buffers; t; t = t->next)
        if (!strcmp(t->name, name)) return t;
    const tensor_node *found = NULL;
    for (const edge *e = n->children; e && !found; e = e->next) found = table_in(e->to, name);
    return found;
}
static void table_is(const char *parameters, const uint32_t want[4], const char *digest) {
    char json[2048];
    snprintf(json, sizeof json,
             "{\"model_type\": \"llama\", \"architectures\": [\"LlamaModel\"], \"vocab_size\": 8, \"hidden_size\": 64, \"intermediate_size\": 8,"
             "\"num_hidden_layers\": 1, \"num_attention_heads\": 1, \"num_key_value_heads\": 1, \"max_position_embeddings\": 4096,"
             "\"head_dim\": 80, \"rope_parameters\": {%s}}", parameters);
    tare_model *m = open_model(json);
    static const int places[] = {1, 9, 19, 39};
    const tensor_node *tables[] = {table_in(m->root, "inv_freq"), table_in(m->root, "original_inv_freq")};
    for (int i = 0; i < 2; i++) {
        uint32_t words[40];
        tare_error err = {0};
        assert_non_null(tables[i]);
        assert_int_equal(tables[i]->elements, 40);
        assert_true(value_fill(tables[i], &tables[i]->how, words, &err));
        for (int k = 0; k < 4; k++) assert_int_equal(words[places[k]], want[k]);
        digest_is(words, sizeof words, digest);
    }
    tare_model_free(m);
}
static void rotary_tables(void **state) {
    (void)state;
    static const struct { const char *parameters; uint32_t words[4]; const char *digest; } rows[] = {
        {"\"rope_type\": \"default\", \"rope_theta\": 10000.0", {0x3f4b5918, 0x3e00e9fa, 0x3c4e432a, 0x39040204}, "ae95b6cd1f9b7f4e"},
        {"\"rope_type\": \"linear\", \"rope_theta\": 10000.0, \"factor\": 3.7", {0x3e5bd5f0, 0x3d0b5dd0, 0x3b5efc80, 0x380eb612}, "60a722daacd0fb23"},
        {"\"rope_type\": \"dynamic\", \"rope_theta\": 500000.0, \"factor\": 2.0", {0x3f3866ec, 0x3d55d765, 0x3b00aae8, 0x363a549d}, "963b0911fbacd058"},
        {"\"rope_type\": \"yarn\", \"rope_theta\": 10000.0, \"factor\": 40.0, \"original_max_position_embeddings\": 4096",
         {0x3f4b5918, 0x3e00e9fa, 0x3c02d902, 0x3653366c}, "916238615a5a76d2"},
        {"\"rope_type\": \"yarn\", \"rope_theta\": 150000.0, \"factor\": null, \"beta_fast\": 20, \"beta_slow\": 2, \"truncate\": false,"
         "\"original_max_position_embeddings\": 512", {0x3f3e096a, 0x3d105366, 0x39e3f2cc, 0x3596abe0}, "e9a70065c185f888"},
        {"\"rope_type\": \"llama3\", \"rope_theta\": 500000.0, \"factor\": 8.0, \"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0,"
         "\"original_max_position_embeddings\": 8192", {0x3f3866ec, 0x3d55d765, 0x3a953c88, 0x34ba549d}, "8653f4e7c78a7aef"},
        {"\"rope_type\": \"proportional\", \"rope_theta\": 1000000.0, \"partial_rotary_factor\": 0.25, \"factor\": 2.5",
         {0x3e90fcbf, 0x3c925e8a, 0, 0}, "81823c8b4421b2a4"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) table_is(rows[i].parameters, rows[i].words, rows[i].digest);
}
static void scaled_entry_by_entry(void **state) {
    (void)state;
    char text[1024];
    int n = snprintf(text, sizeof text, "\"rope_type\": \"longrope\", \"rope_theta\": 10000.0, \"factor\": 4.0, \"long_factor\": [1],"
                                        "\"original_max_position_embeddings\": 512, \"short_factor\": [1.0");
    for (int i = 1; i < 40; i++) n += snprintf(text + n, sizeof text - (size_t)n, ", %g", 1 + 0.25 * i);
    snprintf(text + n, sizeof text - (size_t)n, "]");
    table_is(text, (uint32_t[]){0x3f22adad, 0x3d1ea9d1, 0x3b0f7ca3, 0x37447a11}, "4a066f350701d1f1");
}

/* ---- weight norm ---- */

/* The magnitude along each axis in turn, all axes first, of the same numbers in a shape and a dtype. */
static void magnitudes_are(int dtype, const int64_t *shape, int rank, const char *const *digests) {
    static float numbers[1260];
    tensor_node line = tensor_of(dtype, SHAPE(1)), from = tensor_of(dtype, shape, rank);
    size_t size = tare_dtype_bytes((tare_dtype)dtype);
    char data[sizeof numbers], norms[sizeof numbers];
    for (int i = 0; i < 1260; i++) {
        fill one = {.op = MADE_FULL, .a = (i * 7919 % 1000 - 500) / 1024.0};
        assert_true(value_fill(&line, &one, data + (size_t)i * size, NULL));
    }
    for (int axis = -1; axis < rank; axis++) {
        tensor_node to = tensor_of(dtype, SHAPE(axis < 0 ? 1 : shape[axis]));
        tare_error err = {0};
        assert_true(value_magnitude(data, &from, axis, &to, norms, &err));
        digest_is(norms, (size_t)to.elements * size, digests[axis + 1]);
    }
}
static void magnitudes(void **state) {
    (void)state;
    magnitudes_are(TARE_F32, SHAPE(12, 5, 21), (const char *[]){"f3049bca8ca65688", "bda68962b287591d", "9985a5898cb31446", "ddabc016db887e4a"});
    magnitudes_are(TARE_BF16, SHAPE(12, 5, 21), (const char *[]){"5a8fc49b3d54c511", "3ed39122e1b923c8", "38ea2fd35d2610b4", "707b7c462d07c15c"});
    magnitudes_are(TARE_F16, SHAPE(12, 5, 21), (const char *[]){"973f548d52a4ac0f", "d94b98bf0e35bd03", "0a287c644ee3c7cc", "a7adb42aeb743312"});
    magnitudes_are(TARE_F32, SHAPE(12, 5, 7, 3),
                   (const char *[]){"f3049bca8ca65688", "bda68962b287591d", "9985a5898cb31446", "4941106c25939a07", "5d531141cba548bf"});
    magnitudes_are(TARE_F32, SHAPE(60, 21), (const char *[]){"f3049bca8ca65688", "ac4ece35700b7abc", "ddabc016db887e4a"});
    magnitudes_are(TARE_F32, SHAPE(1260), (const char *[]){"f3049bca8ca65688", "1ee45e8a534cda49"});
    tensor_node whole = tensor_of(TARE_I64, SHAPE(2)), to = tensor_of(TARE_F32, SHAPE(2));
    tare_error err = {0};
    assert_false(value_magnitude("", &whole, 0, &to, NULL, &err));
    assert_int_equal(err.status, TARE_BAD);
}

/* The activation's own scalars, in bfloat16 in a float32 model too. */
static void xielu_scalars(void **state) {
    (void)state;
    tare_model *m = open_model("{\"model_type\": \"llama\", \"architectures\": [\"LlamaModel\"], \"num_hidden_layers\": 1, \"hidden_act\": \"xielu\"}");
    const node *layer = m->root->children->next->to->children->to, *act = NULL;
    for (const edge *e = layer->children; e; e = e->next)
        for (const edge *inner = e->to->children; inner; inner = inner->next)
            if (!strcmp(inner->to->cls, "XIELUActivation")) act = inner->to;
    assert_non_null(act);
    const tensor_node *scalars_[] = {act->params, act->params->next, act->buffers, act->buffers->next};
    static const uint16_t want[] = {0x3e51, 0xbf86, 0x3f00, 0xb586};
    for (int i = 0; i < 4; i++) {
        uint16_t got = 0;
        tare_error err = {0};
        assert_int_equal(scalars_[i]->dtype, TARE_BF16);
        assert_true(value_fill(scalars_[i], &scalars_[i]->how, &got, &err));
        assert_int_equal(got, want[i]);
    }
    tare_model_free(m);
}

/* Element by element from other values, with torch 2.13.0's bits. */
static void mapped_values(void **state) {
    (void)state;
    static const map_step log_steps[] = {THEN_LOG}, python[] = {THEN_OVER(4), THEN_POWER(1.3), THEN_TIMES(8), THEN_PLUS(-5)};
    static const map_step step_sizes[] = {THEN_TIMES(-1.7), THEN_PLUS(0.3), THEN_EXP, THEN_AT_LEAST(0.02), THEN_UNSOFTPLUS};
    const map_rule logs = {{MADE_ARANGE, .a = 1}, DT_F32, log_steps, 1}, half_logs = {{MADE_ARANGE, .a = 255}, DT_DEFAULT, log_steps, 1};
    const map_rule sizes = {{MADE_ARANGE, .a = 1}, DT_DEFAULT, step_sizes, 5}, numbers = {{MADE_ARANGE, .a = 0}, DT_F64, python, 4};
    const made log_made = {.op = MADE_MAPPED, .of = &logs}, half_made = {.op = MADE_MAPPED, .of = &half_logs};
    const made sizes_made = {.op = MADE_MAPPED, .of = &sizes}, numbers_made = {.op = MADE_MAPPED, .of = &numbers};
    FILLED_IS(uint32_t, log_made, TARE_F32, SHAPE(6), 0, 0x3f317218, 0x3f8c9f54, 0x3fb17218, 0x3fce0210, 0x3fe55860);
    FILLED_IS(uint16_t, log_made, TARE_BF16, SHAPE(6), 0, 0x3f31, 0x3f8d, 0x3fb1, 0x3fce, 0x3fe5);
    FILLED_IS(uint16_t, half_made, TARE_BF16, SHAPE(6), 0x40b1, 0x40b1, 0x40b1, 0x40b2, 0x40b2, 0x40b2);
    FILLED_IS(uint32_t, sizes_made, TARE_F32, SHAPE(4), 0xbfa317fa, 0xc044f3fa, 0xc079ba79, 0xc079ba79);
    FILLED_IS(uint16_t, sizes_made, TARE_BF16, SHAPE(4), 0xbfa4, 0xc045, 0xc07a, 0xc07a);
    FILLED_IS(double, numbers_made, TARE_F64, SHAPE(5), -5, -3.680492089227106, -1.750990414575058, 0.5038885278544099, 3);
}
/* (i / 40) ** 0.3: whole vectors and what is left of them. */
static void powers(void **state) {
    (void)state;
    static const map_step share[] = {THEN_OVER(40)}, power[] = {THEN_POWER(0.3)}, same[] = {THEN_POWER(1)};
    const map_rule shares = {{MADE_ARANGE, .a = 0}, DT_F64, share, 1};
    const map_rule rules[] = {{{MADE_MAPPED, .of = &shares}, DT_DEFAULT, power, 1}, {{MADE_MAPPED, .of = &shares}, DT_DEFAULT, same, 1}};
    void *p = filled((made){.op = MADE_MAPPED, .of = &rules[0]}, TARE_F32, SHAPE(40));
    void *h = filled((made){.op = MADE_MAPPED, .of = &rules[0]}, TARE_BF16, SHAPE(40));
    float *x = filled((made){.op = MADE_MAPPED, .of = &rules[1]}, TARE_F32, SHAPE(40));
    digest_is(p, 160, "ccfff89025c68512");
    digest_is(h, 80, "00735cf917d4ade1");
    for (int i = 0; i < 40; i++) assert_true(x[i] == (float)(i / 40.0));
    free(p), free(h), free(x);
}
static void spans(void **state) {
    (void)state;
    static const span all[] = {{2, 0.5}, {0, 9}, {1, -1}};
    FILLED_IS(float, ((made){.op = MADE_PIECES, .row = 3, .of = all}), TARE_F32, SHAPE(2, 3), 0.5f, 0.5f, -1, 0.5f, 0.5f, -1);
    refused((made){.op = MADE_PIECES, .row = 3, .of = all}, TARE_F32, SHAPE(4), "t: its pieces do not add up to its last axis");
    const map_rule whole = {{MADE_ARANGE, .a = 0}, DT_DEFAULT, NULL, 0};
    refused((made){.op = MADE_MAPPED, .of = &whole}, TARE_I64, SHAPE(4), "t: its values are worked out in floating point");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars),       cmocka_unit_test(counts),       cmocka_unit_test(linspaces), cmocka_unit_test(sinusoids),
        cmocka_unit_test(rotary_sinusoids), cmocka_unit_test(double_sinusoids),
        cmocka_unit_test(positions),
        cmocka_unit_test(what_is_no_formula), cmocka_unit_test(rotary_tables), cmocka_unit_test(scaled_entry_by_entry),
        cmocka_unit_test(magnitudes),    cmocka_unit_test(xielu_scalars), cmocka_unit_test(mapped_values), cmocka_unit_test(powers),
        cmocka_unit_test(spans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
