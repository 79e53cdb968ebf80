/* What a resolution comes to: rows, what is wrong, and why. */
#ifndef TARE_LOAD_VERDICT_H
#define TARE_LOAD_VERDICT_H
#include "resolve.h"

typedef struct verdict {
    arena *a;
    const resolution *r;
    const node *root;
    tare_check_options o;
    tare_verdict sum;
    tare_row *rows;
    size_t row_n, row_cap;
    const char **causes;
    size_t cause_n, cause_cap;
    const char **missing, **unexpected; /* as upstream names them, sorted; once verdict_lists() has made them */
    size_t missing_n, unexpected_n;
    bool listed;
} verdict;

/* False with err for what the system refuses while ties are compared. */
bool verdict_make(verdict *v, arena *a, const resolution *r, const node *root, const tare_check_options *o, tare_error *err);
void verdict_lists(verdict *v);
/* Whether the tensors of a pair that the file holds both are the same: reads what it must, at most `most` bytes of each. */
typedef enum tie_equal { TIES_EQUAL, TIES_DIFFER, TIES_UNKNOWN } tie_equal;
bool ties_compare(const resolution *r, const load_tie *t, uint64_t most, tie_equal *out, tare_error *err);
/* The operations of a converter in words. */
enum { OPERATIONS = 160 };
void operations_text(const layout_op *ops, char text[OPERATIONS]);
/* Every tensor of a file with every one of the tree that it goes into; false when visit returned it. */
bool mapping_walk(const verdict *v, bool (*visit)(void *to, const tare_mapping *row), void *to);
/* What is behind the rows, in sentences. */
void causes_find(verdict *v);
void cause_add(verdict *v, const char *format, ...) __attribute__((format(printf, 2, 3)));
#endif
