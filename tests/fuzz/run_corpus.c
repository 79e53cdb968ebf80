/* The main of a target without libFuzzer: run_corpus FILE|FOLDER ... gives it each file. */
#define _DEFAULT_SOURCE
#include "fuzz.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The bytes of a file in memory of just that size, so that a read beyond them is noticed. */
static int run_file(const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END)) return perror(path), -1;
    long size = ftell(f);
    size_t n = size > 0 ? (size_t)size : 0;
    uint8_t *data = malloc(n ? n : 1);
    rewind(f);
    if (!data || fread(data, 1, n, f) != n) return perror(path), fclose(f), free(data), -1;
    fclose(f);
    LLVMFuzzerTestOneInput(data, n);
    free(data);
    return 1;
}
static int run_folder(const char *path) {
    int done = 0, one = 0;
    char file[4096];
    DIR *d = opendir(path);
    if (!d) return errno == ENOTDIR ? run_file(path) : (perror(path), -1);
    for (struct dirent *e; one >= 0 && (e = readdir(d));) {
        if (e->d_name[0] == '.') continue;
        snprintf(file, sizeof file, "%s/%s", path, e->d_name);
        one = run_file(file);
        done += one;
    }
    closedir(d);
    return one < 0 ? -1 : done;
}

int main(int argc, char **argv) {
    int done = 0;
    for (int i = 1; i < argc; i++) {
        int n = run_folder(argv[i]);
        if (n < 0) return 1;
        done += n;
    }
    printf("%d inputs\n", done);
    return done ? 0 : 1;
}
