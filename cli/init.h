/* What the files of tare init share. */
#ifndef TARE_CLI_INIT_H
#define TARE_CLI_INIT_H
#include "cli.h"

/* Draws the weights into a checkpoint folder; an exit status. */
int init_to_folder(const args *a, const tare_model *m, tare_init_options *o);
#endif
