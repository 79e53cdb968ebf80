/* A family of one class for tests of what no built-in family needs yet: after ProbeModel() and ProbePreTrainedModel,
 * PROBE_FAMILY(", more fields of its config") makes known_family(), the setup of a group of tests. */
#ifndef TARE_TESTS_PROBE_H
#define TARE_TESTS_PROBE_H

#define PROBE_FAMILY(FIELDS)                                                                                                        \
    static const family probe = {                                                                                                   \
        .name = "probe",                                                                                                            \
        .configs = CONFIGS({.name = "ProbeConfig", .model_type = "probe"}),                                                         \
        .models = MODELS({"ProbeModel", ProbeModel, .like = &ProbePreTrainedModel}),                                                \
    };                                                                                                                              \
    static int known_family(void **state) {                                                                                         \
        static const char json[] =                                                                                                  \
            "{\"configs\": {\"ProbeConfig\": {\"model_type\": \"probe\", \"fields\": [[\"architectures\", \"any\", null],"          \
            "[\"dtype\", \"any\", null], [\"id2label\", \"any\", null], [\"label2id\", \"any\", null],"                             \
            "[\"tie_word_embeddings\", \"bool\", true]" FIELDS "]}}, \"types\": {\"probe\": \"ProbeConfig\"},"                      \
            "\"auto\": {\"AutoModel\": {\"probe\": \"ProbeModel\"}}}";                                                              \
        (void)state;                                                                                                                \
        const char *wrong = tare_register_family(&probe, json);                                                                     \
        if (wrong) fprintf(stderr, "%s\n", wrong);                                                                                  \
        return wrong != NULL;                                                                                                       \
    }
#endif
