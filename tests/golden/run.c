/* golden DIR ...: does tare say what the reference said? DIR/digests.jsonl holds one case a line,
 *     {"id", "class", "config", "params", "tree", "print", "facts", "effective", "init"}, or {"id", "class", "config", "ok": false},
 * with "quantized": true where the tree is the one that is prepared for quantised weights,
 * and DIR/ID.tree.txt, DIR/ID.print.txt, DIR/ID.config.json the texts themselves for some of the ids. */
#define _DEFAULT_SOURCE
#include <inttypes.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tare.h>

typedef struct text { char *data; size_t n, cap; } text;
typedef struct tally { int cases, failed; } tally;
typedef struct golden {
    const char *dir, *id;
    struct json_object *line;
    int faults; /* printed for this case */
} golden;

static bool text_take(void *to, const char *data, size_t n) {
    text *t = to;
    if (t->cap - t->n <= n) {
        while (t->cap - t->n <= n) t->cap = t->cap ? 2 * t->cap : 4096;
        t->data = realloc(t->data, t->cap);
        if (!t->data) abort();
    }
    memcpy(t->data + t->n, data, n);
    t->n += n;
    t->data[t->n] = 0;
    return true;
}

static __attribute__((format(printf, 2, 3))) void fault(golden *g, const char *format, ...) {
    va_list args;
    va_start(args, format);
    printf("%s %s: ", g->dir, g->id);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
    g->faults++;
}

static const char *string_of(struct json_object *o, const char *key) {
    struct json_object *v;
    return json_object_object_get_ex(o, key, &v) && json_object_is_type(v, json_type_string) ? json_object_get_string(v) : NULL;
}
static const char *plain(struct json_object *o) { return json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE); }

/* ---- JSON beside JSON: objects by key, lists in order, 1 is not 1.0 ---- */

static bool is_ignored(const char *key, const char *const *ignored) {
    for (; ignored && *ignored; ignored++)
        if (!strcmp(key, *ignored)) return true;
    return false;
}
static void compare(golden *g, const char *path, struct json_object *want, struct json_object *got, const char *const *ignored);

static void compare_objects(golden *g, const char *path, struct json_object *want, struct json_object *got, const char *const *ignored) {
    struct json_object *other;
    char at[512];
    json_object_object_foreach(want, key, value) {
        snprintf(at, sizeof at, "%s.%s", path, key);
        if (is_ignored(key, ignored)) continue;
        if (!json_object_object_get_ex(got, key, &other)) fault(g, "%s is missing, should be %s", at, plain(value));
        else compare(g, at, value, other, ignored);
    }
    json_object_object_foreach(got, extra, extra_value)
        if (!is_ignored(extra, ignored) && !json_object_object_get_ex(want, extra, NULL))
            fault(g, "%s.%s should not be there, is %s", path, extra, plain(extra_value));
}
static void compare_lists(golden *g, const char *path, struct json_object *want, struct json_object *got, const char *const *ignored) {
    char at[512];
    size_t n = json_object_array_length(want);
    if (n != json_object_array_length(got)) {
        fault(g, "%s should be %s, is %s", path, plain(want), plain(got));
        return;
    }
    for (size_t i = 0; i < n; i++) {
        snprintf(at, sizeof at, "%s[%zu]", path, i);
        compare(g, at, json_object_array_get_idx(want, i), json_object_array_get_idx(got, i), ignored);
    }
}
static bool same_scalar(struct json_object *a, struct json_object *b) {
    if (json_object_is_type(a, json_type_double)) {
        double x = json_object_get_double(a), y = json_object_get_double(b);
        return memcmp(&x, &y, sizeof x) == 0 || (x != x && y != y);
    }
    return json_object_equal(a, b);
}
static void compare(golden *g, const char *path, struct json_object *want, struct json_object *got, const char *const *ignored) {
    enum json_type type = json_object_get_type(want);
    bool same_type = type == json_object_get_type(got);
    if (same_type && type == json_type_object) compare_objects(g, path, want, got, ignored);
    else if (same_type && type == json_type_array) compare_lists(g, path, want, got, ignored);
    else if (!same_type || !same_scalar(want, got)) fault(g, "%s should be %s, is %s", path, plain(want), plain(got));
}

