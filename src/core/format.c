#include "format.h"
#include "num.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct target { char *out; size_t n, room; } target; /* room without the ending zero */

static void put(target *t, const char *text, size_t n) {
    if (t->n < t->room) memcpy(t->out + t->n, text, n < t->room - t->n ? n : t->room - t->n);
    t->n += n;
}
static void put_int(target *t, int64_t i) {
    char text[NUM_TEXT];
    put(t, text, num_int(text, i));
}
/* One conversion after its '%'; what follows it, or NULL for one that is left to the C library. */
static const char *convert(target *t, const char *f, va_list *args) {
    switch (*f) {
    case '%': return put(t, "%", 1), f + 1;
    case 'd': return put_int(t, va_arg(*args, int)), f + 1;
    case 'u': return put_int(t, va_arg(*args, unsigned)), f + 1;
    case 's': {
        const char *text = va_arg(*args, const char *);
        return put(t, text, strlen(text)), f + 1;
    }
    case 'l':
        if (f[1] == 'd') return put_int(t, va_arg(*args, long)), f + 2;
        if (f[1] == 'l' && f[2] == 'd') return put_int(t, va_arg(*args, long long)), f + 3;
        return NULL;
    default: return NULL;
    }
}
size_t format_text(char *out, size_t size, const char *format, va_list args) {
    va_list copy;
    va_copy(copy, args);
    target t = {out, 0, size ? size - 1 : 0};
    const char *f = format;
    while (f && *f) {
        const char *percent = f;
        while (*percent && *percent != '%') percent++;
        put(&t, f, (size_t)(percent - f));
        f = *percent ? convert(&t, percent + 1, &copy) : NULL;
        if (*percent && !f) { /* something rarer */
            int k = vsnprintf(out, size, format, args);
            t.n = k > 0 ? (size_t)k : 0;
            break;
        }
    }
    va_end(copy);
    if (size) out[t.n < size ? t.n : size - 1] = 0;
    return t.n;
}
