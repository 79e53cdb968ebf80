#ifndef TARE_CONFIG_ROWS_H
#define TARE_CONFIG_ROWS_H
#include "cfg.h"
size_t cfg_rows(const cfg *c, arena *a, const tare_config_row **out);
#endif
