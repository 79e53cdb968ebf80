/* Operations of converters. What they make was recorded from the reference, tensor by tensor: element e of the i-th tensor is 100 * i + e. */
#include "../../src/api/handle.h"
#include "../../src/files/ops.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

typedef struct work {
    const layout_op *ops;
    const char *const *file, *const *model;
    bool backward;
    const char *key, *tensors; /* "1:2,3": for the second pattern, of shape [2, 3] */
    const char *want;
} work;
#define OPS(...) ((const layout_op[]){__VA_ARGS__, {.what = OP_END}})

static const work recorded[] = {
    {OPS(MergeModulelist(0)), SET("e.*.a.w"), SET("e.down"), false, "m.e.down", "0:2,2 0:2,2 0:2,2",
     "m.e.down [3,2,2] 0 1 2 3 100 101 102 103 200 201 202 203"},
    {OPS(MergeModulelist(0)), SET("e.*.a.w"), SET("e.down"), true, "m.e.*.a.w", "0:3,2,2",
     "m.e.0.a.w [2,2] 0 1 2 3; m.e.1.a.w [2,2] 4 5 6 7; m.e.2.a.w [2,2] 8 9 10 11"},
    {OPS(MergeModulelist(1)), SET("e.*.a.w"), SET("e.down"), false, "m.e.down", "0:2 0:2 0:2",
     "m.e.down [2,3] 0 100 200 1 101 201"},
    {OPS(MergeModulelist(1)), SET("e.*.a.w"), SET("e.down"), true, "m.e.*.a.w", "0:2,3",
     "m.e.0.a.w [2] 0 3; m.e.1.a.w [2] 1 4; m.e.2.a.w [2] 2 5"},
    {OPS(MergeModulelist(0), Concatenate(1)), SET("e.*.a.w", "e.*.b.w"), SET("e.up"), false, "m.e.up.z", "0:1,2 0:1,2 1:1,2 1:1,2",
     "m.e.up.z [2,2,2] 0 1 200 201 100 101 300 301"},
    {OPS(MergeModulelist(0), Concatenate(1)), SET("e.*.a.w", "e.*.b.w"), SET("e.up"), true, "m.e.*.a.w.z", "0:2,2,2",
     "m.e.0.a.w.z [1,2] 0 1; m.e.1.a.w.z [1,2] 4 5; m.e.0.b.w.z [1,2] 2 3; m.e.1.b.w.z [1,2] 6 7"},
    {OPS(MergeModulelist(0), Concatenate(1)), SET("e.*.a.w", "e.*.b.w"), SET("e.up"), false, "m.e.up", "1:1,2 1:1,2 0:1,2 0:1,2",
     "m.e.up [2,2,2] 200 201 0 1 300 301 100 101"},
    {OPS(MergeModulelist(0), Concatenate(1)), SET("e.*.a.w", "e.*.b.w"), SET("e.up"), true, "m.e.*.a.w", "0:2,3,1",
     "m.e.0.a.w [2,1] 0 1; m.e.1.a.w [2,1] 3 4; m.e.0.b.w [1,1] 2; m.e.1.b.w [1,1] 5"},
    {OPS(Concatenate(0)), SET("a", "b"), SET("ab"), false, "m.ab", "0:2,2 1:1,2",
     "m.ab [3,2] 0 1 2 3 100 101"},
    {OPS(Concatenate(0)), SET("a", "b"), SET("ab"), true, "m.a", "0:3,2",
     "m.a [2,2] 0 1 2 3; m.b [1,2] 4 5"},
    {OPS(Concatenate(1)), SET("a", "b"), SET("ab"), false, "m.ab", "0:2,2 1:2,1",
     "m.ab [2,3] 0 1 100 2 3 101"},
    {OPS(Concatenate(1)), SET("a", "b"), SET("ab"), true, "m.a", "0:2,3",
     "m.a [2,2] 0 1 3 4; m.b [2,1] 2 5"},
    {OPS(ConcatenateBy(0, "split_parts")), SET("s_*.w"), SET("s.w"), false, "m.s.w", "0:2,1 0:2,1 0:1,1",
     "m.s.w [5,1] 0 1 100 101 200"},
    {OPS(ConcatenateBy(0, "split_parts")), SET("s_*.w"), SET("s.w"), true, "m.s_*.w", "0:5,1",
     "m.s_0.w [2,1] 0 1; m.s_1.w [2,1] 2 3; m.s_2.w [1,1] 4"},
    {OPS(Chunk(0)), SET("qkv"), SET("q", "k", "v"), false, "m.q.bias", "0:6",
     "m.q.bias [2] 0 1; m.k.bias [2] 2 3; m.v.bias [2] 4 5"},
    {OPS(Chunk(0)), SET("qkv"), SET("q", "k", "v"), true, "m.qkv.bias", "0:2 1:2 2:2",
     "m.qkv.bias [6] 0 1 100 101 200 201"},
    {OPS(Chunk(1)), SET("gu"), SET("g", "u"), false, "m.g", "0:2,3",
     "m.g [2,2] 0 1 3 4; m.u [2,1] 2 5"},
    {OPS(Chunk(1)), SET("gu"), SET("g", "u"), true, "m.gu", "0:2,2 1:2,1",
     "m.gu [2,3] 0 1 100 2 3 101"},
    {OPS(ChunkBy(0, "split_parts")), SET("all"), SET("p_*"), false, "m.p_*", "0:7",
     "p_0 [3] 0 1 2; p_1 [3] 3 4 5; p_2 [1] 6"},
    {OPS(ChunkBy(0, "split_parts")), SET("all"), SET("p_*"), true, "m.all", "0:3 0:3 0:1",
     "m.all [7] 0 1 2 100 101 102 200"},
    {OPS(Split(0)), SET("qkv"), SET("q", "k", "v"), false, "m.q", "0:6,2",
     "m.q [4,2] 0 1 2 3 4 5 6 7; m.k [1,2] 8 9; m.v [1,2] 10 11"},
    {OPS(Split(0)), SET("qkv"), SET("q", "k", "v"), true, "m.qkv", "0:4,2 1:1,2 2:1,2",
     "m.qkv [6,2] 0 1 2 3 4 5 6 7 100 101 200 201"},
    {OPS(Transpose(0, 1)), SET("f"), SET("t"), false, "m.t", "0:2,3",
     "m.t [3,2] 0 3 1 4 2 5"},
    {OPS(Transpose(0, 1)), SET("f"), SET("t"), true, "m.f", "0:3,2",
     "m.f [2,3] 0 2 4 1 3 5"},
    {OPS(Transpose(1, 2)), SET("f"), SET("t"), false, "m.t", "0:2,2,2",
     "m.t [2,2,2] 0 2 1 3 4 6 5 7"},
    {OPS(Transpose(1, 2)), SET("f"), SET("t"), true, "m.f", "0:2,2,2",
     "m.f [2,2,2] 0 2 1 3 4 6 5 7"},
    {OPS(Transpose(-1, 0)), SET("f"), SET("t"), false, "m.t", "0:2,3",
     "m.t [3,2] 0 3 1 4 2 5"},
    {OPS(Transpose(-1, 0)), SET("f"), SET("t"), true, "m.f", "0:3,2",
     "m.f [2,3] 0 2 4 1 3 5"},
    {OPS(TransposeChecked(0, 1)), SET("t"), SET("t"), false, "m.t", "0:2,3",
     "m.t [3,2] 0 3 1 4 2 5"},
    {OPS(TransposeChecked(0, 1)), SET("t"), SET("t"), true, "m.t", "0:3,2",
     "m.t [3,2] 0 1 2 3 4 5"},
    {OPS(TransposeChecked(0, 1)), SET("t"), SET("t"), false, "m.t", "0:3,2",
     "m.t [3,2] 0 1 2 3 4 5"},
    {OPS(TransposeChecked(0, 1)), SET("t"), SET("t"), true, "m.t", "0:2,3",
     "m.t [3,2] 0 3 1 4 2 5"},
    {OPS(Interleave(0)), SET("f"), SET("t"), false, "m.t", "0:6",
     "m.t [6] 0 2 4 1 3 5"},
    {OPS(Interleave(0)), SET("f"), SET("t"), true, "m.f", "0:6",
     "m.f [6] 0 3 1 4 2 5"},
    {OPS(Interleave(1)), SET("f"), SET("t"), false, "m.t", "0:2,6,1",
     "m.t [2,6,1] 0 2 4 1 3 5 6 8 10 7 9 11"},
    {OPS(Interleave(1)), SET("f"), SET("t"), true, "m.f", "0:2,6,1",
     "m.f [2,6,1] 0 3 1 4 2 5 6 9 7 10 8 11"},
    {OPS(Interleave(0), Chunk(0)), SET("w13"), SET("g", "u"), false, "m.g.weight", "0:4,2",
     "m.g.weight [2,2] 0 1 4 5; m.u.weight [2,2] 2 3 6 7"},
    {OPS(Interleave(0), Chunk(0)), SET("w13"), SET("g", "u"), true, "m.w13.weight", "0:2,2 1:2,2",
     "m.w13.weight [4,2] 0 1 100 101 2 3 102 103"},
    {OPS(PermuteAllForRope(NULL)), SET("wq"), SET("q"), false, "m.q", "0:8,1",
     "m.q [8,1] 0 2 1 3 4 6 5 7"},
    {OPS(PermuteAllForRope(NULL)), SET("wq"), SET("q"), true, "m.wq", "0:8,1",
     "m.wq [8,1] 0 2 1 3 4 6 5 7"},
    {OPS(PermuteAllForRope("vision_config")), SET("wq"), SET("q"), false, "m.q", "0:16",
     "m.q [16] 0 2 1 3 4 6 5 7 8 10 9 11 12 14 13 15"},
    {OPS(PermuteAllForRope("vision_config")), SET("wq"), SET("q"), true, "m.wq", "0:16",
     "m.wq [16] 0 2 1 3 4 6 5 7 8 10 9 11 12 14 13 15"},
    {OPS(PermuteAllForRope("nothing")), SET("wq"), SET("q"), false, "m.q", "0:12",
     "m.q [12] 0 2 4 1 3 5 6 8 10 7 9 11"},
    {OPS(PermuteAllForRope("nothing")), SET("wq"), SET("q"), true, "m.wq", "0:12",
     "m.wq [12] 0 3 1 4 2 5 6 9 7 10 8 11"},
    {OPS(PermuteForRope(NULL, "k")), SET("wq"), SET("q"), false, "m.q", "0:2,2",
     "m.q [2,2] 0 1 2 3"},
    {OPS(PermuteForRope(NULL, "k")), SET("wq"), SET("q"), true, "m.wq", "0:2,2",
     "m.wq [2,2] 0 1 2 3"},
    {OPS(Chunk(0), PermuteForRope(NULL, "q", "k")), SET("qkv"), SET("q", "k", "v"), false, "m.q", "0:24",
     "m.q [8] 0 2 1 3 4 6 5 7; m.k [8] 8 10 9 11 12 14 13 15; m.v [8] 16 17 18 19 20 21 22 23"},
    {OPS(Chunk(0), PermuteForRope(NULL, "q", "k")), SET("qkv"), SET("q", "k", "v"), true, "m.qkv", "0:8 1:8 2:8",
     "m.qkv [24] 0 2 1 3 4 6 5 7 100 102 101 103 104 106 105 107 200 201 202 203 204 205 206 207"},
    {OPS(ErnieFuseAndSplitTextVisionExperts(0, 1)), SET("e.*.d"), SET("text.d", "vision.d"), false, "m.text.d", "0:1,2 0:1,2 0:1,2 0:1,2",
     "m.text.d [2,1,2] 0 1 100 101; m.vision.d [2,1,2] 200 201 300 301"},
    {OPS(ErnieFuseAndSplitTextVisionExperts(0, 1)), SET("e.*.d"), SET("text.d", "vision.d"), true, "m.e.*.d", "0:2,1,2 1:2,1,2",
     "m.e.0.d [1,2] 0 1; m.e.1.d [1,2] 2 3; m.e.2.d [1,2] 100 101; m.e.3.d [1,2] 102 103"},
    {OPS(ErnieFuseAndSplitTextVisionExperts(0, 1)), SET("e.*.g", "e.*.u"), SET("text.gu", "vision.gu"), false, "m.text.gu", "0:1,2 0:1,2 1:1,2 1:1,2",
     "m.text.gu [1,2,2] 0 1 200 201; m.vision.gu [1,2,2] 100 101 300 301"},
    {OPS(ErnieFuseAndSplitTextVisionExperts(0, 1)), SET("e.*.g", "e.*.u"), SET("text.gu", "vision.gu"), true, "m.e.*.g", "0:1,2,2 1:1,2,2",
     "m.e.0.g [1,2] 0 1; m.e.1.g [1,2] 100 101; m.e.0.u [1,2] 2 3; m.e.1.u [1,2] 102 103"},
    {OPS(MergeModulelist(0)), SET("e.*.a.w"), SET("e.down"), false, "m.e.down", "0:0,2 0:0,2",
     "m.e.down [2,0,2]"},
    {OPS(MergeModulelist(0)), SET("e.*.a.w"), SET("e.down"), true, "m.e.*.a.w", "0:2,0,2",
     "m.e.0.a.w [0,2]; m.e.1.a.w [0,2]"},
    {OPS(Concatenate(0)), SET("a", "b"), SET("ab"), false, "m.ab", "0:0 1:2,2",
     "m.ab [2,2] 100 101 102 103"},
    {OPS(Concatenate(0)), SET("a", "b"), SET("ab"), true, "m.a", "0:0,2",
     "m.a [0,2]; m.b [0,2]"},
    {OPS(Interleave(0)), SET("f"), SET("t"), false, "m.t", "0:3,0",
     "m.t [3,0]"},
    {OPS(Interleave(0)), SET("f"), SET("t"), true, "m.f", "0:0,3",
     "m.f [0,3]"},
};
static const work refused[] = {
    {OPS(MergeModulelist(0)), SET("e.*.a"), SET("d"), false, "m.d", "0:2,2 0:2,3",
     "stacks tensors of one shape, and here are [2, 2] and [2, 3]"},
    {OPS(MergeModulelist(4)), SET("e.*.a"), SET("d"), false, "m.d", "0:2,2 0:2,2",
     "needs dimension 4, and here is [2, 2]"},
    {OPS(MergeModulelist(0)), SET("e.*.a"), SET("d"), true, "m.e.*.a", "0:0,2",
     "takes a list apart, and here is [0, 2]"},
    {OPS(MergeModulelist(0), Concatenate(1)), SET("e.*.a.w", "e.*.b.w"), SET("d"), false, "m.d", "0:1,2 0:1,2",
     "joins tensors, and here is none"},
    {OPS(MergeModulelist(0), Concatenate(1)), SET("e.*.a.w", "e.*.b.w"), SET("d"), false, "m.d", "0:1,2 1:1,2 1:1,2",
     "joins tensors that differ in one dimension alone, and here are [1, 1, 2] and [2, 1, 2]"},
    {OPS(Concatenate(0)), SET("a", "b"), SET("d"), false, "m.d", "0:2,2 1:2,3",
     "differ in one dimension alone, and here are [2, 2] and [2, 3]"},
    {OPS(Concatenate(0)), SET("a", "b"), SET("d"), false, "m.d", "0:2,2 1:2",
     "differ in one dimension alone, and here are [2, 2] and [2]"},
    {OPS(Concatenate(0)), SET("a", "b"), SET("d"), false, "m.d", "0: 1:",
     "joins tensors along a dimension, and here is []"},
    {OPS(Concatenate(2)), SET("a", "b"), SET("d"), false, "m.d", "0:2,2 1:2,2",
     "needs dimension 2, and here is [2, 2]"},
    {OPS(Chunk(0)), SET("f"), SET("a", "b"), false, "m.a", "0:",
     "needs dimension 0, and here is []"},
    {OPS(Chunk(1)), SET("f"), SET("a", "b"), false, "m.a", "0:4",
     "needs dimension 1, and here is [4]"},
    {OPS(ChunkBy(0, "no_key")), SET("f"), SET("a_*"), false, "m.a_*", "0:4",
     "needs the config's no_key, which is not there"},
    {OPS(Split(0)), SET("f"), SET("q", "k", "v"), false, "m.q", "0:7,2",
     "splits into less than there is, and here is [7, 2]"},
    {OPS(Split(0)), SET("f"), SET("q", "k", "v"), false, "m.q", "0:5,2",
     "splits into more than there is, and here is [5, 2]"},
    {OPS(Split(0)), SET("f"), SET("q", "x"), false, "m.q", "0:5,2",
     "asks for the model's parameter m.x, which is not there"},
    {OPS(Transpose(0, 1)), SET("f"), SET("t"), false, "m.t", "0:4",
     "needs dimension 1, and here is [4]"},
    {OPS(TransposeChecked(0, 1)), SET("f"), SET("x"), false, "m.x", "0:4,1",
     "asks for the model's parameter m.x"},
    {OPS(Interleave(0)), SET("f"), SET("t"), false, "m.t", "0:3",
     "sorts pairs along a dimension, and here is [3]"},
    {OPS(Interleave(1)), SET("f"), SET("t"), false, "m.t", "0:4",
     "needs dimension 1, and here is [4]"},
    {OPS(PermuteAllForRope(NULL)), SET("f"), SET("t"), false, "m.t", "0:6,2",
     "sorts the rows of 2 heads in pairs, and here is [6, 2]"},
    {OPS(PermuteAllForRope(NULL)), SET("f"), SET("t"), false, "m.t", "0:",
     "sorts the rows of heads, and here is []"},
    {OPS(ErnieFuseAndSplitTextVisionExperts(0, 1)), SET("e.*.g", "e.*.u"), SET("t", "v"), false, "m.t", "0:1,2 0:1,2",
     "needs tensors for \"e.*.u\", and here is none"},
    {OPS(ErnieFuseAndSplitTextVisionExperts(0, 1)), SET("e.*.g"), SET("t", "v"), false, "m.t", "0:1,2",
     "stacks tensors, and here is none"},
    {OPS(ErnieFuseAndSplitTextVisionExperts(0, 1)), SET("e.*.g", "e.*.u"), SET("t", "v"), true, "m.e.*.g", "0:1,1,2 1:1,1,2",
     "divides into more parts than there are, and here is [1, 1, 2]"},
    {OPS(Transpose(0, 1)), SET("f", "g"), SET("t", "u"), false, "m.t", "0:2,2", "has several names on both sides"},
    {OPS(Chunk(0)), SET("f", "g"), SET("t"), false, "m.t", "0:2,2 1:2,2", "takes one tensor, and here are several"},
    {OPS(Concatenate(0)), SET("f"), SET("t", "u"), false, "m.t", "0:2,2", "joins tensors, and has several names for the whole"},
    {OPS(MergeModulelist(0)), SET("f"), SET("t", "u"), false, "m.t", "0:2,2", "has more names than tensors"},
    {OPS(MergeModulelist(0)), SET("f.*", "g.*"), SET("t"), true, "m.f", "0:2,2", "has more names than tensors"},
    {OPS(PermuteAllForRope(NULL)), SET("f"), SET("t"), false, "m.t", "0:4 0:4", "sorts the rows of one tensor, and here are several"},
    {OPS(ChunkBy(0, "split_parts")), SET("f"), SET("t", "u"), false, "m.t", "0:2,2", "has several names for parts that the config counts"},
    {((const layout_op[]){{.what = OP_END}}), SET("f"), SET("t"), false, "m.t", "0:2,2", "converts by no operation"},
};

