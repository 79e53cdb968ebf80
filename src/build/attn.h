/* What PreTrainedModel.__init__ settles about attention and experts: which implementation runs, or why it cannot. */
#ifndef TARE_BUILD_ATTN_H
#define TARE_BUILD_ATTN_H
#include "../../include/tare.h"
#include "../core/host.h"

typedef struct attn_support { /* of one model class and its config */
    const char *class_name;
    bool sdpa, flash, flex, experts;       /* experts: the modeling file has @use_experts_implementation */
    const char *const *compatible_flash;   /* NULL-ended names, the preferred first; NULL: every flash implementation */
    tare_dtype dtype;
    bool has_dtype;                        /* false: the config gives none */
    bool dropout;                          /* attention_dropout > 0 */
} attn_support;

enum { ATTN_WHY = 512 }; /* room enough for every reason */

/* The attention implementation for a request (NULL: none made). False when it is refused, with the reason in `why`, TARE_NO in
 * `status` and in `code` "unavailable_attention" where a package is missing or too old, else "unsupported_attention". True with
 * a remark in `why`, "" when there is none. `chosen` points into `requested`, `s` or static text. A NULL host is this machine,
 * asked only when a flash implementation is requested.
 * Kernels of the Hub are always refused: one would have to be fetched and run to know. */
bool attn_settle(const attn_support *s, const host *h, const char *requested, const char **chosen, char *why, size_t n,
                 tare_status *status, const char **code);
/* The same verdict on one of attn_names(), in fewer words. */
bool attn_possible(const attn_support *s, const host *h, const char *name, char *why, size_t n);
size_t attn_names(const char *const **names); /* what a model may have: eager, sdpa, flash_attention_2, ... */

/* The experts implementation for a request (NULL: none made). */
bool experts_settle(const attn_support *s, const char *requested, const char **chosen, char *why, size_t n);
#endif
