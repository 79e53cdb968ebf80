/* Writes a checkpoint folder as save_pretrained() lays it out, whole or not at all: everything is made in a work folder beside
 * DIR and takes DIR's place in one step, at save_commit(). A run that was killed is taken up again by the next one with the
 * same plan; stage.h says how. The data may come in any order, from many threads at once. */
#ifndef TARE_FILES_SAVE_H
#define TARE_FILES_SAVE_H
#include "shards.h"

typedef struct save_options {
    uint64_t max_shard;   /* bytes of tensors in a file */
    bool force;           /* replace a checkpoint that is there */
    uint64_t parameters;  /* total_parameters of the index */
    const char *plan_id;  /* what else must be equal, besides the tensors, for what an earlier run wrote to be used; may be NULL */
    bool two_renames;     /* as where the file system cannot exchange two folders; for tests */
} save_options;
typedef struct save save;

/* Looks at DIR and the free space, and makes all files at their full size; NULL on failure. The tensors are not kept. */
save *save_begin(const char *dir, const save_tensor *tensors, size_t n, const save_options *o, tare_error *err);
/* config.json, generation_config.json: a small file. */
bool save_text(save *s, const char *name, const char *text, size_t bytes, tare_error *err);
/* Bytes of a tensor, from its byte `first` on. False: it failed, here or elsewhere, and the error is kept. */
bool save_bytes(save *s, size_t tensor, uint64_t first, const void *data, size_t bytes);
/* All bytes of the tensor have been written. False as above. */
bool save_done(save *s, size_t tensor);
bool save_has(const save *s, size_t tensor);        /* an earlier run completed it */
bool save_failed(save *s, tare_error *err);         /* the kept error, if there is one */
/* Everything reaches the disk, then DIR is the new folder. On failure DIR is as it was, and the work folder is removed unless
 * `keep`. Frees s either way. */
bool save_commit(save *s, bool keep, tare_error *err);
/* Gives up and frees s. With keep the work folder stays, for a later run to go on from. */
void save_abandon(save *s, bool keep);
#endif
