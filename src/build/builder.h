/* What the builder's files share. */
#ifndef TARE_BUILD_BUILDER_H
#define TARE_BUILD_BUILDER_H
#include "../core/num.h"
#include "mod.h"
edge *builder_edge(mod *m, const char *name, mod *to);
mod *builder_mod(builder *b, mod *parent, const char *name, const char *cls);
bool builder_count(mod *m, uint64_t modules); /* false: past the cap, and refused */
void settle_attention(mod *m);                /* what PreTrainedModel.__init__ does about attention and experts */
bool settle_ties(builder *b);                 /* tie_weights() of every model, in the order of their post_init */
void builder_own(edge *e, mod *parent);       /* its body is not common afterwards */
mod *builder_copy(builder *b, const mod *m, mod *parent); /* with all below it, but for what is shared */
edge *builder_cut(builder *b, mod *parent, edge *run, int64_t kept); /* what follows the first `kept` of a run becomes an edge of its own */
edge *builder_split(builder *b, mod *parent, edge *run, int64_t index); /* makes the child `index` of a run a module of its own */
#endif
