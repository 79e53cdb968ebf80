/* id2label, label2id, num_labels: one of them given, the others follow. */
#include "../core/num.h"
#include "json.h"
#include "rules_impl.h"
#include <string.h>

enum { MOST_LABELS = 1000000 };

void labels_count(cfg *c, val n, tare_origin origin) {
    session *s = c->s;
    val now = cfg_get(c, "id2label");
    if (now.kind == VAL_DICT && val_equal(val_int(now.n), n)) return;
    const char *path = arena_printf(s->a, "%s.num_labels", c->path);
    if (n.kind == VAL_BOOL) n = val_int(n.b);
    if (n.kind != VAL_INT) {
        error_set(&s->err, TARE_BAD, "bad_type", path, "%s is %s (%s): a number of labels is an int", path, json_short(s->a, n, 60), val_type(n));
        return;
    }
    if (n.i > MOST_LABELS) {
        error_set(&s->err, TARE_BAD, "too_large", path, "%s is %lld: at most a million labels are built", path, (long long)n.i);
        return;
    }
    uint32_t count = n.i < 0 ? 0 : (uint32_t)n.i;
    member *ids = arena_array(s->a, count, sizeof *ids), *labels = arena_array(s->a, count, sizeof *labels);
    for (uint32_t i = 0; i < count; i++) {
        char *label = arena_alloc(s->a, 24);
        memcpy(label, "LABEL_", 6);
        num_int(label + 6, i);
        ids[i] = (member){label + 6, val_text(label)};
        labels[i] = (member){label, val_int(i)};
    }
    cfg_set(c, "id2label", (val){.kind = VAL_DICT, .n = count, .members = ids}, origin, "num_labels");
    cfg_set(c, "label2id", (val){.kind = VAL_DICT, .n = count, .members = labels}, origin, "num_labels");
}

/* The key is what str(int(key)) gives: all that most configs hold. */
static bool plain_int(const char *key) {
    const char *digits = key + (*key == '-');
    size_t n = strspn(digits, "0123456789");
    return n && !digits[n] && (*digits != '0' || (n == 1 && digits == key));
}
/* int(key) as text again: blanks around it, a sign, digits of any number with single underscores between them. */
static bool int_text(const char *key, char *out) {
    static const char blank[] = " \t\n\r\f\v\x1c\x1d\x1e\x1f";
    key += strspn(key, blank);
    bool minus = *key == '-';
    if (*key == '-' || *key == '+') key++;
    char *at = out + 1, *from = at;
    for (; *key >= '0' && *key <= '9'; key += key[1] == '_' && key[2] >= '0' && key[2] <= '9' ? 2 : 1) *at++ = *key;
    if (at == from || key[strspn(key, blank)]) return false;
    *at = 0;
    while (*from == '0' && from[1]) from++;
    if (minus && *from != '0') *--from = '-';
    memmove(out, from, strlen(from) + 1);
    return true;
}
/* Keys become ints in the reference: " 07" is 7 and may meet another 7. Only unusual keys cost anything. */
static val int_keys(cfg *c, val labels) {
    bool plain = true;
    for (uint32_t i = 0; i < labels.n && plain; i++) plain = plain_int(labels.members[i].key);
    if (plain) return labels;
    val out = {.kind = VAL_DICT};
    for (uint32_t i = 0; i < labels.n; i++) {
        const char *key = labels.members[i].key;
        char *text = arena_alloc(c->s->a, strlen(key) + 2);
        if (!int_text(key, text)) {
            cfg_refuse(c, "id2label", "bad_value", "the key \"%.60s\" is not an int", key);
            return labels;
        }
        out = dict_with(c->s->a, out, text, labels.members[i].v);
    }
    return out;
}
void labels_settle(cfg *c) {
    cfg_entry *e = cfg_entry_of(c, "id2label");
    val n = left_get(c, "num_labels");
    if (!e || e->v.kind == VAL_NULL) labels_count(c, val_or(n, val_int(2)), n.kind == VAL_ABSENT ? TARE_FROM_DEFAULT : TARE_FROM_FILE);
    else if (e->v.kind != VAL_DICT) cfg_refuse(c, "id2label", "bad_type", "an object from ids to labels is needed");
    else e->v = int_keys(c, e->v);
}
