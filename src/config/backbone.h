#ifndef TARE_CONFIG_BACKBONE_H
#define TARE_CONFIG_BACKBONE_H
#include "cfg.h"
/* set_output_features_output_indices(): absent values mean not given. */
bool backbone_check(cfg *c); /* stage names against what is given out */
void backbone_settle(cfg *c, val out_features, val out_indices);
#endif
