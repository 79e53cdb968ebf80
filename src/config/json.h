/* JSON text to values (json-c reads it) and values to text as Python's json.dumps writes it. */
#ifndef TARE_CONFIG_JSON_H
#define TARE_CONFIG_JSON_H
#include "../core/buf.h"
#include "../core/error.h"
#include "../core/val.h"

enum { JSON_DEPTH = 128, JSON_LARGEST = 16 << 20 };
/* Reads n bytes as one JSON value, into the arena. `what` names the source in errors ("config.json"). False: err is set.
 * Python's rules: NaN and Infinity are numbers, the last of equal keys wins, integers have any size. Invalid UTF-8,
 * nesting beyond JSON_DEPTH and texts beyond JSON_LARGEST are refused. */
bool json_read(arena *a, const char *text, size_t n, const char *what, val *out, tare_error *err);
/* indent < 0: one line, ", " and ": " between; else indented by that many spaces a level. */
void json_write(sink *s, val v, int indent);
void json_write_ascii(sink *s, val v, int indent); /* the same with everything beyond ASCII as \u escapes */
const char *json_line(arena *a, val v); /* one line, in the arena */
/* One line, at most `most` bytes with "..." at the cut; for messages. */
const char *json_short(arena *a, val v, size_t most);
#endif