/* ---- running them ---- */

typedef struct desk {
    arena a;
    patterns p;
    tare_error err;
    tare_model *m;
} desk;
static jmp_buf exhausted;
static void desk_open(desk *d, const tare_model *m) {
    *d = (desk){.a = {.unwind = &exhausted}, .m = (tare_model *)m};
    patterns_start(&d->p, &d->a, &d->err);
}
static bool shape_of(void *to, const char *key, int *rank, const int64_t **shape) {
    static const int64_t shapes[][2] = {{4, 2}, {1, 2}, {1, 2}, {3, 2}};
    static const char names[] = "qkvt";
    const char *found = !strncmp(key, "m.", 2) && key[2] && !key[3] ? strchr(names, key[2]) : NULL;
    (void)to;
    if (!found) return false;
    *rank = 2;
    *shape = shapes[found - names];
    return true;
}
static op_input *input_of(op_input *inputs, size_t *n, const char *pattern) {
    for (size_t i = 0; i < *n; i++)
        if (!strcmp(inputs[i].pattern, pattern)) return &inputs[i];
    inputs[*n] = (op_input){.pattern = pattern};
    return &inputs[(*n)++];
}
static size_t read_tensors(desk *d, const work *w, const transform *t, op_input *inputs) {
    size_t n = 0, source = 0;
    for (const char *s = w->tensors; *s; source++) {
        op_input *in = input_of(inputs, &n, t->from[*s - '0']);
        int64_t shape[MOST_RANK];
        int rank = 0;
        for (s += 2; *s >= '0' && *s <= '9'; s += *s == ',') shape[rank++] = strtoll(s, (char **)&s, 10);
        in->values = arena_grow(&d->a, in->values, in->n, &in->cap, 1, sizeof *in->values);
        assert_true(value_whole(&d->a, source, rank, shape, &in->values[in->n++]));
        s += *s == ' ';
    }
    return n;
}
static bool run(desk *d, const work *w, op_outputs *out) {
    static transform t;
    op_input inputs[8];
    assert_true(transform_make(&d->p, w->backward ? w->model : w->file, w->backward ? w->file : w->model, &t));
    size_t n = read_tensors(d, w, &t, inputs);
    op_work how = {.p = &d->p, .t = &t, .ops = w->ops, .backward = w->backward, .config = d->m->root->config, .shape_of = shape_of, .key = w->key};
    return ops_run(&how, inputs, n, out);
}
/* Where each element of a value comes from: 100 * source + element. */
static void spell(const value *v, int64_t *out) {
    for (int64_t i = 0; i < v->elements; i++) out[i] = -1;
    for (size_t k = 0; k < v->n; k++) {
        const box *b = &v->boxes[k];
        int64_t all = 1;
        for (int d = 0; d < v->rank; d++) all *= b->size[d];
        assert_true(all > 0);
        for (int64_t i = 0; i < all; i++) {
            int64_t rest = i, from = b->from, place = 0, row = 1;
            for (int d = v->rank - 1; d >= 0; row *= v->shape[d--]) {
                from += rest % b->size[d] * b->step[d];
                place += (b->at[d] + rest % b->size[d] * b->apart[d]) * row;
                rest /= b->size[d];
            }
            assert_in_range(place, 0, v->elements - 1);
            assert_int_equal(out[place], -1);
            out[place] = (int64_t)b->source * 100 + from;
        }
    }
    for (int64_t i = 0; i < v->elements; i++) assert_true(out[i] >= 0);
}
static void write_value(const op_output *o, char *out, size_t room) {
    int64_t from[256];
    size_t n = (size_t)snprintf(out, room, "%s [", o->name);
    for (int i = 0; i < o->v.rank; i++) n += (size_t)snprintf(out + n, room - n, "%s%d", i ? "," : "", (int)o->v.shape[i]);
    n += (size_t)snprintf(out + n, room - n, "]");
    assert_in_range(o->v.elements, 0, 256);
    spell(&o->v, from);
    for (int64_t i = 0; i < o->v.elements; i++) n += (size_t)snprintf(out + n, room - n, " %d", (int)from[i]);
}
static tare_model *model(void) {
    static const char json[] = "{\"model_type\": \"gemma3\", \"num_attention_heads\": 2, \"text_config\": {\"split_parts\": 3}, "
        "\"vision_config\": {\"num_attention_heads\": 4}}";
    tare_error err = {0};
    tare_model *m = tare_model_parse(json, sizeof json - 1, &(tare_open_options){.class_name = "Gemma3Model", .host = "gpu=none"}, &err);
    if (!m) fail_msg("%s", err.message);
    return m;
}
static void test_made(void **state) {
    (void)state;
    tare_model *m = model();
    for (size_t i = 0; i < sizeof recorded / sizeof *recorded; i++) {
        desk d;
        op_outputs out;
        char got[2000] = "";
        if (setjmp(exhausted)) fail_msg("out of memory");
        desk_open(&d, m);
        if (!run(&d, &recorded[i], &out)) fail_msg("%s: %s", recorded[i].want, d.err.message);
        for (size_t k = 0; k < out.n; k++) {
            size_t n = strlen(got);
            if (k) n += (size_t)snprintf(got + n, sizeof got - n, "; ");
            write_value(&out.v[k], got + n, sizeof got - n);
        }
        assert_string_equal(got, recorded[i].want);
        arena_free(&d.a);
    }
    tare_model_free(m);
}
static void test_refused(void **state) {
    (void)state;
    tare_model *m = model();
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        desk d;
        op_outputs out;
        if (setjmp(exhausted)) fail_msg("out of memory");
        desk_open(&d, m);
        if (run(&d, &refused[i], &out)) fail_msg("it was done, but should say: %s", refused[i].want);
        assert_int_equal(d.err.status, TARE_BAD);
        if (!strstr(d.err.message, refused[i].want)) fail_msg("\"%s\" does not say \"%s\"", d.err.message, refused[i].want);
        bool conversion = !strcmp(d.err.code, "conversion");
        assert_true(conversion || !strcmp(d.err.code, "bad_layout"));
        if (conversion) assert_string_equal(d.err.path, refused[i].key);
        arena_free(&d.a);
    }
    tare_model_free(m);
}

