/* An index beside two shards that hold a, b and c. */
#include "files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    static bool begun;
    if (!begun) {
        files_header("model-00001-of-00002.safetensors", "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}", 2);
        files_header("model-00002-of-00002.safetensors",
            "{\"b\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]},\"c\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[1,1]}}", 1);
        begun = true;
    }
    files_write("model.safetensors.index.json", data, n);
    files_open(files_path(""), NULL);
    return 0;
}
