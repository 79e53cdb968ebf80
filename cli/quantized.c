/* What a model was prepared for, and what of it is easily missed. */
#include "cli.h"
#include <inttypes.h>

void quantization_notes(const tare_model *m) {
    const tare_quantization *q = tare_model_quantization(m);
    for (size_t i = 0; q && i < q->warning_count; i++) warning(q->warnings[i]);
}

void quantization_json(out *o, const tare_model *m) {
    const tare_quantization *q = tare_model_quantization(m);
    if (!q) return;
    out_format(o, ",\"quantization\":{\"method\":\"%s\",\"modules\":%" PRIu64 ",\"left\":%" PRIu64, q->method, q->replaced, q->left);
    out_format(o, ",\"weights\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"bits\":", q->weights, q->bytes);
    if (q->weights) out_format(o, "%.6g", 8.0 * (double)q->bytes / (double)q->weights);
    else out_text(o, "null");
    out_text(o, ",\"warnings\":[");
    for (size_t i = 0; i < q->warning_count; i++) {
        if (i) out_text(o, ",");
        out_json(o, q->warnings[i]);
    }
    out_text(o, "]}");
}
