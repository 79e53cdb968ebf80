/* A config.json. The class is the config's own or, three times in four, any that its type has. */
#include "fuzz.h"
#include <string.h>

static const char *some_class(const char *model_type, size_t choice) {
    const tare_type *types;
    size_t n = tare_types(&types), classes = 0;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(types[i].model_type, model_type)) continue;
        while (types[i].classes[classes]) classes++;
        return classes ? types[i].classes[choice % classes] : NULL;
    }
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    const char *json = (const char *)data, *class_name = NULL;
    size_t choice = fuzz_choice(data, n, 4096);
    tare_config *c = choice % 4 ? tare_config_parse(json, n, NULL, NULL) : NULL;
    if (c) class_name = some_class(tare_config_type(c), choice / 4);
    fuzz_model(json, n, class_name);
    tare_config_free(c);
    return 0;
}
