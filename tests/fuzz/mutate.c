/* Mutations that keep JSON valid, for libFuzzer: one key anywhere gets an odd value, goes, or appears. Three times in four, for
 * plain mutations find the ways in which JSON breaks. */
#include "fuzz.h"
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t n, size_t most);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t most, unsigned seed);

static const char *const odd[] = {
    "null", "true", "false", "0", "1", "2", "3", "7", "8", "16", "-1", "4096", "2147483647", "2147483648", "9223372036854775807", "0.0", "1.0", "0.5",
    "-0.5", "1e300", "NaN", "Infinity", "\"\"", "\"x\"", "\"gelu\"", "\"relu\"", "\"eager\"", "\"flash_attention_2\"", "\"bfloat16\"", "\"float32\"",
    "\"llama\"", "\"bert\"", "\"full_attention\"", "\"sliding_attention\"", "\"yarn\"", "\"batch\"", "[]", "[0]", "[1, 2]", "[2, 2, 2]", "[\"stem\"]",
    "[\"full_attention\", \"sliding_attention\"]", "{}", "{\"0\": \"a\", \"1\": \"b\"}", "{\"model_type\": \"t5\"}", "{\"num_hidden_layers\": 1}",
    "{\"rope_type\": \"linear\", \"factor\": 2.0}", "{\"rope_type\": \"llama3\"}", "{\"type\": \"longrope\", \"short_factor\": [1.0]}",
};
enum { ODD = sizeof odd / sizeof *odd };

static uint64_t state;
static size_t draw(size_t choices) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return choices ? (size_t)(state >> 11) % choices : 0;
}

/* Some object of the value, the outer ones more often. */
static struct json_object *some_object(struct json_object *o) {
    struct json_object *inner = NULL;
    size_t seen = 0;
    json_object_object_foreach(o, key, v) {
        (void)key;
        if (json_object_is_type(v, json_type_object) && draw(++seen) == 0) inner = v;
    }
    return inner && draw(2) ? some_object(inner) : o;
}
static const char *some_key(struct json_object *o) {
    size_t i = draw((size_t)json_object_object_length(o));
    json_object_object_foreach(o, key, v) {
        (void)v;
        if (i-- == 0) return key;
    }
    return NULL;
}
/* A key that the defaults of the root's type have, at any depth, copied to `key`. */
static bool known_key(struct json_object *root, char *key, size_t n) {
    struct json_object *config, *type;
    if (json_object_object_get_ex(root, "config", &config) && json_object_is_type(config, json_type_object)) root = config;
    if (!json_object_object_get_ex(root, "model_type", &type) || !json_object_is_type(type, json_type_string)) return false;
    tare_config *c = tare_config_open(json_object_get_string(type), NULL, NULL);
    const tare_config_row *rows;
    size_t count = c ? tare_config_rows(c, &rows) : 0;
    if (count) {
        const char *path = rows[draw(count)].path, *dot = strrchr(path, '.');
        snprintf(key, n, "%s", dot ? dot + 1 : path);
    }
    tare_config_free(c);
    return count > 0;
}

static void change(struct json_object *root) {
    char key[128];
    struct json_object *o = some_object(root);
    const char *old = some_key(o);
    size_t what = draw(4);
    if (what == 0 && old) json_object_object_del(o, old);
    else if (what > 1 && known_key(root, key, sizeof key)) json_object_object_add(o, key, json_tokener_parse(odd[draw(ODD)]));
    else if (old) {
        snprintf(key, sizeof key, "%s", old);
        json_object_object_add(o, key, json_tokener_parse(odd[draw(ODD)]));
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t most, unsigned seed) {
    state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    struct json_tokener *reader = json_tokener_new();
    struct json_object *root = draw(4) ? json_tokener_parse_ex(reader, (const char *)data, (int)n) : NULL;
    json_tokener_free(reader);
    if (!json_object_is_type(root, json_type_object)) {
        json_object_put(root);
        return LLVMFuzzerMutate(data, n, most);
    }
    for (size_t i = draw(3) + 1; i > 0; i--) change(root);
    size_t length;
    const char *json = json_object_to_json_string_length(root, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &length);
    if (length <= most) memcpy(data, json, length), n = length;
    json_object_put(root);
    return n;
}
