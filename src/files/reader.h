/* JSON read in place and in one pass, without a tree: for headers and indexes of many megabytes. Strings are unescaped where they stand
 * and end with a zero byte. Grammar and limits are serde_json's, which safetensors reads headers with. */
#ifndef TARE_FILES_READER_H
#define TARE_FILES_READER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { READER_PAD = 32 }; /* zero bytes after the text, so that so many may be looked at anywhere */
typedef struct reader {
    char *at;
    const char *from, *end;
    const char *why;      /* what is wrong at `at`; NULL: nothing is. Once set, nothing more is read */
    int depth;            /* of lists and objects that are open */
    bool zeros;           /* a string held a zero character: words may be longer than they look */
    bool python;          /* as Python's json: NaN, Infinity, numbers of any size */
} reader;
typedef struct word { /* a string, ended by a zero byte */
    const char *s;
    size_t n;
} word;

reader reader_of(char *text, size_t n); /* READER_PAD zero bytes follow the n */
bool reader_fail(reader *r, const char *why); /* false */
/* After '{' or '[': another member or item comes. False at the end, or with `why`. first: true before the first one. */
bool reader_open(reader *r, char bracket);
bool reader_member(reader *r, bool *first, word *key);
bool reader_item(reader *r, bool *first);
bool reader_string(reader *r, word *out);
bool reader_whole(reader *r, uint64_t *out);  /* 0, 1, 2, ... below 2^64 */
bool reader_skip(reader *r);                  /* any value */
bool reader_number(reader *r, double *out);   /* near enough to compare by; false without `why` where it is no number */
bool reader_null(reader *r);                  /* takes a null; false without `why` where there is none */
bool reader_end(reader *r);                   /* nothing but blanks follows */
char reader_next(reader *r);                  /* the first byte of the next value, not taken */
/* What strcmp() takes for the word is all of it. */
bool reader_plain(reader *r, word w);
static inline bool word_is(word w, const char *text, size_t n) { return w.n == n && !__builtin_memcmp(w.s, text, n); }
#define WORD_IS(w, text) word_is(w, text, sizeof(text) - 1)
#endif
