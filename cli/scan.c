/* tare scan: many configs, each answered with its class, parameter count and digests, or with what is wrong with it. */
#include "lines.h"
#include <inttypes.h>

typedef struct wishes {
    tare_open_options open;
    bool digests, facts;
} wishes;

static bool put_digest(const tare_model *m, const char *name, tare_text what, out *o, tare_error *err) {
    char hex[65];
    if (tare_model_digest(m, what, hex, err) != TARE_OK) return false;
    out_format(o, ",\"%s\":\"%s\"", name, hex);
    return true;
}

static bool put_model(const tare_model *m, const wishes *w, out *o, tare_error *err) {
    squeeze s = {.o = o};
    out_format(o, ",\"ok\":true,\"class\":\"%s\",\"params\":%" PRIu64, tare_model_class(m), tare_model_params(m));
    quantization_json(o, m);
    if (w->digests && !(put_digest(m, "tree", TARE_TEXT_TREE, o, err) && put_digest(m, "print", TARE_TEXT_PRINT, o, err))) return false;
    if (!w->facts) return true;
    out_text(o, ",\"facts\":");
    return tare_model_write(m, TARE_TEXT_FACTS, squeeze_take, &s, err) == TARE_OK;
}

static tare_model *build(const request *r, const wishes *w, tare_error *err) {
    tare_open_options open = w->open;
    if (r->class_name[0]) open.class_name = r->class_name;
    return tare_model_parse(r->config.text, r->config.n, &open, err);
}

static bool answer(const void *to, const line *in, out *o) {
    const wishes *w = to;
    request r;
    tare_error err = {0};
    tare_model *m = request_read(&r, in, &err) ? build(&r, w, &err) : NULL;
    size_t begin = o->n;
    request_begin(&r, o);
    bool ok = m && put_model(m, w, o, &err);
    tare_model_free(m);
    if (!ok) request_fail(&r, o, begin, ",\"ok\":false", &err);
    out_text(o, "}\n");
    return ok;
}

static int run(const args *a) {
    wishes w = {.open = options_of(a), .digests = !a->value[OPT_NO_DIGEST], .facts = a->value[OPT_FACTS]};
    return lines_run(a->words[0], a->value[OPT_THREADS], answer, &w);
}

const command command_scan = {
    .name = "scan",
    .usage = "[FILE] [options]",
    .summary = "many configs: JSON lines in, JSON lines out, on all cores",
    .about = "Reads JSON lines {\"id\": any, \"class\": NAME (optional), \"config\": {...}} from FILE or standard input and\n"
             "answers each, in order, with {\"id\":..., \"ok\":true, \"class\":..., \"params\":..., \"tree\":SHA256, \"print\":SHA256}\n"
             "or {\"id\":..., \"ok\":false, \"error\":{\"code\":..., \"path\":..., \"message\":...}}. A bad line never stops the stream,\n"
             "memory stays bounded on an endless one, and answers come as soon as the input pauses. The other\n"
             "options hold for every line; its own class goes before --class.\n",
    .examples = "  echo '{\"id\": 1, \"config\": {\"model_type\": \"gpt2\"}}' | tare scan\n"
                "  tare scan configs.jsonl --no-digest --threads 2\n",
    .exits = "  0 every line was answered with ok; 1 some were not\n",
    .options = MODEL_OPTIONS | BIT(OPT_FACTS) | BIT(OPT_NO_DIGEST) | BIT(OPT_THREADS),
    .min_words = 0,
    .max_words = 1,
    .run = run,
};
