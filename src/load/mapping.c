/* From the names in the files to those in the tree, a line for each way. */
#include "verdict.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void operations_text(const layout_op *ops, char text[OPERATIONS]) {
    static const char *const words[] = {
        [OP_MERGE_MODULELIST] = "stacked", [OP_CONCATENATE] = "joined", [OP_CHUNK] = "divided", [OP_SPLIT] = "divided",
        [OP_TRANSPOSE] = "transposed", [OP_INTERLEAVE] = "evens before odds", [OP_PERMUTE_FOR_ROPE] = "rows permuted for rope",
        [OP_ERNIE_TEXT_VISION] = "experts divided and joined",
    };
    int n = 0;
    text[0] = 0;
    for (; ops->what != OP_END && n < OPERATIONS - 40; ops++)
        n += snprintf(text + n, (size_t)(OPERATIONS - n), "%s%s", n ? ", " : "", words[ops->what]);
}

enum { TEXT = 512 };
/* Where in the tree's tensor: [3, 0:2048, 0:7168]. */
static void place_text(char text[TEXT], const char *operations, const value *v, const box *b) {
    int n = snprintf(text, TEXT, "%s: [", operations);
    for (int i = 0; i < v->rank && n < TEXT - 64; i++) {
        const char *comma = i ? ", " : "";
        if (b->size[i] == 1 && v->shape[i] > 1) n += snprintf(text + n, (size_t)(TEXT - n), "%s%" PRId64, comma, b->at[i]);
        else n += snprintf(text + n, (size_t)(TEXT - n), "%s%" PRId64 ":%" PRId64, comma, b->at[i], b->at[i] + b->size[i]);
    }
    snprintf(text + n, (size_t)(TEXT - n), "]");
}
static bool same_source(const value *v, size_t i) { return i < v->n && i && v->boxes[i].source == v->boxes[i - 1].source; }
/* A tensor whose parts are scattered over the tree's is named once, without its places. */
static bool made_rows(const verdict *v, const load_slot *s, const char *operations, bool (*visit)(void *to, const tare_mapping *row), void *to) {
    char text[TEXT];
    for (size_t i = 0; i < s->made->n; i++) {
        if (same_source(s->made, i)) continue;
        bool scattered = same_source(s->made, i + 1);
        if (!scattered) place_text(text, operations, s->made, &s->made->boxes[i]);
        tare_mapping row = {v->r->c->tensors[s->made->boxes[i].source].key, s->path, scattered ? operations : text};
        if (!visit(to, &row)) return false;
    }
    return true;
}
static bool slot_rows(const verdict *v, const load_slot *s, bool (*visit)(void *to, const tare_mapping *row), void *to) {
    const char *key = v->r->c->tensors[s->tensor].key;
    bool packed = v->r->c->tensors[s->tensor].packed;
    if (!s->made) {
        const char *same = packed ? "unpacked" : "as it is", *other = packed ? "unpacked, renamed" : "renamed";
        tare_mapping row = {key, s->path, strcmp(key, s->path) ? other : same};
        return visit(to, &row);
    }
    char operations[OPERATIONS + 12];
    size_t n = packed ? (size_t)snprintf(operations, sizeof operations, "unpacked, ") : 0;
    operations_text(v->r->rules.converters[v->r->keys[s->tensor].converter].ops, operations + n);
    return made_rows(v, s, operations, visit, to);
}
bool mapping_walk(const verdict *v, bool (*visit)(void *to, const tare_mapping *row), void *to) {
    const resolution *r = v->r;
    for (size_t i = 0; i < r->slots.n; i++)
        if (r->slots.v[i].from == FROM_FILE && !slot_rows(v, &r->slots.v[i], visit, to)) return false;
    for (size_t i = 0; i < r->c->tensor_count; i++) {
        static const char *const why[] = {[KEY_UNEXPECTED] = "unexpected", [KEY_IGNORED] = "ignorable", [KEY_SURPLUS] = "surplus"};
        bool part = r->c->view_of && r->c->tensors[i].replaced && i < r->c->view_of->tensor_count && !r->c->view_of->tensors[i].replaced;
        if (r->keys[i].fate <= KEY_CONVERTED || part) continue; /* a part stands behind the name of its whole */
        tare_mapping row = {r->c->tensors[i].key, NULL, why[r->keys[i].fate]};
        if (!visit(to, &row)) return false;
    }
    return true;
}
