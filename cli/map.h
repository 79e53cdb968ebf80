/* What the files of tare map share. */
#ifndef TARE_CLI_MAP_H
#define TARE_CLI_MAP_H
#include "cli.h"

/* "infer", "auto", ...; false: no such mode. */
bool map_mode(const char *name, tare_map_mode *mode);
/* The map as device_map= takes it: {"model.embed_tokens": 0, ...}. */
void map_put_json(out *o, const tare_plan *g, const char *space);
void map_put_bytes(out *o, double bytes);
/* JSON lines; an exit status. */
int map_batch(const args *a);
/* One line of --batch, a line_answer; `to` are these. */
typedef struct map_wishes { tare_open_options open; bool accelerate; } map_wishes;
struct line;
bool map_line(const void *to, const struct line *in, out *o);
#endif
