#ifndef TARE_CONFIG_BACKBONE_H
#define TARE_CONFIG_BACKBONE_H
#include "cfg.h"
/* set_output_features_output_indices(): absent values mean not given. */
void backbone_settle(cfg *c, val out_features, val out_indices);
#endif
