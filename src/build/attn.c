#include "attn.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- names --------------------------------------------------------------------------------------------------- */

/* The last one is valid and not listed. */
static const char *const names[] = {"eager", "sdpa", "flash_attention_2", "flash_attention_3", "flash_attention_4", "flex_attention",
                                    "paged|eager"};
static const char *const expert_names[] = {"eager", "grouped_mm", "batched_mm", "deepgemm", "deepgemm_megamoe", "sonicmoe"};
enum { LISTED = 6, NAMES = sizeof names / sizeof *names, EXPERTS = sizeof expert_names / sizeof *expert_names };

size_t attn_names(const char *const **out) {
    *out = names;
    return LISTED;
}

static const char *find(const char *name, const char *const *list, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(name, list[i]) == 0) return list[i];
    return NULL;
}

static bool is_flash(const char *name) {
    return strstr(name, "flash") != NULL;
}

/* "org/repo", "org/repo@revision", "org/repo:function": two parts around one slash, a third after a colon */
static bool is_kernel(const char *name) {
    size_t org = strcspn(name, "/:");
    if (org == 0 || name[org] != '/') return false;
    const char *repo = name + org + 1;
    size_t n = strcspn(repo, "/:");
    if (n == 0 || repo[n] != ':') return n > 0 && !repo[n];
    const char *function = repo + n + 1;
    return *function && !function[strcspn(function, "/:")];
}

/* ---- the flash attention packages ---------------------------------------------------------------------------- */

typedef struct flash {
    const char *name, *package;
    size_t version;        /* where struct host holds it */
    const char *oldest;    /* version that will do, or NULL */
    int sm;                /* least compute capability */
    bool dropout;          /* the package has it */
    const char *kernel;    /* what the `kernels` package would fetch instead */
} flash;
/* The reference names capability 8 and 9 for the last two but looks only where the package is not usable anyway; on a smaller
 * GPU it builds a model whose first forward pass fails. The first package asks for 8.0 itself. */
static const flash flashes[] = {
    {"flash_attention_2", "flash_attn", offsetof(host, flash_attn), "2.3.3", 80, true, "kernels-community/flash-attn2"},
    {"flash_attention_3", "flash_attn_3", offsetof(host, flash_attn_3), NULL, 80, false, "kernels-community/vllm-flash-attn3"},
    {"flash_attention_4", "flash_attn_4", offsetof(host, flash_attn_4), NULL, 90, false, "kernels-community/flash-attn4"},
};

static const flash *find_flash(const char *name) {
    for (size_t i = 0; i < sizeof flashes / sizeof *flashes; i++)
        if (strcmp(name, flashes[i].name) == 0) return &flashes[i];
    return NULL;
}

/* "2.3.3rc1" and "2.3.3.dev0" come before 2.3.3; "2.3.3.post1" and "2.3.3+cu12" do not. */
static bool is_before_release(const char *rest) {
    rest += strspn(rest, "._-");
    return (*rest && strchr("abcd", *rest)) || strncmp(rest, "rc", 2) == 0 || strncmp(rest, "pre", 3) == 0;
}

static long next_part(const char **at) {
    const char *start = **at == '.' ? *at + 1 : *at;
    char *end;
    if (*start < '0' || *start > '9') return 0;
    long part = strtol(start, &end, 10);
    *at = end;
    return part;
}

static bool is_older(const char *version, const char *oldest) {
    while (*oldest) {
        long have = next_part(&version), want = next_part(&oldest);
        if (have != want) return have < want;
    }
    return next_part(&version) == 0 && is_before_release(version);
}

/* ---- reasons ------------------------------------------------------------------------------------------------- */

typedef struct request {
    const attn_support *s;
    const host *h;
    host here;             /* stands in when h is NULL */
    bool brief;            /* for a table: the bare reason */
    bool lacks_package;    /* refused for what could be installed */
    char *why;             /* n bytes; text that does not fit is dropped */
    size_t n, used;
} request;

