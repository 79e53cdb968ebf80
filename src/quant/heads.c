/* Facts about the reference's classes: output embeddings, and which attention takes a cache. Dumped by tools/dump_heads.py. */
#include "work.h"

static const struct { const char *cls, *path; } heads[] = {
#include "heads.h"
};
const char *output_embedding_of(const char *class_name) {
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        if (same_word(heads[i].cls, class_name)) return heads[i].path;
    return NULL;
}

static const char *const cached[] = {
#include "caches.h"
};
bool takes_cache(const mod *m) {
    for (size_t i = 0; i < sizeof cached / sizeof *cached; i++)
        if (same_word(cached[i], m->cls)) return true;
    return false;
}
