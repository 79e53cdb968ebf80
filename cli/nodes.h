/* The tree in memory, for the commands that look at it as a whole: folded runs, groups of parameters. */
#ifndef TARE_CLI_NODES_H
#define TARE_CLI_NODES_H
#include "cli.h"

typedef struct node {
    const char *path, *name;  /* name: the last part of path */
    const char *class_name;   /* of a module; NULL for a tensor */
    struct node *tensors;     /* own parameters, then buffers */
    struct node *modules;     /* children */
    struct node *next;        /* in either list */
    struct node *alike;       /* set by group(): the next child that is equal to this one */
    bool follows;             /* set by group(): an earlier child is equal to this one */
    tare_item item;           /* of a tensor; path, shape and owner live as long as the nodes */
    uint64_t elements;        /* in parameters here and below, each shared tensor once */
} node;

typedef struct nodes nodes;
nodes *nodes_of(const tare_model *m, tare_error *err);
void nodes_free(nodes *n);
node *nodes_root(nodes *n);

bool is_number(const char *name);
bool is_list(const node *n); /* a ModuleList or Sequential whose children are all numbered */
/* Links the numbered children of n that are equal in everything but their number. */
void group(node *n);
/* The numbers of a group: "3", "{0...31}", "{0...2,5}". */
void out_numbers(out *o, const node *first);
#endif
