#define OPENSSL_SUPPRESS_DEPRECATED /* the plain interface: the other one looks up a provider for each digest, at 2 us */
#include "sha256.h"
#include <assert.h>
#include <openssl/sha.h>

static_assert(sizeof(SHA256_CTX) <= sizeof(sha256), "sha256 holds OpenSSL's state");

void sha256_start(sha256 *h) { SHA256_Init((SHA256_CTX *)(void *)h->state); }
bool sha256_take(void *h, const char *data, size_t n) { return SHA256_Update((SHA256_CTX *)(void *)((sha256 *)h)->state, data, n) == 1; }
void sha256_end(sha256 *h, char hex[65]) {
    static const char digits[] = "0123456789abcdef";
    unsigned char raw[SHA256_DIGEST_LENGTH];
    SHA256_Final(raw, (SHA256_CTX *)(void *)h->state);
    for (int i = 0; i < SHA256_DIGEST_LENGTH; i++) {
        hex[2 * i] = digits[raw[i] >> 4];
        hex[2 * i + 1] = digits[raw[i] & 15];
    }
    hex[64] = 0;
}