/* What was written beside the line's `key`. */
static void check_json(golden *g, const char *key, const text *t, const char *const *ignored) {
    struct json_object *want, *got = t->data ? json_tokener_parse(t->data) : NULL;
    if (!got) fault(g, "%s is no JSON", key);
    else if (json_object_object_get_ex(g->line, key, &want)) compare(g, key, want, got, ignored);
    json_object_put(got);
}
static void check_facts(golden *g, const tare_model *m) {
    text t = {0};
    tare_error err = {0};
    if (tare_model_write(m, TARE_TEXT_FACTS, text_take, &t, &err) != TARE_OK) fault(g, "facts: %s", err.message);
    else check_json(g, "facts", &t, NULL);
    free(t.data);
}
/* Of a config that no model was made from: a constructor may write to its own. */
static void check_effective(golden *g, const char *json) {
    static const char *const not_compared[] = {"transformers_version", "_name_or_path", NULL};
    text t = {0};
    tare_error err = {0};
    tare_config *c = tare_config_parse(json, strlen(json), NULL, &err);
    if (!c || tare_config_write(c, text_take, &t, &err) != TARE_OK) fault(g, "effective: %s", err.message);
    else check_json(g, "effective", &t, not_compared);
    free(t.data);
    tare_config_free(c);
}

/* ---- text beside text ---- */

static char *read_file(const char *dir, const char *id, const char *ending) {
    char path[1024], part[4096];
    text t = {0};
    snprintf(path, sizeof path, "%s/%s%s", dir, id, ending);
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    text_take(&t, "", 0);
    for (size_t n; (n = fread(part, 1, sizeof part, f)) > 0;) text_take(&t, part, n);
    fclose(f);
    return t.data;
}
enum { LINES_SHOWN = 3, LINE_SHOWN = 160 };
static size_t lines_of(const char *t) {
    size_t n = 0;
    for (; *t; t++) n += *t == '\n';
    return n;
}
static void say_lines(char mark, const char *t) {
    for (int i = 0; i < LINES_SHOWN && *t; i++) {
        size_t n = strcspn(t, "\n");
        printf("  %c %.*s%s\n", mark, n > LINE_SHOWN ? LINE_SHOWN : (int)n, t, n > LINE_SHOWN ? "..." : "");
        t += n + (t[n] == '\n');
    }
}
/* From the line above the first that differs: what it should be, what it is. */
static void say_difference(golden *g, const char *what, const char *want, const char *got) {
    size_t line = 1, start = 0, above = 0;
    for (size_t i = 0; want[i] && want[i] == got[i]; i++)
        if (want[i] == '\n') line++, above = start, start = i + 1;
    fault(g, "%s differs from line %zu on; it should have %zu lines, and has %zu", what, line, lines_of(want), lines_of(got));
    if (start) printf("    %.*s\n", (int)(start - above - 1), want + above);
    say_lines('-', want + start);
    say_lines('+', got + start);
}
static void check_text(golden *g, const char *what, const char *ending, const tare_model *m, tare_text kind) {
    char *want = read_file(g->dir, g->id, ending);
    text t = {0};
    tare_error err = {0};
    if (!want) return;
    if (tare_model_write(m, kind, text_take, &t, &err) != TARE_OK) fault(g, "%s: %s", what, err.message);
    else if (strcmp(want, t.data)) say_difference(g, what, want, t.data);
    free(t.data);
    free(want);
}
static void check_digest(golden *g, const char *key, const tare_model *m, tare_text kind) {
    const char *want = string_of(g->line, key);
    char hex[65];
    tare_error err = {0};
    if (!want) return;
    if (tare_model_digest(m, kind, hex, &err) != TARE_OK) fault(g, "%s: %s", key, err.message);
    else if (strcmp(want, hex)) fault(g, "%s differs", key);
}

/* ---- fresh weights ---- */

