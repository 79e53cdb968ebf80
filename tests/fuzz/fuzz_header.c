/* One .safetensors file, its length in front included. */
#include "files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    files_write("model.safetensors", data, n);
    files_open(files_path("model.safetensors"), NULL);
    return 0;
}
