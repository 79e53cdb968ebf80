#include "library.h"
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

void *library_open(const char *variable, const char *name) {
    const char *given = getenv(variable), *path = given ? given : name;
    return *path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
}

/* ISO C has no cast from an object pointer to a function pointer; POSIX promises that the bits are the same. */
bool library_find(void *library, const char *symbol, void *function, size_t n) {
    void *at = dlsym(library, symbol);
    if (at) memcpy(function, &at, n);
    return at != NULL;
}

void library_close(void *library) {
    dlclose(library);
}
