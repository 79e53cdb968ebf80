/* A checkpoint while it is opened: what the parts of the opening share. False everywhere: err says why. */
#ifndef TARE_FILES_OPENING_H
#define TARE_FILES_OPENING_H
#include "checkpoint.h"
#include "keys.h"
#include <dirent.h>

typedef struct index_entry { /* of weight_map */
    const char *key;
    uint32_t hash, name;     /* name: in opening.names */
    bool seen;               /* the file it names holds it */
} index_entry;

typedef struct opening {
    checkpoint *c;
    tare_error *err;
    size_t tensor_cap, flaw_cap;
    int64_t *shapes;         /* room for shapes: what is left of a block */
    size_t shapes_left;
    uint32_t *hashes;        /* of each tensor's key; as long as c->tensors */
    const char *base;        /* the folder that files are in: c->folder or its subfolder */
    const char *below;       /* the subfolder with a slash, or "" */
    const char *variant;     /* or NULL */
    const char *real_folder, *real_base, *real_blobs; /* where files may really be; the last one NULL but in the Hub's cache */
    const char **listed;     /* what lies in base, sorted */
    size_t listed_count;
    /* the index */
    index_entry *entries;
    size_t entry_count, entry_cap;
    key_table entry_of, name_of;
    const char **names;      /* the files it names, in order of first mention */
    size_t name_count;
    weights_file **file_of;  /* of each name; NULL where only entries name it that later ones replace */
    enum { TOTAL_ABSENT, TOTAL_ODD, TOTAL_NUMBER } total; /* metadata.total_size */
    double total_size;
    /* what is to be given back when memory runs out */
    int fd;                  /* -1: none */
    DIR *dir;
} opening;

__attribute__((format(printf, 6, 7)))
void flaw_add(opening *o, flaw_kind kind, const weights_file *f, const char *key, bool fails, const char *format, ...);
/* A list outside the arena with room for one more: doubled, so that huge ones move without a copy. */
void *list_room(opening *o, void *list, size_t n, size_t *cap, size_t size);

/* file.c: opens a regular file to o->fd and says how long it is; without err when it is not there. */
typedef enum found { FOUND, FOUND_NOT, FOUND_FAILED } found;
found file_open(opening *o, const char *path, weights_file *f);
void file_close(opening *o);
/* n bytes at `at`; FOUND_NOT where the file ends before. */
found file_read(tare_error *err, int fd, const char *path, uint64_t at, void *to, size_t n);

/* sniff.c: says with err what the file is that begins with these bytes, where that is plain to see; else false. */
bool sniff(tare_error *err, const char *path, const char *begin, size_t n, uint64_t size);

/* header.c: the header of the file in o->fd; its tensors go to the end of the list. */
bool header_read(opening *o, weights_file *f);
/* index.c: the index in o->fd. */
bool index_read(opening *o, const weights_file *index);
/* transformers_weights of the config.json in o->fd; NULL where there is none, or no reading it. */
const char *config_weights(opening *o, const weights_file *config);

/* folder.c: what path means, and which file from_pretrained() would take. */
typedef struct choice { const char *name; bool index; } choice; /* name: below o->base */
bool choose(opening *o, const char *path, const checkpoint_options *options, choice *out);
/* Fills o->listed; false with errno. */
bool list_base(opening *o);
/* The file's path; false with "escapes" where a file beyond the folder is meant. */
bool path_of(opening *o, const char *name, const char *who, const char **path);

/* checkpoint.c: the file of that name, or NULL */
weights_file *file_named(const checkpoint *c, const char *name);
/* compare.c: the index against the headers and the folder. */
void compare_files(opening *o);
void compare_tensors(opening *o);
#endif
