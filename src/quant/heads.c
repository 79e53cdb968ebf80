/* Output embeddings by class, dumped from the reference. */
#include "work.h"

static const struct { const char *cls, *path; } heads[] = {
#include "heads.h"
};
const char *output_embedding_of(const char *class_name) {
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        if (same_word(heads[i].cls, class_name)) return heads[i].path;
    return NULL;
}
