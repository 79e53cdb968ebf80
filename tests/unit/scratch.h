/* One module without a config, for tests of layers: a root of class "Root" in an arena of its own. */
#include "../../src/build/mod.h"
#include "../../src/tree/tree.h"
#include <stdio.h>
#include <stdlib.h>

typedef struct scratch { /* b first: a module leads back to all of it */
    builder b;
    arena a;
    session s;
    jmp_buf out_of_memory;
} scratch;

static mod *mod_scratch(void) {
    scratch *x = calloc(1, sizeof *x);
    mod *root = calloc(1, sizeof *root);
    if (!x || !root || setjmp(x->out_of_memory)) {
        fputs("out of memory\n", stderr);
        exit(1);
    }
    x->a.unwind = &x->out_of_memory;
    x->s.a = &x->a;
    x->b.s = &x->s;
    x->b.dtype = TARE_F32;
    x->b.root = root;
    root->b = &x->b;
    root->name = "";
    root->cls = "Root";
    return root;
}
static char *scratch_text(mod *m, void (*write)(const node *root, sink *s)) {
    buf b = {0};
    sink s;
    sink_open(&s, buf_take, &b);
    write(m->b->root, &s);
    sink_flush(&s);
    return b.data;
}
/* Texts for the caller to free. */
static char *mod_scratch_print(mod *m) { return scratch_text(m, tree_print); }
static char *mod_scratch_tree(mod *m) { return scratch_text(m, tree_canonical); }
static const char *mod_scratch_error(const mod *m) { return mod_ok(m) ? NULL : m->b->s->err.message; }
static void mod_scratch_free(mod *m) {
    scratch *x = (scratch *)m->b;
    mod *root = x->b.root;
    arena_free(&x->a);
    free(root);
    free(x);
}
