#include "checkpoint.h"
#include <stdio.h>
#include <string.h>

bool source_open(source *s, const args *a, int *status) {
    tare_error err = {0};
    tare_checkpoint_options files = {.variant = a->value[OPT_VARIANT], .subfolder = a->value[OPT_SUBFOLDER]};
    tare_open_options how = options_of(a);
    *s = (source){.c = tare_checkpoint_open(a->words[0], &files, &err)};
    if (s->c) s->m = tare_checkpoint_model(s->c, a->value[OPT_CONFIG], &how, &err);
    if (s->c && !s->m && err.status == TARE_IO && !a->value[OPT_CONFIG]) { /* there is none beside the weights */
        size_t n = strlen(err.message);
        snprintf(err.message + n, sizeof err.message - n, "\n--config MODEL takes the config from elsewhere");
    }
    if (!s->m) return *status = fail(&err), false;
    note(tare_model_note(s->m));
    if (a->value[OPT_DEQUANTIZE] && !tare_model_quantization(s->m))
        note("the config says of no weight that it is quantised: --quantize METHOD says how they are stored");
    return true;
}
void source_close(source *s) {
    tare_model_free(s->m);
    tare_checkpoint_free(s->c);
}

static bool take_word(tare_check_options *o, const char *word, size_t n) {
    const struct { const char *name; bool *to; } words[] = {
        {"missing", &o->allow_missing}, {"unexpected", &o->allow_unexpected}, {"mismatched", &o->allow_mismatched},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i].name) == n && memcmp(words[i].name, word, n) == 0) return *words[i].to = true;
    return false;
}
int check_options_read(const args *a, tare_check_options *o) {
    *o = (tare_check_options){.data = a->value[OPT_DATA], .strip_prefix = a->value[OPT_STRIP_PREFIX], .add_prefix = a->value[OPT_ADD_PREFIX]};
    if (a->value[OPT_LIKE] && strcmp(a->value[OPT_LIKE], "transformers"))
        return fail_usage("--like knows transformers, not \"%s\"", a->value[OPT_LIKE]);
    o->like_transformers = a->value[OPT_LIKE];
    for (const char *p = a->value[OPT_ALLOW]; p && *p;) {
        size_t n = strcspn(p, ",");
        if (!take_word(o, p, n)) return fail_usage("--allow takes missing, unexpected and mismatched, not \"%.*s\"", (int)n, p);
        p += n;
        p += *p == ',';
    }
    return TARE_OK;
}
