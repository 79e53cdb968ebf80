/* For targets that read checkpoints: a folder to write their input to, and everything that can be asked of what opens. */
#ifndef TARE_TESTS_FUZZ_FILES_H
#define TARE_TESTS_FUZZ_FILES_H
#include "fuzz.h"

/* The path of a file in this process's folder, in static memory; "" for the folder. It goes when the process ends. */
const char *files_path(const char *name);
void files_write(const char *name, const void *data, size_t n);
/* A safetensors file of this header and so many bytes of data. */
void files_header(const char *name, const char *header, size_t data);
/* Opens twice: the same answer, and one that is consistent. */
void files_open(const char *path, const char *variant);
#endif
