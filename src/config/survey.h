/* What is settled before json-c reads a text. It lets things through that Python does not (single quotes, raw control
 * characters, "1."), loses others in silence (integers beyond 64 bits, a zero character, half of a surrogate pair), and its
 * versions differ in this. */
#ifndef TARE_CONFIG_SURVEY_H
#define TARE_CONFIG_SURVEY_H
#include "../core/arena.h"

enum { SURVEY_HUGE = 16, SURVEY_MARK = 0x1f };
typedef struct survey {
    const char *text, *why; /* why: what is wrong, at `at` */
    size_t n, at;
    bool unkept;            /* it is JSON, but could not be kept exactly */
    int huge;               /* integers beyond 64 bits, with their places */
    size_t huge_at[SURVEY_HUGE], huge_n[SURVEY_HUGE];
    bool marks;             /* some string holds SURVEY_MARK */
    bool wide;              /* some string is more than ASCII */
} survey;
bool survey_text(survey *s);
/* The text with every huge integer made a string that begins with SURVEY_MARK, which no other string does. */
const char *survey_marked(const survey *s, arena *a, size_t *n);
#endif
