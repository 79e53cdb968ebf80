/* A checkpoint as its headers describe it: which files, which tensors, and what is wrong with them. No weight is read to open one.
 *
 * What makes everything unreadable ends the opening: no weights at all, a file that is something else, a header that breaks the format.
 * What concerns one tensor or one file beside others is listed as a flaw, and the rest is listed too. */
#ifndef TARE_FILES_CHECKPOINT_H
#define TARE_FILES_CHECKPOINT_H
#include "../core/arena.h"
#include "../core/error.h"
#include <pthread.h>

typedef struct file_tensor {
    const char *key;       /* UTF-8, unescaped */
    const int64_t *shape;  /* as the header has it: of sub-byte dtypes the elements, not the bytes */
    uint64_t at, bytes;    /* where in its file */
    uint32_t file;
    uint8_t dtype;         /* a tare_dtype; TARE_DTYPE_COUNT: one that nobody knows, see the flaws */
    int8_t rank;
    bool odd;              /* a flaw of its own: it can be listed, not read */
    bool replaced;         /* a later file has the same key, and counts; or it is a part of a packed one */
    const struct packed_form *packed; /* of a view: it is in no file, and worked out of some that are (packing.h); NULL: it is in its file */
} file_tensor;

typedef struct weights_file {
    const char *name;      /* below the folder */
    const char *path;      /* to open it */
    uint64_t bytes, data_at; /* of the whole file; where tensors begin */
    uint64_t stamp;          /* of which file it was and when it was written, to know it again */
    size_t first, n;       /* its tensors */
    int fd;                /* -1: not open yet */
    bool present;          /* false: the index names it, and it is not there */
    bool indexed;          /* the index names it */
} weights_file;

typedef enum flaw_kind {
    FLAW_FILE_MISSING,     /* the index names a file that is not there */
    FLAW_FILE_UNNAMED,     /* a shard lies beside, and the index does not name it */
    FLAW_FILE_GAP,         /* numbered shards, and one number is lacking that the index does not name either */
    FLAW_NOT_IN_FILE,      /* the index places a tensor in a file that does not hold it */
    FLAW_NOT_IN_INDEX,     /* a file holds a tensor that the index does not have */
    FLAW_TWICE,            /* two files hold it */
    FLAW_TOTAL_SIZE,       /* the index's total_size is not what the files hold */
    FLAW_DTYPE,            /* a dtype that nobody knows */
    FLAW_BYTES,            /* a tensor's bytes are not what its shape and dtype need */
    FLAW_PLACE,            /* offsets beyond the data, overlapping, or with a hole before them */
    FLAW_PACKED,           /* what a tensor is packed as does not go together */
    FLAW_HIDDEN            /* model.safetensors hides an index beside it, and the like: worth saying, nothing wrong */
} flaw_kind;
typedef struct flaw {
    flaw_kind kind;
    const char *file, *key;  /* which it concerns, or NULL */
    const char *message;     /* a whole sentence, lower case, without a final stop */
    bool damage;             /* the contents cannot be trusted: exit 3; else the answer is no at most */
    bool reference_fails;    /* Transformers raises an error here */
} flaw;

typedef struct checkpoint {
    arena a;
    const char *folder;      /* as given, without slashes at its end */
    const char *snapshot;    /* the Hub revision, where the folder is a snapshot of the Hub's cache; else NULL */
    weights_file *files;     /* sorted by name, as the reference reads them */
    size_t file_count;
    file_tensor *tensors;    /* file by file, each in the order of its data */
    size_t tensor_count;
    flaw *flaws;
    size_t flaw_count;
    const char *index;       /* the index's name, or NULL */
    const char *index_dtype; /* its metadata.dtype, or NULL */
    uint64_t data_bytes;     /* of all tensors that count */
    const struct checkpoint *view_of; /* more of the same files' tensors follow, which are packed in them; NULL: it is no view */
    struct key_table *keys;  /* key -> tensor, of those that count */
    pthread_mutex_t lock;    /* of fd */
} checkpoint;

typedef struct checkpoint_options {
    const char *variant;     /* "fp16": model.fp16.safetensors; NULL: none */
    const char *subfolder;   /* below the folder; NULL: none */
} checkpoint_options;

/* path: a folder, a snapshot or repository of the Hub's cache, one .safetensors file, or an index. options may be NULL. NULL on failure:
 * TARE_NO "no_weights" where there are none, TARE_BAD for content that cannot be read, each kind with a code and a sentence of its own,
 * TARE_IO for what the system refuses. */
checkpoint *checkpoint_open(const char *path, const checkpoint_options *options, tare_error *err);
void checkpoint_free(checkpoint *c);
/* The tensor of that key that counts, or SIZE_MAX. */
size_t checkpoint_find(const checkpoint *c, const char *key);
/* A descriptor of the file, opened at the first call and kept; -1 with err. From many threads. The file must be what the header was read of. */
int checkpoint_fd(const checkpoint *c, size_t file, tare_error *err);
/* n bytes of a tensor from its byte `at` on. */
bool checkpoint_read(const checkpoint *c, size_t tensor, uint64_t at, void *to, size_t n, tare_error *err);
#endif
