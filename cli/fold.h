/* The tree for reading: indented, aligned, equal members of a list as one. */
#ifndef TARE_CLI_FOLD_H
#define TARE_CLI_FOLD_H
#include "nodes.h"

tare_status fold_print(const tare_model *m, tare_error *err);
#endif
