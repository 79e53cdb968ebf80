/* A library of the system's, looked up while running: tare links none of the drivers. */
#ifndef TARE_CORE_LIBRARY_H
#define TARE_CORE_LIBRARY_H
#include <stdbool.h>
#include <stddef.h>

/* The library `name`, or the one that the environment variable names ("": none). NULL when it cannot be loaded. */
void *library_open(const char *variable, const char *name);
/* Puts the address of a function into the function pointer at `function`, of n bytes. */
bool library_find(void *library, const char *symbol, void *function, size_t n);
void library_close(void *library);
#endif