static void say(request *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(request *r, const char *format, ...) {
    if (r->used >= r->n) return;
    va_list args;
    va_start(args, format);
    int wrote = vsnprintf(r->why + r->used, r->n - r->used, format, args);
    va_end(args);
    if (wrote > 0) r->used += (size_t)wrote;
}

/* What follows is a clause of its own. */
static void next_clause(request *r) {
    if (r->used) say(r, "; ");
}

/* A name from outside: whole characters of the first 64 bytes, control characters hidden. */
static void say_name(request *r, const char *name) {
    size_t n = strlen(name), shown = n;
    if (n > 64)
        for (shown = 64; shown > 0 && ((unsigned char)name[shown] & 0xC0) == 0x80;) shown--;
    for (size_t i = 0; i < shown; i++) say(r, "%c", (unsigned char)name[i] < ' ' || name[i] == 0x7F ? '?' : name[i]);
    if (shown < n) say(r, "...");
}

/* A list as prose: "a, b or c". */
static void say_list(request *r, const char *const *list, size_t n, const char *last) {
    for (size_t i = 0; i < n; i++) say(r, "%s%s", i == 0 ? "" : i + 1 < n ? ", " : last, list[i]);
}

static bool supports(const attn_support *s, const char *name) {
    if (is_flash(name)) return s->flash;
    if (strcmp(name, "sdpa") == 0) return s->sdpa;
    return strcmp(name, "flex_attention") != 0 || s->flex;
}

/* The listed names that the model supports, with or without those that depend on the host. */
static size_t supported(const attn_support *s, bool with_flash, const char *out[LISTED]) {
    size_t n = 0;
    for (size_t i = 0; i < LISTED; i++)
        if (supports(s, names[i]) && (with_flash || !is_flash(names[i]))) out[n++] = names[i];
    return n;
}

static bool refuse_unknown(request *r, const char *name) {
    const char *list[LISTED];
    size_t n = supported(r->s, true, list);
    next_clause(r);
    say(r, "\"");
    say_name(r, name);
    say(r, "\" is no attention implementation; %s takes ", r->s->class_name);
    say_list(r, list, n, " and ");
    return false;
}

static void advise(request *r) {
    const char *list[LISTED];
    size_t n = supported(r->s, false, list);
    if (r->brief) return;
    next_clause(r);
    say(r, "choose ");
    say_list(r, list, n, " or ");
}

static bool refuse_kernel(request *r, const char *name) {
    next_clause(r);
    say_name(r, name);
    say(r, " is a kernel on the Hub, which would have to be fetched and run; tare never does that");
    advise(r);
    return false;
}

static bool refuse_model(request *r, const char *name) {
    next_clause(r);
    say(r, "%s does not support %s", r->s->class_name, name);
    advise(r);
    return false;
}

/* ---- flash attention ----------------------------------------------------------------------------------------- */

/* What stands in the way on this host, in the reference's order: package, its version, a GPU, its capability. */
static bool flash_usable(request *r, const flash *f) {
    const host *h = r->h;
    const char *version = (const char *)h + f->version, *where = h->described ? "on the described host" : "here";
    bool absent = !version[0], old = !absent && f->oldest && is_older(version, f->oldest), capable = h->gpu && h->sm >= f->sm;
    if (!absent && !old && capable) return true;
    r->lacks_package = absent || old;
    next_clause(r);
    if (!r->brief) say(r, "%s cannot be used: ", f->name);
    if (absent) say(r, "package %s is not installed %s", f->package, where);
    if (old) say(r, "package %s %s %s must be %s or newer", f->package, version, where, f->oldest);
    if (!capable) say(r, "%sit needs a GPU of compute capability %d.%d or newer and ", absent || old ? "; " : "", f->sm / 10, f->sm % 10);
    if (!capable && h->gpu) say(r, "this one has %d.%d", h->sm / 10, h->sm % 10);
    if (!capable && !h->gpu) say(r, "none is present");
    if (h->kernels && (absent || old || !h->gpu))
        say(r, "; the kernel %s that transformers would fetch instead is never followed", f->kernel);
    advise(r);
    return false;
}

/* The reference only warns of these: weights may be cast after construction. */
static void flash_remarks(request *r, const flash *f) {
    const attn_support *s = r->s;
    if (s->dropout && !f->dropout) {
        next_clause(r);
        say(r, "%s has no dropout and attention_dropout is above 0", f->name);
    }
    if (s->has_dtype && (s->dtype == TARE_F16 || s->dtype == TARE_BF16)) return;
    next_clause(r);
    say(r, "%s computes in float16 or bfloat16 and ", f->name);
    if (s->has_dtype) say(r, "the dtype is %s", tare_dtype_torch(s->dtype));
    else say(r, "no dtype is given");
}

/* Kernels that are built for certain devices only, none of them for the CPU; any other is assumed to run everywhere. */
static const char *const cuda_kernels[] = {"kernels-community/flash-attn2", "kernels-community/flash-attn3",
                                           "kernels-community/vllm-flash-attn3", "kernels-community/flash-attn4"};
static const char *const other_kernels[] = {"kernels-community/aiter-flash-attn", "kernels-community/metal-flash-sdpa"};

static bool runs_on(const host *h, const char *name) {
    const flash *f = find_flash(name);
    const char *kernel = f ? f->kernel : name;
    if (find(kernel, cuda_kernels, sizeof cuda_kernels / sizeof *cuda_kernels)) return h->gpu;
    return !find(kernel, other_kernels, sizeof other_kernels / sizeof *other_kernels);
}

/* A model that lists the flash implementations it works with gets the first that suits the device, whatever flash was asked. */
static const char *compatible(request *r, const char *name) {
    const char *const *list = r->s->compatible_flash, *taken = NULL;
    if (!list || !list[0]) return name;
    for (size_t i = 0; list[i]; i++)
        if (strcmp(name, list[i]) == 0) return name;
    for (size_t i = 0; list[i] && !taken; i++)
        if (runs_on(r->h, list[i])) taken = list[i];
    if (!taken) taken = list[0];
    say_name(r, name);
    say(r, " becomes %s, which %s is made for", taken, r->s->class_name);
    return taken;
}

/* ---- verdicts ------------------------------------------------------------------------------------------------ */

static bool check(request *r, const char *name) {
    const flash *f = find_flash(name);
    if (!supports(r->s, name)) return refuse_model(r, name);
    if (f && !flash_usable(r, f)) return false;
    if (f) flash_remarks(r, f);
    return true;
}

/* Follows the order of the reference's checks, so that of several reasons the same one is given. */
static bool settle(request *r, const char *requested, const char **chosen) {
    bool paged = strncmp(requested, "paged|", 6) == 0 && strcmp(requested, "paged|eager") != 0;
    const char *name = requested + (paged ? 6 : 0);
    if (is_flash(name)) name = compatible(r, name);
    if (is_kernel(name)) return refuse_kernel(r, name);
    const char *known = find(name, names, NAMES);
    if (!known) return refuse_unknown(r, name);
    if (!check(r, known)) return false;
    if (paged) {
        next_clause(r);
        say(r, "the prefix paged| is needed for eager only");
    }
    *chosen = known;
    return true;
}

static bool answer(request *r, const char *requested, const char **chosen) {
    *chosen = NULL;
    if (r->n) r->why[0] = '\0';
    if (!requested) {
        *chosen = r->s->sdpa ? "sdpa" : "eager";
        return true;
    }
    if (!r->h && is_flash(requested)) {
        host_detect(&r->here);
        r->h = &r->here;
    }
    return settle(r, requested, chosen);
}

bool attn_settle(const attn_support *s, const host *h, const char *requested, const char **chosen, char *why, size_t n,
                 tare_status *status, const char **code) {
    request r = {.s = s, .h = h, .why = why, .n = n};
    bool ok = answer(&r, requested, chosen);
    *status = ok ? TARE_OK : TARE_NO;
    *code = ok ? "" : r.lacks_package ? "unavailable_attention" : "unsupported_attention";
    return ok;
}

bool attn_possible(const attn_support *s, const host *h, const char *name, char *why, size_t n) {
    const char *chosen;
    request r = {.s = s, .h = h, .brief = true, .why = why, .n = n};
    return answer(&r, name, &chosen);
}

bool experts_settle(const attn_support *s, const char *requested, const char **chosen, char *why, size_t n) {
    request r = {.s = s, .why = why, .n = n};
    if (n) why[0] = '\0';
    *chosen = requested ? find(requested, expert_names, EXPERTS) : s->experts ? "grouped_mm" : "eager";
    if (!*chosen) {
        say(&r, "\"");
        say_name(&r, requested);
        say(&r, "\" is no experts implementation; known are ");
        say_list(&r, expert_names, EXPERTS, " and ");
    } else if (strcmp(*chosen, "grouped_mm") == 0 && !s->experts) { /* the others are taken unchecked, as in the reference */
        say(&r, "%s does not support the experts implementation grouped_mm; choose eager", s->class_name);
        *chosen = NULL;
    }
    return *chosen != NULL;
}
