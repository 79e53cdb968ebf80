/* Where each tensor of a checkpoint lies: which file, at which byte, and the header of each file, as save_pretrained() lays them out. */
#ifndef TARE_FILES_SHARDS_H
#define TARE_FILES_SHARDS_H
#include "../core/error.h"
#include <stddef.h>
#include <stdint.h>

typedef struct save_tensor { /* in state_dict order */
    const char *key;
    tare_dtype dtype;
    int rank;
    const int64_t *shape;
    /* Tensors that are views of one storage in the reference's state dict (experts cut out of a stacked parameter) go to one file: */
    size_t part_of;   /* 1 + the index of the first of them; 0: it has a storage of its own */
    uint64_t storage; /* of the first: the bytes of that storage; 0: those of the tensor */
} save_tensor;

typedef struct place {
    uint32_t file;
    uint64_t at, bytes; /* in the file */
} place;
typedef struct shard {
    char name[64];
    char *header;           /* the first bytes of the file, padded so that data starts at a multiple of 64 */
    size_t header_bytes;
    uint64_t bytes;         /* of the whole file */
} shard;
typedef struct shards {
    place *places;          /* of each tensor */
    size_t n_tensors;
    shard *files;
    size_t n_files;
    char *index;            /* text of model.safetensors.index.json; NULL when one file holds all, or there is nothing */
    size_t index_bytes;
    uint64_t data_bytes, file_bytes; /* of all tensors; of all shards with their headers */
} shards;

#define INDEX_NAME "model.safetensors.index.json"
/* parameters: what the index says as total_parameters. NULL on failure. */
shards *shards_make(const save_tensor *tensors, size_t n, uint64_t max_shard, uint64_t parameters, tare_error *err);
void shards_drop_texts(shards *l); /* headers and index: they are written */
void shards_free(shards *l);
#endif
