/* A folder to work in, and small files in it; after cmocka.h. */
#ifndef TARE_TESTS_FOLDER_H
#define TARE_TESTS_FOLDER_H
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int drop(const char *path, const struct stat *st, int kind, struct FTW *at) {
    (void)st, (void)kind, (void)at;
    return remove(path);
}
static void remove_all(const char *path) { nftw(path, drop, 16, FTW_DEPTH | FTW_PHYS); }
/* Setup and teardown of a group: an empty folder is the current one. */
static int enter_folder(void **state) {
    (void)state;
    char name[256];
    const char *where = getenv("TMPDIR");
    snprintf(name, sizeof name, "%s/tare-test-%ld", where ? where : "/tmp", (long)getpid());
    return mkdir(name, 0700) || chdir(name);
}
static int leave_folder(void **state) {
    (void)state;
    char *here = getcwd(NULL, 0);
    remove_all(here);
    free(here);
    return 0;
}
__attribute__((unused)) static void put_file(const char *path, const void *data, size_t n) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    fclose(f);
}
#endif