typedef struct values { /* of a model, in the order of its tensors */
    const tare_item *items;
    char (*hex)[17];
} values;
static bool take_value(void *to, const tare_item *t, const void *bytes, size_t n) {
    values *v = to;
    char hex[65];
    tare_sha256(bytes, n, hex);
    memcpy(v->hex[t - v->items], hex, 16);
    return true;
}
static bool is_left_out(struct json_object *paths, const char *path) {
    size_t n = paths ? json_object_array_length(paths) : 0;
    for (size_t i = 0; i < n; i++)
        if (!strcmp(json_object_get_string(json_object_array_get_idx(paths, i)), path)) return true;
    return false;
}
static void values_text(const tare_model *m, values *v, struct json_object *left_out, text *t) {
    size_t n = tare_tensor_count(m);
    text_take(t, "", 0);
    for (size_t i = 0; i < n; i++) {
        const tare_item *item = &v->items[i], *owner = item->owner ? tare_tensor_find(m, item->owner) : item;
        if ((item->kind == TARE_BUFFER && !item->persistent) || is_left_out(left_out, item->path)) continue;
        text_take(t, item->path, strlen(item->path));
        text_take(t, "\t", 1);
        text_take(t, v->hex[owner - v->items], 16);
        text_take(t, "\n", 1);
    }
}
static void check_drawn(golden *g, const char *dtype, const tare_model *m, struct json_object *want) {
    uint32_t next = 0;
    char got[65], bits[9];
    text t = {0};
    tare_error err = {0};
    values v = {tare_tensor_at(m, 0), calloc(tare_tensor_count(m) + 1, sizeof *v.hex)};
    if (!v.hex) abort();
    if (tare_init_each(m, &(tare_init_options){.threads = 1, .next = &next}, take_value, &v, &err) != TARE_OK) {
        if (want) fault(g, "init %s: %s", dtype, err.message);
    } else if (!want) fault(g, "init %s should be refused", dtype);
    else {
        struct json_object *left_out = NULL;
        json_object_object_get_ex(want, "left_out", &left_out);
        values_text(m, &v, left_out, &t);
        tare_sha256(t.data, t.n, got);
        snprintf(bits, sizeof bits, "%08" PRIx32, next);
        if (strcmp(bits, string_of(want, "next"))) fault(g, "init %s: next should be %s, is %s", dtype, string_of(want, "next"), bits);
        if (strcmp(got, string_of(want, "values"))) fault(g, "init %s: values differ", dtype);
    }
    free(t.data);
    free(v.hex);
}
/* float32 stands for Model(config), the rest for _from_config(config, dtype). */
static void check_init(golden *g, const char *json) {
    struct json_object *init;
    if (!json_object_object_get_ex(g->line, "init", &init)) return;
    json_object_object_foreach(init, dtype, want) {
        tare_error err = {0};
        bool plain_model = !strcmp(dtype, "float32");
        tare_open_options o = {.class_name = string_of(g->line, "class"), .host = "gpu=none", .plain = plain_model, .dtype = plain_model ? NULL : dtype};
        tare_model *m = tare_model_parse(json, strlen(json), &o, &err);
        if (m) check_drawn(g, dtype, m, want);
        else if (want) fault(g, "init %s: %s", dtype, err.message);
        tare_model_free(m);
    }
}

/* ---- one case ---- */

static void check_model(golden *g, const tare_model *m) {
    struct json_object *params;
    if (json_object_object_get_ex(g->line, "params", &params) && (uint64_t)json_object_get_int64(params) != tare_model_params(m))
        fault(g, "params should be %" PRId64 ", is %" PRIu64, json_object_get_int64(params), tare_model_params(m));
    int before = g->faults;
    check_text(g, "tree", ".tree.txt", m, TARE_TEXT_TREE);
    if (g->faults == before) check_digest(g, "tree", m, TARE_TEXT_TREE);
    before = g->faults;
    check_text(g, "print", ".print.txt", m, TARE_TEXT_PRINT);
    if (g->faults == before) check_digest(g, "print", m, TARE_TEXT_PRINT);
    check_facts(g, m);
}
static void check_case(golden *g) {
    struct json_object *config, *ok;
    tare_error err = {0};
    tare_open_options o = {.class_name = string_of(g->line, "class"), .host = "gpu=none"};
    o.quantized = json_object_object_get_ex(g->line, "quantized", NULL);
    bool refused = json_object_object_get_ex(g->line, "ok", &ok) && !json_object_get_boolean(ok);
    if (!json_object_object_get_ex(g->line, "config", &config)) {
        fault(g, "has no config");
        return;
    }
    const char *json = plain(config);
    tare_model *m = tare_model_parse(json, strlen(json), &o, &err);
    if (m && refused) fault(g, "should be refused: %s", plain(config));
    else if (!m && !refused) fault(g, "%s", err.message);
    else if (m) check_model(g, m), check_effective(g, json), check_init(g, json);
    else if (err.status == TARE_OK || !err.code[0] || !err.message[0]) fault(g, "refused without a word");
    tare_model_free(m);
}

static void check_line(const char *dir, size_t number, const char *json, tally *t) {
    char place[32];
    snprintf(place, sizeof place, "line %zu", number);
    golden g = {.dir = dir, .id = place, .line = json_tokener_parse(json)};
    t->cases++;
    if (!g.line) fault(&g, "is no JSON");
    else {
        if (string_of(g.line, "id")) g.id = string_of(g.line, "id");
        check_case(&g);
    }
    t->failed += g.faults > 0;
    json_object_put(g.line);
}
static void check_folder(const char *dir, tally *t) {
    char path[1024];
    snprintf(path, sizeof path, "%s/digests.jsonl", dir);
    FILE *f = fopen(path, "r");
    if (!f) {
        printf("%s: cannot be read\n", path);
        t->failed++;
        return;
    }
    char *line = NULL;
    size_t cap = 0, number = 0;
    while (getline(&line, &cap, f) > 0)
        if (number++, line[0] != '\n') check_line(dir, number, line, t);
    free(line);
    fclose(f);
}

int main(int argc, char **argv) {
    tally t = {0};
    for (int i = 1; i < argc; i++) check_folder(argv[i], &t);
    printf("%d of %d cases agree with the reference\n", t.cases - t.failed, t.cases);
    return t.failed || !t.cases;
}
