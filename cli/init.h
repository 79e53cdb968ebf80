/* What the files of tare init share. */
#ifndef TARE_CLI_INIT_H
#define TARE_CLI_INIT_H
#include "lines.h"

/* Draws the weights into a checkpoint folder; an exit status. */
int init_to_folder(const args *a, const tare_model *m, tare_init_options *o);
/* One line of --batch, a line_answer; `to` are these. */
typedef struct init_wishes { tare_open_options open; tare_init_options init; } init_wishes;
bool init_line(const void *to, const line *in, out *o);
#endif
