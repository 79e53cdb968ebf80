/* What a file is that is no safetensors file, by how it begins. */
#include "opening.h"
#include <inttypes.h>
#include <string.h>
#include <strings.h>

static bool begins(const char *text, size_t n, const char *with, size_t m) { return n >= m && !memcmp(text, with, m); }
#define BEGINS(with) begins(text, n, with, sizeof(with) - 1)

/* What a terminal shows of the line at text, which ends with a zero byte: less than `most` characters. */
static void show_line(const char *text, char *out, size_t most) {
    size_t n = 0;
    for (; n + 1 < most && text[n] && !strchr("\r\n", text[n]); n++) out[n] = text[n] >= ' ' && text[n] <= '~' ? text[n] : '?';
    out[n] = 0;
}
static void show_field(const char *text, const char *name, char *out, size_t most) {
    const char *at = strstr(text, name);
    show_line(at ? at + strlen(name) : "unknown", out, most);
}

typedef struct kind { const char *begin; size_t n; const char *code, *is; } kind;
#define KIND(begin, code, is) {begin, sizeof(begin) - 1, code, is}
static const char convert[] = "; load it once with from_pretrained() and write it with save_pretrained(), which makes safetensors of it";
static const kind kinds[] = {
    KIND("GGUF", "gguf", "a GGUF file, which is not read here; take the repository's safetensors files"),
    KIND("\x1f\x8b", "gzip", "compressed with gzip; unpack it first"),
    KIND("PK\x03\x04", "pickle", "a zip archive, as torch.save() writes; pickles are not read"),
    KIND("\x80\x02", "pickle", "a pickle, as torch.save() writes; pickles are not read"),
    KIND("\x80\x03", "pickle", "a pickle; pickles are not read"),
    KIND("\x80\x04", "pickle", "a pickle; pickles are not read"),
    KIND("\x80\x05", "pickle", "a pickle; pickles are not read"),
    KIND("\x89HDF\r\n", "not_weights", "an HDF5 file, as Keras writes; it is not read here"),
};

static bool is_page(const char *text, size_t n) {
    static const char *const tags[] = {"<!doctype", "<html", "<?xml", "<head", "<body", "<error"};
    size_t blank = strspn(text, " \t\r\n\xef\xbb\xbf");
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        if (blank < n && !strncasecmp(text + blank, tags[i], strlen(tags[i]))) return true;
    return false;
}
static bool say_pointer(tare_error *err, const char *path, const char *text) {
    char oid[80], size[32];
    show_field(text, "oid sha256:", oid, sizeof oid);
    show_field(text, "\nsize ", size, sizeof size);
    error_set(err, TARE_BAD, "lfs_pointer", path,
        "%.300s is a git-lfs pointer, not the weights: it stands for a file of %s bytes with sha256 %s; run \"git lfs pull\" in its folder", path,
        size, oid);
    return true;
}
static bool say_text(tare_error *err, const char *path, const char *text, size_t n) {
    char line[100];
    show_line(text, line, sizeof line);
    if (is_page(text, n))
        error_set(err, TARE_BAD, "html", path,
            "%.300s is a web page, not weights: an error or log-in page was saved in its place; download it again", path);
    else if (*text == '{')
        error_set(err, TARE_BAD, "error_body", path, "%.300s is JSON text, not weights: it begins with %s; download it again", path, line);
    else return false;
    return true;
}

bool sniff(tare_error *err, const char *path, const char *begin, size_t n, uint64_t size) {
    char text[1024] = {0};
    n = n < sizeof text - 1 ? n : sizeof text - 1;
    memcpy(text, begin, n);
    if (BEGINS("version https://git-lfs") || BEGINS("version https://hawser")) return say_pointer(err, path, text);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const kind *k = &kinds[i];
        if (!begins(text, n, k->begin, k->n)) continue;
        bool pickle = !strcmp(k->code, "pickle");
        error_set(err, TARE_BAD, k->code, path, "%.300s is %s%s", path, k->is, pickle ? convert : "");
        return true;
    }
    size_t zeros = 0;
    while (zeros < n && !text[zeros]) zeros++;
    if (n >= 16 && zeros == n) {
        error_set(err, TARE_BAD, "truncated", path,
            "%.300s begins with %zu zero bytes, as a download of %" PRIu64 " bytes does that was cut off; download it again", path, n, size);
        return true;
    }
    return say_text(err, path, text, n);
}
