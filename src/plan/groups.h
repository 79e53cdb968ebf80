/* Parameters with several names, and which of them concern a module. */
#ifndef TARE_PLAN_GROUPS_H
#define TARE_PLAN_GROUPS_H
#include "queue.h"

typedef struct tied_name {
    const char *path, *dotted; /* dotted: with a dot at its end */
    amount size;               /* of the first name in walk order; 0 of the others */
    const char *owner;         /* that first name */
    size_t at;                 /* in walk order */
} tied_name;
typedef struct tied_group { const tied_name *names; size_t n; } tied_group; /* sorted by name */
typedef struct tied_groups {
    tied_group *groups;
    size_t n;
    bool ends[256];            /* letters in front of a dot in some name */
    const tied_name **outside; /* room for what groups_outside() finds */
} tied_groups;
void groups_find(tied_groups *g, const measure *w, const acc_body *root);
/* Names outside of u in groups that have names inside, as the reference tells them: by a piece of text. */
size_t groups_outside(const tied_groups *g, arena *a, acc_unit *u);
/* Whether u or anything below it could be concerned at all. */
bool groups_touch(const tied_groups *g, arena *a, acc_unit *u);
#endif