/* ---- there and back ---- */

static const work ways[] = {
    {OPS(MergeModulelist(0)), SET("e.*.w"), SET("all"), true, "m.e.*.w", NULL, NULL},
    {OPS(MergeModulelist(0), Concatenate(1)), SET("e.*.w", "e.*.v"), SET("all"), true, "m.e.*.w", NULL, NULL},
    {OPS(MergeModulelist(2), Concatenate(0)), SET("e.*.w", "e.*.v"), SET("all"), true, "m.e.*.w", NULL, NULL},
    {OPS(Concatenate(2)), SET("a", "b"), SET("all"), true, "m.a", NULL, NULL},
    {OPS(Chunk(1)), SET("all"), SET("a", "b", "c"), true, "m.all", NULL, NULL},
    {OPS(Transpose(0, 2)), SET("a"), SET("b"), true, "m.a", NULL, NULL},
    {OPS(Interleave(1)), SET("a"), SET("b"), true, "m.a", NULL, NULL},
    {OPS(Interleave(2), Transpose(2, 0)), SET("a"), SET("b"), true, "m.a", NULL, NULL},
    {OPS(Interleave(0), Interleave(0), Interleave(2)), SET("a"), SET("b"), true, "m.a", NULL, NULL},
    {OPS(Interleave(0), Chunk(0)), SET("all"), SET("a", "b"), true, "m.all", NULL, NULL},
    {OPS(ErnieFuseAndSplitTextVisionExperts(0, 1)), SET("e.*.g", "e.*.u"), SET("text", "vision"), true, "m.e.*.g", NULL, NULL},
};
static const work heads = {OPS(Chunk(0), PermuteForRope(NULL, "q", "k")), SET("qkv"), SET("q", "k", "v"), true, "m.qkv", NULL, NULL};
/* What was made backwards goes forward again: tensor i of the model is made of itself, element by element. */
static void there_and_back(const tare_model *m, const work *w, size_t wholes, int rank, const int64_t *shape) {
    desk d;
    op_outputs parts, out;
    transform back, t;
    op_input inputs[8];
    size_t n = 0;
    if (setjmp(exhausted)) fail_msg("out of memory");
    desk_open(&d, m);
    assert_true(transform_make(&d.p, w->model, w->file, &back) && transform_make(&d.p, w->file, w->model, &t));
    op_work how = {.p = &d.p, .t = &back, .ops = w->ops, .backward = true, .config = m->root->config, .shape_of = shape_of, .key = w->key};
    for (size_t i = 0; i < wholes; i++) {
        inputs[i] = (op_input){.pattern = back.from[i], .values = arena_new(&d.a, value), .n = 1};
        assert_true(value_whole(&d.a, i, rank, shape, inputs[i].values));
    }
    if (!ops_run(&how, inputs, wholes, &parts)) fail_msg("%s", d.err.message);
    for (size_t i = 0; i < parts.n; i++) { /* as many for each pattern, in their order */
        op_input *in = input_of(inputs, i ? &n : (n = 0, &n), t.from[i * t.from_n / parts.n]);
        in->values = arena_grow(&d.a, in->values, in->n, &in->cap, 1, sizeof *in->values);
        in->values[in->n++] = parts.v[i].v;
    }
    how.t = &t, how.backward = false;
    if (!ops_run(&how, inputs, n, &out)) fail_msg("%s", d.err.message);
    assert_int_equal(out.n, wholes);
    for (size_t i = 0; i < out.n; i++) {
        int64_t *from = malloc((size_t)out.v[i].v.elements * sizeof *from + 1);
        assert_int_equal(out.v[i].v.rank, rank);
        for (int k = 0; k < rank; k++) assert_int_equal(out.v[i].v.shape[k], shape[k]);
        spell(&out.v[i].v, from);
        for (int64_t e = 0; e < out.v[i].v.elements; e++) assert_int_equal(from[e], (int64_t)i * 100 + e);
        free(from);
    }
    arena_free(&d.a);
}
static void test_there_and_back(void **state) {
    (void)state;
    tare_model *m = model();
    srand(7);
    for (int round = 0; round < 400; round++) {
        const work *w = &ways[round % (int)(sizeof ways / sizeof *ways)];
        int64_t shape[3] = {2 + 2 * (rand() % 2), 2 + 2 * (rand() % 3), 2 + 2 * (rand() % 2)};
        size_t wholes = 0;
        while (w->model[wholes]) wholes++;
        there_and_back(m, w, wholes, 3, shape);
    }
    for (int64_t rows = 4; rows <= 20; rows += 4) there_and_back(m, &heads, 3, 2, (int64_t[]){rows, 5});
    tare_model_free(m);
}

/* ---- torch's memory: what a saved file keeps together ---- */

static void test_memory(void **state) {
    (void)state;
    arena a = {.unwind = &exhausted};
    value v, parts[3];
    const int64_t shape[] = {3, 4}, rows[] = {0, 1, 2, 3}, columns[] = {0, 2, 4};
    if (setjmp(exhausted)) fail_msg("out of memory");
    assert_true(value_whole(&a, 0, 2, shape, &v));
    memory *whole = v.in = arena_new(&a, memory);
    assert_true(value_split(&a, &v, 0, rows, 3, parts));
    value_settle(&a, &parts[2]);
    assert_ptr_equal(parts[2].in, whole); /* rows lie in one piece: a view */
    assert_true(value_split(&a, &v, 1, columns, 2, parts));
    assert_false(value_contiguous(&parts[1]));
    value_settle(&a, &parts[1]);
    assert_ptr_not_equal(parts[1].in, whole);
    assert_int_equal(parts[1].in->elements, 6);
    assert_ptr_equal(parts[0].in, whole);
    assert_false(value_whole(&a, 0, 9, (int64_t[]){1, 1, 1, 1, 1, 1, 1, 1, 1}, &v));
    assert_false(value_whole(&a, 0, 2, (int64_t[]){INT64_MAX, 2}, &v));
    assert_true(value_whole(&a, 0, 3, (int64_t[]){INT64_MAX, 2, 0}, &v));
    assert_int_equal(v.n, 0);
    arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_made), cmocka_unit_test(test_refused), cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
